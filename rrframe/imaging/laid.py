"""What lies before a picture of eight bits, by tables: veils, and layers of light.

Each code that a pixel may have, under each of 256 amounts of what lies before it, gives one code: a table that costs
less than a pass over a picture in floats. The amounts are spaced by what they change, so that none is farther
from the next than a code of black or of white can tell; a result is within 1 code of that in floats.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch

from rrframe.imaging.colour import light_of_codes, linear_to_encoded, linear_to_pixels, pixels_to_linear
from rrframe.imaging.composite import veiled
from rrframe.imaging.layout import hwc_view

_FINEST = (1 << 16) - 1  # amounts are first told apart in so many steps
_LEVELS = 256
_LEAST = 1e-6  # of amounts that any code can tell
_NODES = 257  # between which the change is taken as even
_MOST = 16.0  # of thickness: nothing is seen through
_IN_CACHE = 1 << 16  # pixels worked on at a time
_FEW = 1 / 16  # of the pixels: it is not worth a table
_ROWS = 128  # that tell how many

Law = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From light ``[1, 1, K]`` and amounts ``[1, N, 1]``, float32, the light seen, ``[3, N, K]`` or, where it is the same
for all channels, ``[1, N, K]``.
"""


def veiled_pixels(pixels: np.ndarray, light: torch.Tensor, thickness: torch.Tensor) -> np.ndarray:
    """What ``composite.veiled`` does, to a picture of eight bits: J t + L (1 - t) with t = exp(-thickness).

    Args:
        pixels: ``[H, W, 3]`` uint8, encoded.
        light: L, linear, ``[1, 3, 1, 1]`` float32 on a CPU, from 0.
        thickness: ``[1, 1, H, W]`` float32, from 0.

    Returns:
        The same, encoded; ``pixels`` themselves where nothing is in front of any.
    """
    thick = hwc_view(thickness[0])[..., 0]
    most = min(float(thick.max()), _MOST)
    if most <= 0:
        return pixels
    if _covered(thick) < _FEW:
        return _veiled_one_by_one(pixels, light, thick)
    shining = light.reshape(3, 1, 1).numpy()
    amounts = np.asarray(cv2.addWeighted(thick, _FINEST / most, thick, 0.0, 0.0, dtype=cv2.CV_16U))
    return _seen(pixels, amounts, most, lambda behind, thick: shining + (behind - shining) * np.exp(-thick))


def screened_pixels(pixels: np.ndarray, layer: np.ndarray, strength: float) -> np.ndarray:
    """1 - (1 - J)(1 - s L) for a picture of eight bits: both lights on one film.

    Args:
        pixels: ``[H, W, 3]`` uint8, encoded.
        layer: L, ``[H, W, 3]``: uint8, encoded, or uint16, linear, whose whole range is [0, 1].
        strength: s, from 0; s L counts up to 1.
    """
    return _seen(pixels, layer, strength, lambda behind, lit: 1.0 - (1.0 - behind) * (1.0 - np.minimum(lit, 1.0)))


def added_pixels(pixels: np.ndarray, layer: np.ndarray, strength: float) -> np.ndarray:
    """J + s L, clamped, for a picture of eight bits; the arguments are those of ``screened_pixels``."""
    return _seen(pixels, layer, strength, lambda behind, lit: behind + lit)


def _covered(thick: np.ndarray) -> float:
    """About what share of the pixels something is in front of, by some of the rows."""
    rows = thick[:: max(len(thick) // _ROWS, 1)]
    return cv2.countNonZero(rows) / rows.size


def _veiled_one_by_one(pixels: np.ndarray, light: torch.Tensor, thick: np.ndarray) -> np.ndarray:
    """``pixels``, those that something is in front of by way of floats."""
    places = np.flatnonzero(thick > 0)  # of bits, which is the quick way
    over = torch.from_numpy(thick.take(places)).view(1, 1, 1, -1)
    done = pixels.reshape(-1, 3).copy()
    behind = pixels_to_linear(done.take(places, axis=0)[None])
    done[places] = linear_to_pixels(veiled(behind, light, over)[0])[0]
    return done.reshape(pixels.shape)


def _seen(pixels: np.ndarray, steps: np.ndarray, most: float, law: Law) -> np.ndarray:
    """``pixels`` by ``law`` with amounts in ``steps`` from 0 to ``most``, linear in uint16 and encoded in uint8: ``[H,
    W]`` for all channels, or ``[H, W, 3]``.
    """
    if most < _LEAST:
        return pixels
    if steps.dtype == np.uint8:
        levels, amounts = steps, most * light_of_codes()
    else:
        nearest, amounts = _levels(law, most)
        levels = np.asarray(cv2.LUT(steps, nearest[None]))
    tables = [linear_to_pixels(channel[None]) for channel in _lit(law, light_of_codes()[None, None], amounts)]
    return _through(np.ascontiguousarray(pixels), levels, tables)


def _levels(law: Law, most: float) -> tuple[np.ndarray, np.ndarray]:
    """The nearest level of each step, uint8, and the amounts that the levels stand for: as many codes apart, each from
    the next, for the one of black and white that sees more of it.
    """
    nodes = most * np.linspace(0.0, 1.0, _NODES) ** 2
    ends = linear_to_encoded(_lit(law, np.array([[[0.0, 1.0]]], np.float32), nodes)[None].clamp_(0.0, 1.0))
    change = np.abs(np.diff(ends[0].numpy(), axis=1)).max(axis=(0, 2)).cumsum()
    places = np.concatenate([[0.0], change]) * ((_LEVELS - 1) / max(change[-1], 1e-9))
    borders = np.interp(np.arange(_LEVELS - 1) + 0.5, places, nodes) * (_FINEST / most)
    counts = np.diff(np.ceil(borders), prepend=0.0, append=_FINEST + 1.0).astype(int)
    return np.repeat(np.arange(_LEVELS, dtype=np.uint8), counts), np.interp(np.arange(_LEVELS), places, nodes)


def _lit(law: Law, light: np.ndarray, amounts: np.ndarray) -> torch.Tensor:
    """The light seen of ``light`` ``[1, 1, K]`` under ``amounts`` ``[N]``, a plane a channel."""
    return torch.from_numpy(law(light, amounts.astype(np.float32)[None, :, None]))


def _through(pixels: np.ndarray, levels: np.ndarray, tables: list[np.ndarray]) -> np.ndarray:
    """``pixels`` looked up in the table of their channel at the row of their level; or, where each channel has levels
    of its own, in the only table.
    """
    done = np.empty_like(pixels)
    height = max(1, _IN_CACHE // pixels.shape[1])
    for first in range(0, len(pixels), height):
        rows = slice(first, first + height)
        strip, over = pixels[rows], levels[rows].reshape(len(pixels[rows]), -1)
        if not cv2.countNonZero(over):
            done[rows] = strip
        elif len(tables) == 1:
            done[rows] = _looked_up(strip.reshape(over.shape), over, tables[0]).reshape(strip.shape)
        else:
            planes = zip(cv2.split(strip), tables, strict=True)
            cv2.merge([_looked_up(plane, over, table) for plane, table in planes], dst=done[rows])
    return done


def _looked_up(codes: np.ndarray, levels: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Of each code and level, ``[h, w]`` uint8, what the ``table`` ``[levels, codes]`` has."""
    pairs = cv2.merge([codes, levels]).view("<u2")[..., 0]  # each a place in the table
    return np.asarray(cv2.LUT(pairs, table.reshape(1, -1)))
