"""PSNR: how large the error is, against the whole range of codes."""

from __future__ import annotations

import torch

from rrframe_metrics.comparing import Comparison, luma

_CEILING = 100.0


class PSNR(Comparison):
    """Peak signal-to-noise ratio, 10 log10(1 / MSE), of the three encoded channels together, no border cut off.

    Identical images, whose error is nothing, score 100 dB, so that a mean remains a number: less error than a 390th of
    an 8-bit step counts as none. PSNR of 8-bit files is that of the codes they hold.
    Cannot: tell blur from noise, or what is seen from what is not.
    """

    higher_is_better = True
    range = (0.0, _CEILING)
    unit = "dB"
    symmetric = True

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        # sums of a million squares in float32 would round apart in a batch and alone
        error = (images - references).square_().mean((1, 2, 3), dtype=torch.float64)
        return (-10 * torch.log10(error.clamp_min(10 ** (-_CEILING / 10)))).float()


class PSNRY(PSNR):
    """PSNR of luma alone: Y' of BT.601 in studio swing, as MATLAB's ``rgb2ycbcr`` gives it; no border cut off.

    It comes out higher than ``metric/psnr`` of the same images, and cannot be compared with it.
    Cannot: see errors of colour.
    """

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        return super().score(luma(images), luma(references))
