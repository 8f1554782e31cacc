"""Drawn shapes, as fields whose lowest values are the shape at any size."""

from __future__ import annotations

import math
import random

import torch

SHAPES = ("ellipse", "polygon", "band")
_LARGEST = 2.5  # a shape is up to so many times as long as it is wide


def distances(
    height: int, width: int, shape: str, pieces: int, generator: random.Random, *, device: torch.device
) -> torch.Tensor:
    """How far each pixel lies from the nearest of several shapes, in units of each shape's size.

    All pixels below a level are the shapes, larger for a higher level: so they can be made to cover any share of the
    image.

    Args:
        height: Of the image.
        width: The same.
        shape: One of ``SHAPES``.
        pieces: How many of them.
        generator: Where they lie, how large and how wide they are against each other, which way they point.
        device: Where the field is made.

    Returns:
        ``[1, H, W]`` float32.
    """
    side = min(height, width)
    down = (torch.arange(height, dtype=torch.float32, device=device).add_(0.5) / side).view(1, -1, 1)
    across = (torch.arange(width, dtype=torch.float32, device=device).add_(0.5) / side).view(1, 1, -1)
    nearest: torch.Tensor | None = None
    for _ in range(pieces):
        y, x = generator.random() * height / side, generator.random() * width / side
        field = _distance(down - y, across - x, shape, generator) / generator.uniform(0.5, 1.0)
        nearest = field if nearest is None else torch.minimum(nearest, field, out=nearest)
    assert nearest is not None
    return nearest


def _distance(down: torch.Tensor, across: torch.Tensor, shape: str, generator: random.Random) -> torch.Tensor:
    angle, length = generator.uniform(0.0, math.tau), generator.uniform(1.0, _LARGEST)
    along = across * (math.cos(angle) / length) + down * (math.sin(angle) / length)
    athwart = down * math.cos(angle) - across * math.sin(angle)
    if shape == "band":
        return athwart.abs_()
    if shape == "ellipse":
        return torch.hypot(along, athwart)
    # A convex polygon is what all its sides have on their inside.
    corners = generator.randint(3, 8)
    field: torch.Tensor | None = None
    for corner in range(corners):
        towards = math.tau * (corner + generator.uniform(-0.25, 0.25)) / corners
        reach = generator.uniform(0.6, 1.0)
        outside = along * (math.cos(towards) / reach) + athwart * (math.sin(towards) / reach)
        field = outside if field is None else torch.maximum(field, outside, out=field)
    assert field is not None
    return field
