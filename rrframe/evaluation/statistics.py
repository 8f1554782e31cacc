"""What can be said of means and of their differences: intervals by the bootstrap, tests by permutation, and no ranking
inside the noise.

Images are drawn, not single scores: where an image has several, all of them come and go together (``clusters``).
"""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

RESAMPLES = 9999
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """An estimate and the interval around it; the ends are ``None`` where there is too little to tell.

    Args:
        value: The estimate.
        low: The lower end.
        high: The upper end.
        level: How often an interval made so holds the truth.
        count: How many independent draws (images) are behind it.
    """

    value: float
    low: float | None
    high: float | None
    level: float
    count: int


def interval(
    values: ArrayLike,
    *,
    clusters: Sequence[Hashable] | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The mean of ``values`` with its BCa bootstrap interval (Efron 1987, through ``scipy.stats.bootstrap``).

    Args:
        values: The scores, finite.
        clusters: What each was measured on, such as its image, where some were measured on the same.
        level: The confidence level.
        resamples: How many samples are drawn.
        seed: Makes the interval reproducible.
    """
    sums, counts = _totals(values, clusters)
    return _bootstrap(sums, counts, level, resamples, seed)


def interval_over_groups(
    groups: Mapping[str, ArrayLike],
    *,
    clusters: Mapping[str, Sequence[Hashable]] | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The mean of the means of ``groups``, such as tasks, with its BCa interval. Each group is resampled within itself:
    their sizes are a choice of the benchmark and no chance.

    Args:
        groups: The scores of each group, one at least.
        clusters: What each was measured on, where some were measured on the same, in one group or in several: these
            come and go together, and groups are resampled together.
        level: The confidence level.
        resamples: How many samples are drawn.
        seed: Makes the interval reproducible.
    """
    arrays = [np.asarray(values, float) for values in groups.values()]
    value = float(np.mean([array.mean() for array in arrays]))
    if clusters is not None:
        named = [clusters[name] for name in groups]
        if len({one for each in named for one in each}) < sum(map(len, named)):
            return _clustered(value, arrays, named, level, resamples, seed)
    count = sum(map(len, arrays))
    if min(map(len, arrays)) < 2:
        return Interval(value, None, None, level, count)
    if all(np.ptp(array) == 0 for array in arrays):
        return Interval(value, value, value, level, count)

    def mean_of_means(*samples: Any, axis: int) -> Any:
        return sum(sample.mean(axis=axis) for sample in samples) / len(samples)

    low, high = _scipy_interval(tuple(arrays), mean_of_means, level, resamples, seed, paired=False)
    return Interval(value, low, high, level, count)


def _clustered(
    value: float,
    groups: Sequence[Floats],
    clusters: Sequence[Sequence[Hashable]],
    level: float,
    resamples: int,
    seed: int,
) -> Interval:
    numbers: dict[Hashable, int] = {}
    places = [np.array([numbers.setdefault(one, len(numbers)) for one in each]) for each in clusters]
    if len(numbers) < 2:
        return Interval(value, None, None, level, len(numbers))
    parts: list[Floats] = []
    for group, index in zip(groups, places, strict=True):
        parts.append(np.bincount(index, weights=group, minlength=len(numbers)).astype(np.float64))
        parts.append(np.bincount(index, minlength=len(numbers)).astype(np.float64))

    def mean_of_means(*samples: Any, axis: int) -> Any:
        totals = [sample.sum(axis=axis) for sample in samples]
        means = [total / count for total, count in zip(totals[::2], totals[1::2], strict=True)]
        return np.nanmean(means, axis=0)  # a sample may have left a group without any

    with np.errstate(invalid="ignore"):
        low, high = _scipy_interval(tuple(parts), mean_of_means, level, resamples, seed, paired=True)
    return Interval(value, low, high, level, len(numbers))


@dataclass(frozen=True)
class Difference:
    """How two restorers differ on the images that both have.

    Args:
        one: The name of the first, and
        other: of the second.
        mean: The mean of the first less that of the second, with its interval.
        p: The chance of a difference as large or larger if the two were exchangeable on every image.
        adjusted_p: The same, adjusted for the number of pairs compared (Holm 1979).
        holds: Whether ``adjusted_p`` is below 1 - level.
    """

    one: str
    other: str
    mean: Interval
    p: float
    adjusted_p: float
    holds: bool


def paired_p(
    one: ArrayLike,
    other: ArrayLike,
    *,
    clusters: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> float:
    """The two-sided p-value of a paired permutation test on the difference of means (``scipy.stats.permutation_test``).

    Each image's two scores (those of all its raters together, with ``clusters``) may be exchanged, which changes the
    sign of their difference.
    """
    differences, _ = _totals(np.asarray(one, float) - np.asarray(other, float), clusters)
    if len(differences) < 2 or not differences.any():
        return 1.0

    def mean(sample: Any, axis: int) -> Any:
        return sample.mean(axis=axis)

    tested = stats.permutation_test(
        (differences,),
        mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=1000,
        rng=np.random.default_rng(seed),
    )
    return float(tested.pvalue)


def differences(
    scores: Mapping[str, Mapping[str, float]],
    *,
    clusters: Mapping[str, Hashable] | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Difference]:
    """Every pair of restorers compared on the images that both have a score for, and which differences hold.

    Args:
        scores: The score of each restorer on each image, by name.
        clusters: What each image was made of, by name, where several were made of the same.
        level: The confidence level; an error anywhere in the list is as rare as 1 - level.
        resamples: How many samples are drawn.
        seed: Makes the result reproducible.
    """
    found: list[tuple[str, str, Interval, float]] = []
    for one, other in combinations(scores, 2):
        common = sorted(scores[one].keys() & scores[other].keys())
        if not common:
            continue
        first, second = (np.array([scores[name][image] for image in common], float) for name in (one, other))
        made_of = [clusters[image] for image in common] if clusters is not None else None
        mean = interval(first - second, clusters=made_of, level=level, resamples=resamples, seed=seed)
        p = paired_p(first, second, clusters=made_of, resamples=resamples, seed=seed)
        found.append((one, other, mean, p))
    adjusted = holm([p for *_, p in found])
    return [Difference(*each, p, p < 1 - level) for each, p in zip(found, adjusted, strict=True)]


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for their number (Holm 1979): the chance of any false finding among them stays in hand."""
    order = np.argsort(p_values)
    adjusted, highest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = highest
    return adjusted


@dataclass(frozen=True)
class Standing:
    """Where a restorer stands, as far as the differences hold.

    Args:
        name: Whose.
        value: Its score.
        best: The best rank that the data allow: 1 and as many more as are better beyond the noise.
        worst: The worst: the number of all, less those that are worse beyond the noise.
    """

    name: str
    value: float
    best: int
    worst: int

    @property
    def label(self) -> str:
        return str(self.best) if self.best == self.worst else f"{self.best}-{self.worst}"


def standings(
    values: Mapping[str, float], found: Sequence[Difference], *, higher_is_better: bool = True
) -> list[Standing]:
    """Ranks that claim nothing inside the noise: a difference that does not hold orders nobody.

    Args:
        values: The score of each.
        found: Their differences, of the same scores.
        higher_is_better: The direction of the scores.
    """
    sign = 1 if higher_is_better else -1
    better = dict.fromkeys(values, 0)
    worse = dict.fromkeys(values, 0)
    for each in found:
        if each.holds:
            winner, loser = (each.one, each.other) if sign * each.mean.value > 0 else (each.other, each.one)
            better[loser] += 1
            worse[winner] += 1
    ordered = sorted(values, key=lambda name: (better[name] - worse[name], -sign * values[name], name))
    return [Standing(name, values[name], 1 + better[name], len(values) - worse[name]) for name in ordered]


def _totals(values: ArrayLike, clusters: Sequence[Hashable] | None) -> tuple[Floats, Floats]:
    """The sum and the count of each cluster's values; each value is its own cluster where none are named."""
    array = np.asarray(values, float)
    if array.ndim != 1 or not array.size or not np.isfinite(array).all():
        raise ValueError("a list of finite numbers, at least one, is needed")
    if clusters is None:
        return array, np.ones_like(array)
    if len(clusters) != len(array):
        raise ValueError(f"{len(array)} values and {len(clusters)} clusters")
    numbers: dict[Hashable, int] = {}
    index = np.array([numbers.setdefault(cluster, len(numbers)) for cluster in clusters])
    counts: Floats = np.bincount(index).astype(np.float64)
    sums: Floats = np.bincount(index, weights=array).astype(np.float64)
    return sums, counts


def _bootstrap(sums: Floats, counts: Floats, level: float, resamples: int, seed: int) -> Interval:
    value = float(sums.sum() / counts.sum())
    if len(sums) < 2:
        return Interval(value, None, None, level, len(sums))
    if np.ptp(sums / counts) == 0:
        return Interval(value, value, value, level, len(sums))

    def ratio(total: Any, count: Any, axis: int) -> Any:
        return total.sum(axis=axis) / count.sum(axis=axis)

    low, high = _scipy_interval((sums, counts), ratio, level, resamples, seed, paired=True)
    return Interval(value, low, high, level, len(sums))


def _scipy_interval(
    data: tuple[Floats, ...], statistic: Any, level: float, resamples: int, seed: int, *, paired: bool
) -> tuple[float | None, float | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of degenerate samples; their ends are NaN, which is told as None
        drawn = stats.bootstrap(
            data,
            statistic,
            paired=paired,
            vectorized=True,
            n_resamples=resamples,
            batch=500,
            confidence_level=level,
            method="BCa",
            rng=np.random.default_rng(seed),
        )
    low, high = (float(end) for end in drawn.confidence_interval)
    return (low, high) if np.isfinite([low, high]).all() else (None, None)
