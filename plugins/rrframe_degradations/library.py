"""Captured layers: a folder of pictures of haze, rain or flare on their own, blended over photographs.

One mechanism for every ``*/library`` operator; a subclass sets its category, its blend and the layers that come along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import ClassVar, Literal

import cv2
import numpy as np
import torch
from PIL import Image, ImageOps
from pydantic import Field

from rrframe import Cues, Degradation, Dial, Draw, Draws, Key, RRFrameError, uniform
from rrframe.imaging.colour import linear_to_pixels, pixels_to_linear
from rrframe.imaging.composite import screen, weighted
from rrframe.imaging.laid import added_pixels, screened_pixels
from rrframe.imaging.layout import from_hwc, hwc_view, joined
from rrframe.imaging.noise import by_rows
from rrframe.imaging.reading import extensions

Blend = Literal["over", "screen", "add"]


class Library(Degradation):
    """What the ``*/library`` operators share: a layer is chosen by key, cut out, flipped and blended in linear light.

    With s the strength, a the layer's alpha (1 where it has none) and L its light, ``over`` is I = J (1 - s a) + s a L
    with s at most 1, ``screen`` I = 1 - (1 - J)(1 - s a L), ``add`` I = J + s a L, clamped. The cut covers the image,
    whatever its shape, and is never stretched.
    """

    light = "linear"
    layers: ClassVar[str]
    """The folder, beside this module, of the rendered layers that come along."""

    path: Path | None = Field(None, description="a folder of layers, and all below it; by default a few rendered ones")
    blend: Blend = "over"
    strength: Dial = uniform(0.3, 0.9, mild=0.0, low=0.0, high=4.0, about="the layer's alpha, or light, is multiplied")
    zoom: Dial = uniform(1.0, 2.0, low=1.0, high=16.0, about="how many times larger than the image the layer lies")
    upside_down: float = Field(
        0.0, ge=0, le=1, description="chance to swap top and bottom; left and right have one of 1/2"
    )

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        names = _listed(self._folder())
        choice = key.child("layer").random()
        return (
            super()
            .draw(key, severity)
            .with_values(
                layer=names[int(choice.random() * len(names))],
                mirror=choice.random() < 0.5,
                flip=choice.random() < self.upside_down,
                place=[choice.random(), choice.random()],
            )
        )

    @property
    def eight_bit(self) -> bool:  # type: ignore[override]
        return self.blend != "over"  # which takes light away, and layers of each pixel's own

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        size = images.shape[-2:]
        if self.blend == "over":
            cuts = [self._cut(one, size) for one in draw]
            light, alpha = (joined([cut[part] for cut in cuts]).to(images.device) for part in (0, 1))
            strength = draw.strength.clamp(max=1.0)
            return weighted(images, 1 - alpha * strength, light, strength).clamp_(0.0, 1.0)
        light = joined([pixels_to_linear(self._codes(one, size)) for one in draw]).to(images.device)
        laid = partial({"screen": _screened, "add": _added}[self.blend], strength=draw.strength)
        return by_rows(laid, images, light)

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        if not self.eight_bit:
            return super().apply_pixels(pixels, draw, cues)
        (one,) = draw
        laid = {"screen": screened_pixels, "add": added_pixels}[self.blend]
        return laid(pixels, self._codes(one, pixels.shape[:2]), float(one.values["strength"]))

    def whole(self, draw: Draw) -> torch.Tensor:
        """All of the drawn layer, ``[1, 3, h, w]``: linear light times alpha, as large as its file."""
        return from_hwc([_read(str(self._folder() / str(draw.values["layer"]))).light()])

    def _folder(self) -> Path:
        return self.path or Path(__file__).parent / "layers" / self.layers

    def _cut(self, draw: Draw, size: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
        """The cut of the drawn layer at ``size``: linear light times alpha, ``[1, 3, H, W]``, and alpha, ``[1, 1, H,
        W]``.
        """
        cut, resized = self._part(draw, size)
        # Resized times alpha: what a transparent pixel holds is nobody's business.
        light = from_hwc([resized(cut.light())])
        alpha = torch.ones(1, 1, 1, 1) if cut.alpha is None else from_hwc([resized(cut.cover())])
        return light, alpha.expand(-1, -1, *size)

    def _codes(self, draw: Draw, size: tuple[int, int]) -> np.ndarray:
        """The cut of the drawn layer at ``size``, its light times alpha: ``[H, W, 3]`` uint8, encoded."""
        cut, resized = self._part(draw, size)
        if cut.alpha is None and len(cut.pixels) <= size[0]:  # enlarged as its file has it; means are of light
            return resized(cut.pixels)
        return linear_to_pixels(from_hwc([resized(cut.light())])[0])

    def _part(self, draw: Draw, size: tuple[int, int]) -> tuple[_Layer, Callable[[np.ndarray], np.ndarray]]:
        """The cut of the drawn layer, and what brings its light or its alpha to ``size``."""
        values = draw.values
        layer = _read(str(self._folder() / str(values["layer"])))
        whole = layer.pixels.shape[:2]
        share = min(have / want for have, want in zip(whole, size, strict=True)) / float(values["zoom"])
        height, width = (min(max(round(want * share), 1), have) for have, want in zip(whole, size, strict=True))
        down, across = values["place"]
        top, left = round(down * (whole[0] - height)), round(across * (whole[1] - width))
        cut = layer.part(slice(top, top + height), slice(left, left + width))
        for axis, wanted in enumerate((values["flip"], values["mirror"])):
            cut = cut.mirrored(axis) if wanted else cut
        how = cv2.INTER_AREA if height > size[0] else cv2.INTER_LINEAR

        def resized(plane: np.ndarray) -> np.ndarray:
            return np.asarray(cv2.resize(plane, size[::-1], interpolation=how)).reshape(*size, -1)

        return cut, resized


def _screened(images: torch.Tensor, light: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    return screen(images, (light * strength).clamp_(max=1.0))


def _added(images: torch.Tensor, light: torch.Tensor, strength: torch.Tensor) -> torch.Tensor:
    return torch.addcmul(images, light, strength).clamp_(max=1.0)


@dataclass(frozen=True)
class _Layer:
    """A captured layer, as files have it; not to be written to.

    Args:
        pixels: ``[H, W, 3]`` uint8, encoded, straight.
        alpha: ``[H, W]`` uint8, if it is not opaque all over.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None

    def part(self, rows: slice, columns: slice) -> _Layer:
        return self._each(lambda pixels: pixels[rows, columns])

    def mirrored(self, axis: int) -> _Layer:
        """With top and bottom swapped for axis 0, left and right for axis 1."""
        return self._each(lambda pixels: np.asarray(cv2.flip(pixels, axis)))

    def light(self) -> np.ndarray:
        """``[H, W, 3]`` float32: linear light times alpha."""
        light = hwc_view(pixels_to_linear(np.ascontiguousarray(self.pixels))[0])
        if self.alpha is None:
            return light
        return np.asarray(cv2.multiply(light, cv2.merge([self.cover()] * 3))).reshape(light.shape)

    def cover(self) -> np.ndarray:
        """Alpha in [0, 1], ``[H, W]`` float32, of a layer that has one."""
        return np.multiply(self.alpha, np.float32(1 / 255), dtype=np.float32)

    def _each(self, change: Callable[[np.ndarray], np.ndarray]) -> _Layer:
        return _Layer(change(self.pixels), None if self.alpha is None else change(self.alpha))


@lru_cache(maxsize=16)
def _listed(folder: Path) -> tuple[str, ...]:
    """The layers in ``folder`` and below, as sorted paths from there."""
    if not folder.is_dir():
        raise RRFrameError(f"there is no folder {str(folder)!r} of layers", hint="set path to a folder of pictures")
    known = extensions()
    files = (file for file in folder.rglob("*") if file.suffix.lower() in known and file.is_file())
    names = sorted(file.relative_to(folder).as_posix() for file in files)
    if not names:
        raise RRFrameError(f"no pictures are in {str(folder)!r}", hint="layers are pictures, with alpha or on black")
    return tuple(names)


@lru_cache(maxsize=8)
def _read(path: str) -> _Layer:
    """The layer at ``path``, upright."""
    try:
        with Image.open(path) as picture:
            whole = np.asarray(ImageOps.exif_transpose(picture).convert("RGBA"))
    except (OSError, ValueError, SyntaxError) as error:
        raise RRFrameError(f"the layer {path!r} cannot be read: {error}") from error
    opaque = bool((whole[..., 3] == 255).all())
    return _Layer(np.ascontiguousarray(whole[..., :3]), None if opaque else np.ascontiguousarray(whole[..., 3]))
