"""What all blurs share: sizes that follow the image, highlights that a sensor clipped, a point-spread function."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

import numpy as np
import torch

from rrframe import Cues, Degradation, Dial, Draw, Draws, uniform
from rrframe.imaging.filters import convolve
from rrframe.imaging.noise import by_rows
from rrframe.imaging.psf import stacked

_SHOULDER = 0.94  # linear light above which highlights were pressed together: 249 of 255, and no pale sky


def per_mille(images: torch.Tensor) -> float:
    """A thousandth of the shorter side of ``images``, in pixels: the unit of lengths in blurs."""
    return min(images.shape[-2:]) / 1000


def highlights_dial() -> Dial:
    return uniform(0.25, 1.75, low=0.0, high=16.0, about="light given back to clipped highlights, before blurring")


def with_highlights(images: torch.Tensor, light: torch.Tensor) -> torch.Tensor:
    """``images`` with up to ``light`` added where they are clipped: a lamp that reads 1 was brighter than that, or it
    could not leave a streak.

    Args:
        images: ``[B, 3, H, W]`` float32 in [0, 1], linear.
        light: ``[B, 1, 1, 1]``, added at 1; less from 0.94 on, as cameras have a shoulder.

    Returns:
        Linear light that may exceed 1.

    Source: Rim et al. 2022, "Realistic blur synthesis for learning image deblurring" (RSBlur), section 4.
    """
    return by_rows(partial(_lit, gain=light / (1 - _SHOULDER) ** 2), images)


def _lit(images: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    clipped = images.clamp(min=_SHOULDER).sub_(_SHOULDER)
    return torch.addcmul(images, clipped.square_(), gain)


class Spread(Degradation):
    """A blur with the same point-spread function all over the image."""

    category = "blur"
    light = "linear"
    highlights: Dial = highlights_dial()

    @abstractmethod
    def kernel(self, draw: Draw, unit: float) -> np.ndarray:
        """The point-spread function ``[k, k]`` float32, ``k`` odd, sum 1, where lengths count in ``unit`` pixels."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        kernels = [self.kernel(one, per_mille(images)) for one in draw]
        return convolve(with_highlights(images, draw.highlights), stacked(kernels)).clamp_(0.0, 1.0)
