"""Depth without weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from pydantic import Field, model_validator

from rrframe import Cue
from rrframe.imaging.filters import gaussian, guided

_MOST_SAMPLES = 512  # a side, for figures of the whole image


class Between(Cue):
    """Depth between two distances."""

    near: float = Field(5.0, gt=0, allow_inf_nan=False, description="the nearest depth, in metres")
    far: float = Field(150.0, gt=0, allow_inf_nan=False, description="the farthest depth, in metres")

    @model_validator(mode="after")
    def _near_is_nearer(self) -> Self:
        if self.near > self.far:
            raise ValueError(f"near ({self.near:g} m) is farther than far ({self.far:g} m)")
        return self


class Plane(Between):
    """A slanted plane seen from above: disparity falls evenly from the bottom row to the top one, as over open ground.

    It looks at no pixel: a stand-in for a depth map, right for a landscape and wrong for a portrait.
    """

    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        batch, _, height, width = images.shape
        disparity = torch.linspace(1 / self.far, 1 / self.near, height, device=images.device)
        return (1 / disparity).view(1, 1, height, 1).expand(batch, 1, height, width)


class Gradient(Between):
    """A guess from one photograph: what lies low in it is near, and what is sharp is nearer than what is not.

    The nearness is 0.75 times the height in the image, from 0 at the top to 1 at the bottom, plus 0.25 times the fine
    detail around a pixel, smoothed along the edges of things. It walks from far to near by equal ratios: a wall, a tree
    and a face are at no distance that their height tells, and were depth the inverse of nearness, as it is on open
    ground, all of the far half would lie in the topmost rows. Against the true depth of a stereo pair (scikit-image's
    motorcycle) its order of near and far agrees with a rank correlation of 0.73; the height alone with 0.67. A stand-in
    for a network, for photographs taken upright from the ground.

    Source: the vertical prior of Torralba and Oliva 2002, "Depth estimation from image structure"; the edges by He et
    al. 2013, "Guided image filtering".
    """

    detail: float = Field(0.25, ge=0, le=1, description="the weight of fine detail against the height in the image")

    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        height, width = images.shape[-2:]
        side = min(height, width)
        rows = (torch.arange(height, dtype=torch.float32, device=images.device) + 0.5) / height
        grey = images.mean(dim=1, keepdim=True)
        fine = (grey - gaussian(grey, max(0.6, side / 500))).abs_()
        nearness = torch.lerp(
            rows.view(1, 1, height, 1).expand_as(grey), _ranked(gaussian(fine, side / 25)), self.detail
        )
        smooth = guided(images, nearness, max(1, side // 25), 1e-2)
        return self.far * (self.near / self.far) ** smooth.clamp_(0.0, 1.0)


def _ranked(values: torch.Tensor) -> torch.Tensor:
    """``values`` of each image against the greatest of them, but for the last 2 %, in [0, 1]."""
    step = max(1, -(-max(values.shape[-2:]) // _MOST_SAMPLES))
    most = values[..., ::step, ::step].flatten(1).quantile(0.98, dim=1).view(-1, 1, 1, 1)
    return (values / most.clamp(min=1e-6)).clamp_(0.0, 1.0)
