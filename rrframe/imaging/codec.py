"""Still-image codecs on arrays, through OpenCV, and through Pillow where that is faster or knows more."""

from __future__ import annotations

import io

import cv2
import numpy as np
import simplejpeg
from PIL import Image

_SAMPLING = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}
CHROMA = tuple(_SAMPLING)
_LITTLE_SEARCH = {"disable-trellis-quant": "1", "deltaq-mode": "0"}  # as libaom calls it


def encode_jpeg(pixels: np.ndarray, quality: int, chroma: str = "4:4:4") -> bytes:
    """``[H, W, 3]`` uint8 RGB as a baseline JPEG file of ``quality`` 1 to 100 with the chroma subsampling
    ``4:4:4``, ``4:2:2`` or ``4:2:0``.
    """
    return _encode_jpeg(pixels, quality, chroma).tobytes()


def through_jpeg(pixels: np.ndarray, quality: int, chroma: str = "4:4:4") -> np.ndarray:
    """``[H, W, 3]`` uint8 RGB as a baseline JPEG file of these settings leaves it: what ``decode`` gives for what
    ``encode_jpeg`` gives, bit by bit, in nine tenths of the time.
    """
    # By libjpeg-turbo, as OpenCV does it, without its copy of every row.
    return np.asarray(simplejpeg.decode_jpeg(_encode_jpeg(pixels, quality, chroma)))


def encode_png(pixels: np.ndarray, level: int = 1) -> bytes:
    """``[H, W, 3]`` uint8 or uint16 RGB as a PNG file; ``level`` 0 to 9 trades time for size."""
    return _encode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, level]).tobytes()


def encode_webp(pixels: np.ndarray, quality: int) -> bytes:
    """``[H, W, 3]`` uint8 RGB as a WebP file of ``quality`` 0 to 99, its chroma at 4:2:0 whatever the quality, or
    without any loss at 100.
    """
    if quality == 100:
        return encode_webp_lossless(pixels)
    return _encode_pillow(
        pixels, "WEBP", quality=quality, method=1
    )  # of 0 to 6: more search saves bytes, not artefacts


def encode_avif(pixels: np.ndarray, quality: int, chroma: str = "4:2:0") -> bytes:
    """``[H, W, 3]`` uint8 RGB as an AVIF file of ``quality`` 0 to 100 with the chroma subsampling ``4:4:4``,
    ``4:2:2`` or ``4:2:0``.
    """
    # The fastest of 11 speeds, and without what it still searches for, which saves bytes and hardly changes a pixel;
    # the slowest would take a minute. One thread: the cores go to worker processes.
    return _encode_pillow(
        pixels, "AVIF", quality=quality, subsampling=chroma, speed=10, max_threads=1, advanced=_LITTLE_SEARCH
    )


def encode_webp_lossless(pixels: np.ndarray) -> bytes:
    """``[H, W, 3]`` uint8 RGB as a lossless WebP file."""
    return _encode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, 101]).tobytes()  # OpenCV's way to say lossless


def decode(data: bytes) -> np.ndarray:
    """The image in ``data`` as ``[H, W, 3]`` uint8 RGB, for files that ``encode_*`` made.

    Raises:
        ValueError: It is not an image.
    """
    if data[4:12] == b"ftypavif":  # which OpenCV may have been built without
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if pixels is None:
        raise ValueError("not an image")
    return np.asarray(pixels)


def _encode_jpeg(pixels: np.ndarray, quality: int, chroma: str) -> np.ndarray:
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLING[chroma]]
    return _encode(".jpg", pixels, settings)


def _encode(extension: str, pixels: np.ndarray, settings: list[int]) -> np.ndarray:
    done, data = cv2.imencode(extension, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)
    if not done:
        raise ValueError(f"cannot encode {pixels.shape} {pixels.dtype} as {extension}")
    return np.asarray(data)


def _encode_pillow(pixels: np.ndarray, format_name: str, **settings: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format_name, **settings)
    return file.getvalue()
