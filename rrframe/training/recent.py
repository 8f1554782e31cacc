"""What was read last, kept in memory up to a size, so that a small set of pairs is decoded once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from rrframe.contracts.dataset import Sample


class Recent:
    """Samples by source and number.

    Args:
        most: Bytes to keep.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[str, int], Sample] = OrderedDict()
        self._size = 0

    def get(self, source: str, number: int, read: Callable[[str, int], Sample]) -> Sample:
        """The sample, read if it is not kept."""
        place = (source, number)
        if place in self._kept:
            self._kept.move_to_end(place)
            return self._kept[place]
        sample = self._kept[place] = read(source, number)
        self._size += _bytes(sample)
        while self._size > self._most:
            self._size -= _bytes(self._kept.popitem(last=False)[1])
        return sample

    def __reduce__(self) -> tuple[object, ...]:
        return Recent, (self._most,)  # a worker begins with none


def _bytes(sample: Sample) -> int:
    return sample.degraded.nbytes + sample.clean.nbytes
