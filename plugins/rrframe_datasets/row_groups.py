"""Row groups of Parquet files, the last few kept: neighbours are often wanted together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from rrframe import RRFrameError
from rrframe.pairs.storage import Storage

_GROUPS = 4
_FILES = 64


class RowGroups:
    """Reads rows of some columns. It can be sent to processes, where it begins afresh.

    Args:
        files: Where the files lie.
        names: What they are called.
        columns: What is read of them.
    """

    def __init__(self, files: Storage, names: Sequence[str], columns: Sequence[str]) -> None:
        self._files, self._names, self._columns = files, names, columns
        self._opened: OrderedDict[int, pq.ParquetFile] = OrderedDict()
        self._kept: OrderedDict[tuple[int, int], pa.Table] = OrderedDict()

    def __reduce__(self) -> tuple[object, ...]:
        return RowGroups, (self._files, self._names, self._columns)

    def __del__(self) -> None:
        for file in self._opened.values():
            file.close(force=True)

    def row(self, file: int, group: int, place: int) -> dict[str, Any]:
        """Row ``place`` of a row group.

        Raises:
            RRFrameError: The group cannot be read.
        """
        if (file, group) not in self._kept:
            self._kept[file, group] = self._read(file, group)
            if len(self._kept) > _GROUPS:
                self._kept.popitem(last=False)
        self._kept.move_to_end((file, group))
        table = self._kept[file, group]
        return {name: table[name][place].as_py() for name in self._columns}

    def _read(self, file: int, group: int) -> pa.Table:
        try:
            return self._open(file).read_row_group(group, columns=list(self._columns))
        except (OSError, pa.ArrowException) as error:
            place = self._files.place(self._names[file])
            said = " ".join(str(error).split())
            raise RRFrameError(f"row group {group} of {place} cannot be read: {said}") from error

    def _open(self, file: int) -> pq.ParquetFile:
        if file not in self._opened:
            self._opened[file] = pq.ParquetFile(self._files.open(self._names[file]))
            if len(self._opened) > _FILES:
                self._opened.popitem(last=False)[1].close(force=True)
        self._opened.move_to_end(file)
        return self._opened[file]
