"""Flare from the lens's pupil: starbursts and shimmer."""

from __future__ import annotations

from typing import Any

import torch

from rrframe import Dial, Draw, Draws, choice, integers, log_uniform, truncated_normal, uniform
from rrframe.imaging.resample import resize
from rrframe.imaging.scatter import scatter
from rrframe_degradations.flare.diffraction import GRID, spread
from rrframe_degradations.flare.sources import Flare

_BRIGHTEST = 8.0  # times white: the core of the pattern is the source's own image, which is clipped anyway


class Pupil(Flare):
    """Starburst and shimmer around every light source: diffraction at the blades of the aperture, and at dust and
    scratches on the lens.

    The point-spread function at a wavelength is |FFT(A exp(i phi))|^2, A what passes the pupil, phi the phase of
    defocus. Its size goes with the wavelength; a channel sums over what it sees (620, 540 and 460 nm, deviation 55 nm),
    from 380 to 740 nm. An even number of blades gives as many rays, an odd one twice as many.

    Source: Wu et al. 2021, "How to train neural networks for flare removal", section 3.1 and its ranges.
    Cannot: the iridescence of coatings, patterns that change over the field of view, rays longer than half of the
    shorter side.
    """

    strength: Dial = uniform(
        0.1, 3.0, mild=0.0, low=0.0, high=100.0, power=3.0, about="light of all sources, over that of a white square"
    )
    blades: Dial = choice(0, 5, 6, 7, 8, 9, 10, 14, 18, about="of the aperture; 0 is round")
    size: Dial = log_uniform(0.7, 1.3, low=0.65, high=3.0, about="of the pattern: a small aperture has a large one")
    angle: Dial = integers(0, 359, low=-360, high=360, unit="degrees", about="by which the aperture is turned")
    dust: Dial = integers(0, 40, low=0, high=500, about="specks on the lens")
    scratches: Dial = integers(0, 30, low=0, high=500, about="on the lens")
    defocus: Dial = truncated_normal(0.0, 3.0, -8.0, 8.0, low=-30.0, high=30.0, unit="rad", about="phase at the rim")

    def flare(self, sources: torch.Tensor, draw: Draws) -> torch.Tensor:
        side = min(sources.shape[-2:])
        kernels = torch.cat([_kernel(each, side) for each in draw]).to(sources.device)
        greatest = _BRIGHTEST / (side * side * draw.strength.clamp(min=1e-6))
        return scatter(sources, kernels.clamp(max=greatest)).clamp_(min=0.0).mul_(draw.strength)


def _kernel(draw: Draw, side: int) -> torch.Tensor:
    """The point-spread function ``[1, 3, k, k]`` on a grid whose shorter side is ``side``."""
    values: dict[str, Any] = draw.values
    names = ("blades", "angle", "dust", "scratches", "defocus")
    whole = spread(draw.seed, diameter=0.6 * GRID / values["size"], **{name: values[name] for name in names})
    width = max(round((GRID - 1) * side / GRID) // 2 * 2 + 1, 1)
    fitted = resize(whole.unsqueeze(0), width, width)
    return fitted / fitted.sum(dim=(2, 3), keepdim=True)
