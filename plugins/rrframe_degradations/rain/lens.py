"""Drops on the lens or on a window before it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from rrframe import Cues, Degradation, Dial, Draws, log_uniform, uniform
from rrframe.imaging.composite import blend
from rrframe.imaging.layout import joined
from rrframe.imaging.resample import resize
from rrframe.imaging.warp import remap

_DRAWN_AT = 512  # pixels along the shorter side, at most: drops are out of focus, and bear no finer detail
_SEEN_AT = 64  # pixels of the scene that a drop shows, small as it is
_MOST = 400  # drops


class LensDrops(Degradation):
    """Drops on glass close to the lens: each shows the whole scene upside down, small, and out of focus.

    A drop is a strong, short lens: a ray at q radii from its middle comes from -q (1 + 0.6 q^2) times its field of view
    on the other side. Its rim, which sees past the scene, is dark. Outlines are round to within some tenths, sizes are
    log-normal, and ``drops`` counts them on a square with the shorter side, so that a wide picture has more and a large
    one as many.

    Source: Roser and Geiger 2009, "Video-based raindrop detection for improved image registration", for the geometry;
    Halimeh and Roser 2009, "Raindrop detection on car windshields".
    Cannot: drops that run, merge or leave a trail; light that a drop throws outside its outline.
    """

    category = "rain"
    light = "linear"
    drops: Dial = uniform(
        4.0, 90.0, mild=0.0, low=0.0, high=300.0, power=1.3, about="on a square with the shorter side"
    )
    size: Dial = log_uniform(0.025, 0.08, low=0.001, high=0.5, about="median diameter, over the shorter side")
    spread: Dial = uniform(0.3, 0.6, low=0.0, high=1.0, about="deviation of the logarithm of the diameter")
    defocus: Dial = uniform(0.15, 0.7, low=0.02, high=1.0, about="how far the edge fades, in radii")
    view: Dial = uniform(0.25, 0.45, low=0.0, high=2.0, about="half the field of view of a drop, in shorter sides")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        done = [self._wet(images[index : index + 1], draw.select([index])) for index in range(len(images))]
        return joined(done).clamp_(0.0, 1.0)

    def _wet(self, image: torch.Tensor, draw: Draws) -> torch.Tensor:
        height, width = image.shape[-2:]
        (values,) = (each.values for each in draw)
        scale = min(1.0, _DRAWN_AT / min(height, width))
        size = max(round(height * scale), 1), max(round(width * scale), 1)
        chance = draw.rng.uniform(image.new_empty((1, 0, 1, _MOST)), channels=9)[0, :, 0].cpu().numpy()
        expected = float(values["drops"]) * height * width / min(height, width) ** 2
        count = min(int(expected + chance[8, 0]), _MOST)
        if count == 0:
            return image.clone()
        glass = _Glass.dry(size)
        settings = [float(values[name]) for name in ("size", "spread", "defocus", "view")]
        for drop in _drops(chance[:8, :count], *settings, size):
            glass.wet(drop)
        maps = torch.from_numpy(np.stack([glass.x, glass.y, glass.cover, glass.light])).to(image.device)[:, None, None]
        share = min(1.0, _SEEN_AT / min(height, width))
        scene = resize(image, max(round(height * share), 1), max(round(width * share), 1))
        x, y = (maps[axis] * (side - 1) for axis, side in ((0, scene.shape[-1]), (1, scene.shape[-2])))
        shown = remap(scene, x, y) * maps[3]
        cover, shown = resize(maps[2], height, width, "linear"), resize(shown, height, width, "linear")
        return blend(image, shown, cover)


@dataclass(frozen=True)
class _Drop:
    """A drop on glass that is drawn so and so many pixels large; lengths are in those pixels."""

    x: float
    y: float
    radius: float
    lobes: tuple[float, float, float]
    turn: float
    edge: float
    view: float


@dataclass(frozen=True)
class _Glass:
    """What each pixel of the glass shows, ``[h, w]`` each: a place in the scene, 0 to 1; how much of it; how bright."""

    x: np.ndarray
    y: np.ndarray
    cover: np.ndarray
    light: np.ndarray

    @classmethod
    def dry(cls, size: tuple[int, int]) -> _Glass:
        down, across = (np.arange(side, dtype=np.float32) / max(side - 1, 1) for side in size)
        x, y = np.meshgrid(across, down)
        return cls(x, y, np.zeros(size, np.float32), np.ones(size, np.float32))

    def wet(self, drop: _Drop) -> None:
        """Put a drop on it, over those that are there."""
        height, width = self.cover.shape
        # All lobes at once, and the outer half of the edge: nothing of a drop lies farther out.
        reach = math.ceil(drop.radius * (1 + sum(map(abs, drop.lobes))) * (1 + drop.edge / 2)) + 1
        top, left = max(int(drop.y) - reach, 0), max(int(drop.x) - reach, 0)
        part = slice(top, min(int(drop.y) + reach + 1, height)), slice(left, min(int(drop.x) + reach + 1, width))
        if part[0].stop <= part[0].start or part[1].stop <= part[1].start:
            return
        y = (np.arange(part[0].start, part[0].stop, dtype=np.float32)[:, None] - drop.y) / drop.radius
        x = (np.arange(part[1].start, part[1].stop, dtype=np.float32) - drop.x) / drop.radius
        angle = np.arctan2(y, x) + drop.turn
        outline = (
            1 + drop.lobes[0] * np.cos(2 * angle) + drop.lobes[1] * np.cos(3 * angle) + drop.lobes[2] * np.sin(angle)
        )
        away = np.hypot(x, y) / outline
        cover = _ramp((1 + drop.edge / 2 - away) / drop.edge)
        inside = cover > self.cover[part] * 0.999
        far = np.minimum(away, 1.0)
        bend = drop.view * (1 + 0.6 * far * far)
        # The drop's own middle is where it looks; what it shows lies about there, upside down.
        seen_x = (drop.x - x * bend * min(height, width)) / max(width - 1, 1)
        seen_y = (drop.y - y * bend * min(height, width)) / max(height - 1, 1)
        light = 1 - 0.6 * far**6
        for whole, own in ((self.x, seen_x), (self.y, seen_y), (self.light, light)):
            np.copyto(whole[part], own, where=inside)
        np.maximum(self.cover[part], cover, out=self.cover[part])


def _drops(
    chance: np.ndarray, median: float, spread: float, defocus: float, view: float, size: tuple[int, int]
) -> list[_Drop]:
    """Drops from values uniform in [0, 1), ``[8, N]``."""
    side = min(size)
    # Box and Muller's way from uniform values to normal ones.
    normal = np.sqrt(-2 * np.log1p(-chance[0])) * np.cos(2 * np.pi * chance[1])
    radii = median / 2 * np.exp(spread * np.clip(normal, -2.5, 2.5)) * side
    return [
        _Drop(
            x=float(x * size[1]),
            y=float(y * size[0]),
            radius=max(float(radius), 0.5),
            lobes=(0.12 * float(a), 0.08 * float(b), 0.1 * float(b - 0.5)),
            turn=float(2 * np.pi * turn),
            edge=defocus,
            view=view,
        )
        for radius, x, y, a, b, turn in zip(radii, *chance[2:7], strict=True)
    ]


def _ramp(share: np.ndarray) -> np.ndarray:
    """From 0 to 1 without a corner at either end."""
    clipped = np.clip(share, 0.0, 1.0)
    return clipped * clipped * (3 - 2 * clipped)
