"""Colour profiles of cameras and displays, there and back in floats: three primaries and their curves.

LittleCMS, as Pillow gives it, works at eight bits and cuts off what sRGB cannot show. What a restored photograph goes
back into must do neither.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property, lru_cache

import cv2
import numpy as np

# ICC.1:2022: the primaries of sRGB adapted to D50, as columns, and the numbers of parameters of a curve by its type
_SRGB = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
_PARAMETERS = (1, 3, 4, 5, 7)
_FINE = 65536
_ROWS = 256  # at a time: floats of a whole photograph take eight times its memory


@dataclass(frozen=True, eq=False)
class MatrixProfile:
    """A profile that is a curve for each channel and a matrix.

    Args:
        curves: ``[3, 65536]`` float64: the light of each code of 16 bits, by channel; rising.
        to_srgb_light: ``[3, 3]`` float64: from its light to that of sRGB.
    """

    curves: np.ndarray
    to_srgb_light: np.ndarray

    @classmethod
    def read(cls, profile: bytes) -> MatrixProfile | None:
        """The profile in the bytes of an ICC profile for RGB or grey; ``None`` where it is of another kind (tables,
        inks), or broken.
        """
        try:
            return _read(profile)
        except (ValueError, KeyError, IndexError, struct.error, np.linalg.LinAlgError):
            return None

    def to_srgb(self, pixels: np.ndarray) -> np.ndarray:
        """``[H, W, 3]`` uint8 or uint16 as float32, encoded sRGB; below 0 and above 1 where a colour lies beyond it."""
        codes = np.linspace(0, _FINE - 1, np.iinfo(pixels.dtype).max + 1).round().astype(np.int64)
        curves = self.curves[:, codes].astype(np.float32)
        result = np.empty(pixels.shape, np.float32)
        for first in range(0, len(pixels), _ROWS):
            rows = pixels[first : first + _ROWS]
            light = np.stack([curve[rows[..., channel]] for channel, curve in enumerate(curves)], axis=-1)
            result[first : first + _ROWS] = _encoded(light @ self.to_srgb_light.T.astype(np.float32))
        return result

    def changed(self, pixels: np.ndarray, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """``pixels``, whose sRGB was changed from ``before`` to ``after``; where nothing changed, what they were.

        Args:
            pixels: ``[H, W, 3]`` uint8 or uint16 in this profile.
            before: What ``to_srgb`` gave for them.
            after: The same, restored.

        Returns:
            The same shape and type as ``pixels``, in this profile.
        """
        top = np.iinfo(pixels.dtype).max
        result = np.empty_like(pixels)
        for first in range(0, len(pixels), _ROWS):
            rows = slice(first, first + _ROWS)
            change = self._from_srgb(after[rows]) - self._from_srgb(before[rows])
            result[rows] = np.rint(np.clip(pixels[rows] + change * top, 0, top)).astype(pixels.dtype)
        return result

    def _from_srgb(self, colours: np.ndarray) -> np.ndarray:
        light = _linear(colours) @ np.linalg.inv(self.to_srgb_light).T.astype(np.float32)
        # In steps of the encoded light, in which any curve of a display is nearly straight.
        places = np.clip(_encoded(light), 0, 1) * np.float32(_FINE - 1)
        lower = np.minimum(places.astype(np.int32), _FINE - 2)
        share = places - lower
        codes = np.empty_like(light)
        for channel, table in enumerate(self._codes):
            low = lower[..., channel]
            codes[..., channel] = table[low] + share[..., channel] * (table[low + 1] - table[low])
        return codes

    @cached_property
    def _codes(self) -> np.ndarray:
        """``[3, 65536]`` float32: the code of each step of encoded light."""
        light = _linear(np.linspace(0, 1, _FINE))
        return np.stack([np.interp(light, curve, np.linspace(0, 1, _FINE)) for curve in self.curves]).astype(np.float32)


@lru_cache(maxsize=8)
def _read(profile: bytes) -> MatrixProfile | None:
    if len(profile) < 132 or profile[36:40] != b"acsp":
        return None
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * number) for number in range(min(count, 200)))
    tags = {name: profile[start : start + size] for name, start, size in entries}
    space = profile[16:20]
    if b"A2B0" in tags or b"A2B1" in tags:  # tables go before the matrix
        return None
    if space == b"GRAY":
        return MatrixProfile(np.repeat(_curve(tags[b"kTRC"])[None], 3, axis=0), np.eye(3))
    if space != b"RGB ":
        return None
    primaries = np.stack([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=-1)
    curves = np.stack([_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")])
    return MatrixProfile(curves, np.linalg.inv(_SRGB) @ primaries)


def _xyz(tag: bytes) -> np.ndarray:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> np.ndarray:
    """The light of each code of 16 bits."""
    codes = np.linspace(0, 1, _FINE)
    if tag[:4] == b"para":
        curve = _parametric(codes, struct.unpack_from(">H", tag, 8)[0], tag)
    else:
        (count,) = struct.unpack_from(">I", tag, 8)
        values = np.array(struct.unpack_from(f">{count}H", tag, 12))
        if tag[:4] != b"curv":
            raise ValueError("no curve")
        if count == 0:
            curve = codes
        elif count == 1:
            curve = codes ** (values[0] / 256)
        else:
            curve = np.interp(codes, np.linspace(0, 1, count), values / 65535)
    if not np.isfinite(curve).all() or (np.diff(curve) < 0).any() or curve[-1] <= curve[0]:
        raise ValueError("a curve that falls")
    return curve


def _parametric(codes: np.ndarray, kind: int, tag: bytes) -> np.ndarray:
    values = np.array(struct.unpack_from(f">{_PARAMETERS[kind]}i", tag, 12)) / 65536
    gamma, a, b, c, d, e, f = np.pad(values, (0, 7 - len(values)))
    if kind == 0:
        return np.asarray(codes**gamma)
    # Types 1 and 2 begin where their power does, with the constant that stands in the place of c.
    start = -b / a if kind < 3 else d
    offset = {1: 0.0, 2: c, 3: 0.0, 4: e}[kind]
    below = {1: 0.0, 2: c, 3: c * codes, 4: c * codes + f}[kind]
    power = np.maximum(a * codes + b, 0) ** gamma + offset
    return np.asarray(np.where(codes >= start, power, below))


# The curve of sRGB (IEC 61966-2-1), goes on straight below 0.


def _encoded(light: np.ndarray) -> np.ndarray:
    curved = np.asarray(cv2.pow(np.maximum(light, 0.0031308), 1 / 2.4)) * 1.055 - 0.055
    return np.asarray(np.where(light > 0.0031308, curved, 12.92 * light))


def _linear(colours: np.ndarray) -> np.ndarray:
    curved = np.asarray(cv2.pow((np.maximum(colours, 0.04045) + 0.055) / 1.055, 2.4))
    return np.asarray(np.where(colours > 0.04045, curved, colours / 12.92))
