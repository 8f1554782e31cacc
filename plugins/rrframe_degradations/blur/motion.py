"""Blur by motion while the shutter is open, the same all over the image."""

from __future__ import annotations

import numpy as np

from rrframe import Dial, Draw, Key, uniform
from rrframe.imaging import psf
from rrframe_degradations.blur.optics import Spread
from rrframe_degradations.blur.trajectory import wander


class Motion(Spread):
    """Motion blur: every point of light leaves the trail of one random path, I = sum over time of J shifted, in linear
    light.

    The path is that of a hand: a step v changes by jerk (shake N - pull x) and now and then turns back, at constant
    speed. It is scaled to ``extent``, the width of the trail where it is widest, and centred, so that the picture stays
    where it is.

    Source: Boracchi and Foi 2012, "Modeling the performance of image restoration from motion blur"; Kupyn et al. 2018,
    "DeblurGAN", algorithm 1, jerk 0.003 to 0.01.
    Cannot: motion that differs over the image, such as a turning camera (blur/camera-shake) or a car that passes.
    """

    extent: Dial = uniform(
        3.0, 35.0, mild=0.0, low=0.0, high=500.0, power=1.2, unit="1/1000 of the shorter side", about="of the trail"
    )
    jerk: Dial = uniform(0.0, 0.01, low=0.0, high=0.1, about="how much the path bends: 0 is a straight line")

    def kernel(self, draw: Draw, unit: float) -> np.ndarray:
        path = wander(Key.of(draw.seed, "path").random(), float(draw.values["jerk"]))
        return psf.trail(path * float(draw.values["extent"]) * unit)
