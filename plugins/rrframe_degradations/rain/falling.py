"""Particles that fall through the view of a camera while its shutter is open, and the light that they show."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from rrframe import Draws
from rrframe.imaging.splat import Lean, strokes

_NEAREST = 0.4  # metres: nothing falls nearer to the lens
_MARGIN = 0.1  # of the shorter side, around the image: strokes that begin outside reach in
WHOLE = 256  # pixels: in a smaller picture one drop stands for several that could not be told apart
_SHARP_AT = 8.0  # metres: where the lens is focused


@dataclass(frozen=True)
class Camera:
    """What the view needs to know.

    Args:
        focal: Focal length over the shorter side of the picture.
        exposure: In seconds.
        aperture: Its diameter in mm.
        pitch: Degrees that it looks up.
    """

    focal: float
    exposure: float
    aperture: float
    pitch: float


def cover(
    draw: Draws,
    depth: torch.Tensor,
    camera: Camera,
    density: float,
    farthest: float,
    particles: Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
    emphasis: float = 1.0,
) -> torch.Tensor:
    """How much of each pixel of one image falling particles cover, time-averaged: -log of what shines through.

    A particle of diameter d at distance z is w = f d / z pixels wide and moves l = f v T / z while the shutter is open,
    so that it covers each pixel of its way for w / l of the time: faintly. All in all it covers pi/4 w^2 pixels.

    Args:
        draw: Of that one image.
        depth: ``[1, 1, H, W]``, in metres.
        camera: The camera.
        density: Particles in a cubic metre.
        farthest: Metres to which they are drawn one by one; beyond, they are a veil.
        particles: From values uniform in [0, 1), ``[3, N]``, to their diameters in mm, ``[N]``, and their velocities in
            metres a second, ``[N, 3]``: to the right, down and away.
        emphasis: How many times as much they cover.

    Returns:
        ``[1, 1, H, W]``; above 1 where particles lie on each other.
    """
    size = height, width = int(depth.shape[-2]), int(depth.shape[-1])
    side = min(size)
    focal = camera.focal * side
    across, down = width + 2 * _MARGIN * side, height + 2 * _MARGIN * side
    volume = across * down / focal**2 * (farthest**3 - _NEAREST**3) / 3
    share = min(side / WHOLE, 1.0)
    count = int(density * volume * share + float(draw.rng.uniform(depth.new_empty((1, 0, 1, 1)), channels=1)))
    chance = draw.rng.uniform(depth.new_empty((1, 0, count, 1)), channels=6)[0, :, :, 0]
    z = (_NEAREST**3 + chance[0] * (farthest**3 - _NEAREST**3)) ** (1 / 3)
    middle = torch.stack([(chance[1] - 0.5) * across * z / focal, (chance[2] - 0.5) * down * z / focal, z]).T
    diameter, velocity = particles(chance[3:])
    moved = _pitched(velocity, camera.pitch) * (camera.exposure / 2)
    ends = [_projected(place, focal, size) for place in (middle - moved, middle + moved)]
    wide = diameter * 1e-3 * focal / z
    blur = camera.aperture * 1e-3 * focal * (1 / z - 1 / _SHARP_AT).abs()
    scene = depth[0, 0] if _least(depth) < farthest else None
    seen = torch.hypot(wide, blur)
    return strokes(size, *ends, seen, math.pi / 4 * emphasis / share * wide * wide, z, scene, Lean.along(*ends, seen))


def _pitched(velocity: torch.Tensor, degrees: float) -> torch.Tensor:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    right, down, away = velocity.unbind(1)
    return torch.stack([right, down * cosine + away * sine, away * cosine - down * sine]).T


def _projected(place: torch.Tensor, focal: float, size: tuple[int, int]) -> torch.Tensor:
    right, down, away = place.unbind(1)
    scale = focal / away.clamp(min=_NEAREST / 4)
    # Laid out by coordinates: whoever takes one of them finds it in one piece.
    return torch.stack([right * scale + (size[1] - 1) / 2, down * scale + (size[0] - 1) / 2]).T


def _least(depth: torch.Tensor) -> float:
    return float(depth.numpy().min() if depth.device.type == "cpu" else depth.min())  # torch takes 20 times as long
