"""How noisy a photograph is."""

from __future__ import annotations

import cv2
import numpy as np

from rrframe_metrics.severity.estimator import Estimator, luma, percentile

_SIDE = 16
_LAPLACIAN = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6  # keeps the deviation of white noise
_NORMAL = 0.6745  # the median of |x| of a standard normal x
_CLIPPED = 0.01


class Noise(Estimator):
    """The deviation of luma noise in smooth places, as a share of the range.

    A mask that is blind to edges and slopes is laid over luma; the median of its absolute values gives a deviation for
    every block of 16 x 16 pixels, and a fifth of the blocks have less than what is told. Blocks with clipped pixels,
    where noise is cut off, are left out.
    Source: Immerkaer, Fast Noise Variance Estimation, 1996, eq. 3; the median absolute deviation as Donoho and
    Johnstone, Ideal spatial adaptation by wavelet shrinkage, 1994.
    Cannot: tell noise from texture that fills the picture (gravel, grass); see coarse grain or pure colour noise in
    full; see noise that compression or a denoiser has smoothed.
    """

    category = "noise"
    half = 0.049
    steepness = 0.73

    def measure(self, picture: np.ndarray) -> float:
        grey = luma(picture)
        deviations = percentile(np.abs(_blocks(cv2.filter2D(grey, -1, _LAPLACIAN))), 50) / _NORMAL
        inside = (_blocks(grey).min(axis=1) > _CLIPPED) & (_blocks(grey).max(axis=1) < 1 - _CLIPPED)
        return float(percentile(deviations[inside] if inside.any() else deviations, 20))


def _blocks(plane: np.ndarray) -> np.ndarray:
    """``[N, 256]``: the whole blocks."""
    rows, columns = (length // _SIDE for length in plane.shape)
    whole = plane[: rows * _SIDE, : columns * _SIDE].reshape(rows, _SIDE, columns, _SIDE)
    return whole.transpose(0, 2, 1, 3).reshape(-1, _SIDE * _SIDE)
