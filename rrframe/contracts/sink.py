"""Sinks: where finished pairs go, a shard at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from rrframe.contracts.component import Component


class ShardWriter(Protocol):
    """Writes one shard beside its final place; leaving the context with no error puts it there whole, with an
    error leaves nothing.
    """

    def add(
        self, key: str, degraded: np.ndarray, clean: np.ndarray, meta: Mapping[str, Any]
    ) -> Mapping[str, int | str]:
        """Write a pair.

        Args:
            key: Without dots or slashes; rising from call to call.
            degraded: ``[H, W, 3]`` uint8, encoded sRGB.
            clean: The same.
            meta: JSON-able: the task, its prompt, the record.

        Returns:
            Where it lies: columns of the manifest, such as ``degraded_offset``. The same columns for every pair.
        """


class Sink(Component):
    """A format for shards of pairs.

    The run keeps the manifest beside each shard and calls it done only when that is written.
    """

    kind: ClassVar[str] = "sink"
    places: ClassVar[dict[str, str]] = {}
    """The columns that ``ShardWriter.add`` gives, each with its type: ``int64`` or ``string``."""
    pairs_per_shard: int
    """How many pairs are tried for a shard; dropped ones leave it smaller."""

    @abstractmethod
    def open(self, folder: Path, shard: int) -> AbstractContextManager[ShardWriter]:
        """A writer for shard number ``shard`` under ``folder``, which exists. Same calls, same bytes."""

    @abstractmethod
    def path(self, folder: Path, shard: int) -> Path:
        """Where that shard lies once it is written."""
