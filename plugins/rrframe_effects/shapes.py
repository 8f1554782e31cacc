"""Drawn shapes, as fields whose lowest values are the shape at any size."""

from __future__ import annotations

import functools
import math
import random

import torch
import torch.nn.functional as F

SHAPES = ("ellipse", "polygon", "band")
_LARGEST = 2.5  # a shape is up to so many times as long as it is wide
_DRAWN_AT = 256  # pixels of the shorter side: the fields are smooth, and enlarged to larger images


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
    scale = max(1.0, side / _DRAWN_AT)
    rows, columns = round(height / scale), round(width / scale)
    down = (torch.arange(rows, dtype=torch.float32, device=device) + 0.5).view(1, -1, 1) * (height / rows / side)
    across = (torch.arange(columns, dtype=torch.float32, device=device) + 0.5).view(1, 1, -1) * (width / columns / side)
    fields = []
    for _ in range(pieces):
        y, x = generator.random() * height / side, generator.random() * width / side
        fields.append(_distance(down - y, across - x, shape, generator) / generator.uniform(0.5, 1.0))
    nearest = functools.reduce(torch.minimum, fields)
    return F.interpolate(nearest[None], (height, width), mode="bilinear", align_corners=False)[0]


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
    sides = []
    for corner in range(corners):
        towards = math.tau * (corner + generator.uniform(-0.25, 0.25)) / corners
        reach = generator.uniform(0.6, 1.0)
        sides.append(along * (math.cos(towards) / reach) + athwart * (math.sin(towards) / reach))
    return functools.reduce(torch.maximum, sides)
