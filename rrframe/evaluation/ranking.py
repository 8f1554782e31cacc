"""Rankings by people: who wins how often, how strong each is, how far raters agree, and how far a metric agrees with
them.

Every interval is a percentile bootstrap over images: the votes on one image come and go together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from rrframe.evaluation.ballots import Ballot
from rrframe.evaluation.statistics import Difference, Interval, holm, paired_p

Floats = NDArray[np.float64]
ELO = 400 / np.log(10)
"""Elo points of one unit of log strength: 400 points are odds of 10 to 1."""
_PRIOR = 0.01  # precision of a normal prior on log strengths: keeps one who never lost finite, and moves others little
_STEPS = 100
_FEW = 30  # images, below which a difference has to hold by exchange too


@dataclass(frozen=True)
class Strengths:
    """What the model of Bradley and Terry with the ties of Davidson (1970) says.

    Args:
        elo: The strength of each model in Elo points; their mean is 0.
        tie: Davidson's nu: equals tie with the chance nu / (2 + nu).
        differences: Every pair, in Elo points, with how sure the order is.
    """

    elo: Mapping[str, Interval]
    tie: float
    differences: Sequence[Difference]

    def chance(self, one: str, other: str) -> tuple[float, float, float]:
        """The chances that the first wins, that neither does, and that the second does."""
        first, second = (np.exp(self.elo[name].value / ELO) for name in (one, other))
        ties = self.tie * np.sqrt(first * second)
        total = first + second + ties
        return float(first / total), float(ties / total), float(second / total)


def models_of(ballots: Sequence[Ballot]) -> list[str]:
    """All models, by name."""
    return sorted({model for ballot in ballots for model in ballot.models})


def first_places(
    ballots: Sequence[Ballot], *, level: float = 0.95, resamples: int = 2000, seed: int = 0
) -> dict[str, Interval]:
    """The share of ballots that each model won, of those that showed it; a tie for the first place is split evenly.

    Where every ballot shows every model the shares sum to 1.
    """
    names = models_of(ballots)
    index = {name: number for number, name in enumerate(names)}
    images = _numbers(ballot.image for ballot in ballots)
    won, shown = np.zeros((2, len(images), len(names)))
    for ballot in ballots:
        for model in ballot.groups[0]:
            won[images[ballot.image], index[model]] += 1 / len(ballot.groups[0])
        for model in ballot.models:
            shown[images[ballot.image], index[model]] += 1
    weights = _draws(len(images), resamples, seed)
    drawn = (weights @ won) / np.maximum(weights @ shown, 1e-12)
    drawn[weights @ shown == 0] = np.nan
    shares = won.sum(0) / shown.sum(0)
    return {name: _percentiles(shares[at], drawn[:, at], level, len(images)) for name, at in index.items()}


def bradley_terry(ballots: Sequence[Ballot], *, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Strengths:
    """Fit strengths to all pairs that the ballots hold, by the greatest posterior under a wide normal prior.

    P(one wins) : P(tie) : P(other wins) = s_1 : nu sqrt(s_1 s_2) : s_2 (Bradley and Terry 1952, Davidson 1970). A
    ranking counts as all its pairs; they are not independent, which the bootstrap over images allows for.
    """
    names = models_of(ballots)
    index = {name: number for number, name in enumerate(names)}
    couples = {couple: number for number, couple in enumerate(combinations(range(len(names)), 2))}
    images = _numbers(ballot.image for ballot in ballots)
    counts = np.zeros((len(images), len(couples), 3))
    for ballot in ballots:
        for one, other, better in ballot.pairs():
            counts[images[ballot.image], couples[index[one], index[other]], 1 - better] += 1
    features = _features(len(names), list(couples))
    flat = counts.reshape(len(images), -1)
    weights = np.vstack([np.ones(len(images)), _draws(len(images), resamples, seed)])
    fitted = _fit((weights @ flat).reshape(-1, len(couples), 3), features)
    elo = ELO * (fitted[:, :-1] - fitted[:, :-1].mean(axis=1, keepdims=True))
    values, drawn = elo[0], elo[1:]
    strengths = {name: _percentiles(values[at], drawn[:, at], level, len(images)) for name, at in index.items()}
    gaps = [(one, other, values[one] - values[other], drawn[:, one] - drawn[:, other]) for one, other in couples]
    net = counts[:, :, 0] - counts[:, :, 2]
    p_values = [_two_sided(gap, sample, net[:, at]) for at, (*_, gap, sample) in enumerate(gaps)]
    differences = [
        Difference(
            names[one], names[other], _percentiles(gap, sample, level, len(images)), p, adjusted, adjusted < 1 - level
        )
        for (one, other, gap, sample), p, adjusted in zip(gaps, p_values, holm(p_values), strict=True)
    ]
    tie = float(np.exp(fitted[0, -1])) if counts[:, :, 1].any() else 0.0
    return Strengths(strengths, tie, differences)


@dataclass(frozen=True)
class Agreement:
    """How far raters agree.

    Args:
        alpha: Krippendorff's alpha over who wins each pair of each image, a tie half way (interval scale): 1 is full
            agreement, 0 what chance gives. Each pair counts in both orders, so that names do not matter. ``None`` where
            no two raters judged the same pair.
        pairs: How many (image, pair) were judged by two raters or more.
        w: Kendall's coefficient of concordance, corrected for ties, averaged over the images of which two raters or
            more ranked the same three models or more: 1 is full agreement, and chance gives 1 / raters. ``None`` where
            there are none.
        images: How many images those are.
    """

    alpha: float | None
    pairs: int
    w: float | None
    images: int


def agreement(ballots: Sequence[Ballot]) -> Agreement:
    """How far raters agree on the same images."""
    units: dict[tuple[str, str, str], list[float]] = {}
    ranked: dict[tuple[str, frozenset[str]], list[dict[str, float]]] = {}
    for ballot in ballots:
        for one, other, better in ballot.pairs():
            units.setdefault((ballot.image, one, other), []).append(float(better))
        if len(ballot.models) > 2:
            ranked.setdefault((ballot.image, ballot.models), []).append(ballot.ranks())
    shared = [values for values in units.values() if len(values) > 1]
    together = [rows for rows in ranked.values() if len(rows) > 1]
    found = [w for rows in together if (w := kendall_w(rows)) is not None]
    both_ways = [*shared, *([-value for value in values] for values in shared)]
    return Agreement(krippendorff_alpha(both_ways), len(shared), float(np.mean(found)) if found else None, len(found))


def krippendorff_alpha(units: Sequence[Sequence[float]]) -> float | None:
    """Krippendorff's alpha on the interval scale: 1 - observed / expected disagreement.

    Args:
        units: The values that raters gave each unit; units with one value say nothing and are left out.
    """
    units = [values for values in units if len(values) > 1]
    if not units:
        return None
    pooled = np.concatenate([np.asarray(values, float) for values in units])
    total = len(pooled)
    # The sum of squared differences over all ordered couples of m values is 2 m^2 times their variance.
    observed = sum(2 * len(values) ** 2 * np.var(values) / (len(values) - 1) for values in units) / total
    expected = 2 * total**2 * np.var(pooled) / (total * (total - 1))
    return float(1 - observed / expected) if expected else 1.0


def kendall_w(ranks: Sequence[Mapping[str, float]]) -> float | None:
    """Kendall's W of raters who ranked the same things, corrected for ties; ``None`` if all called all equal."""
    names = sorted(ranks[0])
    table = np.array([[row[name] for name in names] for row in ranks])
    raters, things = table.shape
    spread = ((table.sum(0) - raters * (things + 1) / 2) ** 2).sum()
    ties = sum(float((count**3 - count).sum()) for row in table for count in [np.unique(row, return_counts=True)[1]])
    most = raters**2 * (things**3 - things) / 12 - raters * ties / 12
    return float(spread / most) if most > 1e-9 else None


