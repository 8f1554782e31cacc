"""Haze."""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field

from rrframe import Cues, Degradation, Dial, Draws, log_uniform, uniform
from rrframe.imaging.colour import encoded_to_linear
from rrframe.imaging.composite import veiled
from rrframe.imaging.fields import layered
from rrframe.imaging.resample import resize
from rrframe_degradations.library import Library

_EYE = 1.6  # metres that a camera is above the ground
_PUBLISHED_AIR = (201 / 255, 225 / 255, 225 / 255)  # encoded
_CELLS = 16  # to each side of the thumbnail that tells how much light a scene has
_BRIGHTER = 0.95  # of its cells are darker than the light of the scene: the sky, where there is one, and no lamp


class Air(Degradation):
    """Haze that shines with the light of the scene: at dusk it is darker than at noon.

    Air is seen by the light that it scatters, which is the light that falls on the scene. How much that is, the
    brightest twentieth of the picture shows: the sky in a landscape. ``airlight_of: white`` takes a scene exposed for
    noon, whatever the picture shows, as published code does; it paints a night white.
    """

    category = "haze"
    light = "linear"
    cues = {"depth"}
    airlight_of: Literal["scene", "white"] = Field(
        "scene", description="what airlight is a share of: the light of the scene, or white whatever the scene"
    )

    def air(self, images: torch.Tensor, draw: Draws) -> torch.Tensor:
        """The light of air that is infinitely deep, ``[B, 1, 1, 1]`` linear."""
        return draw.airlight * (scene_light(images) if self.airlight_of == "scene" else 1.0)


class Scattering(Air):
    """Uniform haze: I = J t + A (1 - t) with transmission t = exp(-beta z) at depth z.

    The meteorological visibility is 2.996 / beta: the default severe end, 0.05 per metre, is fog that one sees 60 m
    through. A is a share of the light of the scene, as the brightest twentieth of the picture shows it.

    Source: Koschmieder 1924, "Theorie der horizontalen Sichtweite"; ranges from He et al. 2009 and the RESIDE outdoor
    set, Li et al. 2019.
    Cannot: haze that varies from place to place, glow around lamps, colour that changes with distance.
    """

    beta: Dial = uniform(0.004, 0.05, mild=0.0, low=0.0, power=1.5, unit="1/m", about="scattering coefficient")
    airlight: Dial = uniform(0.75, 0.95, low=0.0, high=1.0, about="light of air that is infinitely deep, a share")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return veiled(images, self.air(images, draw).expand(-1, 3, -1, -1), draw.beta * cues.depth)


class Heterogeneous(Air):
    """Fog in patches that lies on the ground and thins upwards: I = J t + A (1 - t), t = exp(-beta z g(h) p).

    ``g`` is the mean of exp(-h / layer) along the line of sight, with the horizon at half the image's height;
    ``p`` is log-normal with mean 1, from three octaves of noise at 130, 60 and 10 thousandths of the shorter side with
    weights 1, 1/2 and 1/4. The air's colour goes from grey to the published (201, 225, 225); its light is a share of
    the scene's.

    Source: heterogeneous fog after Zhang et al. 2017, "Towards simulating foggy and hazy images and evaluating their
    authenticity"; exponential height fog after Wenzel 2006, "Real-time atmospheric effects in games".
    Cannot: patches that stand at a depth of their own, glow around lamps, a camera that looks up or down.
    """

    beta: Dial = uniform(0.006, 0.09, mild=0.0, low=0.0, power=1.5, unit="1/m", about="scattering at eye height")
    patchiness: Dial = uniform(0.2, 0.7, low=0.0, high=2.0, about="deviation of the logarithm of the density")
    layer: Dial = log_uniform(15.0, 300.0, low=0.1, unit="m", about="height in which the fog thins to 1/e")
    airlight: Dial = uniform(0.55, 0.9, low=0.0, high=1.0, about="light of air that is infinitely deep, a share")
    tint: Dial = uniform(0.0, 0.6, low=0.0, high=1.0, about="from grey air to the published, bluish colour")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        noise = layered(draw.rng, images, (130, 60, 10), (1, 1 / 2, 1 / 4))
        # The mean of exp(c n) is exp(c^2 / 2): divided out, patches move fog about and add none.
        patches = torch.exp(draw.patchiness * noise - draw.patchiness.square() / 2)
        thickness = draw.beta * cues.depth * _height_factor(cues.depth, draw.layer) * patches
        return veiled(images, _tinted(self.air(images, draw), draw.tint), thickness)


class Layers(Library):
    """Captured haze, fog or smoke from a folder, laid over the photograph.

    I = J (1 - s a) + s a L in linear light, with s the strength, a the layer's alpha and L its light. A layer without
    alpha hides the photograph evenly; smoke on black is for ``blend: screen``. The layers that come along are rendered
    stand-ins, for trying.

    Source: blending of captured haze patterns as in RealRestorer, arXiv 2603.25502, which has about 200 of its own.
    Cannot: follow the depth of the photograph; haze/scattering and haze/heterogeneous do.
    """

    category = "haze"
    layers = "haze"


def scene_light(images: torch.Tensor) -> torch.Tensor:
    """How bright the brightest twentieth of each picture is, on a thumbnail: ``[B, 1, 1, 1]``, linear as they are."""
    return resize(images, _CELLS, _CELLS).mean(dim=1).flatten(1).quantile(_BRIGHTER, dim=1).view(-1, 1, 1, 1)


def _height_factor(depth: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
    """The mean of exp(-h / layer) along each line of sight to ``depth``, h being the height over the camera.

    A ray that goes down meets the ground before it has fallen far.
    """
    height, width = depth.shape[-2:]
    rows = torch.arange(height, dtype=torch.float32, device=depth.device).view(1, 1, -1, 1)
    rise = (0.5 * (height - 1) - rows) / min(
        height, width
    )  # per metre of depth, for a focal length of one shorter side
    climbed = (depth * rise).clamp(min=-_EYE) / layer
    flat = climbed.abs() < 1e-3
    climbed = climbed.where(~flat, torch.ones_like(climbed))
    return torch.where(flat, 1.0, -torch.expm1(-climbed) / climbed)


def _tinted(airlight: torch.Tensor, tint: torch.Tensor) -> torch.Tensor:
    """``[B, 3, 1, 1]``: air of the given linear brightness, between grey and the published colour."""
    published = encoded_to_linear(torch.tensor(_PUBLISHED_AIR).view(1, 3, 1, 1)).to(airlight.device)
    return airlight * torch.lerp(torch.ones_like(published), published / published.amax(), tint)
