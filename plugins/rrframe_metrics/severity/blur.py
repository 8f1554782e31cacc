"""How blurred a photograph is."""

from __future__ import annotations

import cv2
import numpy as np

from rrframe_metrics.severity.estimator import TINY, Estimator, luma

_LENGTH = 11


class Blur(Estimator):
    """The share of luma's changes from pixel to pixel that one more blur leaves: little of what is sharp, all of what
    is blurred already. The direction that leaves more is taken.

    Source: Crete, Dolmiere, Ladret and Nicolas, The blur effect: perception and estimation with a new no-reference
    perceptual blur metric, 2007, with a mean over 11 pixels, as ``skimage.measure.blur_effect`` has it.
    Cannot: tell a blurred picture from one of smooth things (sky, skin, bokeh); see blur under noise or grain, which is
    sharp.
    """

    category = "blur"
    half = 0.4
    steepness = 6.4

    def measure(self, picture: np.ndarray) -> float:
        grey = luma(picture)
        return max(_left(grey), _left(np.ascontiguousarray(grey.T)))


def _left(grey: np.ndarray) -> float:
    changes = np.abs(np.diff(grey, axis=0))
    after = np.abs(np.diff(cv2.blur(grey, (1, _LENGTH)), axis=0))
    return float(np.minimum(changes, after).sum() / (changes.sum() + TINY))
