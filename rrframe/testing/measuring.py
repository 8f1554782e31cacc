"""Examples for metrics: a picture, and another to compare it with."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from rrframe.contracts.metric import Metric
from rrframe.testing.calls import Call
from rrframe.testing.pictures import LAYOUTS, Picture
from rrframe.testing.subjects import Subject

_SMALL = 8


@dataclass(frozen=True)
class Measuring:
    """A metric on a picture, and on another with ``change``, a share of noise mixed in."""

    picture: Picture
    change: float = 0.2

    def restored(self) -> torch.Tensor:
        return self.picture.tensor()

    def references(self) -> torch.Tensor:
        return self.restored().lerp(self.noise(), self.change)

    def noise(self) -> torch.Tensor:
        return replace(self.picture, pattern="noise", seed=self.picture.seed + 1).tensor()

    def calls(self, subject: Subject) -> list[Call]:
        metric = subject.component
        assert isinstance(metric, Metric)
        compared = (self.references(),) if metric.compares else ()
        return [Call(metric, "score", (self.restored(), *compared))]

    def __str__(self) -> str:
        return f"{self.picture}; a share of {self.change:g} of noise mixed into what it is compared with"


def measuring_examples(
    subject: Subject, *, patterns: tuple[str, ...] = ("texture", "gradient", "extreme")
) -> list[Measuring]:
    """Few, since some metrics are slow: pictures of the least size that the metric takes, and a little larger."""
    metric = subject.component
    assert isinstance(metric, Metric)
    side = max(metric.least_side, _SMALL)
    sizes = ((side, side, 1), (side + 9, side + 20, 3), (side + 33, side, 2))
    return [
        Measuring(Picture(height, width, batch, patterns[index % len(patterns)], LAYOUTS[index], seed=index))
        for index, (height, width, batch) in enumerate(sizes)
    ]
