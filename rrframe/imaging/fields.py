"""Smooth random fields: low-resolution noise, up-sampled.

Up-sampling is written twice, with OpenCV for fields on a CPU and in torch for batches on a GPU; the two agree within
1e-5. A field's own numbers come from the generator that it is given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from rrframe.imaging.layout import from_hwc, hwc_view


class Normal(Protocol):
    """What makes the numbers: a ``draw.rng``."""

    def normal(self, like: torch.Tensor, *, channels: int | None = None) -> torch.Tensor:
        """Standard normal values of the size of ``like``."""


def smooth(rng: Normal, like: torch.Tensor, scale: float, octaves: int = 1, *, channels: int = 1) -> torch.Tensor:
    """A smooth field, each octave after the first half as coarse and half as strong.

    Args:
        rng: The batch's generator, ``draw.rng``: a batch then gives what its images would give one by one.
        like: Images of the size wanted.
        scale: Size of the coarsest blobs, in thousandths of the shorter side: the correlation is 1/6 at that distance
            and 0 at one and a half times it. So a scale means the same at 512 px and at 4096 px; blobs are never
            finer than two pixels.
        octaves: How many scales are summed.
        channels: How many independent fields an image.

    Returns:
        ``[B, channels, H, W]`` float32: normal values of mean 0 and variance 1 (each within 2 %, over many seeds; a
        single field of few blobs has a mean of its own).
    """
    return layered(rng, like, [scale / 2**n for n in range(octaves)], [0.5**n for n in range(octaves)], channels)


def layered(
    rng: Normal, like: torch.Tensor, scales: Sequence[float], weights: Sequence[float], channels: int = 1
) -> torch.Tensor:
    """The same with scales and weights of one's own; the result is brought to variance 1 whatever the weights are."""
    total = math.sqrt(sum(weight * weight for weight in weights))
    batch, _, height, width = like.shape
    field = torch.zeros((batch, channels, height, width), device=like.device)
    for scale, weight in zip(scales, weights, strict=True):
        field = field.add_(_octave(rng, like, scale, channels), alpha=weight / total)
    return field


def _octave(rng: Normal, like: torch.Tensor, scale: float, channels: int) -> torch.Tensor:
    batch, _, height, width = like.shape
    spacing = max(scale / 1000 * min(height, width) / 2, 1.0)  # of the nodes that carry the noise, in pixels
    rows, columns = (math.ceil(side / spacing) + 1 for side in (height, width))
    nodes = rng.normal(torch.empty((batch, 0, rows + 2, columns + 2)), channels=channels)
    # Neighbours share their noise, and so the variance between nodes is that at them.
    nodes = (nodes[:, :, :-2] + 2 * nodes[:, :, 1:-1] + nodes[:, :, 2:]) / math.sqrt(6)
    nodes = (nodes[..., :-2] + 2 * nodes[..., 1:-1] + nodes[..., 2:]) / math.sqrt(6)
    size = max(round(rows * spacing), height), max(round(columns * spacing), width)
    grown = _grow_opencv(nodes, size) if nodes.device.type == "cpu" else _grow_torch(nodes, size)
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    return grown[:, :, top : top + height, left : left + width]


def _grow_opencv(nodes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    views = [hwc_view(each) for each in nodes]
    grown = [cv2.resize(view, (size[1], size[0]), interpolation=cv2.INTER_CUBIC) for view in views]
    return from_hwc([np.asarray(each).reshape(*size, nodes.shape[1]) for each in grown])


def _grow_torch(nodes: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(nodes, size=size, mode="bicubic", align_corners=False)
