"""Point-spread functions: what a lens, a shutter or a filter makes of a point of light.

Each is ``[k, k]`` float32, ``k`` odd, of sum 1, centred. Lengths are in pixels, angles in radians.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

_FINEST = 0.3  # a deviation in pixels: what is narrower, a raster does not show
_LOBES = 13.32  # the fourth zero of the Bessel function J1


def disc(radius: float) -> np.ndarray:
    """Evenly bright within ``radius``; a pixel on the rim has the share of it that is covered."""
    x, y = _places(radius + 1)
    return _unit(np.clip(radius + 0.5 - np.hypot(x, y), 0.0, 1.0))


def polygon(radius: float, blades: int, angle: float) -> np.ndarray:
    """A regular polygon with ``blades`` sides, of the same area as ``disc(radius)``, turned by ``angle``."""
    apothem = radius * math.sqrt(math.pi / (blades * math.tan(math.pi / blades)))
    x, y = _places(apothem / math.cos(math.pi / blades) + 1)
    normals = [angle + 2 * math.pi * blade / blades for blade in range(blades)]
    outermost = np.max([x * math.cos(normal) + y * math.sin(normal) for normal in normals], axis=0)
    return _unit(np.clip(apothem + 0.5 - outermost, 0.0, 1.0))


def generalised_gaussian(sigma: float, ratio: float, angle: float, power: float) -> np.ndarray:
    """exp(-d^(2 power) / 2), d the elliptic distance, scaled so that the standard deviation is ``sigma`` along the axis
    at ``angle`` and ``ratio * sigma`` across it.

    ``power`` 1 is a Gaussian; below, a sharper peak with longer tails; above, a flatter top.

    Source: Pascal et al. 2013, "Parameter estimation for multivariate generalized Gaussian distributions", eq. 1.
    """
    deviation = math.sqrt(0.5 * 2 ** (1 / power) * math.gamma(2 / power) / math.gamma(1 / power))  # where d is r
    reach = (2 * math.log(1e4)) ** (0.5 / power) / deviation  # in deviations: beyond, it is below 1e-4
    along, across = max(sigma, _FINEST), max(sigma * ratio, _FINEST)
    x, y = _places(reach * along)
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    squared = (u / along) ** 2 + (v / across) ** 2
    return _unit(np.exp(-0.5 * (squared * deviation**2) ** power))


def sinc(cutoff: float) -> np.ndarray:
    """The ideal low-pass filter that keeps frequencies up to ``cutoff`` radians per pixel in all directions: it rings.

    Cut at its fourth zero. A raster has no frequencies above pi: with a cutoff beyond it, the filter fades out.

    Source: Wang et al. 2021, "Real-ESRGAN", eq. 6.
    """
    kept = min(cutoff, math.pi)
    x, y = _places(_LOBES / kept)
    distance = np.hypot(x, y)
    centre = distance.shape[0] // 2
    distance[centre, centre] = 1.0
    values = kept * torch.special.bessel_j1(torch.from_numpy(kept * distance)).numpy() / (2 * math.pi * distance)
    values[centre, centre] = kept**2 / (4 * math.pi)
    values *= kept * distance <= _LOBES
    values *= (kept / cutoff) / values.sum()
    values[centre, centre] += 1 - kept / cutoff
    return _unit(values)


def trail(points: np.ndarray) -> np.ndarray:
    """The trail of a point of light that goes along ``points`` ``[N, 2]`` (x, y) at constant pace, spread over the
    pixels on either side of it; centred on its mean place, so that the image stays where it is.
    """
    points = _dense(points - points.mean(axis=0))
    radius = math.ceil(float(np.abs(points).max())) + 1
    size = 2 * radius + 1
    corner = np.floor(points).astype(np.int64)
    share = points - corner
    values = np.zeros(size * size)
    for right in (0, 1):
        for down in (0, 1):
            weights = np.abs(1 - right - share[:, 0]) * np.abs(1 - down - share[:, 1])
            cells = (corner[:, 1] + down + radius) * size + corner[:, 0] + right + radius
            values += np.bincount(cells, weights, minlength=size * size)
    return _unit(values.reshape(size, size))


def stacked(kernels: Sequence[np.ndarray]) -> torch.Tensor:
    """Kernels of several sizes as one tensor ``[B, k, k]``, the smaller ones with zeros around."""
    size = max(len(kernel) for kernel in kernels)
    return torch.from_numpy(np.stack([np.pad(kernel, (size - len(kernel)) // 2) for kernel in kernels]))


def _places(reach: float) -> tuple[np.ndarray, np.ndarray]:
    radius = math.ceil(reach)
    along = np.arange(-radius, radius + 1, dtype=np.float64)
    return along[None, :].repeat(len(along), axis=0), along[:, None].repeat(len(along), axis=1)


def _unit(values: np.ndarray) -> np.ndarray:
    return np.asarray(values / values.sum(), np.float32)


def _dense(points: np.ndarray) -> np.ndarray:
    """``points`` with others between them, half a pixel apart or nearer."""
    longest = float(np.hypot(*np.diff(points, axis=0).T).max())
    times = np.arange(len(points))
    finer = np.linspace(0, len(points) - 1, max(1, math.ceil(2 * longest)) * (len(points) - 1) + 1)
    return np.stack([np.interp(finer, times, points[:, axis]) for axis in (0, 1)], axis=1)
