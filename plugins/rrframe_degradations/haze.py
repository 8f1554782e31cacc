"""Haze."""

from __future__ import annotations

import torch

from rrframe import Cues, Degradation, Dial, Draws, uniform


class Scattering(Degradation):
    """Uniform haze: I = J t + A (1 - t) with transmission t = exp(-beta z) at depth z.

    The meteorological visibility is 2.996 / beta: the default severe end, 0.05 per metre, is fog that one sees 60 m
    through.

    Source: Koschmieder 1924, "Theorie der horizontalen Sichtweite"; ranges from He et al. 2009 and the RESIDE outdoor
    set, Li et al. 2019.
    Cannot: haze that varies from place to place, glow around lamps, colour that changes with distance.
    """

    category = "haze"
    light = "linear"
    cues = {"depth"}
    beta: Dial = uniform(0.004, 0.05, mild=0.0, low=0.0, power=1.5, unit="1/m", about="scattering coefficient")
    airlight: Dial = uniform(0.75, 0.95, low=0.0, high=1.0, about="linear light of air that is infinitely deep")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        transmission = torch.exp(-draw.beta * cues.depth)
        return images * transmission + draw.airlight * (1 - transmission)
