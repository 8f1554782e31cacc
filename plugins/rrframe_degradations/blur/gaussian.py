"""Blur by smooth kernels."""

from __future__ import annotations

import math

import numpy as np
import torch

from rrframe import Cues, Dial, Draw, Draws, choice, integers, uniform
from rrframe.imaging import psf
from rrframe.imaging.filters import gaussian
from rrframe_degradations.blur.optics import Spread, per_mille


class Gaussian(Spread):
    """Blur by a Gaussian or a relative of it: exp(-d^(2 power) / 2) at the elliptic distance d.

    ``sigma`` is the standard deviation along the long axis whatever the shape.

    Source: Wang et al. 2021, "Real-ESRGAN", section 3.1, whose sigmas of 0.2 to 3 pixels are meant for crops of 400
    pixels; Pascal et al. 2013 for the generalised shape.
    Cannot: blur that changes over the image, ringing (blur/sinc), the shapes that lenses and hands make (blur/defocus,
    blur/motion).
    """

    shape: Dial = choice("isotropic", "anisotropic", "generalised", about="of the point-spread function")
    sigma: Dial = uniform(
        0.5, 6.0, mild=0.0, low=0.0, high=100.0, power=1.2, unit="1/1000 of the shorter side", about="deviation"
    )
    ratio: Dial = uniform(0.2, 0.8, low=0.01, high=1.0, about="short to long axis, where not isotropic")
    angle: Dial = integers(0, 179, low=-360, high=360, unit="degrees", about="of the long axis")
    power: Dial = uniform(0.5, 4.0, low=0.25, high=8.0, about="of the generalised shape: 1 is a Gaussian")

    def kernel(self, draw: Draw, unit: float) -> np.ndarray:
        values = draw.values
        power = float(values["power"]) if values["shape"] == "generalised" else 1.0
        return psf.generalised_gaussian(
            float(values["sigma"]) * unit, float(values["ratio"]), math.radians(values["angle"]), power
        )

    def blurred(self, lit: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        # Round ones are separable, which is several times faster.
        round_ones = [index for index, shape in enumerate(draw.each("shape")) if shape == "isotropic"]
        others = [index for index in range(len(lit)) if index not in round_ones]
        if not others:
            return gaussian(lit, draw.sigma * per_mille(lit))
        if not round_ones:
            return super().blurred(lit, draw, cues)
        result = torch.empty_like(lit)
        for which in (round_ones, others):
            result[which] = self.blurred(lit[which], draw.select(which), cues.select(which))
        return result
