"""Flare as images of the aperture and of the light itself."""

from __future__ import annotations

import colorsys
import math
import random
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from rrframe import Dial, Draw, Draws, choice, integers, log_uniform, uniform
from rrframe.imaging.filters import gaussian
from rrframe.imaging.layout import joined
from rrframe_degradations.flare.sources import Flare, groups


@dataclass(frozen=True)
class Ghost:
    """One image of the aperture.

    Args:
        place: Where along the line from the light through the centre: 1 is as far beyond the centre as the light is
            from it.
        radius: Over the picture's shorter side.
        light: Linear, of its middle.
        rim: How much brighter its rim is.
        colour: Of the coating, the strongest channel 1.
        fringe: How much larger it is in red than in green, and smaller in blue.
    """

    place: float
    radius: float
    light: float
    rim: float
    colour: tuple[float, float, float]
    fringe: float


def chain(seed: int, count: int, spread: float) -> list[Ghost]:
    """The ghosts that a lens makes of a light of 1: small ones are bright, large ones faint, their colours coatings'.

    Args:
        seed: Of the lens.
        count: How many.
        spread: How far the farthest lies, as ``Ghost.place``.
    """
    generator = random.Random(seed)
    ghosts = []
    for _ in range(count):
        radius = math.exp(generator.uniform(math.log(0.012), math.log(0.14)))
        hue = generator.choice((0.08, 0.14, 0.33, 0.42, 0.55, 0.62, 0.8))  # amber to magenta
        colour = colorsys.hsv_to_rgb(hue + generator.uniform(-0.03, 0.03), generator.uniform(0.3, 0.85), 1.0)
        ghosts.append(
            Ghost(
                place=generator.uniform(0.15, spread),
                radius=radius,
                light=generator.uniform(0.3, 1.0) * min(1.0, (0.03 / radius) ** 1.2),
                rim=generator.choice((0.0, 0.0, 0.5, 1.5)),
                colour=colour,
                fringe=generator.uniform(0.0, 0.06),
            )
        )
    return ghosts


class Ghosts(Flare):
    """Light reflected twice between lens surfaces: coloured images of the aperture on the line from the light through
    the centre of the picture, beyond it; and a faint image of the light sources themselves, turned by 180 degrees about
    the centre, as phones make.

    A ghost at place f of a light at p lies at c - f (p - c), c being the centre. Red, green and blue differ in size.
    Towards the rim of the picture the lens's barrel cuts ghosts to lenticular shapes. The three brightest groups of
    sources throw chains, each in proportion to its light.

    Source: Hullin et al. 2011, "Physically-based real-time lens flare rendering"; the turned image after Dai et al.
    2023, "Nighttime smartphone reflective flare removal using optical center symmetry prior".
    Cannot: ghosts on the side of the light, caustics, a real lens's prescription.
    """

    margin: ClassVar[float] = 0.3
    strength: Dial = uniform(0.05, 0.6, mild=0.0, low=0.0, high=20.0, power=1.7, about="light of a small bright ghost")
    count: Dial = integers(3, 10, low=0, high=40, about="ghosts in a chain")
    spread: Dial = uniform(0.8, 1.6, low=0.15, high=4.0, about="place of the farthest: 1 is as far as the light")
    blades: Dial = choice(0, 5, 6, 7, 8, 9, about="of the aperture; 0 is round")
    angle: Dial = integers(0, 359, low=-360, high=360, unit="degrees", about="by which the aperture is turned")
    softness: Dial = log_uniform(
        1.5, 12.0, low=0.1, high=200.0, unit="1/1000 of the shorter side", about="width of a ghost's edge"
    )
    turned: Dial = uniform(0.0, 1.0, low=0.0, high=20.0, about="light of the turned image, over that of a small ghost")
    x: Dial = uniform(-0.1, 1.1, low=-0.3, high=1.3, unit="widths", about="where a lamp is if the picture has none")
    y: Dial = uniform(-0.15, 0.25, low=-0.3, high=1.3, unit="heights", about="where a lamp is if the picture has none")

    def flare(self, sources: torch.Tensor, draw: Draws) -> torch.Tensor:
        shape = sources / sources.amax(dim=(2, 3), keepdim=True).clamp(min=1e-6)
        image = gaussian(shape.flip(2, 3), 0.7) * draw.turned
        layers = joined([self._chains(*each) for each in zip(sources.split(1), draw, strict=True)])
        greenish = torch.tensor([0.45, 1.0, 0.8], device=sources.device).view(1, 3, 1, 1)
        return torch.addcmul(layers, image, greenish) * draw.strength

    def _chains(self, sources: torch.Tensor, draw: Draw) -> torch.Tensor:
        """The chains of one image, ``[1, 3, h, w]``."""
        values: dict[str, Any] = draw.values
        height, width = sources.shape[-2:]
        side = min(height, width) / (1 + 2 * self.margin)
        centre = (width - 1) / 2, (height - 1) / 2
        layer = sources.new_zeros((3, height, width))
        for x, y, share in groups(sources):
            across, down = x - centre[0], y - centre[1]
            for ghost in chain(draw.seed, values["count"], values["spread"]):
                place = centre[0] - ghost.place * across, centre[1] - ghost.place * down
                # The barrel's opening slides away from the axis with the field angle.
                away = 0.5 * ghost.radius * across, 0.5 * ghost.radius * down
                edge = max(values["softness"] * side / 1000, 0.7)
                aperture = _Aperture(ghost.radius * side, values["blades"], math.radians(values["angle"]), edge, away)
                _add(layer, ghost, place, aperture, share)
        return layer.unsqueeze(0)


