"""Film grain."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch

from rrframe import Cues, Degradation, Dial, Draws, uniform
from rrframe.imaging.filters import gaussian
from rrframe.imaging.noise import add_normal, correlated
from rrframe.imaging.random import Stream

_WIDER = 2.5  # how much wider than the grain what is held back is
_HELD_BACK = 0.7  # how much of it
_PIXEL = 1 / 12  # variance of a square pixel's aperture, in square pixels


class Granular(Degradation):
    """Film grain: x + 2 amount sqrt(x (1 - x)) g, where g is a field of unit variance whose blobs have a size, and
    the three layers of the film share part of their grain.

    g is white noise seen through a difference of Gaussians. The size of its grains is a share of the picture's, as on
    film: a setting looks the same at 512 px and at 4096 px. Where grains are smaller than a pixel, the pixel averages
    over them and the noise is weaker (Selwyn's law).

    ``form: luma-chroma`` is the published form: white noise of the deviation ``amount`` whatever the light, a pixel
    in size. Theirs is amount 0.019 to 0.075 with a correlation of 0.89 (a chroma of 0.35 of the luma); ``size``
    then means nothing.

    Source: Newson et al. 2017, "A stochastic film grain model for resolution-independent rendering", for x (1 - x) and
    the size; Selwyn 1935, "A theory of graininess".
    Cannot: single grains, seen from so near that they have a shape; the grain of a certain film.
    """

    category = "noise"
    light = "encoded"
    eight_bit = True
    amount: Dial = uniform(
        0.02, 0.1, mild=0.0, low=0.0, high=0.5, power=1.2, about="deviation at mid grey, grains a pixel or larger"
    )
    size: Dial = uniform(
        0.4, 1.6, low=0.05, high=20.0, unit="px of 1000 px of the shorter side", about="deviation of a grain's profile"
    )
    correlation: Dial = uniform(0.3, 0.9, low=0.0, high=1.0, about="of the grain of two channels; 1: black and white")
    form: Literal["film", "luma-chroma"] = "film"
    """``film``, or ``luma-chroma``: white noise, the same in all tones."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        white = correlated(draw.rng.normal(images), draw.correlation)
        if self.form == "luma-chroma":
            return white.mul_(draw.amount).add_(images).clamp_(0.0, 1.0)
        grain = _grains(white, draw.size * (min(images.shape[-2:]) / 1000.0))
        contrast = (images - images * images).clamp_(min=0.0).sqrt_().mul_(2.0 * draw.amount)
        return torch.addcmul(images, grain, contrast).clamp_(0.0, 1.0)

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        if self.form == "film":
            return super().apply_pixels(pixels, draw, cues)
        (one,) = draw
        return add_normal(pixels, 255 * float(draw.amount), float(draw.correlation), Stream(one.seed))


def _grains(white: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """White noise of variance 1 through a band-pass of ``sigma`` pixels ``[B, 1, 1, 1]``; variance 1 too, less where
    grains are smaller than a pixel.
    """
    fine = gaussian(white, sigma)
    coarse = gaussian(white, sigma * _WIDER)
    variances = [
        _overlap(one, one) ** 2
        - 2 * _HELD_BACK * _overlap(one, _WIDER * one) ** 2
        + (_HELD_BACK * _overlap(_WIDER * one, _WIDER * one)) ** 2
        for one in sigma.flatten().tolist()
    ]
    seen = sigma / (sigma * sigma + _PIXEL).sqrt()
    return fine.sub_(coarse, alpha=_HELD_BACK).mul_(seen / torch.tensor(variances).sqrt().to(sigma).view_as(sigma))


def _overlap(one: float, other: float) -> float:
    """The sum of the products of two Gaussians' taps, each of sum 1."""
    reach = math.ceil(5 * max(one, other))
    taps = [[math.exp(-0.5 * (place / sigma) ** 2) for place in range(-reach, reach + 1)] for sigma in (one, other)]
    return sum(a * b for a, b in zip(*taps, strict=True)) / (sum(taps[0]) * sum(taps[1]))
