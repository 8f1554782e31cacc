"""What all metrics that compare two images share."""

from __future__ import annotations

from typing import Literal

import torch

from rrframe import Metric
from rrframe.imaging.resample import resize

_LUMA = (65.481, 128.553, 24.966)  # of 255; ITU-R BT.601, studio swing


class Comparison(Metric):
    """A metric of two images. Two sizes are refused, unless ``mismatch`` says that the restored image is resized."""

    against: Literal["clean", "degraded"] = "clean"
    """What it is compared with: the clean image, or the degraded one, which tells how much has been changed."""
    mismatch: Literal["refuse", "resize"] = "refuse"
    """What becomes of a restored image of another size: refused, or resized to the other's with a Lanczos kernel of
    four lobes, which costs sharpness."""

    @property
    def reads(self) -> str:
        return "full-reference" if self.against == "clean" else "consistency"

    @property
    def sizes(self) -> str:
        return "refused" if self.mismatch == "refuse" else "resized"

    def align(self, images: torch.Tensor, references: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.mismatch == "resize" and images.shape != references.shape:
            images = resize(images, *references.shape[-2:], method="lanczos").clamp(0, 1)
        return super().align(images, references)


def luma(images: torch.Tensor) -> torch.Tensor:
    """``[B, 1, H, W]``: Y' of BT.601 in studio swing, [16 / 255, 235 / 255], as MATLAB's ``rgb2ycbcr`` gives it.

    What PSNR-Y and SSIM-Y of the restoration literature are measured on.
    """
    weights = images.new_tensor(_LUMA).view(1, 3, 1, 1)
    return ((images * weights).sum(1, keepdim=True) + 16) / 255
