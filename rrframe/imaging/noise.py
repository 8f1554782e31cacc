"""Noise of any law from uniform numbers, by looking up quantiles.

A field of uniform float32 numbers has 24 random bits a pixel: enough for two values of 12 bits each, so that shot
noise and read noise cost one field. The same torch code runs on a CPU and on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch

from rrframe.imaging.colour import mix

LEVELS = 4096
"""How many quantiles a table has: values out to 3.5 standard deviations, each as likely as the next."""
_IN_CACHE = 1 << 16  # values worked on at a time
_BITS = LEVELS.bit_length() - 1
_BINS = 64  # of the root of the photon count, 1/8 wide: beyond a root of 8 the law no longer changes its shape


def by_rows(function: Callable[..., torch.Tensor], *fields: torch.Tensor) -> torch.Tensor:
    """``function`` of ``[B, C, H, W]`` fields, which it may take a few rows of at a time: then what lies between its
    steps stays in a CPU's cache.
    """
    one = fields[0]
    rows = max(1, _IN_CACHE // max(one.numel() // one.shape[2], 1))
    if one.device.type != "cpu" or rows >= one.shape[2]:
        return function(*fields)
    done = torch.empty_like(one)
    for top in range(0, one.shape[2], rows):
        done[:, :, top : top + rows] = function(*(field[:, :, top : top + rows] for field in fields))
    return done


def split(uniform: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two independent levels, int32 from 0 to ``LEVELS - 1``, for every uniform number in [0, 1): the upper and the
    lower half of its bits.
    """
    bits = (uniform * float(LEVELS * LEVELS)).to(torch.int32)
    return bits >> _BITS, bits.bitwise_and_(LEVELS - 1)


def normal(levels: torch.Tensor) -> torch.Tensor:
    """Standard normal values for ``levels`` ``[B, C, H, W]``, of mean 0 and variance 1 over all levels."""
    return _taken(_normal_table(levels.device), levels)


def poisson(root: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """What a photon count differs by from its mean, in standard deviations: times ``root`` it is in photons.

    Mean 0 and variance 1 hold exactly over all levels. The shape is that of the Poisson law of a count whose root is
    within 1/16 of ``root``: skewed and in steps where photons are few, normal where they are many.

    Args:
        root: The square root of the photons expected, ``[B, C, H, W]`` float32, at least 0.
        levels: int32 of the same shape, from ``split``.
    """
    bins = (root * 8.0).clamp_(max=_BINS - 1.0).to(torch.int32)
    return _taken(_poisson_table(root.device), bins.mul_(LEVELS).add_(levels))


def tukey_lambda(shape: torch.Tensor, levels: torch.Tensor) -> torch.Tensor:
    """Values of Tukey's lambda distribution, Q(p) = (p^shape - (1 - p)^shape) / shape: normal to the eye at a shape of
    0.14, logistic at 0, with heavier tails below.

    Args:
        shape: ``[B, 1, 1, 1]``, other than 0.
        levels: int32 ``[B, C, H, W]``, from ``split``.
    """
    p = ((torch.arange(LEVELS, device=shape.device, dtype=torch.float64) + 0.5) / LEVELS)[None]
    power = shape.double().reshape(-1, 1)
    tables = ((p**power - (1.0 - p) ** power) / power).to(torch.float32)
    which = torch.arange(len(tables), device=shape.device, dtype=torch.int32).reshape(-1, 1, 1, 1) * LEVELS
    return _taken(tables.reshape(-1), levels + which if len(tables) > 1 else levels)


def correlated(fields: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Three independent fields ``[B, 3, H, W]`` of variance 1 as three of variance 1 with the correlation ``share``
    ``[B, 1, 1, 1]`` in [0, 1] between any two: at 1 they are the same.
    """
    share = share.reshape(-1, 1, 1)
    own = (1.0 - share).sqrt()
    common = ((1.0 + 2.0 * share).sqrt() - own) / 3.0
    return mix(fields, own * torch.eye(3, device=share.device) + common)


def _taken(table: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    # Of torch's ways to look up this is by far the fastest, and it wants the places in one row, as they lie in memory.
    order = places.permute(0, 2, 3, 1)
    return table.index_select(0, order.reshape(-1)).view(order.shape).permute(0, 3, 1, 2)


def _probabilities() -> np.ndarray:
    return (np.arange(LEVELS) + 0.5) / LEVELS


@lru_cache(maxsize=8)
def _normal_table(device: torch.device) -> torch.Tensor:
    values: torch.Tensor = torch.special.ndtri(torch.from_numpy(_probabilities()))
    return values.div_(values.std(correction=0)).to(device, torch.float32)


@lru_cache(maxsize=8)
def _poisson_table(device: torch.device) -> torch.Tensor:
    """``[_BINS * LEVELS]``: for each bin the quantiles of its Poisson law, brought to mean 0 and variance 1."""
    rows = []
    for root in (np.arange(_BINS) + 0.5) / 8.0:
        mean = root * root
        photons = np.arange(int(mean + 10 * root) + 10)
        logarithms = photons * np.log(mean) - mean - np.concatenate([[0.0], np.cumsum(np.log(photons[1:]))])
        row = np.searchsorted(np.cumsum(np.exp(logarithms)), _probabilities()).astype(np.float64)
        rows.append((row - row.mean()) / row.std())
    return torch.from_numpy(np.concatenate(rows).astype(np.float32)).to(device)
