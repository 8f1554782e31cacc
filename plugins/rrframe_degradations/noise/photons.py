"""Noise of light itself, without a camera around it."""

from __future__ import annotations

import math

import numpy as np
import torch

from rrframe import Cues, Degradation, Dial, Draw, Draws, Key, fixed, log_uniform, uniform
from rrframe.imaging.noise import add_poisson, by_rows, correlated, poisson
from rrframe.imaging.random import Stream

_LEAST = 1e-12  # variance per unit of light, below which photons are too many to make a difference


class PoissonGaussian(Degradation):
    """Sensor noise whose variance is linear in the light: var = shot * x + read, x in linear light.

    Photons are counted, 1 / shot of them at white, so that the noise of dim places is skewed and in steps. ``read``
    follows ``shot`` as real cameras have it, ln(read) = 2.18 ln(shot) + 1.20 + N(0, spread), unless it is set.

    It is per pixel: the same setting is as strong at 512 px as at 4096 px, and finer to the eye.

    Source: Foi et al. 2008, "Practical Poissonian-Gaussian noise modeling"; coefficients from Brooks et al. 2019,
    "Unprocessing images", eq. 8.
    Cannot: noise that a demosaic has spread over neighbours, rows, hot pixels; noise/sensor is for those.
    """

    category = "noise"
    light = "linear"
    shot: Dial = log_uniform(1e-4, 0.012, mild=0.0, low=0.0, high=1.0, power=2.0, about="variance per unit of light")
    spread: Dial = fixed(0.26, low=0.0, about="deviation of ln(read) around the cameras' law")

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        draw = super().draw(key, severity)
        shot, spread = float(draw.values["shot"]), float(draw.values["spread"])  # type: ignore[arg-type]
        wander = key.child("read").random().gauss(0.0, 1.0) * spread if severity is None else 0.0
        read = math.exp(2.18 * math.log(shot) + 1.20 + wander) if shot > 0 else 0.0
        return draw.with_values(read=read)

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        count, read = 1 / draw.shot.clamp(min=_LEAST), draw.read.sqrt()

        def noisy(light: torch.Tensor, photons: torch.Tensor, electrons: torch.Tensor) -> torch.Tensor:
            root = (light * count).clamp_(min=0.0).sqrt_()
            noise = poisson(root, photons).mul_(root).mul_(draw.shot)
            return noise.addcmul_(electrons, read).add_(light).clamp_(0.0, 1.0)

        return by_rows(noisy, images, draw.rng.levels(images), draw.rng.normal(images))


class Poisson(Degradation):
    """Poisson noise as augmentations add it, on encoded values: x + scale (P(photons x) / photons - x).

    ``scale`` multiplies the noise and leaves the number of photons alone; that number is a dial, and has nothing to do
    with how many different values the picture has.

    It is per pixel: the same setting is as strong at 512 px as at 4096 px.

    Source: Wang et al. 2021, "Real-ESRGAN": scale 0.05 to 3, and grey noise in 40 % of pictures.
    Cannot: look like a camera's, whose photons are counted in linear light; noise/poisson-gaussian is for that.
    """

    category = "noise"
    light = "encoded"
    eight_bit = True
    scale: Dial = uniform(0.05, 3.0, mild=0.0, low=0.0, high=10.0, about="multiplies the noise")
    photons: Dial = fixed(256, low=1, high=1e6, about="photons at white")
    grey: Dial = fixed(0.0, low=0.0, high=1.0, about="correlation between the channels; 1: the same in all")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        def noisy(light: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
            root = (light * draw.photons).clamp_(min=0.0).sqrt_()
            noise = poisson(root, levels)
            if any(draw.each("grey")):
                noise = correlated(noise, draw.grey)
            return noise.mul_(root).mul_(draw.scale / draw.photons).add_(light).clamp_(0.0, 1.0)

        return by_rows(noisy, images, draw.rng.levels(images))

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        (one,) = draw
        if any(draw.each("grey")):
            return super().apply_pixels(pixels, draw, cues)
        return add_poisson(pixels, float(draw.photons), float(draw.scale), Stream(one.seed))
