"""Pictures of more than eight bits a sample, which Pillow opens and mostly cuts down to eight."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import cv2
import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin

from rrframe.errors import RRFrameError

# Tags of TIFF 6.0
_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_ORIENTATION, _PLANES, _FORMATS, _PROFILE = 274, 284, 339, 34675
_WHITE_IS_ZERO, _UNCOMPRESSED, _SEPARATE, _FLOAT = 0, 1, 2, 3
_TOP = 65535
_PNG_END = b"IEND\xaeB`\x82"


@dataclass(frozen=True)
class FloatTiff:
    """A TIFF of floats in colour, which Pillow does not open; as much like a Pillow image as reading needs."""

    format: ClassVar[str] = "TIFF"
    mode: ClassVar[str] = "RGB;F"
    is_animated: ClassVar[bool] = False
    size: tuple[int, int]
    info: dict[str, Any]
    exif: dict[int, Any]

    def getexif(self) -> dict[int, Any]:
        return self.exif

    @classmethod
    def open(cls, data: bytes) -> FloatTiff | None:
        """The header in ``data``; ``None`` where it is of another kind."""
        if not data.startswith(tuple(TiffImagePlugin.PREFIXES)):
            return None
        file = io.BytesIO(data)
        try:
            tags = TiffImagePlugin.ImageFileDirectory_v2(file.read(16 if data[2] == 43 else 8))  # BigTIFF's is longer
            file.seek(tags.next)
            tags.load(file)
        except Exception:
            return None
        # OpenCV reads separate planes wrongly.
        if set(tags.get(_FORMATS, ())) != {_FLOAT} or tags.get(_PLANES) == _SEPARATE:
            return None
        return cls(
            size=(int(tags[_WIDTH]), int(tags[_HEIGHT])),
            info={"icc_profile": tags.get(_PROFILE)},
            exif={_ORIENTATION: tags.get(_ORIENTATION, 1)},
        )


def deep_samples(picture: Image.Image | FloatTiff, data: bytes, notes: list[str]) -> np.ndarray | None:
    """The samples of a picture of more than eight bits.

    Args:
        picture: Opened, not yet decoded.
        data: The file that it was opened from.
        notes: What was done is added here.

    Returns:
        ``[H, W]`` or ``[H, W, C]`` uint16 in the whole range of the type, alpha last (straight, not premultiplied);
        ``None`` where eight bits are all there is, or all that can be had.

    Raises:
        RRFrameError: The samples are no light: integers without a white, or NaN.
    """
    if isinstance(picture, FloatTiff):
        return _from_floats(_by_opencv(data), notes)
    if picture.mode.startswith("I;16"):
        return _grey(picture, notes)
    if picture.mode == "F":
        if picture.format not in ("TIFF", "PPM"):  # telescopes and microscopes
            raise RRFrameError("holds floats, which do not say what white is")
        return _from_floats(_black_is_zero(picture, np.array(picture), 1.0), notes)
    if picture.mode == "I":
        if picture.format != "PPM":  # whose samples Pillow scales to 16 bits
            raise RRFrameError("holds signed or 32-bit integers, which do not say what white is")
        return np.array(picture).astype(np.uint16)
    return _colour(picture, data, notes) if _is_sixteen_bit(picture, data) else None


def eight_bits(samples: np.ndarray) -> np.ndarray:
    """uint16 as uint8, rounded to the nearest."""
    return ((samples.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _is_sixteen_bit(picture: Image.Image, data: bytes) -> bool:
    if picture.format == "PNG":
        return data[24] == 16  # the depth, at its fixed place in the header
    return isinstance(picture, TiffImagePlugin.TiffImageFile) and 16 in picture.tag_v2.get(_BITS, ())


def _grey(picture: Image.Image, notes: list[str]) -> np.ndarray:
    clear = picture.info.get("transparency")
    bits = 16
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        bits = int(picture.tag_v2.get(_BITS, (16,))[0])
    samples = np.array(picture).astype(np.uint16)
    if bits < 16:
        notes.append(f"{bits} bits stretched to 16")
        top = 2**bits - 1
        samples = ((samples.astype(np.uint32) * _TOP + top // 2) // top).astype(np.uint16)
    samples = _black_is_zero(picture, samples, _TOP)
    if clear is None:
        return samples
    return np.stack([samples, np.where(samples == clear, 0, _TOP).astype(np.uint16)], axis=-1)


def _black_is_zero(picture: Image.Image, samples: np.ndarray, top: float) -> np.ndarray:
    # Pillow turns such pictures round at eight bits and forgets to above.
    if isinstance(picture, TiffImagePlugin.TiffImageFile) and picture.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        samples = np.subtract(top, samples, dtype=samples.dtype)
    return samples


def _colour(picture: Image.Image, data: bytes, notes: list[str]) -> np.ndarray | None:
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        tags = picture.tag_v2
        if tags.get(_PLANES) == _SEPARATE and tags.get(_COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED:
            # Pillow and OpenCV give other pictures than the one that is there.
            raise RRFrameError(
                "holds 16 bits in separate planes, uncompressed, which is not supported",
                hint="save it again with interleaved colours",
            )
    # Pillow decodes first: it tells what is wrong with a bad file, where OpenCV would write to the terminal; and its
    # high bytes prove what OpenCV read, which is not to be trusted with separate planes or premultiplied alpha.
    high = np.asarray(picture)
    if picture.format == "PNG":
        # Pillow has read no further than the pixels; one false length beyond takes OpenCV gigabytes.
        PngImagePlugin.PngImageFile(io.BytesIO(data)).verify()
        if _PNG_END not in data:
            raise RRFrameError("is truncated: its last bytes are missing")
    samples = _by_opencv(data) if picture.mode in ("RGB", "RGBA") else None
    if samples is not None and samples.dtype == np.uint16 and samples.shape[:2] == high.shape[:2]:
        extra = samples.shape[2] - high.shape[2]  # a colour declared transparent comes as alpha
        if extra in (0, 1) and np.array_equal(samples[..., : high.shape[2]] >> 8, high):
            return samples
    notes.append("16 bits read as 8")
    return None


def _from_floats(samples: np.ndarray | None, notes: list[str]) -> np.ndarray:
    if samples is None:
        raise RRFrameError("is a damaged TIFF file, or one of a kind that is not known")
    if np.isnan(samples).any():
        raise RRFrameError("holds NaN (not a number) among its pixels")
    outside = np.count_nonzero((samples < 0) | (samples > 1))
    notes.append("floats taken as encoded values in [0, 1]" + (f", {outside} clipped" if outside else ""))
    whole: np.ndarray = np.rint(np.clip(samples, 0, 1) * _TOP).astype(np.uint16)
    return whole


def _by_opencv(data: bytes) -> np.ndarray | None:
    """``[H, W]``, or ``[H, W, C]`` in the order RGBA, of any type; ``None`` where OpenCV will not."""
    with _silent_opencv():
        try:
            samples = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        except cv2.error:
            return None
    if samples is None or samples.ndim != 3:
        return samples
    return samples[..., [2, 1, 0, 3][: samples.shape[2]]]


@contextmanager
def _silent_opencv() -> Iterator[None]:
    """Keeps OpenCV from writing to the terminal what the caller tells better."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)
