"""Transforms of other libraries."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, JsonValue

from rrframe import Cues, Degradation, Draws
from rrframe_effects.libraries import Transform, transform_of


class Augment(Degradation):
    """Any transform of albumentations or of kornia.augmentation, by name.

    It is always applied, unless ``settings`` say otherwise (``p: 0.5``), and each image has a seed of its own in the
    draw, from which the library gives the same again; the record names the library's version. Images go in as float32,
    encoded, one at a time, and what comes out is clipped to [0, 1]. Where a transform moves pixels (flips, rotations,
    perspective), the target moves with the image and the pair stays aligned. One that changes an image's size, or
    mixes several, is refused.

    Source: Buslaev et al. 2020, "Albumentations"; Riba et al. 2020, "Kornia".
    Cannot: follow severity, which the libraries do not know; move cues with the image, so put it after the
    steps that need one.
    """

    checked_with: ClassVar[dict[str, Any]] = {"transform": "GaussNoise"}
    category = "augmentation"
    light = "encoded"
    library: Literal["albumentations", "kornia"] = "albumentations"
    """Where it comes from."""
    transform: str = Field(min_length=1, description="its name there, such as MotionBlur")
    settings: dict[str, JsonValue] = Field({}, description="its parameters, as its library names them")

    def relies_on(self) -> tuple[str, ...]:
        return (self.library,)

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return self._transformed(self._transform(), images, draw)

    def retargets(self) -> bool:
        return self._transform().moves_pixels

    def retarget(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        transform = self._transform()
        return self._transformed(transform, images, draw) if transform.moves_pixels else images

    def _transform(self) -> Transform:
        return transform_of(self.library, self.transform, self.settings)

    def _transformed(self, transform: Transform, images: torch.Tensor, draw: Draws) -> torch.Tensor:
        done = [transform(image, one.seed) for image, one in zip(images.split(1), draw, strict=True)]
        return torch.cat(done).clamp_(0.0, 1.0).contiguous(memory_format=torch.channels_last)
