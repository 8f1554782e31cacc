"""What all flares share: the light sources of a picture, and a lamp drawn into those that have none."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from rrframe import Cues, Degradation, Dial, Draw, Draws, log_uniform, uniform
from rrframe.imaging.laid import added_pixels
from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.imaging.resample import resize

_SIDE = 384  # the shorter side of the grid that flares are added up on
_FEWEST = 1e-4  # of the square on the shorter side: light sources smaller than that together are glints, not lamps
_CELL = 16  # pixels: light sources nearer to each other than that are one group
_FAINTEST = 0.3  # of the brightest group's light: what is less does not count
_MOST = 3  # groups that count
_CORE = 4.0  # linear light in the middle of a drawn lamp: its disc is clipped, with a soft rim
_RIM = 4.0  # radii after which a drawn lamp has ended: a ten-millionth of its middle is left


class Lit(Degradation):
    """A degradation by the light sources of the picture, as the cue ``highlights`` shows them.

    Where the picture shows none, a lamp is drawn into it. Light sources are part of the target: only what the lens
    makes of them is a degradation.
    """

    category = "flare"
    light = "linear"
    cues = {"highlights"}
    x: Dial = uniform(0.0, 1.0, low=0.0, high=1.0, unit="widths", about="where a lamp is drawn if there is none")
    # Along the upper edge, where there is sky or a ceiling: lower, it would stand before a face.
    y: Dial = uniform(0.0, 0.04, low=0.0, high=1.0, unit="heights", about="where a lamp is drawn if there is none")
    lamp: Dial = log_uniform(
        4.0, 12.0, low=0.1, high=200.0, unit="1/1000 of the shorter side", about="radius of a lamp that is drawn"
    )
    warmth: Dial = uniform(-0.3, 0.8, low=-1.0, high=1.0, about="colour of the light: -1 is blue, 0 white, 1 orange")

    def retarget(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return lit(images, draw, cues.highlights).clamp_(0.0, 1.0)


class Computed(Lit):
    """Light that the lens adds, computed from the light sources on a small grid."""

    most: ClassVar[float] = 1.0
    """The most light that may be added."""

    @abstractmethod
    def added(self, draw: Draws, shown: Shown) -> torch.Tensor:
        """The light that is added, ``[B, 3, h, w]``, as large as ``shown.maps``; linear, from 0 to ``most``."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        light = self.added(draw, Shown.of(cues.highlights)) / self.most
        done = lit(images, draw, cues.highlights)
        return done.add_(resize(light, *images.shape[-2:], "linear"), alpha=self.most).clamp_(0.0, 1.0)

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        height, width, _ = pixels.shape
        steps = to_pixels((self.added(draw, Shown.of(cues.highlights)) / self.most)[0], np.uint16)
        layer = np.asarray(cv2.resize(steps, (width, height), interpolation=cv2.INTER_LINEAR))
        light = tint(draw.warmth) * (_CORE / self.most)
        for _, rows, columns, profile in _lamps(draw, lampless(cues.highlights), Grid(height, width)):
            layer[rows, columns] = to_pixels((to_batch(layer[rows, columns]) + profile * light)[0], np.uint16)
        return added_pixels(pixels, layer, self.most)


class Flare(Computed):
    """One kind of flare.

    How bright its light sources were before they were clipped nobody knows, so a flare's dials give all their light
    together.
    """

    side: ClassVar[int] = _SIDE
    """The shorter side of the grid that the flare is computed on, in pixels: so it looks the same at every size."""
    margin: ClassVar[float] = 0.0
    """How far that grid goes on beyond each border, over the picture's width or height, for lamps outside of it."""

    @abstractmethod
    def flare(self, sources: torch.Tensor, draw: Draws) -> torch.Tensor:
        """The light that the lens adds, were the sources white.

        Args:
            sources: ``[B, 1, h, w]`` float32: the light sources alone, on the grid with its margin. Their light sums up
                to one white pixel for each of the square on the picture's shorter side.
            draw: The drawn values.

        Returns:
            ``[B, 3, h, w]``, linear, from 0.
        """

    def added(self, draw: Draws, shown: Shown) -> torch.Tensor:
        grid = Grid.of(shown.maps, self.side, self.margin)
        light = grid.cut(self.flare(_sources(draw, shown, grid), draw))
        return resize((light * tint(draw.warmth)).clamp_(0.0, 1.0), *shown.maps.shape[-2:], "linear")


def tint(warmth: torch.Tensor) -> torch.Tensor:
    """``[B, 3, 1, 1]``: the colour of light, its strongest channel 1."""
    fall = torch.tensor([0.0, 0.35, 1.1], device=warmth.device).view(1, 3, 1, 1)
    colour = torch.exp(-warmth * fall)
    return colour / colour.amax(dim=1, keepdim=True)


