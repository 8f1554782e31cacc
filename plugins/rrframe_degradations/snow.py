"""Snow."""

from __future__ import annotations

import math

import torch

from rrframe import Dial, Draws, log_uniform, uniform
from rrframe_degradations.rain.falling import Camera, cover
from rrframe_degradations.veiling import Around, Veiling

_LEAST = 0.5  # mm, melted: finer flakes cannot be told apart
_LARGEST = 25.0  # mm
_FARTHEST = 6.5  # metres


class Flakes(Veiling):
    """Falling flakes, drawn one by one to 6.5 m away, and the white veil of those beyond.

    Flakes of melted diameter D follow N(D) = N0 exp(-L D) with N0 = 3800 R^-0.87 per m3 and mm and L = 2.55 R^-0.48 per
    mm, at R mm/h of water; their own diameter is ``fluff`` D. They fall at about 1 m/s, so that the wind decides where
    they go, and are opaque: only motion and defocus let the scene through. The veil is I = J t + A (1 - t),
    t = exp(-beta z), with beta twice the area of all flakes in a cubic metre.

    Source: Gunn and Marshall 1958, "The distribution with size of aggregate snowflakes"; speeds after Langleben 1954.
    Cannot: snow that has settled; the shapes of single crystals.
    """

    category = "snow"
    rate: Dial = uniform(0.2, 3.5, mild=0.0, low=0.0, high=20.0, unit="mm/h", about="of snow, as water")
    fluff: Dial = uniform(2.5, 4.5, mild=2.5, low=1.0, high=10.0, about="diameter of a flake over that of its water")
    exposure: Dial = log_uniform(0.001, 0.012, low=1e-5, high=1.0, unit="s", about="time that the shutter is open")
    wind: Dial = uniform(0.0, 4.0, low=0.0, high=40.0, unit="m/s", about="its speed, which flakes take on")
    bearing: Dial = uniform(0.0, 360.0, unit="degrees", about="where the wind goes: 0 to the right, 90 away")
    pitch: Dial = uniform(-10.0, 15.0, low=-90.0, high=90.0, unit="degrees", about="the camera looks up")
    focal: Dial = uniform(1.0, 1.8, low=0.5, high=20.0, about="focal length over the picture's shorter side")
    aperture: Dial = uniform(1.0, 8.0, low=0.0, high=100.0, unit="mm", about="flakes near the lens are out of focus")
    sky: Dial = uniform(0.8, 1.2, low=0.0, high=10.0, about="the flakes' light, over that of the brightest quarter")

    def shining(self, draw: Draws, around: Around) -> torch.Tensor:
        return draw.sky * (0.2 * around.bright + 0.8 * around.bright.mean(dim=1, keepdim=True))

    def thickness(self, draw: Draws, depth: torch.Tensor) -> torch.Tensor:
        (values,) = (each.values for each in draw)
        rate, fluff, wind, bearing = (float(values[name]) for name in ("rate", "fluff", "wind", "bearing"))
        across, away = wind * math.cos(math.radians(bearing)), wind * math.sin(math.radians(bearing))

        def flakes(chance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            melted = _LEAST - torch.log1p(-chance[0]) / _slope(rate)
            speed = 0.8 + 0.4 * chance[1]
            swirl = (chance[1:] - 0.5) * 0.8
            velocity = torch.stack([across + swirl[0], speed, away + swirl[1]]).T
            return (fluff * melted).clamp(max=_LARGEST), velocity

        if rate <= 0:
            return torch.zeros_like(depth)
        camera = Camera(*(float(values[name]) for name in ("focal", "exposure", "aperture", "pitch")))
        each = cover(draw, depth, camera, _flakes_over(_LEAST, rate), _FARTHEST, flakes)
        return each.add_(depth, alpha=_extinction(rate, fluff))


def _slope(rate: float) -> float:
    return 2.55 * rate**-0.48


def _flakes_over(melted: float, rate: float) -> float:
    """In a cubic metre."""
    return 3800 * rate**-0.87 / _slope(rate) * math.exp(-_slope(rate) * melted)


def _extinction(rate: float, fluff: float) -> float:
    """Per metre: twice the area of the flakes in a cubic metre, the integral of pi/4 (fluff D)^2 N(D)."""
    if rate <= 0:
        return 0.0
    return 2 * math.pi / 4 * (fluff * 1e-3) ** 2 * 3800 * rate**-0.87 * 2 / _slope(rate) ** 3
