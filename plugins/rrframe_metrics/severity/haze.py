"""How hazy a photograph is."""

from __future__ import annotations

import numpy as np

from rrframe_metrics.severity.estimator import Estimator, darkest, eroded, percentile_of_plane

_SIDE = 15


class Haze(Estimator):
    """The median of the dark channel: without haze, something in almost every place of a picture is dark.

    Source: He, Sun and Tang, Single Image Haze Removal Using Dark Channel Prior, 2009, eq. 5.
    Cannot: tell haze from what is bright and pale itself (snow, white walls, paper), nor from veiling glare; see haze
    at night.
    """

    category = "haze"
    half = 0.4
    steepness = 1.0

    def measure(self, picture: np.ndarray) -> float:
        return percentile_of_plane(eroded(darkest(picture), _SIDE), 50)
