"""What lies before a scene all over, and is seen as well: one mechanism for rain and snow."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import numpy as np
import torch

from rrframe import Cues, Degradation, Draws
from rrframe.imaging.colour import pixels_to_linear
from rrframe.imaging.composite import veiled
from rrframe.imaging.laid import veiled_pixels
from rrframe.imaging.layout import joined
from rrframe.imaging.resample import resize

_LOOKED_AT = 128  # pixels along the shorter side: enough for means over sixteenths of a picture


@dataclass(frozen=True)
class Around:
    """The light around: the mean of each image, and that of its brightest quarter, ``[B, 3, 1, 1]`` each."""

    mean: torch.Tensor
    bright: torch.Tensor

    @classmethod
    def of(cls, images: torch.Tensor) -> Around:
        """That of linear ``images``, ``[B, 3, H, W]``, any step apart."""
        thumbs = resize(images, 16, 16).flatten(2)
        order = thumbs.sum(dim=1).argsort(dim=1, descending=True, stable=True)[:, None, :64]
        bright = thumbs.gather(2, order.expand(-1, 3, -1)).mean(dim=2)
        return cls(thumbs.mean(dim=2)[..., None, None], bright[..., None, None])


class Veiling(Degradation):
    """I = J t + L (1 - t) in linear light, with t = exp(-thickness) and a light L of its own.

    A subclass says how thick it is and how it is lit. A picture of eight bits is looked up in tables and stays so: what
    lies before a scene takes contrast from it, so that no later step stretches what rounding leaves.
    """

    light = "linear"
    cues = {"depth"}
    eight_bit = True

    @abstractmethod
    def thickness(self, draw: Draws, depth: torch.Tensor) -> torch.Tensor:
        """Of one image, ``[1, 1, H, W]`` float32, from 0; ``depth`` is as large, in metres."""

    @abstractmethod
    def shining(self, draw: Draws, around: Around) -> torch.Tensor:
        """L, ``[B, 3, 1, 1]`` float32, from 0."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        each = [self.thickness(draw.select([index]), cues.depth[[index]]) for index in range(len(images))]
        step = _step(*images.shape[-2:])
        return veiled(images, self.shining(draw, Around.of(images[..., ::step, ::step])), joined(each))

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        step = _step(*pixels.shape[:2])
        around = Around.of(pixels_to_linear(np.ascontiguousarray(pixels[::step, ::step])))
        return veiled_pixels(pixels, self.shining(draw, around), self.thickness(draw, cues.depth))


def _step(height: int, width: int) -> int:
    return max(min(height, width) // _LOOKED_AT, 1)
