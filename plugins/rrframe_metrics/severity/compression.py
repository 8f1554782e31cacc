"""How hard a photograph was compressed."""

from __future__ import annotations

import numpy as np

from rrframe_metrics.severity.estimator import Estimator, luma

_BLOCK = 8
_STEP = 8.0  # codes; a larger one is an edge of the scene


class Compression(Estimator):
    """Blockiness: how much more luma changes across the borders of 8 x 8 blocks than inside them.

    The grid may begin anywhere, as it does in a crop: the offset with the largest steps is taken. Two figures are
    added, each as a share of all change: the mean step at the borders beyond the mean inside, and the same of steps
    beyond the slopes beside them, cut off at 8 codes.
    Source: after Wang, Sheikh and Bovik, No-reference perceptual quality assessment of JPEG compressed images, 2002,
    eq. 1; the offset and the second figure are our own.
    Cannot: see codecs that smooth their blocks (WebP, AVIF and video: hardly); see compression before a resize; tell
    a grid of 8 pixels in the scene from one of a codec.
    """

    category = "compression"
    half = 0.57
    steepness = 0.87

    def measure(self, picture: np.ndarray) -> float:
        codes = luma(picture) * 255
        across, down = _steps(codes), _steps(np.ascontiguousarray(codes.T))
        border, inside, beyond, change = np.add(across, down)
        return max(0.0, float((border - inside) / (inside + 0.1) + beyond / (change + 0.5)))


def _steps(codes: np.ndarray) -> tuple[float, float, float, float]:
    """Mean step at the borders, inside, at the borders beyond the slopes, and anywhere; along the rows."""
    steps = np.abs(np.diff(codes, axis=1))
    beyond = np.clip(steps[:, 1:-1] - (steps[:, :-2] + steps[:, 2:]) / 2, -_STEP, _STEP)
    by_offset, jumps = _by_offset(steps), _by_offset(beyond)
    border = int(by_offset.argmax())
    inside = float(np.delete(by_offset, border).mean())
    return float(by_offset[border]), inside, float(jumps.max() - np.median(jumps)), float(steps.mean())


def _by_offset(steps: np.ndarray) -> np.ndarray:
    """The mean at each of the eight offsets."""
    width = steps.shape[1] // _BLOCK * _BLOCK
    return steps[:, :width].mean(axis=0).reshape(-1, _BLOCK).mean(axis=0)
