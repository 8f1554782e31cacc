"""Noise of any law, by looking up its quantiles at random places.

The same torch code runs on a CPU and on a GPU. For pictures of eight bits on a CPU there are shorter ways, through
OpenCV's tables: from the same stream they give the same noise, rounded to whole codes.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
import torch

from rrframe.imaging.colour import mix
from rrframe.imaging.random import LEVELS, ROW, Stream, normal_levels

_QUANTILES = 4096  # of a table that depends on the light: out to 3.5 standard deviations
_FINER = (LEVELS // _QUANTILES).bit_length() - 1  # bits that a place in those does without
_AT_A_TIME = 1 << 20  # values: of fewer, torch takes longer to begin each step than to do it
_STRIP = 32 * ROW  # pixels of eight bits worked on at a time
_FINE = 4096  # parts of a deviation that correlated noise is made in
_BINS = 64  # of the root of the photon count, 1/8 wide: beyond a root of 8 the law no longer changes its shape


def by_rows(function: Callable[..., torch.Tensor], *fields: torch.Tensor) -> torch.Tensor:
    """``function`` of ``[B, C, H, W]`` fields, which it may take some rows of at a time: then what lies between its
    steps stays in a CPU's cache, and a large picture needs little memory.
    """
    one = fields[0]
    height = one.shape[2]
    rows = max(1, _AT_A_TIME // max(one.numel() // height, 1))
    if one.device.type != "cpu" or rows >= height:
        return function(*fields)
    done = torch.empty_like(one)
    for top in range(0, height, rows):
        done[:, :, top : top + rows] = function(*(field[:, :, top : top + rows] for field in fields))
    return done


def poisson(root: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """What a photon count differs by from its mean, in standard deviations: times ``root`` it is in photons.

    Mean 0 and variance 1 hold exactly over all levels. The shape is that of the Poisson law of a count whose root is
    within 1/16 of ``root``: skewed and in steps where photons are few, normal where they are many.

    Args:
        root: The square root of the photons expected, ``[B, C, H, W]`` float32, at least 0.
        levels: int32 of the same shape, from a draw's ``rng.levels``.
    """
    bins = (root * 8.0).clamp_(max=_BINS - 1.0).to(torch.int32)
    return _taken(_poisson_table(root.device), bins.mul_(_QUANTILES).add_(levels >> _FINER))


def tukey_lambda(shape: torch.Tensor) -> Callable[[torch.Tensor], torch.Tensor]:
    """Tukey's lambda distribution, Q(p) = (p^shape - (1 - p)^shape) / shape: normal to the eye at a shape of 0.14,
    logistic at 0, with heavier tails below.

    Args:
        shape: ``[B, 1, 1, 1]``, other than 0.

    Returns:
        What gives its values for levels, int32 ``[B, C, H, W]``, from a draw's ``rng.levels``.
    """
    p = torch.from_numpy(_probabilities()).to(shape.device)[None]
    power = shape.double().reshape(-1, 1)
    tables = ((p**power - (1.0 - p) ** power) / power).to(torch.float32)
    which = torch.arange(len(tables), device=shape.device, dtype=torch.int32).reshape(-1, 1, 1, 1) * _QUANTILES
    return lambda levels: _taken(tables.reshape(-1), (levels >> _FINER) + which)


def correlated(fields: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Three independent fields ``[B, 3, H, W]`` of variance 1 as three of variance 1 with the correlation ``share``
    ``[B, 1, 1, 1]`` in [0, 1] between any two: at 1 they are the same.
    """
    return mix(fields, _correlating(share))


def _correlating(share: torch.Tensor) -> torch.Tensor:
    """``[B, 3, 3]``: the roots of the correlation matrices."""
    share = share.reshape(-1, 1, 1)
    own = (1.0 - share).sqrt()
    common = ((1.0 + 2.0 * share).sqrt() - own) / 3.0
    return own * torch.eye(3, device=share.device) + common


# Pictures of eight bits
# ---------------------------------------------------------------------------------------------------------------------


def add_normal(pixels: np.ndarray, sigma: float, share: float, stream: Stream) -> np.ndarray:
    """``pixels`` with normal noise, rounded and clipped: what ``correlated`` fields of ``stream.normal`` come to.

    Args:
        pixels: ``[H, W, 3]`` uint8.
        sigma: Its deviation, in codes.
        share: The correlation between any two channels, in [0, 1].
        stream: Where it comes from.
    """
    if share == 0.0:
        return add_taken(pixels, np.rint(normal_levels() * np.float32(sigma)).astype(np.int16), stream)
    matrix = _correlating(torch.tensor([share]))[0].numpy() * np.float32(sigma / _FINE)
    table = np.rint(normal_levels() * np.float32(_FINE)).astype(np.int16)
    return add_taken(pixels, table, stream, matrix)


