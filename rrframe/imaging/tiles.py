"""Tiles: an image larger than a function takes is given to it in overlapping parts, whose seams cannot be seen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch.nn import functional

from rrframe.errors import RRFrameError

Told = Callable[[int, int], None]
"""Is told how many parts are done, and of how many."""

_AT_ONCE = 1024 * 1024  # pixels of several small images or tiles that go through together
_MOST = 16


@dataclass(frozen=True)
class Tiling:
    """How an image is cut: where it is larger than ``side``, into as few tiles as can be, all of one size.

    Args:
        side: The longest side of a tile, in pixels; ``None`` to cut nothing.
        overlap: How many pixels neighbours share at the least; by default an eighth of ``side``. The outer quarter of
            an overlap is for the function to look at and is thrown away; in the middle half one tile fades into the
            next. A function that looks no further than a quarter of the overlap gives what it gives for the whole.
        multiple: The sides of tiles are multiples of this, and so are the places where they begin: a network that
            halves its input sees the same grid in every tile.

    Raises:
        RRFrameError: Tiles would be smaller than ``multiple``, or overlap by more than half.
    """

    side: int | None
    overlap: int | None = None
    multiple: int = 1

    def __post_init__(self) -> None:
        if self.side is None:
            return
        if self.side < 2 * self.multiple:
            raise RRFrameError(f"tiles of {self.side} pixels are too small", hint=f"at least {2 * self.multiple}")
        if self._shared * 2 > self._largest:
            raise RRFrameError(
                f"tiles of {self._largest} pixels cannot overlap by {self._shared}",
                hint=f"at most half, {self._largest // 2 // self.multiple * self.multiple}",
            )

    @property
    def _largest(self) -> int:
        return (self.side or 0) // self.multiple * self.multiple

    @property
    def _shared(self) -> int:
        if self.overlap is None:
            return (self.side or 0) // 8 // self.multiple * self.multiple
        return math.ceil(self.overlap / self.multiple) * self.multiple

    def cuts(self, height: int, width: int) -> bool:
        """Whether an image of that size is cut."""
        return self.side is not None and max(height, width) > self.side

    def count(self, height: int, width: int) -> int:
        """How many tiles an image of that size comes in; 1 if it is not cut."""
        return len(self.spans(height)) * len(self.spans(width)) if self.cuts(height, width) else 1

    def spans(self, length: int) -> list[tuple[int, int]]:
        """Where tiles begin and end along a side of ``length`` pixels; the last may end beyond, at a multiple."""
        step = self.multiple
        whole, largest, shared = math.ceil(length / step), self._largest // step, self._shared // step
        if whole <= largest:
            return [(0, whole * step)]
        count = math.ceil((whole - shared) / (largest - shared))
        size = math.ceil((whole + (count - 1) * shared) / count)
        starts = [number * (whole - size) // (count - 1) for number in range(count)]
        return [(start * step, (start + size) * step) for start in starts]

    def apply(
        self,
        images: torch.Tensor,
        function: Callable[[torch.Tensor], torch.Tensor],
        batch: int | None = None,
        told: Told | None = None,
    ) -> torch.Tensor:
        """``function`` of ``images``, in tiles where they are cut.

        Args:
            images: ``[B, C, H, W]``.
            function: From a batch of images or tiles, at most ``batch`` of them, to as many of the same shape.
            batch: By default as many as have a million pixels together, and one at the least.
            told: Called after each batch of tiles with how many are done, and of how many.

        Returns:
            The same shape, and float32 where they were cut.
        """
        height, width = images.shape[-2:]
        if not self.cuts(height, width):
            many = batch or fitting(height, width)
            return torch.cat([function(images[first : first + many]) for first in range(0, len(images), many)])
        rows, columns = self.spans(height), self.spans(width)
        # Beyond the edge the last pixel goes on, so that every tile has the same size.
        padded = functional.pad(images, (0, columns[-1][1] - width, 0, rows[-1][1] - height), mode="replicate")
        done = torch.zeros_like(padded, dtype=torch.float32)
        places = [(index, row, column) for index in range(len(images)) for row in rows for column in columns]
        fade_down, fade_across = _fades(rows), _fades(columns)
        size = (rows[0][1] - rows[0][0], columns[0][1] - columns[0][0])
        many = batch or fitting(*size)
        for first in range(0, len(places), many):
            some = places[first : first + many]
            tiles = torch.stack([padded[index, :, slice(*row), slice(*column)] for index, row, column in some])
            for (index, row, column), tile in zip(some, function(tiles), strict=True):
                weights = fade_down[row][:, None] * fade_across[column]
                done[index, :, slice(*row), slice(*column)] += tile.to(done) * weights.to(done)
            if told:
                told(min(first + many, len(places)), len(places))
        return done[..., :height, :width]


def fitting(height: int, width: int) -> int:
    """How many images of that size go through together where nobody said: large ones gain nothing by it."""
    return min(_MOST, max(1, _AT_ONCE // (height * width)))


def _fades(spans: list[tuple[int, int]]) -> dict[tuple[int, int], torch.Tensor]:
    """The weights of each tile along one side, which sum to one at every pixel."""
    total = torch.zeros(spans[-1][1], dtype=torch.float64)
    fades = {}
    for number, (start, stop) in enumerate(spans):
        fade = torch.ones(stop - start, dtype=torch.float64)
        if number > 0:
            rise = _rise(spans[number - 1][1] - start)
            fade[: len(rise)] *= rise
        if number + 1 < len(spans):
            rise = _rise(stop - spans[number + 1][0])
            fade[len(fade) - len(rise) :] *= 1 - rise
        fades[start, stop] = fade
        total[start:stop] += fade
    return {(start, stop): fade / total[start:stop] for (start, stop), fade in fades.items()}


def _rise(overlap: int) -> torch.Tensor:
    """From 0 to 1 over the middle half of an overlap, as half a wave of a cosine."""
    places = (torch.arange(overlap, dtype=torch.float64) + 0.5) / max(overlap, 1)
    return torch.sin((2 * places - 0.5).clamp(0, 1) * (torch.pi / 2)) ** 2
