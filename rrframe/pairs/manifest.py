"""Manifests: a Parquet file beside each shard with a row for every pair tried.

It is written last, and so commits the shard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rrframe.pairs.files import whole_file
from rrframe.pairs.storage import Storage, storage

SHARDS = "shards"
STATUSES = ("kept", "screened", "rejected", "failed", "quarantined")
"""kept: written. screened: the clean image was dropped.

rejected: the pair was. failed: it could not be made. quarantined: it killed its worker.
"""
UNMADE = ("failed", "quarantined")
"""The statuses that trying again may change."""

# What every row has. Timings are not among them: a manifest is a pure function of recipe and shard number, as its
# shard is.
_COLUMNS = [
    pa.field("index", pa.int64(), nullable=False),
    pa.field("key", pa.string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("variant", pa.int32(), nullable=False),
    pa.field("task", pa.string(), nullable=False),
    pa.field("status", pa.string(), nullable=False),
    pa.field("reason", pa.string()),
    pa.field("width", pa.int32()),
    pa.field("height", pa.int32()),
    pa.field("source_sha256", pa.string()),
    pa.field("verdicts", pa.string()),
    pa.field("record", pa.string()),
]


def manifest_path(folder: Path, shard: int) -> Path:
    """Where the manifest of shard number ``shard`` of the run in ``folder`` lies."""
    return folder / SHARDS / f"{shard:05d}.parquet"


def write_manifest(folder: Path, shard: int, rows: Sequence[Mapping[str, Any]], places: Mapping[str, str]) -> None:
    """Write the manifest of a shard.

    Args:
        folder: The run's folder.
        shard: The shard's number.
        rows: A row for every pair tried, by column.
        places: The sink's own columns with their types (``int64`` or ``string``): where in the shard a pair lies.
    """
    own = [pa.field(name, pa.type_for_alias(kind)) for name, kind in places.items()]
    table = pa.Table.from_pylist([_plain(row) for row in rows], schema=pa.schema([*_COLUMNS, *own]))
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd")
    with whole_file(manifest_path(folder, shard)) as file:  # through Python, so that a full disk is told as such
        file.write(buffer.getvalue())


def read_manifest(path: Path, columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """The rows of the manifest at ``path``, a batch at a time."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=512, columns=columns):
            yield from batch.to_pylist()


def finished_shards(folder: Path) -> dict[int, Path]:
    """The manifests of all shards of the run in ``folder`` that are finished, by number."""
    return {number: folder / name for number, name in manifests(storage(folder)).items()}


def manifests(files: Storage) -> dict[int, str]:
    """The names of all manifests of the run in ``files``, by the number of their shard."""
    names = {PurePosixPath(name).stem: name for name in files.names(".parquet", SHARDS)}
    return {int(stem): name for stem, name in names.items() if stem.isdecimal()}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    # File names need not be valid text; Parquet strings are.
    return {
        name: value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value
        for name, value in row.items()
    }
