"""Photographs as files have them, brought to one form: upright, three channels, encoded sRGB."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from rrframe.errors import RRFrameError
from rrframe.imaging.deep import FloatTiff, deep_samples, eight_bits
from rrframe.imaging.photograph import Photograph
from rrframe.imaging.profiles import is_foreign, to_srgb

# Pillow knows these by their first bytes and decodes them not at all or through another program (EPS by Ghostscript,
# which nobody expects a folder of photographs to start).
_NOT_DECODED = frozenset({"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"})
GREY = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
"""Pillow's modes without colour."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_AROUND = 12  # bytes of a chunk besides its data: length, name, checksum
_TRUNCATED = "is truncated: it ends before the picture does"
_PNG_TELLS = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
_WITHOUT_ALPHA = {"LA": "L", "RGBA": "RGB"}
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # EXIF orientation -> what turns the picture upright
    2: lambda pixels: cv2.flip(pixels, 1),
    3: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_180),
    4: lambda pixels: cv2.flip(pixels, 0),
    5: cv2.transpose,
    6: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: cv2.rotate(cv2.transpose(pixels), cv2.ROTATE_180),
    8: lambda pixels: cv2.rotate(pixels, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def read_photograph(path: str | os.PathLike[str], *, max_pixels: int = 100_000_000) -> Photograph:
    """The picture in the file at ``path``, whatever Pillow decodes, as one form; what had to be done is noted.

    The first of several frames is taken. EXIF orientation is applied. Alpha is composited over white. Grey, palette,
    CMYK, YCbCr and CIELAB become RGB, and colours go from the ICC profile to sRGB. PNG and TIFF of 16 bits keep them,
    unless their profile is another than sRGB: profiles are applied at eight bits. Floats are taken as encoded values
    in [0, 1]. A JPEG file has no checksum: damage inside that its decoder can step over is not seen.

    Args:
        path: A file.
        max_pixels: More are refused by the header, before anything is decoded. Pillow itself refuses more than
            2 * ``PIL.Image.MAX_IMAGE_PIXELS`` in WebP and TIFF files.

    Raises:
        RRFrameError: It cannot be read, with a reason that tells a person what is wrong with it.
    """
    return _opaque(read_layers(path, max_pixels=max_pixels))


def decode_photograph(data: bytes, name: str, *, max_pixels: int = 100_000_000) -> Photograph:
    """The same for a file in memory, called ``name`` in errors.

    Raises:
        RRFrameError: It cannot be read, with a reason that tells a person what is wrong with it.
    """
    with _failures_told(name):
        return _opaque(_layers(data, max_pixels, lambda profile, mode: False))


@dataclass(frozen=True)
class Layers:
    """A picture as read, its alpha apart.

    Args:
        colour: ``[H, W, 3]`` uint8 or uint16, upright, encoded sRGB, or in the file's own profile where that was kept.
        alpha: ``[H, W]`` of the same type, straight; ``None`` without.
        header: What the file was opened as: its ``format``, ``mode``, ``info`` and ``getexif()``.
        sha256: Of the file's bytes.
        notes: What had to be done to get here.
    """

    colour: np.ndarray
    alpha: np.ndarray | None
    header: Image.Image | FloatTiff
    sha256: str
    notes: tuple[str, ...]


def read_layers(
    path: str | os.PathLike[str],
    *,
    max_pixels: int = 100_000_000,
    keeps_profile: Callable[[bytes, str], bool] = lambda profile, mode: False,
) -> Layers:
    """The same as ``read_photograph`` with alpha apart.

    Args:
        path: A file.
        max_pixels: More are refused.
        keeps_profile: Called with the bytes of an ICC profile and Pillow's mode of the picture, says whether colours
            are to stay in it.

    Raises:
        RRFrameError: It cannot be read, with a reason that tells a person what is wrong with it.
    """
    with _failures_told(path):
        return _layers(_bytes_of(path), max_pixels, keeps_profile)


def measure(path: str | os.PathLike[str], *, whole: bool = False) -> tuple[int, int, str]:
    """The height and width of the picture at ``path``, upright, and Pillow's name of its format, by its header.

    Args:
        path: The file.
        whole: Refuse a PNG that ends inside one of its chunks too, as one does whose writer was stopped. Nothing is
            decoded for it.

    Raises:
        RRFrameError: It cannot be read, or is cut off so.
    """
    with _failures_told(path):
        data = _bytes_of(path)
        if whole:
            _refuse_cut_png(data)
        with _quiet:
            header = _open(data)
            sideways = header.format != "TIFF" and _may_lie(header, data) and _orientation(header, []) >= 5
    width, height = header.size
    return (width, height, header.format or "") if sideways else (height, width, header.format or "")


def _refuse_cut_png(data: bytes) -> None:
    if not data.startswith(_PNG):
        return
    place = len(_PNG)
    while place < len(data) and data[place + 4 : place + 8] != b"IEND":
        place += _PNG_AROUND + int.from_bytes(data[place : place + 4])
    if place > len(data):
        raise RRFrameError(_TRUNCATED)


@contextmanager
def _failures_told(path: str | os.PathLike[str]) -> Iterator[None]:
    name = os.fsencode(Path(path).name).decode("utf-8", "backslashreplace")  # a name may be no text at all
    try:
        yield
    except RRFrameError as error:
        raise RRFrameError(f"{name} {error.message}", hint=error.hint) from error.__cause__
    except MemoryError as error:
        raise RRFrameError(f"{name} needs more memory than there is", hint="use fewer workers") from error
    except Exception as error:  # decoders raise anything on damaged data
        raise RRFrameError(f"{name} {_damage(error)}") from error


def extensions() -> frozenset[str]:
    """The file extensions, lower case with their dot, of the formats that ``read_photograph`` knows."""
    decoded = set(_formats())
    return frozenset(extension for extension, name in Image.registered_extensions().items() if name in decoded)


def _formats() -> list[str]:
    Image.init()  # does nothing after the first time
    return [name for name in Image.ID if name not in _NOT_DECODED]


def _layers(data: bytes, max_pixels: int, keeps_profile: Callable[[bytes, str], bool]) -> Layers:
    notes: list[str] = []
    with _quiet:
        colour, alpha, header = _decode(data, max_pixels, keeps_profile, notes)
    return Layers(colour, alpha, header, hashlib.sha256(data).hexdigest(), tuple(notes))


def _opaque(layers: Layers) -> Photograph:
    notes = list(layers.notes)
    pixels = layers.colour if layers.alpha is None else _over_white(layers.colour, layers.alpha, notes)
    return Photograph(pixels=pixels, sha256=layers.sha256, notes=tuple(notes))


def _bytes_of(path: str | os.PathLike[str]) -> bytes:
    try:
        kind = os.stat(path).st_mode
        if stat.S_ISDIR(kind):
            raise RRFrameError("is a folder, not a picture")
        if not stat.S_ISREG(kind):  # reading a pipe would wait for ever
            raise RRFrameError("is a device or a pipe, not a file")
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError as error:
        lost = os.path.islink(path)
        raise RRFrameError("is a link to a file that is not there" if lost else "is not there") from error
    except PermissionError as error:
        raise RRFrameError("may not be read: permission denied", hint="check its owner and mode") from error
    except OSError as error:
        raise RRFrameError(f"cannot be read: {error.strerror or error}") from error


def _decode(
    data: bytes, max_pixels: int, keeps_profile: Callable[[bytes, str], bool], notes: list[str]
) -> tuple[np.ndarray, np.ndarray | None, Image.Image | FloatTiff]:
    picture = _open(data)
    width, height = picture.size
    if width * height > max_pixels:
        raise RRFrameError(
            f"has {width} x {height} = {width * height:,} pixels, more than the {max_pixels:,} allowed",
            hint="where there is memory for it, the source's max_pixels raises the limit",
        )
    profile = picture.info.get("icc_profile")
    if profile and keeps_profile(profile, picture.mode):
        profile = None
    if picture.format == "PNG" and isinstance(picture, Image.Image):
        picture.load()  # its EXIF may come after the pixels
    orientation = _orientation(picture, notes)
    if getattr(picture, "is_animated", False) and picture.format != "PSD":  # which opens as all its layers together
        notes.append("first of several frames")
    colour, alpha = _pixels(picture, data, profile, notes)
    if orientation in _UPRIGHT:
        notes.append(f"turned upright (EXIF {orientation})")
        if picture.format != "TIFF":  # which Pillow and OpenCV turn themselves
            turn = _UPRIGHT[orientation]
            colour, alpha = turn(colour), None if alpha is None else turn(alpha)
    return colour, alpha, picture


def _open(data: bytes) -> Image.Image | FloatTiff:
    """``Image.open`` without its check of the size, whose limit belongs to the whole process; ours follows."""
    if not data:
        raise RRFrameError("is empty (0 bytes)")
    reason = ""
    for name in _formats():
        factory, accept = Image.OPEN[name]
        accepted = accept(data[:16]) if accept else True
        if isinstance(accepted, str):
            reason = f"cannot be read: {accepted}"
        elif accepted:
            try:
                return factory(io.BytesIO(data), "")
            except Image.DecompressionBombError as error:
                raise RRFrameError(f"has more pixels than allowed: {error}") from error
            except Exception as error:  # it may still be of another format
                reason = reason or (f"begins like a {name} file and {_damage(error)}" if accept else "")
    picture = FloatTiff.open(data)
    if picture is None:
        raise RRFrameError(reason or "is not a picture of a known format")
    return picture


def _damage(error: Exception) -> str:
    plain = isinstance(error, (OSError, RuntimeError, SyntaxError, ValueError)) and str(error)
    said = str(error) if plain else f"{type(error).__name__} {error}".rstrip()  # a KeyError says no more than "15"
    if isinstance(error, EOFError) or "truncated" in said.lower() or "requires a buffer" in said:
        return _TRUNCATED
    if "not identified by this driver" in said:
        said = "its header is not whole"
    if "unknown pixel mode" in said or "unsupported" in said.lower():
        return f"is of a kind that is not supported: {said}"
    return f"is damaged: {said}"


def _orientation(picture: Image.Image | FloatTiff, notes: list[str]) -> int:
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a photograph is worth more than its metadata
        notes.append("broken EXIF ignored")
        return 1


def _may_lie(picture: Image.Image | FloatTiff, data: bytes) -> bool:
    """Whether the file may say how to turn it. What a PNG says may come after its pixels, and Pillow decodes these to
    get there: it need not where nothing is called so.
    """
    return picture.format != "PNG" or any(name in data for name in _PNG_TELLS)


def _pixels(
    picture: Image.Image | FloatTiff, data: bytes, profile: bytes | None, notes: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    samples = deep_samples(picture, data, notes)
    if samples is None:
        assert isinstance(picture, Image.Image)
        return _eight_bit_pixels(picture, profile, notes)
    if is_foreign(profile):
        notes.append("16 bits read as 8, at which ICC profiles are applied")
        return _eight_bit_pixels(Image.fromarray(eight_bits(samples)), profile, notes)
    if samples.ndim == 2 or samples.shape[2] == 2:
        notes.append("grey to RGB")
    samples = samples if samples.ndim == 3 else samples[..., None]
    has_alpha = samples.shape[2] in (2, 4)
    colour = samples[..., :-1] if has_alpha else samples
    colour = colour.repeat(3, axis=2) if colour.shape[2] == 1 else np.ascontiguousarray(colour)
    return colour, samples[..., -1] if has_alpha else None


def _eight_bit_pixels(
    picture: Image.Image, profile: bytes | None, notes: list[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    alpha = None
    if picture.has_transparency_data:
        if picture.mode in ("La", "RGBa"):  # premultiplied
            picture = picture.convert(picture.mode.upper())
        alpha = np.asarray(picture.convert("RGBA").getchannel("A"))
        picture = picture.convert(_WITHOUT_ALPHA.get(picture.mode, picture.mode))
    # OpenCV would decode plain JPEG a fifth faster; on damaged files it writes to the terminal.
    return np.asarray(to_srgb(picture, profile, notes)).copy(), alpha  # as it comes from Pillow it is read-only


def _over_white(colour: np.ndarray, alpha: np.ndarray, notes: list[str]) -> np.ndarray:
    """``colour`` ``[H, W, 3]`` with straight ``alpha`` ``[H, W]`` of the same unsigned type, over white."""
    top = np.iinfo(colour.dtype).max
    if alpha.min() == top:
        notes.append("opaque alpha dropped")
        return colour
    notes.append("alpha composited over white")
    cover = (alpha.astype(np.float32) / top)[..., None]
    return np.rint(top - (top - colour.astype(np.float32)) * cover).astype(colour.dtype)


class _Quiet:
    """While any thread is inside, warnings are silent: Pillow warns of odd metadata and large sizes, which are no
    user's concern here.

    ``warnings.catch_warnings`` alone is left in disorder by threads that overlap.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._caught = warnings.catch_warnings(action="ignore")
                self._caught.__enter__()
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._caught.__exit__(None, None, None)


_quiet = _Quiet()
