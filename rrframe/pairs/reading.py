"""Reading finished pairs: rows from the manifests, members by offset, nothing else touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rrframe.errors import RRFrameError
from rrframe.pairs.manifest import SHARDS, manifests
from rrframe.pairs.storage import storage

_ROWS = 512
_AGAIN = "remove its .parquet file and run again: the shard is made anew"


class PairFolder:
    """The pairs of a run.

    Args:
        folder: The run's folder, or its URL.

    Raises:
        RRFrameError: It holds no finished shard.
    """

    def __init__(self, folder: str | Path) -> None:
        self._files = storage(folder)
        self._manifests = manifests(self._files)
        if not self._manifests:
            raise RRFrameError(
                f"{folder} holds no finished shard", hint="rrframe run writes some; name the folder of its --out"
            )

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Every row of every manifest in order, with the shard's number as ``shard``; only ``columns``, if
        they are named.
        """
        for shard, name in self._manifests.items():
            for batch in self._batches(name, columns):
                for row in batch.to_pylist():
                    yield {"shard": shard, **row}

    def table(self, columns: Sequence[str]) -> pa.Table:
        """The same as one table, for lists too long for a mapping a row."""
        tables = []
        for shard, name in self._manifests.items():
            found = pa.Table.from_batches(list(self._batches(name, columns)))
            tables.append(found.append_column("shard", pa.array([shard] * len(found), pa.int32())))
        return pa.concat_tables(tables)

    def member(self, row: Mapping[str, Any], which: str) -> bytes:
        """The bytes of one file of a pair: ``which`` is ``degraded``, ``clean`` or ``meta``.

        Raises:
            RRFrameError: The row is of a pair that was not kept, or its shard is gone or too short.
        """
        return self.members(row, which)[0]

    def members(self, row: Mapping[str, Any], *which: str) -> list[bytes]:
        """The bytes of some files of a pair, which lie side by side, in one read.

        Raises:
            RRFrameError: As of ``member``.
        """
        spans = []
        for each in which:
            offset, length = row.get(f"{each}_offset"), row.get(f"{each}_length")
            if offset is None or length is None:
                raise RRFrameError(f"pair {row['key']} was {row['status']}, so it has no {each} file")
            spans.append((offset, offset + length))
        first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
        name = f"{SHARDS}/{row['shard']:05d}.tar"
        data = self._files.read(name, first, last - first)
        if len(data) != last - first:
            raise RRFrameError(f"{self._files.place(name)} ends before pair {row['key']}", hint=_AGAIN)
        return [data[begin - first : end - first] for begin, end in spans]

    def _batches(self, name: str, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
        with self._files.open(name) as file:
            try:
                yield from pq.ParquetFile(file).iter_batches(batch_size=_ROWS, columns=columns)
            except pa.ArrowInvalid as error:
                raise RRFrameError(f"{self._files.place(name)} is damaged: {error}", hint=_AGAIN) from error
