"""Blur that rings."""

from __future__ import annotations

import math

import numpy as np
import torch

from rrframe import Cues, Degradation, Dial, Draws, uniform
from rrframe.imaging import psf
from rrframe.imaging.filters import convolve
from rrframe_degradations.blur.optics import per_mille

_HALF = math.sqrt(2 * math.log(2))  # a Gaussian of deviation s halves the contrast at the frequency _HALF / s


class Sinc(Degradation):
    """The ideal low-pass filter k(r) = c J1(c r) / (2 pi r), whose edges ring: what resizing and oversharpening leave.

    It acts on encoded values, as software does. It cuts off at the frequency c where a Gaussian of deviation ``sigma``
    halves the contrast.

    Source: Wang et al. 2021, "Real-ESRGAN", section 3.3, eq. 6; there c is pi / 5 to pi, a sigma up to 1.9 pixels.
    Cannot: ringing along one direction only, or around the edges of 8 x 8 blocks alone, as codecs leave it.
    """

    category = "blur"
    light = "encoded"
    sigma: Dial = uniform(
        0.5, 4.0, mild=0.0, low=0.0, high=100.0, power=1.2, unit="1/1000 of the shorter side", about="as of a Gaussian"
    )

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        kernels = [self._kernel(sigma * per_mille(images)) for sigma in draw.each("sigma")]
        return convolve(images, psf.stacked(kernels)).clamp_(0.0, 1.0)

    @staticmethod
    def _kernel(sigma: float) -> np.ndarray:
        return psf.sinc(_HALF / sigma if sigma > 0 else math.inf)
