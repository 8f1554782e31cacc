"""Photographs to the bytes of files that keep their depth, their alpha and what was said beside them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin, features

from rrframe.errors import RRFrameError
from rrframe.imaging.deep import eight_bits
from rrframe.imaging.originals import Metadata
from rrframe.imaging.writing import SETTINGS

EXTENSIONS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "TIFF": (".tif", ".tiff"),
    "WEBP": (".webp",),
    "AVIF": (".avif",),
}
"""The formats that photographs are saved in, with the endings of their names, the usual one first."""

_AS = {"MPO": "JPEG"}  # several JPEG files in one, of which the first is the photograph
_DEEP = ("PNG", "TIFF")
_WITHOUT_ALPHA = ("JPEG",)
_WITHOUT_GREY = ("WEBP",)
_JPEG_SEGMENT = 65_533  # bytes
_JPEG_XMP = _JPEG_SEGMENT - len(b"http://ns.adobe.com/xap/1.0/\0")
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def saved_as(format_name: str) -> str:
    """The format that a photograph of ``format_name``, as Pillow calls it, is saved in: the same, or else PNG."""
    name = _AS.get(format_name, format_name)
    return name if name in EXTENSIONS and (name != "AVIF" or features.check("avif")) else "PNG"


def encode_photograph(samples: np.ndarray, format_name: str, metadata: Metadata, notes: list[str]) -> bytes:
    """The bytes of a file.

    Args:
        samples: ``[H, W]`` or ``[H, W, C]`` uint8 or uint16: grey or RGB, and then straight alpha.
        format_name: One of ``EXTENSIONS``.
        metadata: What to say beside.
        notes: What the format cannot hold, and so was changed or left out, is added here.

    Raises:
        RRFrameError: The format cannot hold such a picture.
    """
    samples = samples if samples.ndim == 3 else samples[..., None]
    if samples.dtype == np.uint16 and format_name not in _DEEP:
        notes.append(f"16 bits saved as 8, which is all that {format_name} holds")
        samples = eight_bits(samples)
    if samples.shape[2] in (2, 4) and format_name in _WITHOUT_ALPHA:
        notes.append(f"alpha composited over white: {format_name} holds none")
        samples = _over_white(samples)
    try:
        if format_name == "TIFF":
            return _tiff(samples, metadata)
        if format_name == "PNG" and samples.dtype == np.uint16:
            return _deep_png(samples, metadata, notes)
        return _by_pillow(samples, format_name, metadata, notes)
    except (OSError, ValueError, struct.error) as error:
        hint = "save it in another, such as --format png"
        raise RRFrameError(f"it cannot be saved as {format_name}: {error}", hint=hint) from error


def _over_white(samples: np.ndarray) -> np.ndarray:
    colour, alpha = samples[..., :-1].astype(np.float32), samples[..., -1:].astype(np.float32) / 255
    return np.asarray(np.rint(255 - (255 - colour) * alpha).astype(np.uint8))


def _by_pillow(samples: np.ndarray, format_name: str, metadata: Metadata, notes: list[str]) -> bytes:
    picture = Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples, _MODES[samples.shape[2]])
    if picture.mode in ("L", "LA") and format_name in _WITHOUT_GREY:
        picture = picture.convert("RGB" if picture.mode == "L" else "RGBA")
    file = io.BytesIO()
    picture.save(file, format_name, **SETTINGS.get(format_name, {}), **_said(format_name, metadata, notes))
    return file.getvalue()


def _said(format_name: str, metadata: Metadata, notes: list[str]) -> dict[str, object]:
    """``metadata`` as Pillow's ``save`` takes it."""
    exif, xmp = metadata.exif, metadata.xmp
    if format_name == "JPEG" and (len(exif) > _JPEG_SEGMENT or len(xmp) > _JPEG_XMP):
        notes.append("metadata larger than JPEG holds left out")
        exif = exif if len(exif) <= _JPEG_SEGMENT else b""
        xmp = xmp if len(xmp) <= _JPEG_XMP else b""
    said: dict[str, object] = {"icc_profile": metadata.icc, "exif": exif, "dpi": metadata.dpi}
    if format_name == "PNG":
        chunks = PngImagePlugin.PngInfo()
        if xmp:
            chunks.add_itxt("XML:com.adobe.xmp", xmp.decode("utf-8", "replace"))
        said["pnginfo"] = chunks
    else:
        said["xmp"] = xmp
    return {name: value for name, value in said.items() if value}


