"""Sources of clean images."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from rrframe.contracts.component import Component


@dataclass(frozen=True)
class Photograph:
    """A picture as read: upright, three channels, encoded sRGB.

    Args:
        pixels: ``[H, W, 3]`` uint8, or uint16 where the file had more than eight bits; the type's whole range is [0,
            1].
        sha256: Of the file's bytes, so that a record names what it was made from.
        notes: What had to be done to get here, such as ``"turned upright (EXIF 6)"``.
    """

    pixels: np.ndarray
    sha256: str
    notes: tuple[str, ...] = field(default=())


class Source(Component):
    """A list of pictures under keys that do not change."""

    kind: ClassVar[str] = "source"

    @abstractmethod
    def keys(self) -> list[str]:
        """The keys of all pictures, sorted and unique. Listing reads no picture.

        Raises:
            RRFrameError: There is nothing to list, or it cannot be listed.
        """

    @abstractmethod
    def read(self, key: str) -> Photograph:
        """The picture called ``key``.

        Raises:
            RRFrameError: It cannot be read, with a reason that tells a person what is wrong with it.
        """
