"""The veil of rain too far to be seen drop by drop."""

from __future__ import annotations

import torch

from rrframe import Cues, Degradation, Dial, Draws, uniform
from rrframe.imaging.composite import veiled
from rrframe_degradations.rain.falling import around
from rrframe_degradations.rain.laws import extinction


class Veil(Degradation):
    """What rain does to the distance: I = J t + A (1 - t), t = exp(-beta z), beta = 0.312 R^0.67 per km at R mm/h.

    The air's light A is that of the brightest quarter of the scene without its colour, times ``air``: rain at dusk
    is darker than rain at noon.

    Source: Ulbrich and Atlas 1985, "Extinction of visible and infrared radiation in rain"; Garg and Nayar 2007.
    Cannot: gusts and curtains of rain.
    """

    category = "rain"
    light = "linear"
    cues = {"depth"}
    rate: Dial = uniform(2.0, 200.0, mild=0.0, low=0.0, high=400.0, unit="mm/h", about="of rain")
    air: Dial = uniform(0.6, 1.0, low=0.0, high=4.0, about="the air's light, over that of the brightest quarter")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        beta = torch.tensor([extinction(float(rate)) for rate in draw.each("rate")], device=images.device)
        _, bright = around(images)
        air = draw.air * bright.mean(dim=1, keepdim=True)
        return veiled(images, air.expand(-1, 3, -1, -1), beta.view(-1, 1, 1, 1) * cues.depth)
