"""The scores of RealIR-Bench, an image at a time, and their averages, each named and with the counts behind it.

RS, the restoration score, is the judge's severity of the restored image less that of the degraded one (1 extreme to
5 none, so -4 to 4); LPS is LPIPS between the two; FS = 0.2 RS (1 - LPS). arXiv 2603.25502.

The released evaluator lifts every negative RS to 0, which biases the mean up: a restorer that changes nothing and a
judge that errs by one now and then score above 0. The signed scores are not lifted, and stand beside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rrframe.contracts.answers import BEST, WORST
from rrframe.evaluation.averages import OVER_IMAGES as OVER_IMAGES
from rrframe.evaluation.averages import OVER_TASKS as OVER_TASKS
from rrframe.evaluation.averages import Mean, by_task

FS_WEIGHT = 0.2


def restoration_score(degraded: float, restored: float, *, clamp: bool = True) -> float:
    """RS: how much less severe the degradation is in the restored image.

    Args:
        degraded: The judge's severity of the input, 1 (extreme) to 5 (none).
        restored: The same of the output.
        clamp: Lift what is negative to 0, as the released evaluator does.
    """
    difference = restored - degraded
    return max(0.0, difference) if clamp else difference


def final_score(rs: float, lps: float) -> float:
    """FS = 0.2 RS (1 - LPS)."""
    return FS_WEIGHT * rs * (1 - lps)


@dataclass(frozen=True)
class Judged:
    """What is known of one image under one restorer.

    Args:
        image: Names the image.
        task: The degradation that the judge was asked about.
        degraded: The severity of the input, 1 to 5, or ``None`` where the judge gave none.
        restored: The severity of the output, likewise.
        lps: LPIPS between input and output, or ``None`` where there was no output to compare.
        reason: Why something is missing.
    """

    image: str
    task: str
    degraded: float | None
    restored: float | None
    lps: float | None
    reason: str = ""

    @property
    def status(self) -> str:
        """``scored``, or ``failed`` where a severity or LPS is missing."""
        return "failed" if None in (self.degraded, self.restored, self.lps) else "scored"


@dataclass(frozen=True)
class Measure:
    """A score of an image.

    Args:
        name: What tables call it.
        of: The score from the severities of input and output and from LPS. It rises or falls with each throughout.
        needs: Which of them it reads.
        higher_is_better: The direction.
    """

    name: str
    of: Callable[[float, float, float], float]
    needs: tuple[str, ...] = ("degraded", "restored", "lps")
    higher_is_better: bool = True

    def value(self, row: Judged) -> float | None:
        """The score, or ``None`` where what it needs is missing."""
        if any(getattr(row, name) is None for name in self.needs):
            return None
        return self.of(row.degraded or 0.0, row.restored or 0.0, row.lps or 0.0)

    def bounds(self, row: Judged) -> tuple[float, float]:
        """The least and the greatest value over all that the missing parts can be: severities from 1 to 5, and an LPS
        from 0 to 1, in which LPIPS of photographs lies.
        """
        degraded, restored = _ends(row.degraded, WORST, BEST), _ends(row.restored, WORST, BEST)
        distances = _ends(row.lps, 0, 1)
        values = [self.of(one, other, distance) for one in degraded for other in restored for distance in distances]
        return min(values), max(values)


def measures(*, clamp: bool = True) -> tuple[Measure, ...]:
    """RS, LPS and FS; with ``clamp`` RS and FS as the released evaluator has them, and the signed ones beside."""
    severities = ("degraded", "restored")
    lps = Measure("LPS", lambda degraded, restored, lps: lps, ("lps",), higher_is_better=False)
    mark = " signed" if clamp else ""
    signed_rs = Measure(f"RS{mark}", lambda degraded, restored, lps: restored - degraded, severities)
    signed_fs = Measure(f"FS{mark}", lambda degraded, restored, lps: final_score(restored - degraded, lps))
    if not clamp:
        return (signed_rs, lps, signed_fs)
    rs = Measure("RS", lambda degraded, restored, lps: restoration_score(degraded, restored), severities)
    fs = Measure("FS", lambda degraded, restored, lps: final_score(restoration_score(degraded, restored), lps))
    return (rs, signed_rs, lps, fs, signed_fs)


def averages(rows: Iterable[Judged], *, clamp: bool = True) -> dict[str, dict[str, Mean]]:
    """Every average of every measure: of each task by its name, ``mean over images`` (each image counts the same), and
    ``mean over tasks`` (each task counts the same, and tasks with no image scored are left out).
    """
    rows = list(rows)
    tasks: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        tasks.setdefault(row.task, []).append(place)
    found: dict[str, dict[str, Mean]] = {}
    for measure in measures(clamp=clamp):
        means = by_task(tasks, [measure.value(row) for row in rows], [measure.bounds(row) for row in rows])
        for group, mean in means.items():
            found.setdefault(group, {})[measure.name] = mean
    return found


def from_averages(rs: float, lps: float) -> float:
    """FS of averages, 0.2 RS (1 - LPS) with RS and LPS themselves means. It is no mean of FS; the averages of FS that
    arXiv 2603.25502 prints equal it.
    """
    return final_score(rs, lps)


@dataclass(frozen=True)
class Recomputed:
    """The published average FS of a model beside what its published parts give.

    Args:
        model: Whose.
        published: The average as printed.
        over_tasks: The mean of the scores printed for its tasks.
        of_averages: FS of the averages printed for RS and LPS.
        over_tasks_agrees: Whether rounding can explain the difference, and
        of_averages_agrees: the same of the other.
    """

    model: str
    published: float
    over_tasks: float
    of_averages: float
    over_tasks_agrees: bool
    of_averages_agrees: bool


def recompute(
    fs: Mapping[str, Mapping[str, float]], rs: Mapping[str, float], lps: Mapping[str, float]
) -> list[Recomputed]:
    """Compute every model's average FS again from what is printed, to three decimals, beside it.

    Args:
        fs: The FS of each model by task, and under ``average``.
        rs: The average RS of each model.
        lps: The average LPS of each model.
    """
    half = 0.0005
    found = []
    for model, printed in fs.items():
        tasks = [value for task, value in printed.items() if task != "average"]
        over_tasks = math.fsum(tasks) / len(tasks)
        ends = [final_score(rs[model] + one * half, lps[model] + other * half) for one in (-1, 1) for other in (-1, 1)]
        published = printed["average"]
        tolerance = half + 1e-9  # of the printed average itself
        found.append(
            Recomputed(
                model,
                published,
                over_tasks,
                from_averages(rs[model], lps[model]),
                abs(over_tasks - published) <= half + tolerance,
                min(ends) - tolerance <= published <= max(ends) + tolerance,
            )
        )
    return found


def _ends(value: float | None, low: float, high: float) -> tuple[float, ...]:
    return (low, high) if value is None else (value,)
