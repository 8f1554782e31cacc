"""Splashes."""

from __future__ import annotations

import math

import torch

from rrframe import Cues, Degradation, Dial, Draws, log_uniform, uniform
from rrframe.imaging.composite import veiled
from rrframe.imaging.layout import joined
from rrframe.imaging.splat import strokes
from rrframe_degradations.rain.falling import WHOLE, around
from rrframe_degradations.rain.laws import diameters, impacts

_GRID = 192  # cells along the shorter side in which surfaces are looked for
_FARTHEST = 9.0  # metres: from half of it on, splashes become fewer
_LASTS = 0.035  # seconds that a splash is seen
_JETS = 4  # that a splash throws up
_GRAVITY = 9.81


class Splash(Degradation):
    """Crowns of spray where drops hit what faces upwards, as the depth shows it.

    The rain law gives the hits: the drops over 1 mm that fall on a level square metre in a second, some 2,500 at
    25 mm/h. Each is seen for 0.035 s and throws up four jets on parabolas of a few centimetres. They are as large as
    perspective makes them; from 4.5 m on they become fewer, and beyond 9 m there is none.

    Source: hits from Marshall and Palmer 1948 and Atlas et al. 1973; crowns after Garg et al. 2007, "Material based
    splashing of water drops".
    Cannot: tell water from grass or a roof from a car: all that faces upwards splashes alike; rings on puddles.
    """

    category = "rain"
    light = "linear"
    cues = {"depth"}
    rate: Dial = uniform(5.0, 150.0, mild=0.0, low=0.0, high=400.0, unit="mm/h", about="of rain")
    exposure: Dial = log_uniform(0.005, 0.025, low=1e-5, high=1.0, unit="s", about="time that the shutter is open")
    spray: Dial = uniform(0.6, 1.8, low=0.0, high=10.0, about="width of the jets, over that of the drop")
    focal: Dial = uniform(1.0, 1.8, low=0.5, high=20.0, about="focal length over the picture's shorter side")
    sky: Dial = uniform(0.7, 1.2, low=0.0, high=10.0, about="the spray's light, over that of the brightest quarter")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        each = [self._cover(draw.select([index]), cues.depth[[index]]) for index in range(len(images))]
        _, bright = around(images)
        return veiled(images, draw.sky * bright, joined(each))

    def _cover(self, draw: Draws, depth: torch.Tensor) -> torch.Tensor:
        (values,) = (each.values for each in draw)
        rate, exposure, thick = (float(values[name]) for name in ("rate", "exposure", "spray"))
        size = height, width = int(depth.shape[-2]), int(depth.shape[-1])
        focal = float(values["focal"]) * min(size)
        step = max(min(size) // _GRID, 1)
        level, places = _level_ground(depth[0, 0, ::step, ::step], focal / step)
        share = min(min(size) / WHOLE, 1.0)
        hits = (level.flatten() * (share * _LASTS * impacts(rate) if rate > 0 else 0.0)).cumsum(0)
        count = int(float(hits[-1]) + float(draw.rng.uniform(depth.new_empty((1, 0, 1, 1)), channels=1)))
        chance = draw.rng.uniform(depth.new_empty((1, 0, count, 1)), channels=4)[0, :, :, 0]
        cells = torch.searchsorted(hits, chance[0] * hits[-1], right=True).clamp_(max=len(hits) - 1)
        # Within its cell a hit may be anywhere, or rows of them would show.
        row = (cells // level.shape[1] + chance[1]) * step
        column = (cells % level.shape[1] + chance[2]) * step
        z = places[cells]
        drop = diameters(chance[3], max(rate, 1e-3), 1.0).repeat_interleave(_JETS) * 1e-3
        base = torch.stack([(column - width / 2) * z / focal, (row - height / 2) * z / focal, z], dim=1)
        jets = draw.rng.uniform(depth.new_empty((1, 0, count * _JETS, 1)), channels=4)[0, :, :, 0]
        age = jets[0].view(count, _JETS)[:, :1].expand(-1, _JETS).reshape(-1) * _LASTS  # one for all jets of a splash
        base = base.repeat_interleave(_JETS, dim=0)
        root, tip = base + 0.3 * _flown(jets, age, drop), base + _flown(jets, age + exposure / 2, drop)
        centre = depth.new_tensor([(width - 1) / 2, (height - 1) / 2])
        ends = [place[:, :2] * focal / place[:, 2:].clamp(min=0.1) + centre for place in (root, tip)]
        wide = thick * drop * focal / base[:, 2]
        # A sheet that thins out as it grows.
        mass = (
            0.4 / share * wide * torch.maximum(wide, torch.hypot(*(ends[1] - ends[0]).unbind(1))) * (1 - age / _LASTS)
        )
        # A little nearer than the ground that they stand on, or it would hide them.
        return strokes(size, *ends, wide, mass, 0.9 * base[:, 2], depth[0, 0])


def _level_ground(depth: torch.Tensor, focal: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The square metres of upward surface, seen from above, in each cell of ``depth`` ``[h, w]``; its depth, flat."""
    height, width = depth.shape
    if min(height, width) < 2:
        return torch.zeros_like(depth), depth.flatten()
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
    return (area * fading).masked_fill(torn, 0.0), depth.flatten()


def _flown(jets: torch.Tensor, age: torch.Tensor, drop: torch.Tensor) -> torch.Tensor:
    """Metres from the hit, ``[N, 3]``, of jets ``age`` seconds old; larger drops throw them faster."""
    speed = (0.45 + 0.65 * jets[1]) * (drop / 2e-3).sqrt()
    steep, turn = math.pi * (0.25 + 0.17 * jets[2]), 2 * math.pi * jets[3]
    flat = speed * torch.cos(steep) * age
    rise = (speed * torch.sin(steep) * age - 0.5 * _GRAVITY * age * age).clamp(min=0.0)
    return torch.stack([flat * torch.cos(turn), -rise, flat * torch.sin(turn)], dim=1)
