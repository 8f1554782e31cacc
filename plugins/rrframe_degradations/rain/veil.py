"""The veil of rain too far to be seen drop by drop."""

from __future__ import annotations

import torch

from rrframe import Dial, Draws, uniform
from rrframe_degradations.rain.laws import extinction
from rrframe_degradations.veiling import Around, Veiling


class Veil(Veiling):
    """What rain does to the distance: I = J t + A (1 - t), t = exp(-beta z), beta = 0.312 R^0.67 per km at R mm/h.

    The air's light A is that of the brightest quarter of the scene without its colour, times ``air``: rain at dusk
    is darker than rain at noon.

    Source: Ulbrich and Atlas 1985, "Extinction of visible and infrared radiation in rain"; Garg and Nayar 2007.
    Cannot: gusts and curtains of rain.
    """

    category = "rain"
    rate: Dial = uniform(2.0, 200.0, mild=0.0, low=0.0, high=400.0, unit="mm/h", about="of rain")
    air: Dial = uniform(0.6, 1.0, low=0.0, high=4.0, about="the air's light, over that of the brightest quarter")

    def thickness(self, draw: Draws, depth: torch.Tensor) -> torch.Tensor:
        (rate,) = draw.each("rate")
        return extinction(float(rate)) * depth

    def shining(self, draw: Draws, around: Around) -> torch.Tensor:
        air = draw.air * around.bright.mean(dim=1, keepdim=True)
        return air.expand(-1, 3, -1, -1)
