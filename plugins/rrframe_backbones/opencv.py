"""Classical restorers of OpenCV, to measure learnt ones against."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
import torch
from pydantic import Field
from torch import nn

from rrframe import Backbone, Capabilities, RRFrameError
from rrframe.imaging.layout import to_batch, to_pixels

_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_MEDIAN = 0.6745  # of the magnitude of normal noise, in deviations
_LEAST = 1.0  # codes of 255; below it filtering only costs detail


class Denoiser(Backbone):
    """Non-local means: each pixel becomes the mean of others whose surroundings look alike.

    It has no weights, treats every task alike, and removes noise and nothing else: a restorer is to beat it. It works
    on 8 bits, and looks 13 pixels far.
    Source: Buades, Coll and Morel, A Non-Local Algorithm for Image Denoising, 2005; OpenCV's
    ``fastNlMeansDenoisingColored``. The noise is estimated with
    the mask of Immerkaer, Fast Noise Variance Estimation, 1996, by the median.
    Cannot: be trained; remove noise that is correlated over several pixels.
    """

    strength: float | None = Field(None, ge=0, le=100)
    """How strongly luma is filtered, in codes of 255. By default as strongly as the noise that is estimated in each
    image."""
    colour: float = Field(1.0, ge=0, le=10)
    """How strongly colour is filtered, as a multiple of it."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(trainable=False, largest_side=1024)

    def relies_on(self) -> tuple[str, ...]:
        return ("opencv-python-headless",)

    def build(self) -> nn.Module:
        return nn.Identity()

    def loss(self, batch: Mapping[str, torch.Tensor], rng: object) -> torch.Tensor:
        raise RRFrameError("it cannot be trained", component=self.name, plugin=self.plugin, hint="backbone/nafnet can")

    def restore(self, images: torch.Tensor, task: str, **settings: object) -> torch.Tensor:
        return torch.cat([self._restored(image) for image in images]).to(images)

    def _restored(self, image: torch.Tensor) -> torch.Tensor:
        pixels = to_pixels(image)
        strength = noise_of(pixels) if self.strength is None else self.strength
        if strength < _LEAST:
            return to_batch(pixels)
        return to_batch(cv2.fastNlMeansDenoisingColored(pixels, None, strength, self.colour * strength, 7, 21))


def noise_of(pixels: np.ndarray) -> float:
    """The deviation of the noise in ``[H, W, 3]`` uint8, in codes of 255: what is left of luma where neither lines nor
    slopes are.
    """
    luma = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    rest = np.abs(cv2.filter2D(luma, -1, _LAPLACIAN)[1:-1, 1:-1])
    return float(np.median(rest) / (6 * _MEDIAN)) if rest.size else 0.0  # most of a picture is smooth
