"""Noise that has no camera behind it, as benchmarks and augmentations use it."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from rrframe import Cues, Degradation, Dial, Draws, fixed, log_uniform, uniform
from rrframe.imaging.colour import mix
from rrframe.imaging.composite import blend
from rrframe.imaging.filters import gaussian, gaussian_of_codes
from rrframe.imaging.noise import add_normal, add_taken, by_rows, correlated
from rrframe.imaging.random import LEVELS, Stream

_SQUARES = np.arange(256, dtype=np.float32) ** 2
_THIRD = np.full((1, 3), 1 / 3, np.float32)
_ROWS = 64  # what lies between the steps on so many stays in a processor's cache
_LARGE = 10.0  # px: from here on a float window, which goes by the means of blocks, is quicker


class Gaussian(Degradation):
    """White Gaussian noise, the same everywhere: x + N(0, (sigma / 255)^2), on encoded values.

    It is per pixel: the same setting is as strong at 512 px as at 4096 px.

    Source: the standard benchmark of denoisers, sigma 15, 25 and 50; Wang et al. 2021, "Real-ESRGAN", sigma
    1 to 30, and grey noise in 40 % of pictures.
    Cannot: depend on the light; noise/poisson-gaussian and noise/sensor do.
    """

    category = "noise"
    light = "encoded"
    eight_bit = True
    sigma: Dial = uniform(2.0, 50.0, mild=0.0, low=0.0, high=255.0, power=1.3, unit="levels of 255")
    grey: Dial = fixed(0.0, low=0.0, high=1.0, about="correlation between the channels; 1: the same in all")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        noise = draw.rng.normal(images)
        if any(draw.each("grey")):
            noise = correlated(noise, draw.grey)
        return noise.mul_(draw.sigma / 255.0).add_(images).clamp_(0.0, 1.0)

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        (one,) = draw
        return add_normal(pixels, float(draw.sigma), float(draw.grey), Stream(one.seed))


class SaltPepper(Degradation):
    """Impulses: a share ``density`` of the pixels becomes white or black.

    The share is that of the pixels, so a setting means the same at every size; a speck is always one pixel.

    Source: Gonzalez, Woods, "Digital image processing", sec. 5.2; densities 0.005 to 0.05.
    Cannot: clusters, lines, or the coloured smudges that a demosaic makes of a hot pixel.
    """

    category = "noise"
    light = "encoded"
    eight_bit = True
    density: Dial = log_uniform(0.005, 0.05, mild=0.0, low=0.0, high=1.0, power=2.0, about="share of pixels hit")
    salt: Dial = uniform(0.3, 0.7, low=0.0, high=1.0, about="share of these that turns white")
    coloured: bool = False
    """Whether each channel is hit on its own, as where single bytes were lost, and not whole pixels."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        some, white = self._levels(draw)

        def hit(light: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
            return light.clamp(0.0, 1.0).masked_fill_(levels < some, 0.0).masked_fill_(levels < white, 1.0)

        return by_rows(hit, images, draw.rng.levels(images, channels=3 if self.coloured else 1))

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        (one,) = draw
        some, white = (int(each) for each in self._levels(draw))
        table = np.zeros(LEVELS, np.int16)
        table[:some], table[:white] = -255, 255
        return add_taken(pixels, table, Stream(one.seed), channels=3 if self.coloured else 1)

    def _levels(self, draw: Draws) -> tuple[torch.Tensor, torch.Tensor]:
        """Below which of 65,536 levels a pixel is hit, and below which of these it turns white."""
        return (draw.density * LEVELS).round(), (draw.density * draw.salt * LEVELS).round()


class DensityAverage(Degradation):
    """Averaging where it is busy, as a simple noise reduction does it: where the variance in a Gaussian window is over
    ``threshold``, the pixel moves to the window's mean, all the way from twice the threshold on.

    It leaves smeared texture and soft edges beside untouched plains. After a noise step it clears the thickest noise.
    The window grows with the picture, so a setting means the same at every size.

    Source: Lee 1980, "Digital image enhancement and noise filtering by use of local statistics", whose filter this is
    turned around: Lee keeps what is busy. Published chains for noise have it as density-aware averaging.
    Cannot: tell noise from texture.
    """

    category = "noise"
    light = "encoded"
    eight_bit = True
    weight: Dial = uniform(0.5, 1.0, mild=0.0, low=0.0, high=1.0, about="how far towards the mean")
    threshold: Dial = log_uniform(2e-4, 2e-3, low=1e-6, high=1.0, about="variance of encoded values")
    size: Dial = uniform(
        1.0, 2.5, low=0.0, high=50.0, unit="px of 1000 px of the shorter side", about="deviation of the window"
    )

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        sigma = draw.size * (min(images.shape[-2:]) / 1000.0)
        means = gaussian(images, sigma)
        variance = gaussian(_power_of(images), sigma).sub_(_power_of(means))
        weight = variance.div_(draw.threshold).sub_(1.0).clamp_(0.0, 1.0).mul_(draw.weight)
        return blend(images, means, weight).clamp_(0.0, 1.0)

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        sigma = float(draw.size) * min(pixels.shape[:2]) / 1000.0
        if not 0.0 < sigma < _LARGE:
            return super().apply_pixels(pixels, draw, cues)
        means = gaussian_of_codes(pixels, sigma)
        variance = gaussian_of_codes(cv2.transform(cv2.LUT(pixels, _SQUARES), _THIRD), sigma)
        done = np.empty_like(pixels)
        for top in range(0, len(pixels), _ROWS):
            rows = slice(top, top + _ROWS)
            mean, codes = means[rows], pixels[rows]
            inside = variance[rows] - cv2.transform(cv2.multiply(mean, mean), _THIRD)
            weight = np.clip(inside / (float(draw.threshold) * 255.0**2) - 1.0, 0.0, 1.0) * float(draw.weight)
            way = cv2.multiply(cv2.subtract(mean, codes, dtype=cv2.CV_32F), cv2.merge([weight] * 3))
            cv2.add(way, codes, dst=done[rows], dtype=cv2.CV_8U)
        return done


def _power_of(images: torch.Tensor) -> torch.Tensor:
    """The mean square of each pixel's channels, ``[B, 1, H, W]``."""
    third = torch.full((len(images), 1, 3), 1 / 3, device=images.device)
    return mix(images * images, third)
