"""How many streaks of rain a photograph has."""

from __future__ import annotations

import cv2
import numpy as np

from rrframe_metrics.severity.estimator import Estimator, block_means, luma, percentile

_SIDE = 16
_EDGE = 0.05  # a steeper slope is an edge of the scene
_ANGLES = np.deg2rad(np.arange(-35, 36, 7))  # of streaks from the upright


class Rain(Estimator):
    """Streaks of one direction all over the picture: how much more luma changes across that direction than along it.

    Slopes are compared in blocks of 16 x 16 pixels, those steeper than .05 a pixel cut off, for directions up to 35
    degrees from the upright; the median over the blocks is taken, since rain is everywhere and things of the scene are
    not, and its root, in shares of the range a pixel.
    Source: the structure tensor, Bigun and Granlund, 1987; its use for rain is our own.
    Cannot: tell rain from upright texture that fills the picture (grain of wood, blinds, reeds, facades); see drops on
    the lens, splashes, or the veil of heavy rain, which hides the streaks behind it.
    """

    category = "rain"
    half = 0.014
    steepness = 2.7

    def measure(self, picture: np.ndarray) -> float:
        grey = luma(picture)
        across, down = (
            np.clip(cv2.Sobel(grey, cv2.CV_32F, *order, ksize=3, scale=1 / 8), -_EDGE, _EDGE)
            for order in ((1, 0), (0, 1))
        )
        excess = block_means(across * across - down * down, _SIDE)
        mixed = block_means(2 * across * down, _SIDE)
        medians = [float(percentile(excess * np.cos(2 * angle) + mixed * np.sin(2 * angle), 50)) for angle in _ANGLES]
        return max(0.0, *medians) ** 0.5
