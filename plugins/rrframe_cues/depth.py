"""Depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from pydantic import Field, model_validator

from rrframe import Cue


class Plane(Cue):
    """A slanted plane seen from above: disparity falls evenly from the bottom row to the top one, as over open ground.

    It looks at no pixel: a stand-in for a depth map, right for a landscape and wrong for a portrait.
    """

    near: float = Field(5.0, gt=0, description="depth of the bottom row, in metres")
    far: float = Field(150.0, gt=0, description="depth of the top row, in metres")

    @model_validator(mode="after")
    def _near_is_nearer(self) -> Self:
        if self.near > self.far:
            raise ValueError(f"near ({self.near:g} m) is farther than far ({self.far:g} m)")
        return self

    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        batch, _, height, width = images.shape
        disparity = torch.linspace(1 / self.far, 1 / self.near, height, device=images.device)
        return (1 / disparity).view(1, 1, height, 1).expand(batch, 1, height, width)
