"""Still-image codecs on arrays, through OpenCV."""

from __future__ import annotations

import cv2
import numpy as np

_SAMPLING = {
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
}
CHROMA = tuple(_SAMPLING)


def encode_jpeg(pixels: np.ndarray, quality: int, chroma: str = "4:4:4") -> bytes:
    """``[H, W, 3]`` uint8 RGB as a baseline JPEG file of ``quality`` 1 to 100 with the chroma subsampling
    ``4:4:4``, ``4:2:2`` or ``4:2:0``.
    """
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, _SAMPLING[chroma]]
    return _encode(".jpg", pixels, settings)


def encode_png(pixels: np.ndarray, level: int = 1) -> bytes:
    """``[H, W, 3]`` uint8 or uint16 RGB as a PNG file; ``level`` 0 to 9 trades time for size."""
    return _encode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, level])


def encode_webp_lossless(pixels: np.ndarray) -> bytes:
    """``[H, W, 3]`` uint8 RGB as a lossless WebP file."""
    return _encode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, 101])  # OpenCV's way to say lossless


def decode(data: bytes) -> np.ndarray:
    """The image in ``data`` as ``[H, W, 3]`` uint8 RGB, for files that ``encode_*`` made.

    Raises:
        ValueError: It is not an image.
    """
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_BGR)
    if pixels is None:
        raise ValueError("not an image")
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _encode(extension: str, pixels: np.ndarray, settings: list[int]) -> bytes:
    done, data = cv2.imencode(extension, cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), settings)
    if not done:
        raise ValueError(f"cannot encode {pixels.shape} {pixels.dtype} as {extension}")
    return data.tobytes()
