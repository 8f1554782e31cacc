"""Captured flares."""

from __future__ import annotations

import math
from typing import Any, Literal

import torch

from rrframe import Cues, Dial, Draw, Draws, integers, uniform
from rrframe.imaging.composite import screen
from rrframe.imaging.filters import gaussian
from rrframe.imaging.resample import resize
from rrframe.imaging.warp import remap
from rrframe_degradations.flare.sources import Grid, Lit, groups, lampless, lit
from rrframe_degradations.library import Library

_SIDE = 384  # the shorter side of the grid on which light sources are looked for
_CLIPPED = 0.85  # linear light of a layer from which it may have been brighter
_BRIGHTEST = 8.0  # what it may have been where it is 1
_RIM = 0.15  # of a layer's side: within it a layer fades out, so that no edge shows


class Layers(Lit, Library):
    """Captured flares from a folder, laid over the photograph with their middle on its brightest light source, or on a
    lamp that is drawn where it has none.

    I = J + s L in linear light, clamped, with s the strength and L the layer's light, whose clipped middle is taken to
    have been up to eight times as bright; with ``blend: screen`` it is 1 - (1 - J)(1 - s L). A layer is turned,
    mirrored and scaled about its middle, taken to be where it is brightest, and fades out at its rim. The layers that
    come along are rendered stand-ins, for trying.

    Source: compositing as in Wu et al. 2021, "How to train neural networks for flare removal", section 4; patterns such
    as those of Dai et al. 2022, "Flare7K".
    Cannot: ghosts that lie right for their place in the picture, since a layer's stay where they are in the layer.
    """

    eight_bit = False
    layers = "flare"
    blend: Literal["add", "screen"] = "add"
    strength: Dial = uniform(0.4, 2.0, mild=0.0, low=0.0, high=20.0, power=1.5, about="the layer's light is multiplied")
    zoom: Dial = uniform(0.8, 1.6, low=0.1, high=16.0, about="size of the layer over the picture's, by shorter sides")
    turn: Dial = integers(0, 359, low=-360, high=360, unit="degrees", about="by which a layer is turned")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        pairs = zip(draw, cues.highlights.split(1), strict=True)
        light = torch.cat([self._placed(one, highlights, images.device) for one, highlights in pairs]) * draw.strength
        under = lit(images, draw, cues.highlights).clamp_(0.0, 1.0)
        done = under + light if self.blend == "add" else screen(under, light.clamp_(max=1.0))
        return done.clamp_(0.0, 1.0)

    def _placed(self, draw: Draw, highlights: torch.Tensor, device: torch.device) -> torch.Tensor:
        """The layer as it lies over one image, ``[1, 3, H, W]``."""
        values: dict[str, Any] = draw.values
        height, width = highlights.shape[-2:]
        layer = self.whole(draw).to(device)
        scale = values["zoom"] * min(height, width) / min(layer.shape[-2:])
        if scale < 1:  # sampled between its pixels, a layer must not be much finer than the picture
            rows, columns = (max(round(side * scale), 1) for side in layer.shape[-2:])
            layer, scale = resize(layer, rows, columns), 1.0
        centre = _brightest(layer)
        layer = layer * (1 + (_BRIGHTEST - 1) * _core(layer)) * _rim(*layer.shape[-2:], device)
        x, y = _anchor(highlights, values["x"], values["y"])
        across = (torch.arange(width, device=device) - x).view(1, 1, 1, -1) / scale
        down = (torch.arange(height, device=device) - y).view(1, 1, -1, 1) / scale
        cos, sin = math.cos(math.radians(values["turn"])), math.sin(math.radians(values["turn"]))
        side = -1 if values["mirror"] else 1
        return remap(
            layer, side * (cos * across + sin * down) + centre[0], cos * down - sin * across + centre[1], "zero"
        )


def _core(layer: torch.Tensor) -> torch.Tensor:
    """Where the layer is clipped, ``[1, 1, h, w]``: a hill that falls to 0 at its border, for a faint flare would show
    the border as an edge.
    """
    clipped = ((layer.mean(dim=1, keepdim=True) - _CLIPPED) / (1 - _CLIPPED)).clamp_(min=0.0).square_()
    hill = gaussian(clipped, float(clipped.sum().sqrt()) / 4)
    return (hill / hill.amax().clamp(min=1e-6)).pow_(6).mul_(clipped)


def _brightest(layer: torch.Tensor) -> tuple[float, float]:
    grid = Grid.of(layer, _SIDE)
    small = resize(layer.mean(dim=1, keepdim=True), grid.height, grid.width)
    return _grown(groups(small.pow(8)), grid, layer)


def _anchor(highlights: torch.Tensor, x: float, y: float) -> tuple[float, float]:
    height, width = highlights.shape[-2:]
    if bool(lampless(highlights)):
        return x * (width - 1), y * (height - 1)
    grid = Grid.of(highlights, _SIDE)
    return _grown(groups(resize(highlights, grid.height, grid.width)), grid, highlights)


def _grown(found: list[tuple[float, float, float]], grid: Grid, images: torch.Tensor) -> tuple[float, float]:
    """The place of the brightest group on the grid, in pixels of ``images``; the centre if there is none."""
    height, width = images.shape[-2:]
    x, y, _ = found[0] if found else ((grid.width - 1) / 2, (grid.height - 1) / 2, 0.0)
    return (x + 0.5) * width / grid.width - 0.5, (y + 0.5) * height / grid.height - 0.5


def _rim(height: int, width: int, device: torch.device) -> torch.Tensor:
    """1 but for the rim, where it falls to 0; ``[1, 1, height, width]``."""
    ramps = []
    for side in (height, width):
        share = (torch.arange(side, device=device) + 0.5) / side
        ramps.append((torch.minimum(share, 1 - share) / _RIM).clamp(max=1.0))
    down, across = ramps
    return (down.view(1, 1, -1, 1) * across).square()
