"""Keyed permutations of whole numbers: a shuffled order in which any place can be asked for alone."""

from __future__ import annotations

from rrframe.rng import Key

_ROUNDS = 4
_MASK = (1 << 64) - 1


class Shuffle:
    """A permutation of 0 to ``size`` - 1, named by a key. It stores nothing: each place is computed.

    Source: a Feistel network of four rounds is a pseudo-random permutation (Luby and Rackoff 1988, "How to construct
    pseudorandom permutations from pseudorandom functions"), walked until it lands within ``size`` (Black and Rogaway
    2002, "Ciphers with arbitrary finite domains").
    """

    def __init__(self, key: Key, size: int) -> None:
        if size < 1:
            raise ValueError(f"a permutation of {size} numbers")
        self.size = size
        self._half = max(1, ((size - 1).bit_length() + 1) // 2)
        self._rounds = tuple(key.child(number).seed for number in range(_ROUNDS))

    def __getitem__(self, place: int) -> int:
        """The number at ``place``."""
        if not 0 <= place < self.size:
            raise IndexError(place)
        number = self._step(place)
        while number >= self.size:
            number = self._step(number)
        return number

    def _step(self, number: int) -> int:
        low = (1 << self._half) - 1
        left, right = number >> self._half, number & low
        for seed in self._rounds:
            left, right = right, left ^ (_mix(right ^ seed) & low)
        return left << self._half | right


def _mix(number: int) -> int:
    """Spreads every bit over all 64: the finaliser of SplitMix64 (Steele, Lea, Flood 2014)."""
    number = (number + 0x9E3779B97F4A7C15) & _MASK
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & _MASK
    return number ^ (number >> 31)
