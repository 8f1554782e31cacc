"""Compression."""

from __future__ import annotations

import numpy as np
import torch

from rrframe import Cues, Degradation, Dial, Draws, choice, integers
from rrframe.imaging.codec import CHROMA, decode, encode_jpeg
from rrframe.imaging.layout import to_batch, to_pixels


class Jpeg(Degradation):
    """A baseline JPEG file, written and read again.

    Source: ITU-T T.81; qualities as web pictures have them, mostly 30 to 95, and worse. The chroma subsampling is a
    dial of its own, since writers differ in it.
    Cannot: progressive files and other writers' quantisation tables, which look alike once decoded.
    """

    category = "compression"
    light = "encoded"
    quality: Dial = integers(15, 95, mild=100, low=1, high=100, power=0.6, about="libjpeg's scale")
    chroma: Dial = choice(*CHROMA, mild="4:4:4", about="chroma subsampling")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        # A codec takes whole files: one image after another, on the CPU.
        done = [
            to_batch(np.asarray(decode(encode_jpeg(to_pixels(image), quality, chroma))))
            for image, quality, chroma in zip(images, draw.each("quality"), draw.each("chroma"), strict=True)
        ]
        return torch.cat(done).to(images.device)