@dataclass(frozen=True)
class SideBias:
    """Whether the side on which a picture stood moved the votes.

    Args:
        left: Votes for the left, and
        right: for the right; ties are left out.
        expected: The share of the left if only the strengths of the models counted.
        p: The two-sided p-value of a binomial test of ``left`` against ``expected``.
    """

    left: int
    right: int
    expected: float
    p: float

    @property
    def share(self) -> float:
        return self.left / (self.left + self.right)


def side_bias(ballots: Sequence[Ballot], strengths: Strengths) -> SideBias | None:
    """The bias to a side in votes between two; ``None`` where no ballot tells which stood where."""
    left, expected = [], []
    for ballot in ballots:
        if len(ballot.shown) == 2 and len(ballot.groups) == 2:
            wins, _, loses = strengths.chance(*ballot.shown)
            left.append(ballot.groups[0][0] == ballot.shown[0])
            expected.append(wins / (wins + loses))
    if not left:
        return None
    share = float(np.mean(expected))
    return SideBias(sum(left), len(left) - sum(left), share, float(stats.binomtest(sum(left), len(left), share).pvalue))


@dataclass(frozen=True)
class Correlation:
    """A metric beside people.

    Args:
        name: Which coefficient.
        value: It, positive where the metric agrees with people, with its interval.
        p: The two-sided p-value against 0 that takes (model, image) for independent, as papers do.
    """

    name: str
    value: Interval
    p: float


