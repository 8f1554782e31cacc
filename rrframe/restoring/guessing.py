"""Which task a photograph is, guessed from how severe each degradation seems in it."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import torch

from rrframe.contracts.component import create
from rrframe.contracts.metric import Metric
from rrframe.errors import RRFrameError
from rrframe.manager import get_manager

AUTO = "auto"
"""The task that stands for whatever is guessed."""
_ESTIMATORS = "severity/"
_LEAST = 1e-3  # of an estimate: what is less, or nearer to 1, counts as that
_UNSURE = 0.5


@dataclass(frozen=True)
class Guess:
    """What a photograph seems to suffer from.

    Args:
        task: The likeliest task.
        sure: How likely, from 0 to 1, among the tasks that could be guessed.
        scores: What each estimator said, by task: a severity from 0 to 1.
    """

    task: str
    sure: float
    scores: Mapping[str, float]

    def __str__(self) -> str:
        return f"{self.task}, {'unsure' if self.sure < _UNSURE else 'guessed'} ({self.sure:.0%})"

    def explained(self) -> str:
        """The estimates, the most severe first."""
        ordered = sorted(self.scores.items(), key=lambda each: -each[1])
        return ", ".join(f"{task} {score:.2f}" for task, score in ordered)


class Guesser:
    """Guesses among ``tasks``.

    Estimators answer to each other's degradations: haze flattens a picture as a reflection does, and noise looks like
    moire. So the task is not the highest of them but what a linear classifier makes of their log odds: fitted to
    degraded sample photographs by ``benchmarks/guessing.py``, which tells how often it is right.

    Args:
        tasks: What may be guessed; ``None`` for all that can.

    Raises:
        RRFrameError: None of them can be guessed, or an estimator is missing.
    """

    def __init__(self, tasks: Collection[str] | None = None) -> None:
        table = _table()
        self.tasks = sorted(table if tasks is None else table.keys() & set(tasks))
        if not self.tasks:
            raise RRFrameError(
                f"none of {', '.join(sorted(tasks or ()))} can be guessed",
                hint=f"those can: {', '.join(sorted(table))}",
            )
        known = get_manager().table("metric")
        missing = [task for task in table if _ESTIMATORS + task not in known]
        if missing:
            raise RRFrameError(
                f"the task cannot be guessed: there is no metric {_ESTIMATORS}{missing[0]}",
                hint="rrframe plugins --kind metric lists those there are",
            )
        self._estimators = {task: create(_ESTIMATORS + task, kinds=("metric",)) for task in table}

    def __call__(self, image: torch.Tensor) -> Guess:
        """The guess for ``[1, 3, H, W]`` float32 in [0, 1], encoded sRGB.

        Raises:
            RRFrameError: It is too small for an estimator.
        """
        scores = {task: _score(estimator, image) for task, estimator in self._estimators.items()}
        odds = {task: log_odds(score) for task, score in scores.items()}
        table = _table()
        says = {
            task: table[task]["offset"] + sum(table[task][other] * value for other, value in odds.items())
            for task in self.tasks
        }
        likeliest = max(says, key=lambda task: says[task])
        total = sum(math.exp(value - says[likeliest]) for value in says.values())
        return Guess(likeliest, 1 / total, scores)


def log_odds(score: float) -> float:
    """The logarithm of the odds of an estimate in [0, 1], kept finite."""
    kept = min(max(score, _LEAST), 1 - _LEAST)
    return math.log(kept / (1 - kept))


def counted(tasks: Sequence[str]) -> str:
    """How many pictures each task was guessed for, the most first."""
    return ", ".join(f"{task} {count}" for task, count in Counter(tasks).most_common())


def _score(estimator: object, image: torch.Tensor) -> float:
    assert isinstance(estimator, Metric)
    return float(estimator(image))


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, float]]:
    """For each task its offset, and its weight for the log odds of each estimate."""
    found: dict[str, dict[str, float]] = json.loads(
        files("rrframe.restoring").joinpath("guessing.json").read_text(encoding="utf-8")
    )
    return found
