"""How underexposed a photograph is."""

from __future__ import annotations

import math

import cv2
import numpy as np

from rrframe_metrics.severity.estimator import Estimator, percentile_of_plane, planes

_LEAST = 1e-4


class LowLight(Estimator):
    """Stops below white of the mean of two tones in linear light: the median and the brightest twentieth, each of the
    brightest channel.

    Cannot: tell a picture with too little light from one of dark things (a night sky, a black cat), nor see
    underexposure that was brightened afterwards.
    """

    category = "lowlight"
    half = 3.7
    steepness = 1.3

    def measure(self, picture: np.ndarray) -> float:
        red, green, blue = planes(picture)
        brightest = cv2.max(cv2.max(red, green), blue)
        tones = [_linear(percentile_of_plane(brightest, share)) for share in (50, 95)]
        return max(0.0, -math.log2(float(np.mean(tones)) + _LEAST))


def _linear(code: float) -> float:
    """The sRGB curve (IEC 61966-2-1)."""
    return code / 12.92 if code <= 0.04045 else ((code + 0.055) / 1.055) ** 2.4
