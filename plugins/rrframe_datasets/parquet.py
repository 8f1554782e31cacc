"""Pairs in Parquet files."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from rrframe import Dataset, Photograph, RRFrameError, Sample
from rrframe.imaging.reading import decode_photograph
from rrframe.pairs.listing import Listing
from rrframe.pairs.storage import Storage, storage
from rrframe_datasets.row_groups import RowGroups
from rrframe_datasets.sides import sample_of


class Parquet(Dataset):
    """Pairs in Parquet files, such as Hugging Face datasets writes: both sides as the bytes of picture files, or as
    ``{bytes, path}``.

    Files are read by row group: a pair costs the reading of its group, unless that was among the last few. Groups of a
    hundred rows or fewer suit pictures, as datasets writes them.
    """

    path: str = Field(min_length=1)
    """A file, or a folder whose Parquet files are read in the order of their names, those in its folders too; or a URL
    that fsspec knows: ``s3://bucket/pairs``, ``hf://datasets/owner/name``."""
    degraded: str = "degraded"
    """The column of degraded pictures."""
    clean: str = "clean"
    """The column of clean ones."""
    task: str | None = None
    """The task of all pairs. By default the column ``task_column`` names each one's."""
    task_column: str = "task"
    """The column of tasks, where ``task`` names none: text, or a ``ClassLabel`` of datasets."""
    key: str | None = None
    """A column of names, unique. By default a pair is called by its file and its number there."""
    picture: str | None = None
    """A column that names the clean picture, where several pairs are made of one: they are held out together."""
    limit: int | None = Field(None, ge=1)
    """Only so many, the first."""

    def items(self) -> Listing:
        return self._listing

    def read(self, number: int) -> Sample:
        row = self._listing.row(number)
        found = self._groups.row(row["file"], row["group"], row["place"])
        degraded, clean = (_photograph(found[column], row["key"], column) for column in (self.degraded, self.clean))
        return sample_of(degraded, clean)

    @cached_property
    def _where(self) -> tuple[Storage, list[str]]:
        if self.path.endswith(".parquet"):
            folder, _, name = self.path.rpartition("/")
            return storage(folder or "."), [name]
        files = storage(self.path)
        names = files.names(".parquet", deep=True)
        if not names:
            raise RRFrameError(f"{self.path} holds no Parquet file", hint="set path to a file or to their folder")
        return files, names

    @cached_property
    def _groups(self) -> RowGroups:
        files, names = self._where
        return RowGroups(files, names, [self.degraded, self.clean])

    @cached_property
    def _listing(self) -> Listing:
        files, names = self._where
        listed = pa.concat_tables([self._listed(files, number, name) for number, name in enumerate(names)])
        if not len(listed):
            raise RRFrameError(f"{self.path} holds no pair: its files have no row")
        listed = listed.slice(0, self.limit) if self.limit else listed
        if self.key and len(listed["key"].unique()) < len(listed):
            raise RRFrameError(f"names in the column {self.key} of {self.path} are not unique", hint="leave key out")
        return Listing(listed)

    def _listed(self, files: Storage, number: int, name: str) -> pa.Table:
        with files.open(name) as opened:
            try:
                file = pq.ParquetFile(opened)
            except pa.ArrowInvalid as error:
                raise RRFrameError(f"{files.place(name)} is no whole Parquet file: {error}") from error
            self._check_columns(files.place(name), file.schema_arrow)
            found = file.read(columns=self._text_columns)
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
        stem, rows = PurePosixPath(name).with_suffix("").as_posix(), sum(sizes)
        columns = {
            "key": pa.array((f"{stem}:{row}" for row in range(rows)), pa.string()),
            "task": pa.repeat(pa.scalar(self.task, pa.string()), rows),
            **{own: _text(found, column, files.place(name)) for own, column in self._texts.items()},
            "file": pa.repeat(pa.scalar(number, pa.int32()), rows),
            "group": np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
            "place": np.concatenate([np.arange(size, dtype=np.int32) for size in sizes or [0]]),
        }
        return pa.table(columns)

    @property
    def _texts(self) -> dict[str, str]:
        """The columns that name something, by what they name."""
        named = {"key": self.key, "task": None if self.task else self.task_column, "picture": self.picture}
        return {own: column for own, column in named.items() if column is not None}

    @property
    def _text_columns(self) -> list[str]:
        return list(dict.fromkeys(self._texts.values()))

    def _check_columns(self, place: str, schema: pa.Schema) -> None:
        for column in (self.degraded, self.clean, *self._text_columns):
            if column not in schema.names:
                hint = "set task" if column == self.task_column and not self.task else "set the columns as they are"
                raise RRFrameError(
                    f"{place} has no column {column}: its columns are {', '.join(schema.names)}", hint=hint
                )


def _photograph(value: Any, key: str, column: str) -> Photograph:
    data = value["bytes"] if isinstance(value, dict) else value
    if data is None:
        path = value["path"] if isinstance(value, dict) else None
        said = f"only a path, {path}" if path else "nothing"
        raise RRFrameError(f"{key} holds {said} in its column {column}", hint="write the files with their bytes")
    return decode_photograph(data, f"{key} ({column})")


def _text(table: pa.Table, column: str, place: str) -> pa.ChunkedArray:
    """A column as text; the numbers of a ``ClassLabel`` by their names.

    Raises:
        RRFrameError: A row has none.
    """
    values = table[column]
    if values.null_count:
        raise RRFrameError(f"{place} has {values.null_count} rows with nothing in the column {column}")
    noted = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
    names = noted.get("info", {}).get("features", {}).get(column, {}).get("names")
    if names and pa.types.is_integer(values.type):
        return pa.array(names, pa.string()).take(values)
    return values.cast(pa.string())
