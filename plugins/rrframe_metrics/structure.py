"""SSIM and its kin: whether the structure of an image is kept."""

from __future__ import annotations

import torch

from rrframe.imaging.filters import convolve
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
        moments = [images, references, images * images, references * references, images * references]
        mean, other, squares, others, products = _windowed(torch.cat(moments)).chunk(5)
        both, powers = mean * other, mean * mean + other * other
        similarity = (2 * both + _C1) * (2 * (products - both) + _C2)
        similarity /= (powers + _C1) * (squares + others - powers + _C2)
        return similarity.mean((1, 2, 3), dtype=torch.float64).float()


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


def _windowed(maps: torch.Tensor) -> torch.Tensor:
    """Means of ``[B, C, H, W]`` under the window, where it lies whole inside."""
    taps = torch.arange(_WINDOW, dtype=torch.float32, device=maps.device) - _WINDOW // 2
    taps = torch.exp(-taps.square() / (2 * _SIGMA**2))
    taps /= taps.sum()
    kernels = taps.expand(len(maps), 1, _WINDOW)
    means = convolve(convolve(maps, kernels), kernels.transpose(1, 2))
    inner = slice(_WINDOW // 2, -(_WINDOW // 2))
    return means[..., inner, inner]
