"""What the judge says of every image of a run, before and after each restorer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from rrframe.contracts.judge import Judge
from rrframe.errors import RRFrameError
from rrframe.evaluation.judging import Judgement, Judging
from rrframe.evaluation.results import Row
from rrframe.imaging.reading import read_photograph
from rrframe.run.progress import Watch

_AT_ONCE = 32  # images that are read together, or as many as
_ROUNDS = 4  # times what the judge takes at once, so that its workers seldom wait for the last of a group
_PIXELS = 100_000_000
_Group = list[tuple[str, np.ndarray]]


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


def ask_all(judging: Judging, questions: dict[str, list[str]], folder: Path, watch: Watch) -> Severities:
    """Ask about every file. Answers are kept by ``judging`` as they come; one image that cannot be read or judged costs
    no other.
    """
    asked, done = Severities(), 0
    for task, files in questions.items():
        for group in _ahead(_groups(files, folder, asked, task, judging.judge)):
            try:
                judgements = judging.severities([image for _, image in group], task)
            except RRFrameError as error:
                asked.stopped = error
                return asked
            asked.found |= {(file, task): said for (file, _), said in zip(group, judgements, strict=True)}
            done += len(group)
            watch.reached(done, f"judging {task}")
    return asked


def _groups(files: Sequence[str], folder: Path, asked: Severities, task: str, judge: Judge) -> Iterator[_Group]:
    most = max(_AT_ONCE, _ROUNDS * judge.workers * judge.at_once)
    group: _Group = []
    pixels = 0
    for file in files:
        try:
            image = read_photograph(folder / file).eight_bit()
        except RRFrameError as error:
            asked.found[file, task] = Judgement(None, (), "failed", error.message)
            continue
        group.append((file, image))
        pixels += image.shape[0] * image.shape[1]
        if len(group) >= most or pixels >= _PIXELS:
            yield group
            group, pixels = [], 0
    if group:
        yield group


def _ahead(groups: Iterator[_Group]) -> Iterator[_Group]:
    """The same, each read while the one before is judged."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, groups, None)
        while (group := coming.result()) is not None:
            coming = pool.submit(next, groups, None)
            yield group
