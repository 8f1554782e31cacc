"""How many drops there are, and how they fall: the laws that everything of rain shares."""

from __future__ import annotations

import math

import torch

LARGEST = 6.0  # mm: larger drops break up


def slope(rate: float) -> float:
    """The L of N(D) = 8000 exp(-L D), per mm, for a ``rate`` in mm/h above 0.

    Source: Marshall and Palmer 1948, "The distribution of raindrops with size", eq. 1 and 3.
    """
    return 4.1 * rate**-0.21


def drops_over(diameter: float, rate: float) -> float:
    """Drops larger than ``diameter`` (mm) in a cubic metre at ``rate`` (mm/h): 477 over 1 mm at 25 mm/h."""
    return 8000.0 / slope(rate) * math.exp(-slope(rate) * diameter) if rate > 0 else 0.0


def diameters(uniform: torch.Tensor, rate: float, least: float) -> torch.Tensor:
    """Diameters (mm) over ``least`` at ``rate`` (mm/h), distributed by the law, from values uniform in [0, 1)."""
    return (least - torch.log1p(-uniform) / slope(rate)).clamp(max=LARGEST)


def fall_speed(diameter: torch.Tensor) -> torch.Tensor:
    """Metres a second that a drop of ``diameter`` (mm) falls in still air.

    Source: Atlas et al. 1973, "Doppler radar characteristics of precipitation at vertical incidence", eq. 1.
    """
    return (9.65 - 10.3 * torch.exp(-0.6 * diameter)).clamp(min=0.0)


def extinction(rate: float) -> float:
    """Per metre, what rain of ``rate`` (mm/h) takes from the light.

    Source: Ulbrich and Atlas 1985, "Extinction of visible and infrared radiation in rain", as 0.312 R^0.67 per km.
    """
    return 0.312e-3 * rate**0.67


def impacts(rate: float) -> float:
    """Drops over 1 mm that fall on a level square metre in a second, at ``rate`` mm/h above 0."""
    steep = slope(rate)
    return 8000.0 * (9.65 * math.exp(-steep) / steep - 10.3 * math.exp(-steep - 0.6) / (steep + 0.6))
