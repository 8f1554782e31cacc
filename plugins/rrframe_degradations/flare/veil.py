"""Flare that lies over all of the picture."""

from __future__ import annotations

from typing import ClassVar

import torch

from rrframe import Dial, Draws, log_uniform, uniform
from rrframe.imaging.scatter import scatter
from rrframe_degradations.flare.sources import Flare


class Veil(Flare):
    """Veiling glare: light from the sources, or from a lamp just outside of the picture, that surfaces in the lens
    scatter over all of it. Blacks turn grey, and more so towards the light.

    The glare at a distance r from a source goes as 1 / (1 + (r / core)^2), to which an even part is added. It is light
    added to what is there: contrast falls, detail stays.

    Source: the falloff with the square of the angle is that of Vos 1984, "Disability glare", for stray light; the rest
    is ours.
    Cannot: the even haze of a bright sky, which has no source.
    """

    side: ClassVar[int] = 96
    margin: ClassVar[float] = 0.4
    strength: Dial = uniform(
        0.03, 0.4, mild=0.0, low=0.0, high=10.0, power=2.0, about="light over that of a white square"
    )
    core: Dial = log_uniform(
        60.0, 400.0, low=1.0, high=5000.0, unit="1/1000 of the shorter side", about="distance at which glare halves"
    )
    even: Dial = uniform(0.1, 0.4, low=0.0, high=1.0, about="share of the light that lies evenly")
    x: Dial = uniform(-0.2, 1.2, low=-0.4, high=1.4, unit="widths", about="where a lamp is if the picture has none")
    y: Dial = uniform(-0.3, 0.1, low=-0.4, high=1.4, unit="heights", about="where a lamp is if the picture has none")

    def flare(self, sources: torch.Tensor, draw: Draws) -> torch.Tensor:
        reach = max(sources.shape[-2:]) - 1
        core = draw.core * (min(sources.shape[-2:]) / (1 + 2 * self.margin) / 1000)
        places = torch.arange(-reach, reach + 1, device=sources.device) / core.clamp(min=0.5)
        kernels = 1 / (1 + places.square() + places.square().transpose(2, 3))
        glare = torch.lerp(
            scatter(sources, kernels / kernels.sum(dim=(2, 3), keepdim=True)),
            sources.mean(dim=(2, 3), keepdim=True),
            draw.even,
        )
        return (glare * draw.strength).expand(-1, 3, -1, -1)
