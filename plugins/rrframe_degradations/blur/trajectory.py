"""The path of a hand-held camera while the shutter is open."""

from __future__ import annotations

import cmath
import math
import random

import numpy as np

_STEPS = 2000
_LENGTH = 60.0  # of the path, in units in which the pull to the centre was fitted


def wander(generator: random.Random, jerk: float) -> np.ndarray:
    """A random path ``[N, 2]`` around its mean, as long as 1 from end to end where it is longest.

    A step has constant length. Its direction changes by a Gaussian shake and a pull back to the start, both in
    proportion to ``jerk``, and now and then by a sudden turn backwards. ``jerk`` 0 is a straight line, 0.005 a hand,
    0.01 a nervous one.

    Source: Boracchi and Foi 2012, "Modeling the performance of image restoration from motion blur", as Kupyn et al.
    2018, "DeblurGAN", algorithm 1, have it.
    """
    pull = 0.7 * generator.random() * _LENGTH / (_STEPS - 1)
    shake = 10.0 * generator.random()
    turning = 0.2 * generator.random() * jerk
    place, heading = 0j, cmath.rect(1.0, generator.uniform(0.0, 2 * math.pi))
    gusts, turns = _chances(generator.getrandbits(32), jerk * shake, turning)
    places = [place]
    for gust, turn in zip(gusts, turns, strict=True):
        heading += turn * heading + gust - jerk * pull * place
        heading /= abs(heading)
        place += heading
        places.append(place)
    path = np.array(places)
    path -= path.mean()
    return np.stack([path.real, path.imag], axis=1) / _span(path)


def _chances(seed: int, gusty: float, turning: float) -> tuple[list[complex], list[complex]]:
    """What shakes each step, and by what it turns: 0 but for a share ``turning`` of them."""
    numbers = np.random.RandomState(seed)  # whose stream is the same in every version
    gusts = numbers.standard_normal((_STEPS - 1, 2)) @ (gusty, gusty * 1j)
    sudden = numbers.random_sample((_STEPS - 1, 2))
    turns = np.where(sudden[:, 0] < turning, 2 * np.exp(1j * (math.pi + sudden[:, 1] - 0.5)), 0.0)
    return gusts.tolist(), turns.tolist()


def _span(path: np.ndarray) -> float:
    """The greatest width of ``path`` in any of 32 directions."""
    turned = path[:, None] * np.exp(1j * np.pi * np.arange(32) / 32)
    return float(np.ptp(turned.real, axis=0).max())
