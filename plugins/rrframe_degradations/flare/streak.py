"""Flare as lines through the light sources."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F

from rrframe import Dial, Draw, Draws, choice, integers, log_uniform, uniform
from rrframe.imaging.scatter import scatter
from rrframe.imaging.warp import homography
from rrframe_degradations.flare.sources import Flare

_REACH = 4.0  # lengths after which a line is cut: 2 % of its middle is left, divided by the distance
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
        widest = max(kernel.shape[-1] for kernel in kernels)
        padded = [F.pad(kernel, [(widest - kernel.shape[-1]) // 2] * 4) for kernel in kernels]
        return scatter(sources, torch.cat(padded)).mul_(draw.strength)


def _lines(draw: Draw, side: int, farthest: int, device: torch.device) -> torch.Tensor:
    """The kernel ``[1, 3, k, k]``, reaching to ``farthest`` pixels at most; its strongest channel has the sum 1."""
    values: dict[str, Any] = draw.values
    cause = values["cause"]
    length, width = values["length"] * side / 1000, values["width"] * side / 1000
    reach = min(math.ceil(_REACH * length), farthest)
    places = torch.arange(-reach, reach + 1, device=device, dtype=torch.float32)
    lengths = length * torch.tensor(_DISPERSION if cause == "star" else (1.0, 1.0, 1.0), device=device).view(3, 1)
    along = torch.exp(-places.abs() / lengths) / (1 + places.abs() / max(2 * width, 1.0))
    across = torch.exp(-0.5 * (places / max(width, 0.5)).square())
    line = (along[:, None, :] * across[:, None])[None]
    turned = [homography(line, _turn(angle, reach), "zero") * weight for angle, weight in _directions(values)]
    kernel = torch.stack(turned).sum(dim=0)
    colour = torch.tensor(_COLOURS[cause], device=device).view(1, 3, 1, 1)
    return kernel * (colour / kernel.sum(dim=(2, 3), keepdim=True))


def _directions(values: dict[str, Any]) -> list[tuple[float, float]]:
    """The angles of the lines, in radians, each with its weight."""
    first = math.radians(values["angle"])
    if values["cause"] == "star":
        return [(first + math.pi * line / values["lines"], 1.0) for line in range(values["lines"])]
    if values["cause"] == "smear":
        return [(first + _FAN * line, 1.0 - 0.3 * abs(line)) for line in (-2, -1, 0, 1, 2)]
    return [(0.0, 1.0)]


def _turn(angle: float, centre: int) -> torch.Tensor:
    cos, sin = math.cos(angle), math.sin(angle)
    return torch.tensor(
        [
            [
                [cos, -sin, centre - cos * centre + sin * centre],
                [sin, cos, centre - sin * centre - cos * centre],
                [0, 0, 1],
            ]
        ]
    )
