"""Blur by a lens that is focused elsewhere."""

from __future__ import annotations

import math

import numpy as np

from rrframe import Dial, Draw, choice, integers, uniform
from rrframe.imaging import psf
from rrframe_degradations.blur.optics import Spread


def aperture(blades: int, radius: float, angle: float) -> np.ndarray:
    """The point-spread function of an aperture with so many blades, 0 for a round one; ``angle`` in degrees."""
    return psf.polygon(radius, blades, math.radians(angle)) if blades else psf.disc(radius)


class Defocus(Spread):
    """A picture out of focus all over: every point of light becomes an image of the aperture, a disc or a polygon.

    The disc is the circle of confusion, of diameter A |d - f| / d for an aperture A focused at f and a point at d; a
    polygon has its area.

    Source: Potmesil and Chakravarty 1981, "A lens and aperture camera model for synthetic image generation".
    Cannot: blur that depends on distance, for which blur/depth-of-field needs a depth map; the darker rim and cat's
    eyes of real lenses.
    """

    radius: Dial = uniform(
        1.0, 12.0, mild=0.0, low=0.0, high=200.0, power=1.2, unit="1/1000 of the shorter side", about="of the disc"
    )
    blades: Dial = choice(0, 5, 6, 7, 8, 9, about="of the aperture; 0 is round")
    angle: Dial = integers(0, 359, low=-360, high=360, unit="degrees", about="by which a polygon is turned")

    def kernel(self, draw: Draw, unit: float) -> np.ndarray:
        return aperture(int(draw.values["blades"]), float(draw.values["radius"]) * unit, float(draw.values["angle"]))
