"""Reflection by the physics of a pane."""

from __future__ import annotations

import torch

from rrframe import Dial, Draws, uniform
from rrframe.imaging.fields import smooth
from rrframe.imaging.resample import resize
from rrframe_degradations.reflection.optics import incidence, reflectance
from rrframe_degradations.reflection.scene import Reflection

_SIDE = 96  # the shorter side of the grid on which weights are computed: they are smooth
_SURFACES = 2
_GREATEST = 0.5  # the reflection's mean light over that of the scene behind
_CLIPPING = 0.1  # share of clipped values from which all that they clip is taken off
_GAIN = 8.0  # times that a dark second picture is brightened at most
_DARKEST = 0.01  # mean light that any scene behind glass is taken to have


class Glass(Reflection):
    """A window between the camera and the scene, with another scene reflected in it: I = T + W (g r), r being R blurred
    and doubled, and W what the glass sends to the camera.

    W is Fresnel's reflectance of two surfaces (refractive index 1.52) at the angle at which each pixel's ray meets
    the glass, times a smooth field, since what is reflected is not lit evenly, and a vignette. The exposure g makes the
    mean of the second picture ``brightness`` times that of the first. Where the reflection would get half as bright
    as the scene, it is dimmed to that: so no two pictures make a pair in which nobody could tell the one from the
    other. Where both together clip, the mean of what is clipped, times ``haze``, is taken off the reflection, whose
    bright parts stay; less of it if less than a tenth of the picture clips.

    The double image lies 2 d tan(a') cos(a) apart for a thickness d, divided by the distance. What the glass takes from
    the scene behind, 8 to 18 %, is made up by the exposure.

    Source: Zhang et al. 2018, "Single image reflection separation with perceptual losses", for blur and vignette; Fan
    et al. 2017, "A generic deep architecture for single image reflection removal" (CEILNet), for clipping; Shih et al.
    2015, "Reflection removal using ghosting cues", for the double image; Fresnel 1823.
    Cannot: polarisation, tinted or curved glass, a reflected scene with depth, dirt on the pane.
    """

    brightness: Dial = uniform(
        0.6, 3.2, mild=0.0, low=0.0, high=100.0, power=1.3, about="mean light of the reflected scene over the other's"
    )
    patchiness: Dial = uniform(0.0, 0.9, low=0.0, high=1.0, about="how much darker parts of the reflection are")
    vignette: Dial = uniform(0.0, 0.7, low=0.0, high=1.0, about="light that the reflection lacks in the corners")
    haze: Dial = uniform(1.08, 1.18, low=0.0, high=10.0, about="of the overflow, taken off the reflection")

    def mixed(self, behind: torch.Tensor, reflected: torch.Tensor, draw: Draws) -> torch.Tensor:
        own, other = _mean(behind).clamp(min=_DARKEST), _mean(reflected)
        exposure = (draw.brightness * own / other.clamp(min=1e-6)).clamp(max=_GAIN)
        layer = reflected.mul_(self.weights(behind, draw) * exposure)
        layer.mul_((_GREATEST * own / _mean(layer).clamp(min=1e-6)).clamp(max=1.0))
        over = (behind + layer).sub_(1).clamp_(min=0.0)
        clipped = _mean(over)
        overflow = clipped / _mean(over.sign_()).clamp(min=_CLIPPING)
        return layer.sub_(overflow * draw.haze).clamp_(min=0.0).add_(behind)

    def weights(self, images: torch.Tensor, draw: Draws) -> torch.Tensor:
        """W: the share of the reflected scene's light that each pixel gets, ``[B, 1, H, W]``."""
        height, width = images.shape[-2:]
        shrink = min(1.0, _SIDE / min(height, width))
        rows, columns = max(round(height * shrink), 1), max(round(width * shrink), 1)
        grid = images.new_empty((len(images), 1, rows, columns))
        glass = _SURFACES * reflectance(incidence(rows, columns, draw.angle, draw.turn, draw.focal))
        patches = 1 - draw.patchiness * torch.sigmoid(3 * smooth(draw.rng, grid, 700, 3))
        return resize(glass * patches * _vignette(grid, draw.vignette), height, width, "linear")


def _mean(images: torch.Tensor) -> torch.Tensor:
    return images.mean(dim=(1, 2, 3), keepdim=True)


def _vignette(grid: torch.Tensor, depth: torch.Tensor) -> torch.Tensor:
    rows, columns = (torch.linspace(-1, 1, size, device=grid.device) for size in grid.shape[-2:])
    return 1 - depth * (rows.square().view(1, 1, -1, 1) + columns.square()) / 2
