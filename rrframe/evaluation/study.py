"""A study with people, from ballots to numbers: ``study.json`` and its page hold what is computed here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import rrframe
from rrframe.evaluation.ballots import Ballot
from rrframe.evaluation.ranking import (
    Agreement,
    Correlation,
    SideBias,
    Strengths,
    against_people,
    agreement,
    bradley_terry,
    first_places,
    models_of,
    side_bias,
)
from rrframe.evaluation.statistics import Interval, Standing, standings

SCHEMA = 1
"""The version of ``study.json``. A field may be added under the same number; none changes its meaning."""


@dataclass(frozen=True)
class Study:
    """All that is said of a study.

    Args:
        ballots: How many ballots there are, and
        pairs: how many comparisons of two they hold,
        ties: how many of those are ties,
        images: on how many images,
        raters: by how many people.
        shares: The share of first places of each model.
        strengths: The fit of Bradley and Terry.
        standings: The ranks, as far as differences hold.
        agreement: How far people agree.
        sides: Whether the side mattered, where it is known.
        correlations: How far a metric agrees with people, by the name of its file; empty without one.
        scored: How many (model, image) that people judged have a score in that file, and
        judged: of how many.
        level: The confidence level.
    """

    ballots: int
    pairs: int
    ties: int
    images: int
    raters: int
    shares: Mapping[str, Interval]
    strengths: Strengths
    standings: Sequence[Standing]
    agreement: Agreement
    sides: SideBias | None
    correlations: Sequence[Correlation]
    scored: int
    judged: int
    level: float

    @property
    def noise(self) -> list[tuple[str, str]]:
        """The pairs whose order is inside the noise."""
        return [(each.one, each.other) for each in self.strengths.differences if not each.holds]

    def results(self) -> dict[str, Any]:
        """What ``study.json`` holds."""
        counts = ("ballots", "pairs", "ties", "images", "raters", "level")
        return {
            "schema": SCHEMA,
            "rrframe": rrframe.__version__,
            **{name: getattr(self, name) for name in counts},
            "models": {
                each.name: {
                    "rank": {"best": each.best, "worst": each.worst},
                    "first_place": asdict(self.shares[each.name]),
                    "elo": asdict(self.strengths.elo[each.name]),
                }
                for each in self.standings
            },
            "tie_parameter": self.strengths.tie,
            "differences": [asdict(each) for each in self.strengths.differences],
            "agreement": asdict(self.agreement),
            "sides": asdict(self.sides) | {"share": self.sides.share} if self.sides else None,
            "metric": {
                "scored": self.scored,
                "judged": self.judged,
                "correlations": [asdict(each) for each in self.correlations],
            }
            if self.judged
            else None,
        }


def analyse(
    ballots: Sequence[Ballot],
    scores: Mapping[tuple[str, str], float] | None = None,
    *,
    higher_is_better: bool = True,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Study:
    """Say of ``ballots`` all that can be said.

    Args:
        ballots: The votes; one at least.
        scores: Those of a metric, by (model, image).
        higher_is_better: The direction of the metric.
        level: The confidence level of every interval.
        resamples: How many samples of images are drawn, a quarter of it for correlations.
        seed: Makes the result reproducible.
    """
    settings: dict[str, Any] = {"level": level, "seed": seed}
    strengths = bradley_terry(ballots, resamples=resamples, **settings)
    outcomes = Counter(better for ballot in ballots for _, _, better in ballot.pairs())
    judged = {(model, ballot.image) for ballot in ballots for model in ballot.models}
    correlations: list[Correlation] = []
    if scores is not None:
        drawn = max(100, resamples // 4)
        correlations = against_people(ballots, scores, higher_is_better=higher_is_better, resamples=drawn, **settings)
    return Study(
        ballots=len(ballots),
        pairs=outcomes.total(),
        ties=outcomes[0],
        images=len({ballot.image for ballot in ballots}),
        raters=len({ballot.rater for ballot in ballots}),
        shares=first_places(ballots, resamples=resamples, **settings),
        strengths=strengths,
        standings=standings({name: strengths.elo[name].value for name in models_of(ballots)}, strengths.differences),
        agreement=agreement(ballots),
        sides=side_bias(ballots, strengths),
        correlations=correlations,
        scored=len(judged & scores.keys()) if scores is not None else 0,
        judged=len(judged) if scores is not None else 0,
        level=level,
    )
