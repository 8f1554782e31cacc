"""Pictures inside a page."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import cv2
import numpy as np

from rrframe.imaging.codec import decode, encode_jpeg, encode_webp

_QUALITIES = (90, 95, 98)
_CLOSE = 4.0  # mean squared error in levels of 255: two levels cannot be seen, in noise or out of it


@dataclass(frozen=True)
class Picture:
    """A picture as a ``data:`` address, with its size in pixels.

    ``alt`` is for those who cannot see it, ``caption`` and ``detail`` stand below it.
    """

    uri: str
    width: int
    height: int
    alt: str
    caption: str = ""
    detail: str = ""


def picture(pixels: np.ndarray, alt: str, caption: str = "", detail: str = "", quality: int | None = None) -> Picture:
    """``[H, W, 3]`` uint8 encoded sRGB as a picture for a page, without a visible loss.

    A page is there to judge noise and artefacts, so its own compression must not add or remove any: JPEG 4:4:4 at the
    lowest of a few qualities that stays within two levels of 255 (RMS; 42 dB). The highest does so even for pure
    noise. Lossy WebP will not do: it halves the resolution of colour.

    For more pictures than a page can hold so, ``quality``, 0 to 99, makes a preview: WebP, in half the bytes of JPEG.
    The page has to say that it shows previews.
    """
    height, width = pixels.shape[:2]
    return Picture(_data_uri(np.ascontiguousarray(pixels), quality), width, height, alt, caption, detail)


def shrink(pixels: np.ndarray, longest: int) -> np.ndarray:
    """``[H, W, 3]`` uint8 or uint16 scaled down so that its longer side is at most ``longest`` pixels, each the mean
    of those it covers; the same array where it is that small already.
    """
    height, width = pixels.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA))


def _data_uri(pixels: np.ndarray, quality: int | None) -> str:
    kind, data = ("jpeg", _faithful(pixels)) if quality is None else ("webp", encode_webp(pixels, quality))
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _faithful(pixels: np.ndarray) -> bytes:
    data = b""
    for quality in _QUALITIES:
        data = encode_jpeg(pixels, quality)
        if np.square(decode(data).astype(np.float32) - pixels).mean() <= _CLOSE:
            break
    return data
