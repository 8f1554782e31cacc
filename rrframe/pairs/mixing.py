"""Mixing sources of pairs in exact proportions, without any state: what stands at a place of the stream is a pure
function of the place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from rrframe.pairs.shuffle import Shuffle
from rrframe.rng import Key

LARGEST_BLOCK = 1000


class Cell(NamedTuple):
    """The pairs of one task in one source."""

    source: str
    task: str


class Place(NamedTuple):
    """What stands at a place of the stream: pair number ``item`` of the ``cell``, taken for the ``epoch``-th time."""

    cell: Cell
    item: int
    epoch: int


class Mixer:
    """An endless stream of pairs, shuffled, in which every block holds each cell in its exact share.

    Blocks are as small as the proportions allow: 2 : 8 over nine tasks makes 90. Within a cell each pair comes once
    before any comes again. Where shares change over the stream, or are too fine for a block of 1,000, what rounding
    leaves out of a block is made up in the next.

    Args:
        sizes: How many pairs each cell has.
        begin: The share of each cell at the start, relative to the others.
        end: The share of each at place ``over``, and from there on; the shares between lie on a line. By default those
            of the start.
        over: How many places the change takes.
        key: Names the shuffles.

    Raises:
        ValueError: A cell that is wanted has no pair, or nothing is wanted.
    """

    def __init__(
        self,
        sizes: Mapping[Cell, int],
        begin: Mapping[Cell, Fraction],
        end: Mapping[Cell, Fraction] | None = None,
        over: int = 0,
        *,
        key: Key,
    ) -> None:
        ends = (_normalised(begin), _normalised(begin if end is None else end))
        self.cells = tuple(cell for cell in sizes if any(shares.get(cell, 0) > 0 for shares in ends))
        if empty := [cell for cell in self.cells if not sizes[cell]]:
            raise ValueError(f"no pair of {', '.join(map(str, empty))}")
        self._sizes = [sizes[cell] for cell in self.cells]
        self._begin, self._end = ([shares.get(cell, Fraction(0)) for cell in self.cells] for shares in ends)
        self._key = key
        changing = self._begin != self._end and over > 0
        self._over = over if changing else 0
        smallest = _smallest_block(self._end)
        # Large while shares change, so that rounding is fine, and still such that the last shares come out even.
        self.block = LARGEST_BLOCK // smallest * smallest if changing else smallest
        self._counts = self._blocks(math.ceil(over / self.block) if changing else 0)
        self._before = np.concatenate([np.zeros_like(self._counts[:1]), self._counts.cumsum(0)])

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_shuffled"}

    @cached_property
    def _shuffled(self) -> Callable[[Key, int], Shuffle]:
        return lru_cache(maxsize=2 * len(self.cells) + 8)(Shuffle)  # each process has its own

    def __getitem__(self, place: int) -> Place:
        """What stands at ``place``, from 0."""
        number, within = divmod(place, self.block)
        counts = self._counts[min(number, len(self._counts) - 1)]
        slot = self._shuffled(self._key.child("block", number), self.block)[within]
        ends = counts.cumsum()
        cell = int(np.searchsorted(ends, slot, side="right"))
        taken = self._taken(number, cell) + slot - int(ends[cell] - counts[cell])
        epoch, turn = divmod(taken, self._sizes[cell])
        shuffle = self._shuffled(self._key.child("epoch", *self.cells[cell], epoch), self._sizes[cell])
        return Place(self.cells[cell], shuffle[turn], epoch)

    def counts(self, first: int, last: int) -> dict[Cell, int]:
        """How many pairs of each cell stand from place ``first`` to ``last`` (excluded)."""
        found: dict[Cell, int] = dict.fromkeys(self.cells, 0)
        start, stop = -(-first // self.block), last // self.block
        for cell, name in enumerate(self.cells):
            found[name] += max(0, self._taken(stop, cell) - self._taken(start, cell)) if stop > start else 0
        edges = [*range(first, min(last, start * self.block)), *range(max(first, stop * self.block), last)]
        for place in edges if stop >= start else range(first, last):
            found[self[place].cell] += 1
        return found

    def wanted(self, last: int) -> dict[Cell, Fraction]:
        """How many pairs of each cell the shares ask for in the first ``last`` places, to the fraction: what ``counts``
        comes near in whole pairs.
        """
        # The area under shares that lie on a line up to place `over` and stay from there on.
        within = min(last, self._over)
        late = last - within + (Fraction(within**2, 2 * self._over) if self._over else 0)
        return {
            cell: begin * (last - late) + end * late
            for cell, begin, end in zip(self.cells, self._begin, self._end, strict=True)
        }

    def _taken(self, number: int, cell: int) -> int:
        """How many pairs of a cell stand before block ``number``."""
        known = len(self._counts)
        if number < known:
            return int(self._before[number, cell])
        return int(self._before[-1, cell] + (number - known) * self._counts[-1, cell])

    def _blocks(self, changing: int) -> np.ndarray:
        """The count of each cell in each block while shares change, and last in every block after."""
        counts, owed = [], [Fraction(0)] * len(self.cells)
        for number in range(changing):
            middle = Fraction(2 * number + 1, 2 * changing)
            shares = [a + (b - a) * middle for a, b in zip(self._begin, self._end, strict=True)]
            wanted = [share * self.block + debt for share, debt in zip(shares, owed, strict=True)]
            counts.append(_rounded(wanted, self.block))
            owed = [want - count for want, count in zip(wanted, counts[-1], strict=True)]
        lasting = [share * self.block for share in self._end]
        counts.append(_rounded([max(want, Fraction(want > 0)) for want in lasting], self.block))  # none is left out
        return np.array(counts, dtype=np.int64)


def _normalised(shares: Mapping[Cell, Fraction]) -> dict[Cell, Fraction]:
    total = sum(shares.values())
    if total <= 0 or min(shares.values()) < 0:
        raise ValueError("nothing is wanted of any source")
    return {cell: Fraction(share) / total for cell, share in shares.items()}


def _smallest_block(shares: Sequence[Fraction]) -> int:
    return min(math.lcm(*(share.denominator for share in shares)), LARGEST_BLOCK)


def _rounded(wanted: Sequence[Fraction], total: int) -> list[int]:
    """Whole numbers near ``wanted``, none below 0, that add up to ``total``: the largest remainders are rounded up."""
    counts = [max(0, math.floor(want)) for want in wanted]
    by_need = sorted(range(len(wanted)), key=lambda cell: counts[cell] - wanted[cell])
    missing = total - sum(counts)
    for turn in range(abs(missing)):
        cell = by_need[turn % len(by_need)] if missing > 0 else max(range(len(counts)), key=counts.__getitem__)
        counts[cell] += 1 if missing > 0 else -1
    return counts
