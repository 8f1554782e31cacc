"""Dealing tasks: in exact proportion to their weights, shuffled, and known for any pair without looking at the
others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from functools import lru_cache

from rrframe.rng import Key

_LARGEST = 1000


class Deck:
    """Cards with task names, dealt again and again, shuffled anew each time.

    A task's cards are spread over the deck, so that even the first few cards come close to the proportions. Nine
    equal tasks make a deck of
    nine: nine pairs cover all.

    Args:
        weights: How often each task is wanted, relative to the others; 0 leaves one out. Proportions finer than one
            in a thousand are rounded.
        seed: The run's.
    """

    def __init__(self, weights: Mapping[str, float], seed: int) -> None:
        self.cards = _cards(weights)
        self.size = sum(self.cards.values())
        self._key = Key.of(seed, "deck")
        self._shuffled = lru_cache(maxsize=4)(self._shuffle)

    def task(self, index: int) -> str:
        """The task of pair number ``index``."""
        return self._shuffled(index // self.size)[index % self.size]

    def _shuffle(self, number: int) -> list[str]:
        places = []
        for task, count in self.cards.items():
            generator = self._key.child(number, task).random()
            places += [((card + generator.random()) / count, task) for card in range(count)]
        return [task for _, task in sorted(places)]

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a deck is made from its recipe, not sent")


def _cards(weights: Mapping[str, float]) -> dict[str, int]:
    """The smallest whole numbers in the proportions of ``weights``, or close to them where those would be large."""
    wanted = {task: Fraction(str(weight)) for task, weight in weights.items() if weight > 0}
    common = math.lcm(*(share.denominator for share in wanted.values()))
    counts = {task: int(share * common) for task, share in wanted.items()}
    divisor = math.gcd(*counts.values())
    counts = {task: count // divisor for task, count in counts.items()}
    total = sum(counts.values())
    if total > _LARGEST:
        counts = {task: max(1, round(count * _LARGEST / total)) for task, count in counts.items()}
    return counts