@dataclass(frozen=True)
class Grid:
    """A small picture, with a margin around.

    Args:
        height: Without the margin, in pixels.
        width: The same.
        above: Rows of the margin above, and as many below.
        beside: Columns of the margin on the left, and as many on the right.
    """

    height: int
    width: int
    above: int = 0
    beside: int = 0

    @classmethod
    def of(cls, images: torch.Tensor, side: int, margin: float = 0.0) -> Grid:
        height, width = images.shape[-2:]
        shrink = min(1.0, side / min(height, width))
        height, width = max(round(height * shrink), 1), max(round(width * shrink), 1)
        return cls(height, width, math.ceil(margin * height), math.ceil(margin * width))

    def padded(self, maps: torch.Tensor) -> torch.Tensor:
        return F.pad(maps, (self.beside, self.beside, self.above, self.above))

    def cut(self, maps: torch.Tensor) -> torch.Tensor:
        return maps[..., self.above : self.above + self.height, self.beside : self.beside + self.width]


@dataclass(frozen=True)
class Shown:
    """The light sources that pictures show, small.

    Args:
        maps: ``[B, 1, h, w]`` float32.
        lampless: Which images show none, ``[B, 1, 1, 1]``.
    """

    maps: torch.Tensor
    lampless: torch.Tensor

    @classmethod
    def of(cls, highlights: torch.Tensor) -> Shown:
        grid = Grid.of(highlights, _SIDE)
        return cls(resize(highlights, grid.height, grid.width), lampless(highlights))


def groups(sources: torch.Tensor) -> list[tuple[float, float, float]]:
    """The brightest groups of light sources of one image, ``[1, 1, h, w]``, three at most, the brightest first: the
    centre of each, x and y in pixels, and its share of the light of all of them.
    """
    height, width = sources.shape[-2:]
    rows = torch.arange(height, device=sources.device, dtype=torch.float32).view(1, 1, -1, 1)
    columns = torch.arange(width, device=sources.device, dtype=torch.float32).view(1, 1, 1, -1)
    weighed = torch.cat([sources, sources * columns, sources * rows], dim=1)
    cells = F.avg_pool2d(weighed, (min(_CELL, height), min(_CELL, width)), ceil_mode=True, divisor_override=1)
    found: list[list[float]] = []
    for _ in range(_MOST):
        around = F.avg_pool2d(cells, 3, 1, 1)  # a group may lie in several cells
        row, column = divmod(int(around[0, 0].argmax()), around.shape[-1])
        group = around[0, :, row, column].tolist()
        if group[0] <= (_FAINTEST * found[0][0] if found else 0.0):
            break
        found.append(group)
        cells[..., max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = 0.0
    total = sum(light for light, _, _ in found)
    return [(x / light, y / light, light / total) for light, x, y in found]


def lit(images: torch.Tensor, draw: Draws, highlights: torch.Tensor) -> torch.Tensor:
    """``images`` with a lamp in those that show no light source; above 1 in its middle."""
    done, light = images.clone(), tint(draw.warmth) * _CORE
    for index, rows, columns, profile in _lamps(draw, lampless(highlights), Grid(*images.shape[-2:])):
        done[index, :, rows, columns] += profile * light[index]
    return done


def lampless(highlights: torch.Tensor) -> torch.Tensor:
    """Which images show no light source, ``[B, 1, 1, 1]``."""
    return highlights.sum(dim=(1, 2, 3), keepdim=True) < _FEWEST * min(highlights.shape[-2:]) ** 2


def _sources(draw: Draws, shown: Shown, grid: Grid) -> torch.Tensor:
    maps = grid.padded(resize(shown.maps, grid.height, grid.width))
    for index, rows, columns, profile in _lamps(draw, shown.lampless, grid):
        maps[index, :, rows, columns] += profile
    total = maps.sum(dim=(2, 3), keepdim=True).clamp(min=1e-6)
    return maps * (min(grid.height, grid.width) ** 2 / total)


def _lamps(draw: Draws, wanted: torch.Tensor, grid: Grid) -> Iterator[tuple[int, slice, slice, torch.Tensor]]:
    """The lamps drawn into the images that are ``wanted``: the number of each image; the rows and columns of its lamp,
    margin included; and how much light there is, ``[1, h, w]``, 1 in its middle. None lies outside.
    """
    for index, (one, needed) in enumerate(zip(draw, wanted.flatten().tolist(), strict=True)):
        if needed:
            rows, columns, profile = _lamp(one, grid, wanted.device)
            if profile.numel():
                yield index, rows, columns, profile


def _lamp(draw: Draw, grid: Grid, device: torch.device) -> tuple[slice, slice, torch.Tensor]:
    """The rows and columns of the drawn lamp, and its light there, which falls off softly."""
    values: dict[str, Any] = draw.values
    radius = max(values["lamp"] * min(grid.height, grid.width) / 1000, 0.7)  # so that some pixel has it
    spans, falls = [], []
    for place, side, margin in ((values["y"], grid.height, grid.above), (values["x"], grid.width, grid.beside)):
        middle = margin + place * (side - 1)
        span = slice(*(min(max(round(middle + end), 0), side + 2 * margin) for end in (-_RIM * radius, _RIM * radius)))
        away = (torch.arange(span.start, span.stop, device=device) - middle) / radius
        spans.append(span)
        falls.append(torch.exp(-away.square()))
    return *spans, (falls[0][:, None] * falls[1])[None]
