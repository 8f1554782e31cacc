"""What was restored into a folder, a line for each event, so that a run can be continued however it ended."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from rrframe.run.lines import append_line, read_lines


@dataclass(frozen=True)
class Row:
    """What became of a picture.

    Args:
        name: Its path below the folder of results, with the ending that it came with.
        source: The file it was read from.
        status: ``begun`` while its result may lie there without being known to be whole.
        sha256: Of the file.
        output: The path of the result below its folder.
        size: Of the result, in bytes.
        height: In pixels.
        width: In pixels.
        tiles: How many it was restored in.
        guessed: The task that it was restored for, where that was a guess, and how sure.
        scores: What the guess was made from.
        seconds: What that took.
        notes: What had to be done to it.
        reason: Why it failed.
    """

    name: str
    source: str
    status: Literal["begun", "done", "failed"]
    sha256: str = ""
    output: str = ""
    size: int = 0
    height: int = 0
    width: int = 0
    tiles: int = 1
    guessed: str = ""
    scores: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    reason: str = ""

    @property
    def shown(self) -> str:
        """The name for people."""
        return as_text(self.name)


def as_text(name: str) -> str:
    """The name of a file as text: one that is no valid UTF-8 has its odd bytes written ``\\xNN``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


class Journal:
    """The rows kept in the file at ``path``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.rows: dict[str, Row] = {}
        """The last word on each picture, by name."""
        self._outputs: set[str] = set()
        for known in read_lines(path):
            try:
                row = Row(**(known | {"notes": tuple(known["notes"])}))
            except (TypeError, KeyError):
                continue
            self._keep(row)

    def add(self, row: Row) -> None:
        """Keep ``row``, on the disk when this returns."""
        self._keep(row)
        append_line(self._path, asdict(row))

    def wrote(self, output: Path) -> bool:
        """Whether what lies at ``output`` below the folder was put there by a run that this journal tells of."""
        return str(output) in self._outputs

    def clear(self) -> None:
        """Forget all but which files are this folder's own."""
        self.rows = {}

    def _keep(self, row: Row) -> None:
        self.rows[row.name] = row
        if row.output:
            self._outputs.add(row.output)
