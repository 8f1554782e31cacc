"""Rain streaks."""

from __future__ import annotations

import math

import torch

from rrframe import Dial, Draws, log_uniform, uniform
from rrframe_degradations.rain.falling import Camera, cover
from rrframe_degradations.rain.laws import diameters, drops_over, fall_speed
from rrframe_degradations.veiling import Around, Veiling

_LEAST = 1.0  # mm: finer drops cannot be told apart
_FARTHEST = 4.0  # metres
_GUSTS = 0.07  # of the fall speed


class Streaks(Veiling):
    """Falling drops, drawn one by one to 4 m away while the shutter is open.

    Their sizes follow N(D) = 8000 exp(-L D), L = 4.1 R^-0.21 per mm, and they fall at 9.65 - 10.3 exp(-0.6 D) m/s: over
    1 mm there are 147, 477 and 1080 in a cubic metre at 5, 25 and 100 mm/h. A drop of width w that moves l pixels
    covers each pixel of its way for w / l of the time, and so streaks are faint: I = J t + (1 - t) L with t the share
    of light that passes all drops. Their light L is .94 of the scene's bright side, which they refract upside down
    from a wide angle, and .06 of its mean. Perspective, occlusion and defocus come from the camera and the depth;
    streaks converge to the vanishing point of their velocity.

    Source: Garg and Nayar 2007, "Vision and rain", sections 3 to 5; Marshall and Palmer 1948; Atlas et al. 1973.
    Cannot: the speckle that a drop's oscillation leaves in streaks close by, lamps or a flash that light the drops.
    """

    category = "rain"
    rate: Dial = uniform(2.0, 200.0, mild=0.0, low=0.0, high=400.0, power=1.5, unit="mm/h", about="of rain")
    emphasis: Dial = uniform(1.0, 4.0, mild=1.0, low=0.0, high=20.0, about="how much more drops cover than by the law")
    exposure: Dial = log_uniform(0.005, 0.025, low=1e-5, high=1.0, unit="s", about="time that the shutter is open")
    wind: Dial = uniform(0.0, 7.0, low=0.0, high=40.0, unit="m/s", about="its speed, which drops take on")
    bearing: Dial = uniform(0.0, 360.0, unit="degrees", about="where the wind goes: 0 to the right, 90 away")
    pitch: Dial = uniform(-10.0, 15.0, low=-90.0, high=90.0, unit="degrees", about="the camera looks up")
    focal: Dial = uniform(1.0, 1.8, low=0.5, high=20.0, about="focal length over the picture's shorter side")
    aperture: Dial = uniform(1.0, 6.0, low=0.0, high=100.0, unit="mm", about="drops near the lens are out of focus")
    sky: Dial = uniform(0.9, 1.5, low=0.0, high=10.0, about="the light refracted, over that of the brightest quarter")

    def shining(self, draw: Draws, around: Around) -> torch.Tensor:
        return 0.94 * draw.sky * around.bright + 0.06 * around.mean

    def thickness(self, draw: Draws, depth: torch.Tensor) -> torch.Tensor:
        (values,) = (each.values for each in draw)
        rate, wind, bearing = (float(values[name]) for name in ("rate", "wind", "bearing"))
        across, away = wind * math.cos(math.radians(bearing)), wind * math.sin(math.radians(bearing))

        def drops(chance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            diameter = diameters(chance[0], rate, _LEAST)
            speed = fall_speed(diameter)
            gust = (chance[1:] - 0.5) * (math.sqrt(12) * _GUSTS) * speed
            return diameter, torch.stack([across + gust[0], speed, away + gust[1]]).T

        if rate <= 0:
            return torch.zeros_like(depth)
        camera = Camera(*(float(values[name]) for name in ("focal", "exposure", "aperture", "pitch")))
        return cover(draw, depth, camera, drops_over(_LEAST, rate), _FARTHEST, drops, float(values["emphasis"]))
