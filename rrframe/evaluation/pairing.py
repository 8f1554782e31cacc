"""Restorers against each other, as results hold it: how they differ on the images that both have, and what ranks that
allows.
"""

from __future__ import annotations

from collections.abc import Sequence

from rrframe.evaluation.results import DifferenceFacts, MeasureFacts, Row, StandingFacts
from rrframe.evaluation.statistics import differences, standings


def paired(
    rows: Sequence[Row], measure: MeasureFacts, *, level: float, resamples: int, seed: int
) -> tuple[tuple[DifferenceFacts, ...], tuple[StandingFacts, ...]]:
    """The differences of every two restorers by ``measure``, and where each stands.

    Args:
        rows: Those of all restorers.
        measure: What they are compared by.
        level: The confidence level.
        resamples: How many samples every interval and test draws.
        seed: Makes the result reproducible.
    """
    scores: dict[str, dict[str, float]] = {}
    for row in rows:
        value = row.scores.get(measure.name)
        if value is not None:
            scores.setdefault(row.restorer, {})[row.image] = value
    made_of = {row.image: row.picture or row.image for row in rows}
    found = differences(scores, clusters=made_of, level=level, resamples=resamples, seed=seed)
    means = {name: sum(own.values()) / len(own) for name, own in scores.items()}
    facts = tuple(
        DifferenceFacts(
            one=each.one,
            other=each.other,
            value=each.mean.value,
            low=each.mean.low,
            high=each.mean.high,
            images=len(scores[each.one].keys() & scores[each.other].keys()),
            p=each.p,
            adjusted_p=each.adjusted_p,
            holds=each.holds,
        )
        for each in found
    )
    placed = standings(means, found, higher_is_better=measure.higher_is_better)
    ranks = tuple(
        StandingFacts(name=each.name, value=each.value, best=each.best, worst=each.worst, label=each.label)
        for each in placed
    )
    return facts, ranks
