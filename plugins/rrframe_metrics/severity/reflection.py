"""How much of a reflection a photograph has."""

from __future__ import annotations

import cv2
import numpy as np

from rrframe_metrics.severity.estimator import TINY, Estimator, darkest, eroded, luma

_SMOOTHED = 1.5
_SIDE = 7
_LIFT = 0.6


class Reflection(Estimator):
    """A second picture laid over: its faint edges fill the places that one scene leaves smooth, and its light lifts the
    dark ones.

    The slopes of luma under a Gaussian of 1.5 pixels, their mean over their root mean square: small for the few strong
    edges of one scene, larger for two scenes. To it .6 of the mean dark channel is added.
    Source: sparse gradients of single scenes, Levin and Weiss, User Assisted Separation of Reflections from a Single
    Image Using a Sparsity Prior, 2007; the figures made of it are our own.
    Cannot: say much of one picture by itself, since busy or pale scenes measure more than reflections add, and what is
    clean scores from 0 to .8: it is for comparing a picture with itself, before and after; tell reflections from haze
    or noise.
    """

    category = "reflection"
    half = 0.76
    steepness = 8.0

    def measure(self, picture: np.ndarray) -> float:
        grey = cv2.GaussianBlur(luma(picture), (0, 0), _SMOOTHED)
        slopes = cv2.magnitude(np.diff(grey[:-1], axis=1), np.diff(grey[:, :-1], axis=0))
        filled = float(slopes.mean() / np.sqrt(np.square(slopes).mean() + TINY))
        return filled + _LIFT * float(eroded(darkest(picture), _SIDE).mean())
