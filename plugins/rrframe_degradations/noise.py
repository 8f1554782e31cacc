"""Noise."""

from __future__ import annotations

import math

import torch

from rrframe import Cues, Degradation, Dial, Draw, Draws, Key, fixed, log_uniform


class PoissonGaussian(Degradation):
    """Sensor noise whose variance is linear in the light: var = shot * x + read, x in linear light.

    ``read`` follows ``shot`` as real cameras have it, ln(read) = 2.18 ln(shot) + 1.20 + N(0, spread), unless it is set.
    Photon counts are taken as normal, which they are to the eye above some ten photons a pixel.

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
        deviation = (images * draw.shot + draw.read).sqrt_()
        return torch.addcmul(images, draw.rng.normal(images), deviation).clamp_(0.0, 1.0)
