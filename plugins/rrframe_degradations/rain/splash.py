"""Splashes."""

from __future__ import annotations

import math

import torch

from rrframe import Dial, Draws, log_uniform, uniform
from rrframe.imaging.splat import strokes
from rrframe_degradations.rain.falling import WHOLE
from rrframe_degradations.rain.laws import diameters, impacts
from rrframe_degradations.veiling import Around, Veiling

_GRID = 128  # cells along the shorter side in which surfaces are looked for
_FARTHEST = 9.0  # metres: from half of it on, splashes become fewer
_LASTS = 0.035  # seconds that a splash is seen
_JETS = 4  # that a splash throws up
_OPACITY = 0.7  # of a jet that has just been thrown up
_GRAVITY = 9.81


class Splash(Veiling):
    """Crowns of spray where drops hit what faces upwards, as the depth shows it.

    The rain law gives the hits: the drops over 1 mm that fall on a level square metre in a second, some 2,500 at
    25 mm/h. Each is seen for 0.035 s and throws up four jets on parabolas of a few centimetres. They are as large as
    perspective makes them; from 4.5 m on they become fewer, and beyond 9 m there is none.

    Source: hits from Marshall and Palmer 1948 and Atlas et al. 1973; crowns after Garg et al. 2007, "Material based
    splashing of water drops".
    Cannot: tell water from grass or a roof from a car: all that faces upwards splashes alike; rings on puddles.
    """

    category = "rain"
    rate: Dial = uniform(5.0, 150.0, mild=0.0, low=0.0, high=400.0, unit="mm/h", about="of rain")
    emphasis: Dial = uniform(
        1.5, 4.0, mild=1.0, low=0.0, high=20.0, about="how many more hits there are than by the law"
    )
    exposure: Dial = log_uniform(0.005, 0.025, low=1e-5, high=1.0, unit="s", about="time that the shutter is open")
    spray: Dial = uniform(0.6, 1.8, low=0.0, high=10.0, about="width of the jets, over that of the drop")
    focal: Dial = uniform(1.0, 1.8, low=0.5, high=20.0, about="focal length over the picture's shorter side")
    sky: Dial = uniform(0.7, 1.2, low=0.0, high=10.0, about="the spray's light, over that of the brightest quarter")

    def shining(self, draw: Draws, around: Around) -> torch.Tensor:
        return draw.sky * around.bright

    def thickness(self, draw: Draws, depth: torch.Tensor) -> torch.Tensor:
        (values,) = (each.values for each in draw)
        rate, exposure, thick, emphasis = (float(values[name]) for name in ("rate", "exposure", "spray", "emphasis"))
        size = height, width = int(depth.shape[-2]), int(depth.shape[-1])
        focal = float(values["focal"]) * min(size)
        step = max(min(size) // _GRID, 1)
        if rate <= 0:
            return torch.zeros_like(depth)
        places = depth[0, 0, ::step, ::step]
        level = _level_ground(places, focal / step)
        share = min(min(size) / WHOLE, 1.0)
        hits = level.mul_(share * emphasis * _LASTS * impacts(rate)).flatten().cumsum(0)
        count = int(float(hits[-1]) + float(draw.rng.uniform(depth.new_empty((1, 0, 1, 1)), channels=1)))
        chance = draw.rng.uniform(depth.new_empty((1, 0, count, 1)), channels=4)[0, :, :, 0]
        cells = torch.searchsorted(hits, chance[0] * hits[-1], right=True).clamp_(max=len(hits) - 1)
        # Within its cell a hit may be anywhere, or rows of them would show.
        row = (cells // level.shape[1] + chance[1]) * step
        column = (cells % level.shape[1] + chance[2]) * step
        z = places.flatten().index_select(0, cells)
        drop = diameters(chance[3], rate, 1.0).repeat_interleave(_JETS) * 1e-3
        x, y, z = (
            each.repeat_interleave(_JETS)
            for each in ((column - width / 2) * z / focal, (row - height / 2) * z / focal, z)
        )
        jets = draw.rng.uniform(depth.new_empty((1, 0, count * _JETS, 1)), channels=4)[0, :, :, 0]
        age = jets[0, ::_JETS].repeat_interleave(_JETS) * _LASTS  # one for all jets of a splash
        ends = []
        for right, down, away in (
            [0.3 * each for each in _flown(jets, age, drop)],
            _flown(jets, age + exposure / 2, drop),
        ):
            scale = focal / (z + away).clamp(min=0.1)
            ends.append(torch.stack([(x + right) * scale + (width - 1) / 2, (y + down) * scale + (height - 1) / 2]))
        wide = thick * drop * focal / z
        # A sheet that thins out as it grows.
        mass = _OPACITY / share * wide * torch.maximum(wide, torch.hypot(*(ends[1] - ends[0]))) * (1 - age / _LASTS)
        seen = 0.9 * z < _at(places, ends[1] / step)  # a little nearer than the ground that they stand on
        return strokes(size, ends[0].T, ends[1].T, wide, mass * seen)


def _at(depth: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """``depth`` ``[h, w]`` at ``places`` ``[2, N]``, x and y, or where it ends before."""
    column, row = (place.clamp(0, side - 1).long() for place, side in zip(places, depth.shape[::-1], strict=True))
    return depth.flatten().index_select(0, row.mul_(depth.shape[1]).add_(column))


def _level_ground(depth: torch.Tensor, focal: float) -> torch.Tensor:
    """The square metres of upward surface, seen from above, in each cell of ``depth`` ``[h, w]``."""
    height, width = depth.shape
    if min(height, width) < 2:
        return torch.zeros_like(depth)
    x = (torch.arange(width, device=depth.device) - (width - 1) / 2) / focal
    y = (torch.arange(height, device=depth.device) - (height - 1) / 2)[:, None] / focal
    down, across = torch.gradient(depth, dim=(0, 1))
    # A cell at (x, y, 1) z has the sides (x z', y z', z') + z / focal along its own axis, and their cross product is
    # its surface, up being -y: z / focal times the vector (across, down, -away).
    side = depth / focal
    away = side + x * across + y * down
    length = torch.sqrt(across * across + down * down + away * away).clamp(min=1e-12)
    upward = (-down / length - 0.7).clamp(min=0.0) / 0.3
    torn = torch.maximum(down.abs(), across.abs()) > 0.15 * depth  # the cell hangs between two things
    area = (-down * side).clamp(min=0.0) * upward.clamp(max=1.0)
    fading = (2 - 2 * depth / _FARTHEST).clamp(0.0, 1.0)
    return (area * fading).masked_fill(torn, 0.0)


def _flown(
    jets: torch.Tensor, age: torch.Tensor, drop: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Metres from the hit, to the right, down and away, ``[N]`` each, of jets ``age`` seconds old; larger drops throw
    them faster.
    """
    speed = (0.45 + 0.65 * jets[1]) * (drop / 2e-3).sqrt()
    steep, turn = math.pi * (0.25 + 0.17 * jets[2]), 2 * math.pi * jets[3]
    flat = speed * torch.cos(steep) * age
    rise = (speed * torch.sin(steep) * age - 0.5 * _GRAVITY * age * age).clamp(min=0.0)
    return flat * torch.cos(turn), -rise, flat * torch.sin(turn)
