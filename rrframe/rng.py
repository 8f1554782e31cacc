"""Keyed randomness: every random choice is a pure function of a path of names, so nothing depends on order, process
or worker count.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

_SEPARATOR = b"\x1f"


@dataclass(frozen=True, slots=True)
class Key:
    """A place in the tree of randomness, such as (run seed, image key, variant, step id).

    Keys with different paths are independent; a child never depends on its siblings, so inserting a step leaves the
    draws of the others alone.

    Source: counter-based generation after Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", with
    BLAKE2b as the function.
    """

    path: tuple[str, ...] = ()

    @classmethod
    def of(cls, *parts: object) -> Key:
        """The key at ``parts``, each named by its ``str``."""
        return cls(tuple(str(part) for part in parts))

    def child(self, *parts: object) -> Key:
        return Key(self.path + tuple(str(part) for part in parts))

    @property
    def seed(self) -> int:
        """A 63-bit integer for this key, the same in every process and on every machine."""
        hasher = hashlib.blake2b(digest_size=8)
        for part in self.path:
            data = part.encode("utf-8", "surrogatepass")  # a file name need not be UTF-8
            hasher.update(len(data).to_bytes(4, "little") + data + _SEPARATOR)
        return int.from_bytes(hasher.digest(), "little") >> 1

    def random(self) -> random.Random:
        """A fresh generator of numbers for this key.

        The standard library's, since its stream is the same in every version.
        """
        return random.Random(self.seed)