def _deep_png(samples: np.ndarray, metadata: Metadata, notes: list[str]) -> bytes:
    """Pillow writes PNG of 16 bits in grey alone, and OpenCV without metadata."""
    if samples.shape[2] == 2:
        notes.append("grey with alpha at 16 bits saved as RGB with alpha")
        samples = samples[..., [0, 0, 0, 1]]
    ordered = samples[..., [2, 1, 0, 3][: samples.shape[2]]] if samples.shape[2] > 1 else samples
    done, data = cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 4])
    if not done:
        raise ValueError("OpenCV refused")
    said = _by_pillow(np.zeros((1, 1, 1), np.uint8), "PNG", metadata, notes)
    wanted = (b"iCCP", b"pHYs", b"iTXt", b"eXIf")
    added = b"".join(chunk for name, chunk in _chunks(said) if name in wanted)
    first, *others = [chunk for _, chunk in _chunks(data.tobytes())]
    return b"\x89PNG\r\n\x1a\n" + first + added + b"".join(others)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 8
    while place < len(png):
        (length,) = struct.unpack_from(">I", png, place)
        yield png[place + 4 : place + 8], png[place : place + 12 + length]
        place += 12 + length


def _tiff(samples: np.ndarray, metadata: Metadata) -> bytes:
    """One strip, deflated, each row as differences along it. Pillow writes no colour of 16 bits, OpenCV no metadata."""
    height, width, channels = samples.shape
    rows = samples.astype(samples.dtype.newbyteorder("<"))
    rows[:, 1:] -= samples[:, :-1]  # modulo the type's range
    strip = zlib.compress(rows.tobytes(), 6)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if metadata.exif:
        source = Image.Exif()
        source.load(metadata.exif)
        for tag, value in source.items():
            tags[tag] = source.get_ifd(tag) if tag in (34665, 34853) else value
    tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH] = width, height
    tags[TiffImagePlugin.BITSPERSAMPLE] = (samples.dtype.itemsize * 8,) * channels
    tags[TiffImagePlugin.COMPRESSION] = 8  # Deflate
    tags[TiffImagePlugin.PHOTOMETRIC_INTERPRETATION] = 1 if channels < 3 else 2
    tags[TiffImagePlugin.SAMPLESPERPIXEL] = channels
    tags[TiffImagePlugin.PLANAR_CONFIGURATION] = 1
    tags[TiffImagePlugin.PREDICTOR] = 2
    tags[TiffImagePlugin.ROWSPERSTRIP] = height
    tags[TiffImagePlugin.STRIPOFFSETS] = 0  # from the end of the directory; tobytes adds where that is
    tags[TiffImagePlugin.STRIPBYTECOUNTS] = len(strip)
    if channels in (2, 4):
        tags[TiffImagePlugin.EXTRASAMPLES] = 2  # alpha, straight
    if metadata.dpi:
        tags[TiffImagePlugin.X_RESOLUTION], tags[TiffImagePlugin.Y_RESOLUTION] = metadata.dpi
        tags[TiffImagePlugin.RESOLUTION_UNIT] = 2  # inches
    if metadata.icc:
        tags.tagtype[TiffImagePlugin.ICCPROFILE] = 7
        tags[TiffImagePlugin.ICCPROFILE] = metadata.icc
    if metadata.xmp:
        tags.tagtype[700] = 1
        tags[700] = metadata.xmp
    return b"II*\0" + struct.pack("<I", 8) + tags.tobytes(8) + strip
