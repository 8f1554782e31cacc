"""What the judge says of every image of a run, before and after each restorer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from rrframe.errors import RRFrameError
from rrframe.evaluation.judging import Judgement, Judging
from rrframe.evaluation.results import Row
from rrframe.imaging.layout import to_batch
from rrframe.imaging.reading import read_photograph
from rrframe.run.progress import Watch

_AT_ONCE = 32  # images that are read together, so that a judge with several workers has something to do
_PIXELS = 16_000_000


@dataclass
class Severities:
    """Judgements by file, relative to the run's folder, and task.

    Args:
        found: Those that there are.
        stopped: Why the judge could not be asked further.
    """

    found: dict[tuple[str, str], Judgement] = field(default_factory=dict)
    stopped: RRFrameError | None = None

    def of(self, file: str | None, task: str) -> Judgement | None:
        """The judgement of a file, as far as there is one."""
        return self.found.get((file or "", task))


def questions_of(rows: Iterable[Row], told: dict[str, str]) -> dict[str, list[str]]:
    """The files to ask about, by what the judge calls the task: each once."""
    found: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.restored is not None and row.degraded is not None:
            found.setdefault(told[row.task], {}).update({row.degraded: None, row.restored: None})
    return {task: list(files) for task, files in found.items()}


def ask_all(judging: Judging, questions: dict[str, list[str]], folder: Path, watch: Watch, done: int) -> Severities:
    """Ask about every file. Answers are kept by ``judging`` as they come; one image that cannot be read or judged costs
    no other.
    """
    asked = Severities()
    for task, files in questions.items():
        for group in _groups(files, folder, asked, task):
            try:
                judgements = judging.severities([image for _, image in group], task)
            except RRFrameError as error:
                asked.stopped = error
                return asked
            asked.found |= {(file, task): said for (file, _), said in zip(group, judgements, strict=True)}
            done += len(group)
            watch.reached(done, f"judging {task}")
    return asked


def _groups(
    files: Sequence[str], folder: Path, asked: Severities, task: str
) -> Iterable[list[tuple[str, torch.Tensor]]]:
    group: list[tuple[str, torch.Tensor]] = []
    pixels = 0
    for file in files:
        try:
            image = to_batch(read_photograph(folder / file).pixels)[0]
        except RRFrameError as error:
            asked.found[file, task] = Judgement(None, (), "failed", error.message)
            continue
        group.append((file, image))
        pixels += image[0].numel()
        if len(group) >= _AT_ONCE or pixels >= _PIXELS:
            yield group
            group, pixels = [], 0
    if group:
        yield group
