"""The pairs of a synthesis run."""

from __future__ import annotations

import json
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from rrframe import Dataset, RRFrameError, Sample
from rrframe.contracts.dataset import NotKept
from rrframe.imaging.codec import decode
from rrframe.pairs.listing import Listing
from rrframe.pairs.reading import PairFolder

_COLUMNS = ("key", "source", "task", "status")
_PARTS = ("degraded", "clean", "meta")
_PLACES = tuple(f"{part}_{measure}" for part in _PARTS for measure in ("offset", "length"))


class Shards(Dataset):
    """The pairs that a synthesis run wrote, read from its shards by offset: a pair costs one read, wherever it lies.

    A shard that is damaged or gone costs its own pairs, one by one, as they are asked for.
    """

    path: str = Field(min_length=1)
    """The run's folder, or a URL that fsspec knows: ``s3://bucket/run``, ``https://host/run``. Its shards are listed,
    so a web server has to give a list of a folder's files, and to read ranges of them."""
    tried: bool = False
    """Lists pairs that the run dropped too, and passes over them as they come: the same stream then as
    ``pairs/on-the-fly`` has of the same recipe."""

    def items(self) -> Listing:
        return self._listing

    def read(self, number: int) -> Sample:
        row = self._listing.row(number)
        if row["status"] != "kept":
            raise NotKept(f"pair {row['key']} was {row['status']}")
        degraded, clean, meta = self._pairs.members(row, *_PARTS)
        try:
            return Sample(decode(degraded), decode(clean), json.loads(meta))
        except (RRFrameError, ValueError) as error:
            said = error.message if isinstance(error, RRFrameError) else error
            raise RRFrameError(f"pair {row['key']} in {self.path} is damaged: {said}") from error

    @cached_property
    def _pairs(self) -> PairFolder:
        return PairFolder(self.path)

    @cached_property
    def _listing(self) -> Listing:
        rows = self._pairs.table([*_COLUMNS, *_PLACES])
        if not self.tried:
            rows = rows.filter(pc.equal(rows["status"], "kept"))
        if not len(rows):
            raise RRFrameError(f"no pair in {self.path} was kept", hint="its report tells why")
        names = {"key": "key", "task": "task", "picture": "source", "status": "status"}
        columns = {name: rows[column] for name, column in names.items()}
        columns |= {name: _narrowed(rows[name]) for name in _PLACES} | {"shard": rows["shard"]}
        for name in ("task", "status"):
            columns[name] = pc.dictionary_encode(columns[name])
        return Listing(pa.table(columns))


def _narrowed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """At four bytes a number where they suffice, as they do but for offsets in shards of more than 2 GiB."""
    greatest = pc.max(column).as_py() or 0
    return column.cast(pa.int32()) if greatest < 1 << 31 else column
