"""Averages, each named and with the counts behind it: what is missing is never left out in silence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

OVER_IMAGES = "mean over images"
OVER_TASKS = "mean over tasks"

Ends = tuple[float | None, float | None]


@dataclass(frozen=True)
class Mean:
    """An average with the counts behind it.

    Args:
        value: The mean over what was scored; ``None`` if nothing was.
        of: What it is a mean over: ``images`` or ``tasks``.
        asked: How many there were to score.
        scored: How many of them have a value.
        low: The least that the mean over all that were asked can be, each that is missing being what it may; ``None``
            where the scale has no lower end.
        high: The greatest, likewise.
        images_asked: Images behind it, and
        images_scored: how many of these have a value.
    """

    value: float | None
    of: str
    asked: int
    scored: int
    low: float | None
    high: float | None
    images_asked: int
    images_scored: int

    @property
    def failed(self) -> int:
        return self.asked - self.scored

    @property
    def complete(self) -> bool:
        return self.images_scored == self.images_asked

    @property
    def label(self) -> str:
        """What must stand beside the number: ``mean over 462 of 464 images asked``."""
        if self.of == "images":
            return f"mean over {_part(self.scored, self.asked)} images{'' if self.complete else ' asked'}"
        images = f"{_part(self.images_scored, self.images_asked)} images{'' if self.complete else ' asked'}"
        return f"mean over {_part(self.scored, self.asked)} tasks, {images}"


def over_images(values: Sequence[float | None], ends: Sequence[Ends]) -> Mean:
    """The mean over images, one at least.

    Args:
        values: The score of each, or ``None`` where it is missing.
        ends: The least and the greatest value that each may have: twice its score, where that is there.
    """
    there = [value for value in values if value is not None]
    low, high = (_mean(side) for side in zip(*ends, strict=True))
    value = math.fsum(there) / len(there) if there else None
    return Mean(value, "images", len(values), len(there), low, high, len(values), len(there))


def over_tasks(tasks: Sequence[Mean]) -> Mean:
    """The mean of the means of tasks, one at least: each counts the same, and one with no image scored is left out."""
    there = [task.value for task in tasks if task.value is not None]
    return Mean(
        math.fsum(there) / len(there) if there else None,
        "tasks",
        len(tasks),
        len(there),
        _mean([task.low for task in tasks]),
        _mean([task.high for task in tasks]),
        sum(task.images_asked for task in tasks),
        sum(task.images_scored for task in tasks),
    )


def by_task(
    tasks: Mapping[str, Sequence[int]], values: Sequence[float | None], ends: Sequence[Ends]
) -> dict[str, Mean]:
    """The mean of each task by its name, the one over all images, and the one over tasks.

    Args:
        tasks: The places of each task's images in the other two.
        values: The score of every image.
        ends: Their ends, as for ``over_images``.

    Raises:
        ValueError: A task has the name of one of the means.
    """
    for name in tasks:
        if name in (OVER_IMAGES, OVER_TASKS):
            raise ValueError(f"no task can be called {name!r}")
    found = {
        task: over_images([values[place] for place in places], [ends[place] for place in places])
        for task, places in tasks.items()
    }
    if found:
        means = list(found.values())
        found[OVER_IMAGES] = over_images(values, ends)
        found[OVER_TASKS] = over_tasks(means)
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return math.fsum(there) / len(there) if len(there) == len(values) else None


def _part(some: int, all_: int) -> str:
    return str(all_) if some == all_ else f"{some} of {all_}"
