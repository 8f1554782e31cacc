"""Codecs of still pictures."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from rrframe import Cues, Dial, Draws, FileDegradation, choice, integers
from rrframe.imaging.codec import CHROMA, decode, encode_avif, encode_webp, through_jpeg


class _Still(FileDegradation):
    """A file, written and read again."""

    category = "compression"

    @abstractmethod
    def through(self, pixels: np.ndarray, values: dict) -> np.ndarray:
        """``[H, W, 3]`` uint8 as a file with the drawn ``values`` leaves it."""

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        (one,) = draw
        return self.through(pixels, one.values)


class Jpeg(_Still):
    """A baseline JPEG file, written and read again: blocks of 8 x 8 pixels whose cosine transforms are rounded,
    coefficient by coefficient, to q_k = max(1, round(Q_k S)) with S = 50 / quality below 50 and 2 - quality / 50 from
    there.

    Source: ITU-T T.81, Annex K.1, and the Independent JPEG Group's scale; qualities as web pictures have them, mostly
    30 to 95, and worse. The chroma subsampling is a dial of its own, since writers differ in it.
    Cannot: progressive files and other writers' quantisation tables, which look alike once decoded.
    """

    quality: Dial = integers(15, 95, mild=100, low=1, high=100, power=0.6, about="libjpeg's scale")
    chroma: Dial = choice(*CHROMA, mild="4:4:4", about="chroma subsampling")

    def through(self, pixels: np.ndarray, values: dict) -> np.ndarray:
        return through_jpeg(pixels, values["quality"], values["chroma"])


class Webp(_Still):
    """A lossy WebP file, written and read again: a frame of VP8, whose blocks are predicted from their neighbours and
    whose edges are smoothed, so that it smears where JPEG shows a grid. Its chroma is always 4:2:0, but at quality 100,
    which means without loss.

    Source: RFC 6386 (VP8), RFC 9649 (WebP); qualities 20 to 95 as web servers set them.
    Cannot: other encoders than libwebp, and its slower searches, which save bytes rather than artefacts.
    """

    quality: Dial = integers(5, 95, mild=100, low=0, high=100, power=0.6, about="libwebp's scale")

    def through(self, pixels: np.ndarray, values: dict) -> np.ndarray:
        return decode(encode_webp(pixels, values["quality"]))


class Avif(_Still):
    """An AVIF file, written and read again: a frame of AV1, with large blocks, many predictors and strong filters in
    the loop. What it cannot keep goes soft and flat; there is hardly a grid.

    Source: AV1 Image File Format 1.1 (AOMedia); qualities 10 to 85, about what is set where nobody asks: 52 by
    libgd, 85 by bunny.net's servers. Above, a picture is hardly told from its original: 41 dB at 85.
    Cannot: encoders at slow speeds, which keep more; synthesised film grain.
    """

    quality: Dial = integers(10, 85, mild=100, low=0, high=100, power=0.6, about="libavif's scale")
    chroma: Dial = choice(*CHROMA, mild="4:4:4", about="chroma subsampling")

    def through(self, pixels: np.ndarray, values: dict) -> np.ndarray:
        return decode(encode_avif(pixels, values["quality"], values["chroma"]))
