"""What the estimators share: from a measurement in its own unit to a severity from 0 to 1."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import cv2
import numpy as np
import torch

from rrframe import Metric

TINY = 1e-6


class Estimator(Metric):
    """A severity from 0, none, towards 1, of one degradation in one photograph.

    ``measure`` gives a figure m >= 0 in its own unit, and the severity is m^k / (m^k + h^k): .5 where m is ``half``,
    and the steeper around it the larger k, ``steepness``. Both were set on two photographs (astronaut and coffee of
    scikit-image): half is what the middle of the category's dial measures, and with k what is clean scores about .1.

    An estimate, and no judge: it measures what the degradation does to a picture, and whatever else does the same is
    counted too. It follows the severity of one photograph well; photographs differ more than it can know.
    """

    reads = "no-reference"
    higher_is_better = False
    range = (0.0, 1.0)
    least_side = 16

    category: ClassVar[str]
    """The task whose degradation it estimates."""
    half: ClassVar[float]
    steepness: ClassVar[float]

    @abstractmethod
    def measure(self, picture: np.ndarray) -> float:
        """What is measured, 0 or more, of ``[H, W, 3]`` float32 in [0, 1], encoded sRGB."""

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        pictures = images.permute(0, 2, 3, 1).cpu().numpy()
        measured = np.array([self.measure(np.ascontiguousarray(picture)) for picture in pictures])
        odds = (measured / self.half) ** self.steepness
        return torch.from_numpy(odds / (1 + odds)).to(images)


def planes(picture: np.ndarray) -> np.ndarray:
    """``[3, H, W]``: the channels apart. ``cv2.split`` takes several times as long."""
    return np.ascontiguousarray(picture.transpose(2, 0, 1))


def luma(picture: np.ndarray) -> np.ndarray:
    """``[H, W]`` float32: Y' of BT.601, full range."""
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


def darkest(picture: np.ndarray) -> np.ndarray:
    """``[H, W]``: the least of the three channels."""
    red, green, blue = planes(picture)
    return cv2.min(cv2.min(red, green), blue)


def eroded(plane: np.ndarray, side: int) -> np.ndarray:
    """The least value in the square around each pixel, ``side`` pixels wide."""
    return cv2.erode(plane, np.ones((side, side), np.uint8))


def percentile(values: np.ndarray, share: float) -> np.ndarray:
    """What ``np.percentile`` gives for the last axis. NumPy sorts floats with vector instructions, and finds single
    places among them without: a whole sort takes a fifth of the time.
    """
    ordered = np.sort(values)
    place = share / 100 * (ordered.shape[-1] - 1)
    low, beyond = int(place), place % 1
    return ordered[..., low] * (1 - beyond) + ordered[..., math.ceil(place)] * beyond


def percentile_of_plane(plane: np.ndarray, share: float) -> float:
    """Over every second row and column, in a quarter of the time."""
    return float(percentile(plane[::2, ::2].ravel(), share))


def block_means(plane: np.ndarray, side: int) -> np.ndarray:
    """The mean of each whole block of ``side`` x ``side`` pixels, as one row."""
    rows, columns = (length // side for length in plane.shape)
    whole = plane[: rows * side, : columns * side]
    return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA).ravel()
