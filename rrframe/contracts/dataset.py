"""Datasets: finished pairs of degraded and clean pictures, to train on or to measure with."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, overload

import numpy as np

from rrframe.contracts.component import Component
from rrframe.errors import RRFrameError


class NotKept(RRFrameError):
    """A pair that its own recipe drops. It is passed over, and not counted among those that cannot be read."""


class Item(NamedTuple):
    """A pair as a listing has it.

    ``picture`` names the clean picture that it was made from, the same for all pairs made of one: those that are held
    out are chosen by it.
    """

    key: str
    task: str
    picture: str


class Items(Sequence[Item]):
    """A listing whose items are made when they are asked for: a list of a million would take much memory."""

    @abstractmethod
    def item(self, number: int) -> Item:
        """Item ``number``, from 0 to ``len(self)`` - 1."""

    @overload
    def __getitem__(self, number: int) -> Item: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[Item]: ...

    def __getitem__(self, number: int | slice) -> Item | Sequence[Item]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        return self.item(range(len(self))[number])


@dataclass(frozen=True)
class Sample:
    """A pair as it was read.

    Args:
        degraded: ``[H, W, 3]`` uint8 or uint16, encoded sRGB.
        clean: The same size and type.
        meta: What is known of it, such as its record.

    Raises:
        RRFrameError: The sides differ in size or type.
    """

    degraded: np.ndarray
    clean: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        sides = (self.degraded, self.clean)
        sizes = [" x ".join(map(str, side.shape[1::-1])) for side in sides]
        if self.degraded.shape != self.clean.shape:
            raise RRFrameError(f"its sides differ in size: degraded {sizes[0]}, clean {sizes[1]}")
        if self.degraded.dtype != self.clean.dtype:
            raise RRFrameError(f"its sides differ in type: degraded {sides[0].dtype}, clean {sides[1].dtype}")


class Dataset(Component):
    """A list of pairs.

    It is sent to the processes that read, with what it listed, so that all have one list; open files stay behind.
    """

    kind: ClassVar[str] = "dataset"

    @abstractmethod
    def items(self) -> Sequence[Item]:
        """All pairs, in an order that does not change, their keys unique. Listing reads no picture.

        A million may be listed: ``rrframe.pairs.listing.Listing`` keeps them in columns.

        Raises:
            RRFrameError: There is none, or they cannot be listed.
        """

    @abstractmethod
    def read(self, number: int) -> Sample:
        """Pair ``number`` of ``items``.

        Raises:
            RRFrameError: It cannot be read, with a reason that tells a person what is wrong with it.
            NotKept: It is dropped by what would make it.
        """
