"""Moire patterns laid over a picture."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from pydantic import JsonValue

from rrframe import Cues, Degradation, Dial, Draw, Draws, Key, fixed, integers, uniform
from rrframe.imaging.colour import linear_to_encoded
from rrframe.imaging.filters import gaussian
from rrframe.imaging.resample import resize
from rrframe.imaging.warp import remap
from rrframe_degradations.moire.screen import Screen

LIBRARY = 3000
"""How many patterns there are, each named by its number."""

_SENSOR = 512  # pixels on a side of the camera that takes the patterns
_SIDE = _SENSOR // 2  # of a pattern: half as many, where the mesh of single pixels is gone and the bands are left
_GREY = 0.2  # linear light of the screen that is photographed: dark enough for the brightest bands not to clip


class Pattern(Degradation):
    """Moire patterns of a library, one to three of them fused and laid over the picture.

    A pattern m is a grey screen photographed as moire/screen does it, relative to the grey: its number names the
    view. With m = 1 + strength * mean(m_i - 1), in encoded values, the picture x becomes
    y = w x m + (1 - w) (0.8 (x + (m - 1) / 2) + 0.2 x): the layers multiply and grain merge of an image editor. Nothing
    is stretched to a range. A pattern is as large as the picture's longer side, enlarged by its own zoom: bands are as
    wide, relative to that side, at 512 px as at 4096 px.

    Source: Yang et al. 2025, "UniDemoire: towards universal image demoireing with data generation and synthesis", for
    the fusion, 1 to 3 patterns and w; the library stands in for their captured and generated patterns.
    Cannot: bands that follow what is shown, as where fine texture beats with the sensor by itself.
    """

    category = "moire"
    light = "encoded"
    strength: Dial = uniform(0.25, 0.9, mild=0.0, low=0.0, high=4.0, about="of the pattern's contrast")
    patterns: Dial = integers(1, 3, low=1, high=8, about="how many are fused")
    zoom: Dial = uniform(1.0, 3.0, low=1.0, high=20.0, about="most that a pattern is enlarged by")
    weight: Dial = uniform(0.65, 0.75, low=0.0, high=1.0, about="of multiply, w; the rest is grain merge")
    merge: Dial = fixed(0.8, low=0.0, high=1.0, about="of grain merge in that rest; what is left is the picture")

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        draw = super().draw(key, severity)
        generator, zoom = key.child("library").random(), math.log(float(draw.values["zoom"]))  # type: ignore[arg-type]
        count = int(draw.values["patterns"])  # type: ignore[arg-type]
        chosen: list[JsonValue] = [
            [
                generator.randrange(LIBRARY),
                math.exp(generator.uniform(0.0, zoom)),
                generator.random(),
                generator.random(),
            ]
            for _ in range(count)
        ]
        return draw.with_values(chosen=chosen)

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        fused = [_fused(image[None], chosen) for image, chosen in zip(images, draw.each("chosen"), strict=True)]
        apart = torch.cat(fused).mul_(draw.strength)
        # Both layers are the picture and a share of the pattern: the terms of the formula, collected.
        gain = images * draw.weight + (1.0 - draw.weight) * draw.merge * 0.5
        return torch.addcmul(images, apart, gain).clamp_(0.0, 1.0)


def library(number: int) -> torch.Tensor:
    """The pattern of a number, ``[1, 3, n, n]`` float32 on the CPU: encoded values relative to the grey's, of mean
    near 1, not limited to [0, 1]. Not to be written to.
    """
    return _library(number % LIBRARY)


@lru_cache(maxsize=32)
def _library(number: int) -> torch.Tensor:
    camera = Screen.model_validate({"contrast": 1.0, "cast": 0.0, "shot": 0.0, "pitch": {"uniform": [1.8, 2.3]}})
    grey = torch.full((1, 3, _SENSOR, _SENSOR), _GREY).contiguous(memory_format=torch.channels_last)
    seen = camera.apply(grey, Draws([camera.draw(Key.of("moire/pattern", number))]), Cues({}))
    plain = linear_to_encoded(grey[..., :1, :1])
    return linear_to_encoded(resize(seen, _SIDE, _SIDE)) / plain


def _fused(image: torch.Tensor, chosen: list[list[float]]) -> torch.Tensor:
    """What the patterns differ by from 1, on average, ``[1, 3, H, W]``."""
    height, width = image.shape[-2:]
    total = torch.zeros_like(image)
    for number, zoom, right, below in chosen:
        step = (_SIDE - 1) / (zoom * max(height, width))  # of a pixel of the picture, in pixels of the pattern
        # Where that is more than one, the pattern must be smoothed, or else it would beat with the picture's pixels.
        smooth = gaussian(library(int(number)), math.sqrt(max(step * step - 1.0, 0.0)) / 2).to(image.device)
        x, y = (_places(side, step, share, image) for side, share in ((width, right), (height, below)))
        size = (1, 1, height, width)
        total += remap(smooth, x.expand(size), y[:, None].expand(size), "replicate")
    return total.div_(len(chosen)).sub_(1.0)


def _places(side: int, step: float, share: float, like: torch.Tensor) -> torch.Tensor:
    """Where in a pattern the pixels along a side lie, ``share`` of the way that there is to move in."""
    spare = _SIDE - 1 - (side - 1) * step
    return torch.arange(side, dtype=torch.float32, device=like.device) * step + share * spare