def against_people(
    ballots: Sequence[Ballot],
    scores: Mapping[tuple[str, str], float],
    *,
    higher_is_better: bool = True,
    level: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> list[Correlation]:
    """Kendall's tau-b, Spearman's and Pearson's correlation of a metric with people over all (model, image).

    People's score of a model on an image is the mean over raters of how many of the others it beat there, 0 to 1, a tie
    half.

    Args:
        ballots: What people said.
        scores: What the metric says, by (model, image).
        higher_is_better: The direction of the metric.
        level: The confidence level.
        resamples: How many samples of images are drawn.
        seed: Makes the result reproducible.
    """
    beaten: dict[tuple[str, str], list[float]] = {}
    for ballot in ballots:
        others = len(ballot.models) - 1
        for model, rank in ballot.ranks().items():
            beaten.setdefault((model, ballot.image), []).append(1 - (rank - 1) / others)
    keys = sorted(beaten.keys() & scores.keys())
    if len(keys) < 3:
        return []
    sign = 1 if higher_is_better else -1
    people = np.array([np.mean(beaten[key]) for key in keys])
    metric = sign * np.array([scores[key] for key in keys])
    images = _numbers(image for _, image in keys)
    of_image = [np.flatnonzero([images[image] == number for _, image in keys]) for number in range(len(images))]
    generator = np.random.default_rng(seed)
    samples = [
        np.concatenate([of_image[number] for number in generator.integers(0, len(images), len(images))])
        for _ in range(resamples)
    ]
    coefficients: dict[str, Callable[..., tuple[float, float]]] = {
        "Kendall tau-b": stats.kendalltau,
        "SRCC": stats.spearmanr,
        "PLCC": stats.pearsonr,
    }
    found = []
    for name, coefficient in coefficients.items():
        if np.ptp(people) == 0 or np.ptp(metric) == 0:
            continue
        value, p = coefficient(people, metric)
        with np.errstate(all="ignore"):
            drawn = np.array([_coefficient(coefficient, people[at], metric[at]) for at in samples])
        found.append(Correlation(name, _percentiles(value, drawn, level, len(images)), float(p)))
    return found


def _coefficient(coefficient: Callable[..., tuple[float, float]], one: Floats, other: Floats) -> float:
    return float(coefficient(one, other)[0]) if np.ptp(one) and np.ptp(other) else np.nan


def _features(models: int, couples: Sequence[tuple[int, int]]) -> Floats:
    """What the log chance of each outcome of each couple is linear in: [couples, 3, models + 1], the last for ties."""
    features = np.zeros((len(couples), 3, models + 1))
    for number, (one, other) in enumerate(couples):
        features[number, 0, one] = features[number, 2, other] = 1
        features[number, 1, [one, other]] = 0.5
        features[number, 1, models] = 1
    return features


def _fit(counts: Floats, features: Floats) -> Floats:
    """The strengths and the log of nu for each of many tables of counts, [B, couples, 3], by Newton's method."""
    size = features.shape[2]
    values = np.zeros((len(counts), size))
    totals = counts.sum(axis=2)
    observed = np.einsum("bpo,pof->bf", counts, features)
    for _ in range(_STEPS):
        logs = np.einsum("pof,bf->bpo", features, values)
        chances = np.exp(logs - logs.max(axis=2, keepdims=True))
        chances /= chances.sum(axis=2, keepdims=True)
        mean = np.einsum("bpo,pof->bpf", chances, features)
        slope = observed - np.einsum("bp,bpf->bf", totals, mean) - _PRIOR * values
        square = np.einsum("bp,bpo,pof,pog->bfg", totals, chances, features, features, optimize=True)
        curvature = square - np.einsum("bp,bpf,bpg->bfg", totals, mean, mean) + _PRIOR * np.eye(size)
        step = np.linalg.solve(curvature, slope[..., None])[..., 0]
        length = np.abs(step).max(axis=1, keepdims=True)
        values += step * np.minimum(1, 2 / np.maximum(length, 1e-12))
        if length.max() < 1e-8:
            break
    return values


def _numbers(names: Iterable[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(dict.fromkeys(names))}


def _draws(count: int, resamples: int, seed: int) -> Floats:
    """How often each of ``count`` images stands in each bootstrap sample."""
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    return drawn.astype(np.float64)


def _percentiles(value: float, drawn: Floats, level: float, count: int) -> Interval:
    if count < 2 or np.isnan(drawn).all():
        return Interval(float(value), None, None, level, count)
    low, high = np.nanquantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(value), float(low), float(high), level, count)


def _two_sided(gap: float, drawn: Floats, net: Floats) -> float:
    """The p-value of ``gap`` against 0: twice how often a sample has the other sign, or where that is too seldom to be
    counted, by the deviation of the samples.

    Over few images the bootstrap is too bold. So it is never below what exchanging the two on each image can show at
    most, 2 / 2^images, nor below what it does show for ``net``, the votes on each image for the one less those for the
    other.
    """
    counted = 2 * float(min((drawn <= 0).mean(), (drawn >= 0).mean()))
    seldom = 20 / len(drawn)
    if counted < seldom:
        deviation = float(drawn.std())
        normal = 2 * float(stats.norm.sf(abs(gap) / deviation)) if deviation > 1e-9 else 0.0
        counted = min(seldom, max(counted, normal))
    exchanged = paired_p(net, np.zeros_like(net), resamples=1999) if len(net) < _FEW and net.any() else 0.0
    return min(1.0, max(counted, exchanged, 2.0 ** (1 - len(net))))
