"""The conformance kit finds what is wrong with a metric: for each careless one the check that names its fault fails,
and no other. The contract looks at what it is given before a metric does.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_testing_kit import failed, outcomes_of

from rrframe import Metric, RRFrameError


class Plain(Metric):
    """The mean absolute difference, without a fault."""

    reads = "full-reference"
    higher_is_better = False
    range = (0.0, 1.0)
    symmetric = True

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        assert references is not None
        return (images - references).abs().mean((1, 2, 3))


class Alone(Metric):
    """How bright an image is."""

    reads = "no-reference"
    higher_is_better = True
    range = (0.0, 1.0)

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        assert references is None
        return images.mean((1, 2, 3))


class SaysNothing(Plain):
    """Reads what nobody has."""

    reads = "half-reference"


class OneScoreForAll(Plain):
    """Averages over the batch, into one number."""

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        return super().score(images, references).mean()


class HalfPrecision(Plain):
    """Rounds."""

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        return super().score(images, references).half()


class DividesByZero(Plain):
    """Is NaN where black stays black."""

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        return super().score(images, references) * (images / images).mean((1, 2, 3))


class LeavesItsRange(Plain):
    """Counts codes, and says that it does not."""

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        return 255 * super().score(images, references)


class HasAnOffset(Plain):
    """Is never quite satisfied."""

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        return 0.1 + 0.9 * super().score(images, references)


class PrefersTheOther(Plain):
    """Likes what is a little brighter better than the same."""

    range = (None, 1.0)

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        return -super().score(images, references)


class PointsNowhere(Plain):
    """Tells only whether they are the same."""

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        return (super().score(images, references) > 0).float()


class LooksOneWay(Plain):
    """Weighs errors by the restored image."""

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        return super().score(images, references) * (0.5 + 0.5 * images.mean((1, 2, 3)))


class CropsInSilence(Plain):
    """Takes images of any size, and does not say so."""

    def align(self, images: torch.Tensor, references: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        width = min(images.shape[-1], references.shape[-1])
        return images[..., :width], references[..., :width]


class SaysThatItResizes(Plain):
    """Does not."""

    sizes = "resized"


class WritesIntoItsInput(Plain):
    """Works in place."""

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        assert references is not None
        return images.sub_(references).abs().mean((1, 2, 3))


class DrawsGlobally(Plain):
    """Draws from the generator of everybody."""

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        torch.rand(1)
        return super().score(images, references)


class NeverTheSame(Plain):
    """Looks at a random sample of its own."""

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        return super().score(images, references) * (1 - 1e-3 * np.random.default_rng().random())


class Remembers(Plain):
    """Keeps the brightness of the first image."""

    _light: list[torch.Tensor] = []  # pydantic gives each instance its own

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        if not self._light:
            self._light.append(images[0].mean())
        return super().score(images, references) * self._light[0]


class SeesItsNeighbours(Plain):
    """Weighs by the batch."""

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        scores = super().score(images, references)
        return scores * (0.5 + 0.5 * scores.mean())


class HasNoDocstring(Plain):
    least_side = 9


WRONG = {
    SaysNothing: "says-what-it-means",
    OneScoreForAll: "gives-one-score-an-image",
    HalfPrecision: "gives-one-score-an-image",
    DividesByZero: "is-finite",
    LeavesItsRange: "stays-in-its-range",
    HasAnOffset: "identical-images-score-best",
    PrefersTheOther: "identical-images-score-best",
    PointsNowhere: "worse-images-score-worse",
    LooksOneWay: "is-symmetric",
    CropsInSilence: "treats-other-sizes-as-it-says",
    SaysThatItResizes: "treats-other-sizes-as-it-says",
    WritesIntoItsInput: "leaves-its-input-alone",
    DrawsGlobally: "leaves-global-state-alone",
    NeverTheSame: "same-input-same-bytes",
    Remembers: "keeps-no-state",
    SeesItsNeighbours: "batch-equals-singles",
    HasNoDocstring: "is-described",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda cls: cls.__name__)
def test_a_fault_fails_the_one_check_that_names_it(wrong: type[Metric]) -> None:
    assert failed(outcomes_of(wrong)) == [WRONG[wrong]]


def test_a_good_metric_passes_all_that_applies() -> None:
    skipped = [name for name, each in outcomes_of(Plain).items() if each.status != "passed"]
    assert skipped == ["is-announced", "same-bytes-in-another-process"]


def test_one_that_looks_at_one_image_is_checked_too() -> None:
    outcomes = outcomes_of(Alone)
    assert failed(outcomes) == []
    assert [name for name, each in outcomes.items() if each.reason == "it compares with nothing"] == [
        "identical-images-score-best",
        "worse-images-score-worse",
        "is-symmetric",
        "treats-other-sizes-as-it-says",
    ]


IMAGES = torch.rand(2, 3, 12, 10, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("metric", "images", "references", "said"),
    [
        (Plain(), IMAGES, None, "it compares with the clean image"),
        (Alone(), IMAGES, IMAGES, "it compares with nothing"),
        (Plain(), IMAGES, IMAGES[..., :9], "not 10 x 12 with 9 x 12"),
        (Plain(), IMAGES, IMAGES[:1], "2 images and 1 references"),
        (Alone(), IMAGES[0], None, r"not \(3, 12, 10\)"),
        (Alone(), IMAGES.double(), None, "float64"),
        (HasNoDocstring(), IMAGES[..., :8], IMAGES[..., :8], "it needs 9 pixels a side, and the image is 8 x 12"),
        (OneScoreForAll(), IMAGES, IMAGES, r"it gave \(\) for 2 images"),
        (DividesByZero(), IMAGES * 0, IMAGES, "image 0 of 2 scores nan"),
        (SaysThatItResizes(), IMAGES, IMAGES[..., :9], "not 10 x 12 with 9 x 12"),
    ],
)
def test_what_cannot_be_scored_is_told(metric, images, references, said) -> None:
    with pytest.raises(RRFrameError, match=said):
        metric(images, references)


def test_whatever_goes_wrong_inside_names_the_metric() -> None:
    class Fails(Alone):
        """Fails."""

        def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
            raise ZeroDivisionError("no light")

    with pytest.raises(RRFrameError, match="scoring failed: ZeroDivisionError: no light") as caught:
        Fails()(IMAGES)
    assert "Fails" in str(caught.value.component)
