"""What all blurs share: sizes that follow the image, highlights that a sensor clipped, a point-spread function."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial

import cv2
import numpy as np
import torch

from rrframe import Cues, Degradation, Dial, Draw, Draws, uniform
from rrframe.imaging.colour import light_of_codes, linear_to_pixels
from rrframe.imaging.filters import convolve
from rrframe.imaging.layout import from_hwc
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


def lit_codes(light: torch.Tensor) -> torch.Tensor:
    """``[B, 256]`` float32: what ``with_highlights`` makes of each code of eight bits, given that ``light``."""
    codes = torch.from_numpy(light_of_codes()).to(light.device).expand(len(light), 1, 1, -1)
    return with_highlights(codes, light).flatten(1)


def _lit(images: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
    clipped = images.clamp(min=_SHOULDER).sub_(_SHOULDER)
    return torch.addcmul(images, clipped.square_(), gain)


class Lit(Degradation):
    """A blur in linear light that gives clipped highlights their light back first."""

    category = "blur"
    light = "linear"
    highlights: Dial = highlights_dial()

    @abstractmethod
    def blurred(self, lit: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        """What ``with_highlights`` gives, blurred: ``[B, 3, H, W]``, a new tensor. The caller clamps it."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return self.blurred(with_highlights(images, draw.highlights), draw, cues).clamp_(0.0, 1.0)

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        lit = np.asarray(cv2.LUT(pixels, lit_codes(draw.highlights)[0].numpy()))
        return linear_to_pixels(self.blurred(from_hwc([lit.reshape(pixels.shape)]), draw, cues)[0])


class Spread(Lit):
    """A blur with the same point-spread function all over the image."""

    @abstractmethod
    def kernel(self, draw: Draw, unit: float) -> np.ndarray:
        """The point-spread function ``[k, k]`` float32, ``k`` odd, sum 1, where lengths count in ``unit`` pixels."""

    def blurred(self, lit: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return convolve(lit, stacked([self.kernel(one, per_mille(lit)) for one in draw]))
