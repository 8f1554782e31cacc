"""Fields of random numbers, each stream from a seed of its own.

On a CPU the bits are those of SFC64 (Doty-Humphrey, PractRand), a generator on whole numbers: the same on every
machine, kept by numpy from version to version, and with tables several times as fast as torch's and numpy's own laws.
On a GPU they are torch's.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import torch
from scipy.special import ndtri

LEVELS = 1 << 16
"""How many values a table has that fields are looked up in, each as likely as the next."""
ROW = 1024
"""Fields are made in whole rows: one made in strips of so many values has the numbers that it would have as a whole."""


class Stream:
    """Successive, independent fields on a CPU."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.SFC64(seed)

    def normal(self, count: int) -> torch.Tensor:
        """``[count]`` float32 values of the standard normal distribution, each one of 65,536 that are equally likely.

        Mean 0 and variance 1 hold exactly over all of them; none lies beyond 4.4 deviations.
        """
        return torch.from_numpy(self.taken(normal_levels(), count))

    def uniform(self, count: int) -> torch.Tensor:
        """``[count]`` float32 values in [0, 1), multiples of 2^-24."""
        bits = self._bits.random_raw(-(-count // 2)).view(np.uint32)[:count]
        bits >>= 8
        return torch.from_numpy(bits.view(np.int32)).to(torch.float32).mul_(2.0**-24)

    def taken(self, table: np.ndarray, count: int) -> np.ndarray:
        """``[count]`` of the 65,536 values of ``table``, each as likely as the next; of its type, float32 or int16."""
        return np.asarray(cv2.LUT(self._rows(count), table.reshape(1, -1))).reshape(-1)[:count]

    def levels(self, count: int) -> torch.Tensor:
        """``[count]`` whole numbers from 0 to 65,535, int32: the places in the table of what ``taken`` gives."""
        return torch.from_numpy(self._rows(count).reshape(-1)[:count].astype(np.int32))

    def _rows(self, count: int) -> np.ndarray:
        # In rows, for OpenCV has no pictures as wide as that.
        rows = max(1, -(-count // ROW))
        return self._bits.random_raw(rows * ROW // 4).view(np.uint16).reshape(rows, ROW)


class DeviceStream:
    """The same on a GPU, with other numbers."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._device = device
        self._generator = torch.Generator(device).manual_seed(seed)

    def normal(self, count: int) -> torch.Tensor:
        """``[count]`` float32 values of the standard normal distribution."""
        return torch.empty(count, device=self._device).normal_(generator=self._generator)

    def uniform(self, count: int) -> torch.Tensor:
        """``[count]`` float32 values in [0, 1)."""
        return torch.empty(count, device=self._device).uniform_(generator=self._generator)

    def levels(self, count: int) -> torch.Tensor:
        """``[count]`` whole numbers from 0 to 65,535, int32."""
        places = torch.empty(count, device=self._device, dtype=torch.int32)
        return places.random_(0, LEVELS, generator=self._generator)


@lru_cache(maxsize=1)
def normal_levels() -> np.ndarray:
    """``[65536]`` float32: quantiles of the standard normal distribution, in order, of mean 0 and variance 1."""
    quantiles = ndtri((np.arange(LEVELS) + 0.5) / LEVELS)
    return np.asarray(quantiles / quantiles.std(), np.float32)
