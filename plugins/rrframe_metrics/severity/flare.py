"""How much flare and glare a photograph has."""

from __future__ import annotations

import cv2
import numpy as np

from rrframe_metrics.severity.estimator import Estimator, darkest, eroded, percentile_of_plane

_SIDE = 5
_SHRINK = 4
_GLOW = 25  # of these, across the longer side, is a glow


class Flare(Estimator):
    """Stray light: how far the darkest quarter of the dark channel is lifted, more so where a broad white glow is.

    The lift, a share of the range, is weighed by a half to 1, after the brightest place of the dark channel under a
    Gaussian of a 25th of the longer side.
    Source: veiling glare as an offset, Talvala et al., Veiling Glare in High Dynamic Range Imaging, 2007; the weight is
    our own.
    Cannot: tell flare from haze, which lifts the dark tones too, nor from a bright, pale scene; see ghosts or streaks
    that touch little of the picture.
    """

    category = "flare"
    half = 0.15
    steepness = 1.1

    def measure(self, picture: np.ndarray) -> float:
        dark = eroded(darkest(picture), _SIDE)
        height, width = (max(1, length // _SHRINK) for length in dark.shape)
        small = cv2.resize(dark, (width, height), interpolation=cv2.INTER_AREA)
        glow = float(cv2.GaussianBlur(small, (0, 0), max(width, height) / _GLOW).max())
        return percentile_of_plane(dark, 25) * (1 + glow) / 2
