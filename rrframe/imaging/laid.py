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

from rrframe.imaging.colour import linear_to_encoded, linear_to_pixels, pixels_to_linear
from rrframe.imaging.composite import veiled
from rrframe.imaging.layout import hwc_view

_FINEST = (1 << 16) - 1  # amounts are first told apart in so many steps
_LEVELS = 256
_LEAST = 1e-6  # of amounts that any code can tell
_NODES = 1025  # between which the change is taken as even
_MOST = 16.0  # of thickness: nothing is seen through
_IN_CACHE = 1 << 16  # pixels worked on at a time
_FEW = 1 / 16  # of the pixels: it is not worth a table

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
    rows = thick.max(axis=1)
    first, last = _ends(rows)
    if first == last:
        return pixels
    part, thick = pixels[first:last], thick[first:last]
    if cv2.countNonZero(thick) < _FEW * pixels[..., 0].size:
        seen = _veiled_one_by_one(part.reshape(-1, 3), light, thick.reshape(-1)).reshape(part.shape)
        return np.concatenate([pixels[:first], seen, pixels[last:]])
    most, shining = min(float(rows.max()), _MOST), light.reshape(3, 1, 1).numpy()
    amounts = np.asarray(cv2.addWeighted(thick, _FINEST / most, thick, 0.0, 0.0, dtype=cv2.CV_16U))
    seen = _seen(part, amounts, most, lambda behind, thick: shining + (behind - shining) * np.exp(-thick))
    return seen if len(seen) == len(pixels) else np.concatenate([pixels[:first], seen, pixels[last:]])


def screened_pixels(pixels: np.ndarray, layer: np.ndarray, strength: float) -> np.ndarray:
    """1 - (1 - J)(1 - s L) for a picture of eight bits: both lights on one film.

    Args:
        pixels: ``[H, W, 3]`` uint8, encoded.
        layer: L, linear, ``[H, W, 3]`` uint16, whose whole range is [0, 1].
        strength: s, from 0; s L counts up to 1.
    """
    return _seen(pixels, layer, strength, lambda behind, lit: 1.0 - (1.0 - behind) * (1.0 - np.minimum(lit, 1.0)))


def added_pixels(pixels: np.ndarray, layer: np.ndarray, strength: float) -> np.ndarray:
    """J + s L, clamped, for a picture of eight bits; the arguments are those of ``screened_pixels``."""
    return _seen(pixels, layer, strength, lambda behind, lit: behind + lit)


def _ends(values: np.ndarray) -> tuple[int, int]:
    """Where the first of ``values`` above 0 is, and the place after the last."""
    places = np.flatnonzero(values > 0)
    return (int(places[0]), int(places[-1]) + 1) if len(places) else (0, 0)


def _veiled_one_by_one(pixels: np.ndarray, light: torch.Tensor, thick: np.ndarray) -> np.ndarray:
    """``pixels`` ``[N, 3]``, those that something is in front of by way of floats."""
    places = np.flatnonzero(thick > 0)  # of bits, which is the quick way
    over = torch.from_numpy(thick.take(places)).view(1, 1, 1, -1)
    behind = pixels_to_linear(pixels.take(places, axis=0)[None])
    done = pixels.copy()
    done[places] = linear_to_pixels(veiled(behind, light, over)[0])[0]
    return done


def _seen(pixels: np.ndarray, steps: np.ndarray, most: float, law: Law) -> np.ndarray:
    """``pixels`` by ``law`` with amounts in ``steps`` from 0 to ``most``: ``[H, W]`` for all channels, or ``[H, W,
    3]``.
    """
    if most < _LEAST:
        return pixels
    nearest, amounts = _levels(law, most)
    levels = np.asarray(cv2.LUT(steps, nearest[None]))
    codes = pixels_to_linear(np.arange(256, dtype=np.uint8).reshape(1, -1, 1)).numpy()[0]
    tables = [linear_to_pixels(channel[None]) for channel in _lit(law, codes, amounts)]
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
    """``pixels`` looked up in the table of their channel, or in the only one, at the row of their level."""
    height, width, channels = pixels.shape
    done = np.empty_like(pixels)
    tables = [table.reshape(1, -1) for table in tables] * (channels // len(tables))
    step = max(1, _IN_CACHE // width)
    pair = np.empty((step, width, 2), np.uint8)  # a code and a level: a place in the table
    planes = np.empty((channels, step, width), np.uint8)
    for first in range(0, height, step):
        strip, over = pixels[first : first + step], levels[first : first + step]
        if not cv2.countNonZero(over.reshape(len(over), -1)):
            done[first : first + step] = strip
            continue
        amounts = [*cv2.split(over)] * (channels if over.ndim == 2 else 1)
        for code, amount, table, plane in zip(cv2.split(strip), amounts, tables, planes, strict=True):
            part = pair[: len(strip)]
            cv2.merge([code, amount], dst=part)
            cv2.LUT(part.view("<u2")[..., 0], table, dst=plane[: len(strip)])
        cv2.merge(list(planes[:, : len(strip)]), dst=done[first : first + step])
    return done
