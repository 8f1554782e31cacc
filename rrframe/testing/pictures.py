"""Synthetic pictures that can be told in a line, so that a failing example can be read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

# From plain to rich: a failing example is simplified towards the first.
PATTERNS = ("black", "white", "constant", "gradient", "extreme", "noise", "texture")
LAYOUTS = ("channels_last", "contiguous", "strided")


@dataclass(frozen=True)
class Picture:
    """A batch of pictures, described.

    Args:
        height: In pixels, from 1.
        width: The same.
        batch: How many; they differ from each other.
        pattern: One of ``PATTERNS``. ``extreme`` has only the values 0 and 1; ``texture`` has slopes, edges and
            grain, as a photograph has.
        layout: How it lies in memory, one of ``LAYOUTS``. ``strided`` is a view of every second column.
        seed: Of the pattern.
    """

    height: int
    width: int
    batch: int = 1
    pattern: str = "texture"
    layout: str = "channels_last"
    seed: int = 0

    def tensor(self) -> torch.Tensor:
        """``[B, 3, H, W]`` float32 in [0, 1], a new one at each call."""
        pixels = [_pixels(self.pattern, self.height, self.width, self.seed, index) for index in range(self.batch)]
        return _laid_out(np.stack(pixels), self.layout)

    def __str__(self) -> str:
        count = f"{self.batch} pictures" if self.batch > 1 else "a picture"
        return f"{count} {self.height} x {self.width} (h x w), {self.pattern} (seed {self.seed}), {self.layout}"


@lru_cache(maxsize=64)  # laws look at the same few pictures again and again
def _pixels(pattern: str, height: int, width: int, seed: int, index: int) -> np.ndarray:
    shape = (height, width, 3)
    generator = np.random.default_rng((seed, index))
    if pattern in ("black", "white"):
        return np.full(shape, float(pattern == "white"), np.float32)
    if pattern == "constant":
        return np.broadcast_to(generator.random(3, np.float32), shape)
    if pattern == "extreme":
        return generator.integers(0, 2, shape).astype(np.float32)
    if pattern == "noise":
        return generator.random(shape, np.float32)
    slope = _slope(shape, generator)
    return slope if pattern == "gradient" else _textured(slope, generator)


def _slope(shape: tuple[int, int, int], generator: np.random.Generator) -> np.ndarray:
    down = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    across = np.linspace(0, 1, shape[1], dtype=np.float32)[None, :, None]
    share = generator.random(3, np.float32)
    return np.asarray(down * share + across * (1 - share), np.float32)


def _textured(slope: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    rows, columns = np.mgrid[: slope.shape[0], : slope.shape[1]]
    side = int(generator.integers(3, 12))
    board = ((rows // side + columns // side) % 2)[..., None].astype(np.float32)
    grain = generator.random(slope.shape, np.float32)
    return np.asarray(0.1 + 0.45 * slope + 0.2 * board + 0.15 * grain, np.float32)


def _laid_out(pixels: np.ndarray, layout: str) -> torch.Tensor:
    images = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    if layout == "contiguous":
        return images.contiguous()
    if layout == "strided":
        batch, channels, height, width = images.shape
        return torch.zeros(batch, channels, height, 2 * width)[..., ::2].copy_(images)
    return images
