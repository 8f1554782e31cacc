"""A chain on a part of the image."""

from __future__ import annotations

import random
from typing import Any, ClassVar

import torch
from pydantic import Field

from rrframe import Chain, Cues, Dial, Draws, Effect, choice, integers, uniform
from rrframe.imaging.composite import blend, feather, lowest
from rrframe_effects.segments import grown
from rrframe_effects.shapes import SHAPES, distances


class Region(Effect):
    """Applies its chain to a part of the image, with a soft edge: y = M D(x) + (1 - M) x.

    The chain D works on the whole picture first, and the mask M decides what is seen of it. So a codec stays what it
    is, a file of the whole picture, and a blur draws on what lies outside. The two are mixed in the light of the
    chain's first step. Farther than ``feather`` from the mask every pixel stays as it was, to the bit.

    The mask is made of drawn shapes, or of the segments of a cue: neighbours are added to a first segment until their
    area comes closest to ``area``. Either way the draw is enough to make it again. ``area`` does not follow severity,
    which the chain does.

    Source: the region-wise degradation of RealRestorer (arXiv 2603.25502); the edge is ours.
    Cannot: follow the outline of things with drawn shapes; take a cue for that.
    """

    checked_with: ClassVar[dict[str, Any]] = {"chain": [{"use": "blur/gaussian"}]}
    cue: str | None = Field(None, min_length=1, description="take these segments, such as segments; by default shapes")
    area: Dial = uniform(0.2, 0.7, low=0.0, high=1.0, about="share of the image")
    feather: Dial = uniform(2.0, 8.0, low=0.0, high=200.0, unit="px", about="edge, were the shorter side 1000 px")
    shape: Dial = choice(*SHAPES, about="what is drawn, where no cue is taken")
    pieces: Dial = integers(1, 3, low=1, high=100, about="how many shapes, or how many places to grow from")
    chain: Chain
    """What is applied."""

    def needs(self) -> set[str]:
        return super().needs() | ({self.cue} if self.cue else set())

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return blend(images, super().apply(images, draw, cues), self.mask(images, draw, cues))

    def retarget(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        done = super().retarget(images, draw, cues)
        return images if done is images else blend(images, done, self.mask(images, draw, cues))

    def mask(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        """What is seen of the chain at each pixel of ``images``, ``[B, 1, H, W]`` float32 in [0, 1]."""
        generators = [random.Random(one.seed) for one in draw]
        pieces = [int(count) for count in draw.each("pieces")]
        height, width = images.shape[-2:]
        if self.cue:
            labels = getattr(cues, self.cue)
            hard = torch.stack(
                [grown(*each) for each in zip(labels, draw.each("area"), pieces, generators, strict=True)]
            )
        else:
            fields = [
                distances(height, width, *each, device=images.device)
                for each in zip(draw.each("shape"), pieces, generators, strict=True)
            ]
            hard = lowest(torch.stack(fields), draw.area)
        return feather(hard, draw.feather * (min(height, width) / 1000.0))
