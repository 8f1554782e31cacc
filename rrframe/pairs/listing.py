"""Lists of pairs in columns, so that a million of them take tens of megabytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from rrframe.contracts.dataset import Item, Items

_CHUNK = 8192


class Listing(Items):
    """The items of a dataset.

    Args:
        table: A row a pair. The columns ``key``, ``task`` and ``picture`` make its ``Item``, ``picture`` being the
            key where there is none; others are the dataset's own.
    """

    def __init__(self, table: pa.Table) -> None:
        self.table = table.combine_chunks()
        names = ["key", "task", "picture"] if "picture" in table.column_names else ["key", "task", "key"]
        self._columns = [self.table.column(name) for name in names]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def item(self, number: int) -> Item:
        return Item(*(column[number].as_py() for column in self._columns))

    def __iter__(self) -> Iterator[Item]:
        for first in range(0, len(self), _CHUNK):
            columns = (column.slice(first, _CHUNK).to_pylist() for column in self._columns)
            yield from map(Item._make, zip(*columns, strict=True))

    def __reduce__(self) -> tuple[object, ...]:
        return Listing, (self.table,)

    def row(self, number: int) -> dict[str, Any]:
        """All columns of pair ``number``."""
        return {name: self.table.column(name)[number].as_py() for name in self.table.column_names}
