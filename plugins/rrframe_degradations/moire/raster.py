"""The raster of a liquid-crystal display, as the pixels of a camera see it.

All in closed form, by the Fourier series of the raster: what few samples a sensor pixel would alias does not arise.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from rrframe.imaging.warp import remap

STRIPES = {"rgb": (0, 1, 2), "bgr": (2, 1, 0)}
"""Where the red, green and blue sub-pixels lie in a display pixel, counted from the left."""

_TABLE = 128  # places along a display pixel at which the raster is tabled; it has half as many harmonics


def table(stripes: str, gap: float, jacobian: np.ndarray, sigma: float) -> torch.Tensor:
    """One display pixel, blurred by the lens and integrated over a sensor pixel's square, ``[3, n + 1, n + 1]``
    float32 of mean 1 in each channel: entry ``[c, y, x]`` is what a sensor pixel receives that lies ``x / n`` to the
    right and ``y / n`` below the corner of a display pixel. The last row and column repeat the first.

    Each sub-pixel is a rectangle a third of the display pixel wide, less the gap. Its harmonic k, of frequency
    f = J^T k in cycles a sensor pixel, has the amplitude
    sinc(kx w) sinc(ky h) sinc(fx) sinc(fy) exp(-2 pi^2 sigma^2 f^2).

    Args:
        stripes: A name from ``STRIPES``.
        gap: The black share of a sub-pixel's width and of its height.
        jacobian: ``[2, 2]``, display pixels per sensor pixel.
        sigma: Standard deviation of the lens's point-spread function, in sensor pixels.
    """
    harmonics = np.fft.fftfreq(_TABLE, 1 / _TABLE)
    across, down = np.meshgrid(harmonics, harmonics)
    frequency = np.tensordot(jacobian.T, np.stack([across, down]), axes=1)
    seen = np.sinc(frequency).prod(axis=0) * np.exp(-2 * (math.pi * sigma) ** 2 * np.square(frequency).sum(axis=0))
    lit = np.sinc(across * (1 - gap) / 3) * np.sinc(down * (1 - gap)) * seen
    planes = []
    for stripe in STRIPES[stripes]:
        turned = np.exp(-2j * math.pi * (across * (stripe + 0.5) / 3 + down / 2))
        planes.append(np.fft.ifft2(lit * turned).real * _TABLE**2)
    return torch.from_numpy(np.pad(np.stack(planes), ((0, 0), (0, 1), (0, 1)), mode="wrap").astype(np.float32))


def spread_out(tables: torch.Tensor, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The raster over a whole picture, ``[B, 3, H, W]`` of mean 1.

    Args:
        tables: One an image, ``[B, 3, n + 1, n + 1]``.
        x: The place on the display that each sensor pixel sees, in display pixels, ``[B, 1, H, W]``.
        y: The same.
    """
    return remap(tables, (x - x.floor()).mul_(_TABLE), (y - y.floor()).mul_(_TABLE), "replicate")
