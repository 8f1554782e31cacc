"""SSIM and its kin: whether the structure of an image is kept."""

from __future__ import annotations

import torch

from rrframe.imaging.filters import windowed
from rrframe_metrics.comparing import Comparison, luma

_WINDOW, _SIGMA = 11, 1.5
_C1, _C2 = 0.01**2, 0.03**2
_FLAT = 1e-4


class SSIM(Comparison):
    """Structural similarity, the mean over the three encoded channels.

    A Gaussian window of 11 x 11 pixels with a sigma of 1.5; means over the places where it lies whole inside the image;
    biased variances; constants .01 and .03 of the range. It is what scikit-image gives with a Gaussian window;
    libraries that mirror the borders differ from it by up to about .01.
    Source: Wang, Bovik, Sheikh and Simoncelli, Image Quality Assessment: From Error Visibility to Structural
    Similarity, 2004, eq. 13.
    """

    higher_is_better = True
    range = (-1.0, 1.0)
    symmetric = True
    least_side = _WINDOW

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        # One by one: what a photograph takes stays in the processor's cache.
        return torch.cat([_similarity(*pair) for pair in zip(images.split(1), references.split(1), strict=True)])


class SSIMY(SSIM):
    """SSIM of luma alone: Y' of BT.601 in studio swing, as MATLAB's ``rgb2ycbcr`` gives it.

    Everything else is as in ``metric/ssim``, with which it cannot be compared.
    """

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        return super().score(luma(images), luma(references))


class MultiScaleSSIM(Comparison):
    """MS-SSIM: contrast and structure at five scales, each half as large; the mean over the three encoded channels.

    Source: Wang, Simoncelli and Bovik, Multi-scale structural similarity for image quality assessment, 2003; computed
    by torchmetrics, which sets negative similarities to 0.
    """

    higher_is_better = True
    range = (0.0, 1.0)
    symmetric = True
    least_side = 176  # the window, four times halved

    def relies_on(self) -> tuple[str, ...]:
        return ("torchmetrics",)

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        from torchmetrics.functional.image import multiscale_structural_similarity_index_measure

        return multiscale_structural_similarity_index_measure(
            images, references, data_range=1.0, reduction="none", normalize="relu"
        ).reshape(len(images))


class VisualInformation(Comparison):
    """VIF in the domain of pixels: the share of the reference's information that can still be had from the image; the
    mean over the three encoded channels, at four scales, with a visual noise of 2 in units of 8-bit codes.

    An image with more contrast than the reference scores above 1. A reference with a flat channel has no information to
    lose there, and is refused.
    Source: Sheikh and Bovik, Image information and visual quality, 2006; computed by torchmetrics.
    """

    higher_is_better = True
    range = (0.0, None)
    least_side = 41

    @property
    def ideal(self) -> float:
        return 1.0

    def relies_on(self) -> tuple[str, ...]:
        return ("torchmetrics",)

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        from torchmetrics.functional.image import visual_information_fidelity

        if bool((references.amax((2, 3)) - references.amin((2, 3)) < _FLAT).any()):
            raise self._error("a channel of what it compares with is flat, and has no information to lose")
        return visual_information_fidelity(images * 255, references * 255, reduction="none")


def _similarity(images: torch.Tensor, references: torch.Tensor) -> torch.Tensor:
    """Eq. 13 of ``[B, C, H, W]``, a mean each.

    By their sum s and difference d: 2 E[xy] is half of E[s^2] - E[d^2], and E[x^2 + y^2] half of E[s^2] + E[d^2], so
    four means are enough where x, y, x^2, y^2 and xy need five. All is twice as large as in the equation.
    """
    mean, variance = _moments(images + references)
    other, spread = _moments(images - references)
    similarity = (mean - other).add_(2 * _C1).mul_((variance - spread).add_(2 * _C2))
    similarity.div_(mean.add_(other).add_(2 * _C1).mul_(variance.add_(spread).add_(2 * _C2)))
    inner = slice(_WINDOW // 2, -(_WINDOW // 2))
    return similarity[..., inner, inner].mean((1, 2, 3), dtype=torch.float64).float()


def _moments(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The squares of the means of ``maps`` under the window, and the variances. ``maps`` is used up."""
    places = torch.arange(_WINDOW, dtype=torch.float32) - _WINDOW // 2
    taps = torch.exp(-places.square() / (2 * _SIGMA**2))
    taps /= taps.sum()
    means = windowed(maps, taps).square_()
    return means, windowed(maps.square_(), taps).sub_(means)
