"""Sources of clean images."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from rrframe.contracts.component import Component
from rrframe.imaging.photograph import Photograph as Photograph


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