@dataclass(frozen=True)
class _Aperture:
    """Lengths in pixels, the angle in radians; ``away`` is where the middle of the barrel's opening lies."""

    radius: float
    blades: int
    angle: float
    edge: float
    away: tuple[float, float]

    def seen(self, x: torch.Tensor, y: torch.Tensor, sizes: torch.Tensor, rim: float) -> torch.Tensor:
        """The light at places ``x``, ``y`` from its middle, 1 there, for apertures ``sizes`` times as large, ``[C, 1,
        1]``: ``[C, h, w]``.
        """
        radii = self.radius * sizes
        distance = torch.hypot(x, y)
        outermost = distance
        if self.blades:
            normals = [self.angle + 2 * math.pi * blade / self.blades for blade in range(self.blades)]
            sides = [x * math.cos(normal) + y * math.sin(normal) for normal in normals]
            flat = torch.stack(sides).amax(dim=0) / math.cos(math.pi / self.blades)
            outermost = torch.lerp(flat, distance, 0.3)  # blades are curved
        barrel = torch.hypot(x - self.away[0], y - self.away[1]) - 0.15 * radii
        inside = torch.sigmoid((radii - torch.maximum(outermost, barrel)) * (3 / self.edge))
        return inside * (1 + rim * (outermost / radii).clamp(max=1.0).pow(6)) if rim else inside


def _add(layer: torch.Tensor, ghost: Ghost, place: tuple[float, float], aperture: _Aperture, share: float) -> None:
    reach = aperture.radius * (1 + ghost.fringe) + 3 * aperture.edge
    height, width = layer.shape[-2:]
    left, right = max(math.floor(place[0] - reach), 0), min(math.ceil(place[0] + reach) + 1, width)
    top, bottom = max(math.floor(place[1] - reach), 0), min(math.ceil(place[1] + reach) + 1, height)
    if left >= right or top >= bottom:
        return
    x = (torch.arange(left, right, device=layer.device) - place[0]).view(1, -1)
    y = (torch.arange(top, bottom, device=layer.device) - place[1]).view(-1, 1)
    sizes, colour = torch.tensor([(1 + ghost.fringe, 1.0, 1 - ghost.fringe), ghost.colour], device=layer.device).view(
        2, 3, 1, 1
    )
    layer[:, top:bottom, left:right] += aperture.seen(x, y, sizes, ghost.rim) * (ghost.light * share * colour)
