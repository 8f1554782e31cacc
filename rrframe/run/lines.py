"""Files of JSON lines that a run writes as it goes: a line is there once it is written, whatever ends the run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_lines(path: Path) -> Iterator[Any]:
    """The value of each line, none where there is no file; a line that was torn when the run was killed is left out."""
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def append_line(path: Path, value: Any) -> None:
    """Add a line, on the disk when this returns."""
    with open(path, "a+b") as file:
        if file.tell() and not _ends_whole(path, file.tell()):
            file.write(b"\n")
        file.write(json.dumps(value).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _ends_whole(path: Path, size: int) -> bool:
    with open(path, "rb") as file:
        file.seek(size - 1)
        return file.read() == b"\n"
