"""Blur that depends on distance."""

from __future__ import annotations

import math

import numpy as np
import torch

from rrframe import Cues, Dial, Draw, Draws, choice, integers, uniform
from rrframe.imaging import psf
from rrframe.imaging.composite import masked, weighted
from rrframe.imaging.filters import box, convolve
from rrframe.imaging.resample import grown, halved
from rrframe_degradations.blur.defocus import aperture
from rrframe_degradations.blur.optics import Lit, per_mille

_LAYERS = 8
_WIDE = 4.0  # pixels of radius, from which on half the resolution serves
_UNDERLAY = 1e-3  # the weight of what a layer is taken to look like behind nearer ones


class DepthOfField(Lit):
    """A lens focused at one distance: the rest blurs by its circle of confusion, of radius c |1/d - 1/f|, in front of
    the focus and behind it.

    The image is cut into eight layers, evenly in 1/d. Each is blurred by itself, normalised by its own blurred mask, so
    that a sharp subject does not leak into the background, and laid over the farther ones. A blurred foreground is
    seen through at its rim: what lies behind is continued under it.

    Source: Potmesil and Chakravarty 1981, "A lens and aperture camera model for synthetic image generation"; layers
    after Kraus and Strengert 2007, "Depth-of-field rendering by pyramidal image processing".
    Cannot: be better than its depth map at the rim of things; show what was really behind them.
    """

    cues = {"depth"}
    radius: Dial = uniform(
        2.0,
        12.0,
        mild=0.0,
        low=0.0,
        high=100.0,
        power=1.2,
        unit="1/1000 of the shorter side",
        about="of the disc where the scene is farthest out of focus",
    )
    focus: Dial = uniform(0.0, 1.0, low=0.0, high=1.0, about="where in the scene, even in 1/d: 0 farthest, 1 nearest")
    blades: Dial = choice(0, 5, 6, 7, 8, 9, about="of the aperture; 0 is round")
    angle: Dial = integers(0, 359, low=-360, high=360, unit="degrees", about="by which a polygon is turned")

    def blurred(self, lit: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        unit = per_mille(lit)
        levels = _levels(cues.depth)
        # A polygon's corners lie farther out than the disc's rim.
        reaches = [math.ceil(1.25 * radius * unit) + 1 for radius in draw.each("radius")]
        result = torch.zeros_like(lit, memory_format=torch.channels_last)
        # One after another: how finely a layer is worked out goes by its blur, which differs from image to image.
        for index, (one, reach) in enumerate(zip(draw, reaches, strict=True)):
            found = _found(levels[index, 0])
            for layer in range(_LAYERS):
                window = _window(*found, layer, reach + 1)
                if window is not None:
                    each = (slice(index, index + 1), slice(None), *window)
                    _lay_over(result[each], lit[each], levels[each] - layer, _Lens(one, layer, unit), reach)
        return result


class _Lens:
    """What blurs one layer of one image: at half the resolution where it blurs so much that this does not show."""

    def __init__(self, draw: Draw, layer: int, unit: float) -> None:
        radius = _radius(draw, layer) * unit
        self._halves = radius >= _WIDE
        # Means of four pixels and what lies between them are a blur too, of a variance of 1 along each axis, as a disc
        # of radius r is of r^2 / 4.
        scale = math.sqrt(1 / 4 - 1 / radius**2) if self._halves else 1.0
        self._kernels = psf.stacked([_aperture(draw, layer, unit * scale)])

    def blur(self, images: torch.Tensor, reach: int = 0) -> torch.Tensor:
        """``[1, C, H, W]`` seen through the aperture, and faintly carried ``reach`` pixels to all sides."""
        if not self._halves:
            return self._seen(images, reach)
        return grown(self._seen(halved(images), -(-reach // 2)), *images.shape[-2:])

    def _seen(self, images: torch.Tensor, reach: int) -> torch.Tensor:
        blurred = convolve(images, self._kernels)
        return blurred.add_(box(images, reach), alpha=_UNDERLAY) if reach else blurred


def _lay_over(behind: torch.Tensor, light: torch.Tensor, nearer: torch.Tensor, lens: _Lens, reach: int) -> None:
    """Blur a layer of one image, ``light``, and its mask, and lay it over ``behind``, in place; ``nearer`` tells by how
    many layers a pixel is in front of this one, and ``reach`` how far beyond its rim a layer may be seen.
    """
    # Neighbouring layers share the pixels between them, so that a slope shows no steps.
    own = (1 - nearer.abs()).clamp_(min=0.0)
    blurred, mask = (lens.blur(each, reach) for each in (masked(light, own), own))
    # This layer and all nearer ones hide what is farther.
    cover = lens.blur((1 + nearer).clamp_(0.0, 1.0))
    weighted(behind, 1 - cover, blurred, cover / mask.clamp_(min=1e-7), out=behind)


def _found(levels: torch.Tensor) -> list[list[np.ndarray]]:
    """The rows and the columns where there are ``levels`` ``[H, W]`` from 0 to 1, from 1 to 2 and so on."""
    bits = np.left_shift(1, levels.to("cpu", torch.uint8).numpy(), dtype=np.uint8)  # one for each layer
    rows, columns = (np.bitwise_or.reduce(bits, axis=axis) for axis in (1, 0))
    return [[lines >> layer & 1 == 1 for layer in range(_LAYERS)] for lines in (rows, columns)]


def _window(rows: list[np.ndarray], columns: list[np.ndarray], layer: int, margin: int) -> tuple[slice, ...] | None:
    """The rectangle of all pixels less than a layer away from ``layer``, and ``margin`` more on all sides."""
    sides = []
    for lines in (rows, columns):
        near = np.flatnonzero(np.any(lines[max(layer - 1, 0) : layer + 1], axis=0))
        if not len(near):
            return None
        sides.append(slice(max(int(near[0]) - margin, 0), int(near[-1]) + margin + 1))
    return tuple(sides)


def _levels(depth: torch.Tensor) -> torch.Tensor:
    """The layer of each pixel, a fraction where it lies between two: 0 is the farthest."""
    nearness = 1 / depth.clamp(min=1e-3)
    far, near = nearness.amin(dim=(2, 3), keepdim=True), nearness.amax(dim=(2, 3), keepdim=True)
    return (nearness - far) * ((_LAYERS - 1) / (near - far).clamp(min=1e-9))


def _offset(draw: Draw, layer: int) -> float:
    """How far ``layer`` is out of focus: -1 or 1 where the scene is farthest out of it, below 0 beyond the focus."""
    focus = float(draw.values["focus"])
    return (layer / (_LAYERS - 1) - focus) / max(focus, 1 - focus)


def _radius(draw: Draw, layer: int) -> float:
    return abs(_offset(draw, layer)) * float(draw.values["radius"])


def _aperture(draw: Draw, layer: int, unit: float) -> np.ndarray:
    # In front of the focus the image of the aperture is upside down.
    angle = float(draw.values["angle"]) + (180.0 if _offset(draw, layer) > 0 else 0.0)
    return aperture(int(draw.values["blades"]), _radius(draw, layer) * unit, angle)