def add_poisson(pixels: np.ndarray, photons: float, scale: float, stream: Stream) -> np.ndarray:
    """``pixels`` with the noise of ``photons`` at white multiplied by ``scale``, rounded and clipped: what ``poisson``
    comes to for ``stream.levels``.

    Args:
        pixels: ``[H, W, 3]`` uint8.
        photons: How many make white.
        scale: What multiplies the noise.
        stream: Where it comes from.
    """
    table = torch.from_numpy(_poisson_codes(photons, scale))
    rows = np.arange(256, dtype=np.int32) * _QUANTILES

    def noisy(strip: np.ndarray, out: np.ndarray) -> None:
        places = torch.from_numpy(np.asarray(cv2.LUT(strip, rows)).reshape(-1))
        places += stream.levels(strip.size) >> _FINER
        torch.index_select(table, 0, places, out=torch.from_numpy(out.reshape(-1)))

    return _by_strips(noisy, pixels)


def add_taken(
    pixels: np.ndarray, table: np.ndarray, stream: Stream, matrix: np.ndarray | None = None, *, channels: int = 3
) -> np.ndarray:
    """``pixels`` with values of ``table`` added, rounded and clipped.

    Args:
        pixels: ``[H, W, 3]`` uint8.
        table: ``[65536]`` int16, each value as likely as the next.
        stream: What says which are taken.
        matrix: ``[3, 3]`` float32, that the values of a pixel's channels go through.
        channels: 3, or 1 for the same value in all three.
    """

    def noisy(strip: np.ndarray, out: np.ndarray) -> None:
        field = stream.taken(table, len(strip) * channels).reshape(-1, 1, channels)
        if channels == 1:
            field = cv2.merge([field] * 3)
        if matrix is not None:
            field = np.asarray(cv2.transform(field, matrix))
        cv2.add(strip, field.reshape(strip.shape), dst=out, dtype=cv2.CV_8U)

    return _by_strips(noisy, pixels)


def _by_strips(function: Callable[[np.ndarray, np.ndarray], None], pixels: np.ndarray) -> np.ndarray:
    """``function`` of ``[N, 3]`` pixels at a time, and of where to put what it makes of them."""
    flat = np.ascontiguousarray(pixels).reshape(-1, 3)
    done = np.empty_like(flat)
    for first in range(0, len(flat), _STRIP):
        function(flat[first : first + _STRIP], done[first : first + _STRIP])
    return done.reshape(pixels.shape)


# Tables
# ---------------------------------------------------------------------------------------------------------------------


def _taken(table: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    # Of torch's ways to look up this is by far the fastest, and it wants the places in one row, as they lie in memory.
    order = places.permute(0, 2, 3, 1)
    return table.index_select(0, order.reshape(-1)).view(order.shape).permute(0, 3, 1, 2)


def _probabilities() -> np.ndarray:
    return (np.arange(_QUANTILES) + 0.5) / _QUANTILES


@lru_cache(maxsize=8)
def _poisson_table(device: torch.device) -> torch.Tensor:
    """``[_BINS * _QUANTILES]``: for each bin the quantiles of its Poisson law, brought to mean 0 and variance 1."""
    rows = []
    for root in (np.arange(_BINS) + 0.5) / 8.0:
        mean = root * root
        photons = np.arange(int(mean + 10 * root) + 10)
        logarithms = photons * np.log(mean) - mean - np.concatenate([[0.0], np.cumsum(np.log(photons[1:]))])
        row = np.searchsorted(np.cumsum(np.exp(logarithms)), _probabilities()).astype(np.float64)
        rows.append((row - row.mean()) / row.std())
    return torch.from_numpy(np.concatenate(rows).astype(np.float32)).to(device)


@lru_cache(maxsize=4)  # a megabyte each
def _poisson_codes(photons: float, scale: float) -> np.ndarray:
    """``[256 * _QUANTILES]`` uint8: for each code the quantiles of the codes that noise makes of it."""
    codes = np.arange(256, dtype=np.float32)
    roots = np.sqrt(codes / 255 * np.float32(photons))
    laws = _poisson_table(torch.device("cpu")).numpy().reshape(_BINS, _QUANTILES)
    noise = laws[np.minimum(roots * 8, _BINS - 1).astype(int)]
    noise *= (roots * np.float32(scale / photons * 255))[:, None]
    noise += codes[:, None]
    return np.asarray(np.rint(noise).clip(0, 255), np.uint8).reshape(-1)
