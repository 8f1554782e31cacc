"""A pane of glass: how much it reflects, and where its second surface does."""

from __future__ import annotations

import math

import torch

INDEX = 1.52
"""The refractive index of window glass."""


def reflectance(cosine: torch.Tensor) -> torch.Tensor:
    """The share of unpolarised light that one surface of glass reflects, for the cosine of the angle of incidence.

    .043 at 10 degrees, .053 at 45, .092 at 60, 1 at 90.

    Source: Fresnel 1823, as in Hecht, "Optics", eq. 4.34 and 4.40.
    """
    inside = (1 - (1 - cosine.square()) / INDEX**2).sqrt()
    across = (cosine - INDEX * inside) / (cosine + INDEX * inside)
    along = (INDEX * cosine - inside) / (INDEX * cosine + inside)
    return (across.square() + along.square()) / 2


def double_image(angle: torch.Tensor, thickness: torch.Tensor) -> torch.Tensor:
    """How far apart the images from the two surfaces lie, in the unit of ``thickness``: .23 of it at 10 degrees of
    incidence, .74 at 45.

    2 thickness tan(a') cos(a), with a the ``angle`` in degrees and a' that inside of the glass.
    """
    outside = angle * (math.pi / 180)
    return 2 * thickness * torch.tan(torch.asin(torch.sin(outside) / INDEX)) * torch.cos(outside)


def incidence(height: int, width: int, angle: torch.Tensor, turn: torch.Tensor, focal: torch.Tensor) -> torch.Tensor:
    """The cosine of the angle of incidence at each pixel, ``[B, 1, height, width]``.

    Args:
        height: Of the picture, in pixels.
        width: The same.
        angle: Between the optical axis and the normal of the glass, in degrees, ``[B, 1, 1, 1]``.
        turn: The way it leans, in degrees: 0 to the right, 90 down.
        focal: Focal length over the shorter side.
    """
    unit = focal * min(height, width)
    x = (torch.arange(width, device=angle.device) - (width - 1) / 2).view(1, 1, 1, -1) / unit
    y = (torch.arange(height, device=angle.device) - (height - 1) / 2).view(1, 1, -1, 1) / unit
    tilt, way = angle * (math.pi / 180), turn * (math.pi / 180)
    facing = torch.cos(tilt) - torch.sin(tilt) * (x * torch.cos(way) + y * torch.sin(way))
    return (facing / (1 + x.square() + y.square()).sqrt()).clamp(0.0, 1.0)
