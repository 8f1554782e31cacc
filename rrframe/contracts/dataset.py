"""Datasets: finished pairs of degraded and clean pictures, to train on or to measure with."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from rrframe.contracts.component import Component


class Item(NamedTuple):
    """A pair as a listing has it.

    ``picture`` names the clean picture that it was made from, the same for all pairs made of one: those that are held
    out are chosen by it.
    """

    key: str
    task: str
    picture: str


@dataclass(frozen=True)
class Sample:
    """A pair as it was read.

    Args:
        degraded: ``[H, W, 3]`` uint8 or uint16, encoded sRGB.
        clean: The same size and type.
        meta: What is known of it, such as its record.
    """

    degraded: np.ndarray
    clean: np.ndarray
    meta: dict[str, Any] = field(default_factory=dict)


class Dataset(Component):
    """A list of pairs."""

    kind: ClassVar[str] = "dataset"

    @abstractmethod
    def items(self) -> Sequence[Item]:
        """All pairs, in an order that does not change. Listing reads no picture.

        Raises:
            RRFrameError: There is none, or they cannot be listed.
        """

    @abstractmethod
    def read(self, number: int) -> Sample:
        """Pair ``number`` of ``items``.

        Raises:
            RRFrameError: It cannot be read, with a reason that tells a person what is wrong with it.
        """
