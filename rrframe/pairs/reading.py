"""Reading finished pairs: rows from the manifests, members by offset, nothing else touched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rrframe.errors import RRFrameError
from rrframe.pairs.manifest import SHARDS, finished_shards, read_manifest


class PairFolder:
    """The pairs of a run.

    Args:
        folder: The run's folder.

    Raises:
        RRFrameError: It holds no finished shard.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._manifests = finished_shards(self.folder)
        if not self._manifests:
            raise RRFrameError(
                f"{folder} holds no finished shard", hint="rrframe run writes some; name the folder of its --out"
            )

    def rows(self, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        """Every row of every manifest in order, with the shard's number as ``shard``; only ``columns``, if
        they are named.
        """
        for shard, path in self._manifests.items():
            for row in read_manifest(path, columns):
                yield {"shard": shard, **row}

    def member(self, row: Mapping[str, Any], which: str) -> bytes:
        """The bytes of one file of a pair: ``which`` is ``degraded``, ``clean`` or ``meta``.

        Raises:
            RRFrameError: The row is of a pair that was not kept, or its shard is gone or too short.
        """
        offset, length = row.get(f"{which}_offset"), row.get(f"{which}_length")
        if offset is None or length is None:
            raise RRFrameError(f"pair {row['key']} was {row['status']}, so it has no {which} file")
        path = self.folder / SHARDS / f"{row['shard']:05d}.tar"
        try:
            with open(path, "rb") as file:
                file.seek(offset)
                data = file.read(length)
        except OSError as error:
            raise RRFrameError(f"{path} cannot be read: {error.strerror}") from error
        if len(data) != length:
            raise RRFrameError(
                f"{path} ends before pair {row['key']}",
                hint="remove its .parquet file and run again: the shard is made anew",
            )
        return data
