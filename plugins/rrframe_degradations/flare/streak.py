"""Flare as lines through the light sources."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from rrframe import Dial, Draw, Draws, choice, integers, log_uniform, uniform
from rrframe.imaging.layout import joined
from rrframe.imaging.scatter import scatter
from rrframe.imaging.warp import homography
from rrframe_degradations.flare.sources import Flare

_REACH = 4.0  # lengths after which a line is cut: 2 % of its middle is left, divided by the distance
_BREADTH = 4.0  # standard deviations after which it is cut across
_FAN = math.radians(2.5)  # between the lines of a smear, which no cloth leaves parallel
_COLOURS = {"anamorphic": (0.25, 0.5, 1.0), "smear": (1.0, 1.0, 1.0), "star": (1.0, 1.0, 1.0)}
_DISPERSION = (1.1, 1.0, 0.9)  # lengths in red, green and blue: a grating throws red farther


class Streak(Flare):
    """Long lines of light through every light source.

    ``anamorphic`` is the blue horizontal line of cylindrical lenses; ``smear`` is what a wiped lens does, across the
    way it was wiped; ``star`` is a cross filter, whose etched grooves throw light to both sides of 2 to 4 directions.
    The light falls off along a line as exp(-u / length) / (1 + u / core), u being the distance; across it, as a
    Gaussian.

    Source: streaks as in Dai et al. 2022, "Flare7K: a phenomenological nighttime flare removal dataset", section 3.2;
    the falloff is ours.
    Cannot: curved or interrupted lines, the rainbows of coarse gratings.
    """

    strength: Dial = uniform(
        0.005, 0.06, mild=0.0, low=0.0, high=10.0, power=2.0, about="light in the lines, over that of a white square"
    )
    cause: Dial = choice("anamorphic", "smear", "star", about="what makes them")
    length: Dial = log_uniform(
        60.0, 300.0, low=1.0, high=2000.0, unit="1/1000 of the shorter side", about="in which they fall to 1/e"
    )
    width: Dial = log_uniform(
        1.5, 5.0, low=0.1, high=100.0, unit="1/1000 of the shorter side", about="standard deviation across"
    )
    angle: Dial = integers(0, 179, low=-360, high=360, unit="degrees", about="of the first line, but for anamorphic")
    lines: Dial = choice(2, 3, 4, about="of a star")

    def flare(self, sources: torch.Tensor, draw: Draws) -> torch.Tensor:
        side, farthest = min(sources.shape[-2:]), max(sources.shape[-2:]) - 1
        kernels = [_lines(each, side, farthest, sources.device) for each in draw]
        channels, widest = (max(kernel.shape[axis] for kernel in kernels) for axis in (1, -1))
        padded = [F.pad(kernel, [(widest - kernel.shape[-1]) // 2] * 4) for kernel in kernels]
        lines = joined([kernel.expand(-1, channels, -1, -1) for kernel in padded])
        colours = torch.tensor([_COLOURS[cause] for cause in draw.each("cause")], device=sources.device)
        shares = colours[..., None, None] * draw.strength / lines.sum(dim=(2, 3), keepdim=True)
        return scatter(sources, lines) * shares


def _lines(draw: Draw, side: int, farthest: int, device: torch.device) -> torch.Tensor:
    """The kernel, reaching to ``farthest`` pixels at most: ``[1, 3, k, k]``, or ``[1, 1, k, k]`` where all channels
    have the same.
    """
    values: dict[str, Any] = draw.values
    cause = values["cause"]
    length, width = values["length"] * side / 1000, values["width"] * side / 1000
    reach = min(math.ceil(max(_REACH * length, 2 * _BREADTH * width)), farthest)
    middle = reach // 2
    lengths = length * torch.tensor(_DISPERSION if cause == "star" else (1.0,), device=device)
    places = torch.arange(-reach, reach + 1, device=device).abs()[:, None]
    along = torch.exp(-places / lengths) / (1 + places / max(2 * width, 1.0))
    rows = torch.arange(-middle, reach + 1 - middle, device=device)[:, None, None]
    line = (along * torch.exp(-0.5 * (rows / max(width, 0.5)).square())).permute(2, 0, 1)[None]
    upper = torch.zeros_like(line)
    for angle, weight in _directions(values):
        upper.add_(homography(line, _turn(angle, reach, middle), "zero"), alpha=weight)
    # Lines go as far to either side, so the lower half is the upper one turned.
    return torch.cat([upper, upper[:, :, :-1].flip(2, 3)], dim=2)


def _directions(values: dict[str, Any]) -> list[tuple[float, float]]:
    """The angles of the lines, in radians, each with its weight."""
    first = math.radians(values["angle"])
    if values["cause"] == "star":
        return [(first + math.pi * line / values["lines"], 1.0) for line in range(values["lines"])]
    if values["cause"] == "smear":
        return [(first + _FAN * line, 1.0 - 0.3 * abs(line)) for line in (-2, -1, 0, 1, 2)]
    return [(0.0, 1.0)]


def _turn(angle: float, reach: int, middle: int) -> torch.Tensor:
    """From a line about the row ``middle`` to the upper half of it turned about the middle of the last row."""
    cos, sin = math.cos(angle), math.sin(angle)
    right, down = reach - cos * reach + sin * middle, reach - sin * reach - cos * middle
    return torch.tensor([[[cos, -sin, right], [sin, cos, down], [0, 0, 1]]])
