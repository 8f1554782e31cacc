"""How much moire a photograph has."""

from __future__ import annotations

import cv2
import numpy as np

from rrframe_metrics.severity.estimator import Estimator, luma, percentile_of_plane, planes

_FINE, _COARSE = 1.0, 5.0


class Moire(Estimator):
    """Colour that waves: the median of what the two differences of colour hold between a Gaussian of 1 pixel and one
    of 5, added, as a share of the range. Photographs have edges of colour there, in few places; moire is everywhere.

    Cannot: tell moire from colour noise of some coarseness or from patterns of colour in the scene (fabric, flowers,
    mosaics); see moire without colour, or with bands wider than about 20 pixels.
    """

    category = "moire"
    half = 0.032
    steepness = 2.8

    def measure(self, picture: np.ndarray) -> float:
        red, _, blue = planes(picture)
        grey = luma(picture)
        return sum(percentile_of_plane(np.abs(_band(channel - grey)), 50) for channel in (red, blue))


def _band(plane: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(plane, (0, 0), _FINE) - cv2.GaussianBlur(plane, (0, 0), _COARSE)
