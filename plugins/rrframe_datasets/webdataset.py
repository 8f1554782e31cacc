"""The pairs of a synthesis run."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from rrframe import Dataset, Item, RRFrameError, Sample
from rrframe.imaging.codec import decode
from rrframe.pairs.reading import PairFolder

_COLUMNS = ("key", "source", "task", "status")
_PLACES = tuple(f"{which}_{measure}" for which in ("degraded", "clean", "meta") for measure in ("offset", "length"))


class Shards(Dataset):
    """The pairs that a synthesis run wrote, read from its shards by offset: any pair costs one read of its files."""

    path: Path
    """The run's folder."""

    def items(self) -> list[Item]:
        return [Item(row["key"], row["task"], row["source"]) for row in self._rows]

    def read(self, number: int) -> Sample:
        row = self._rows[number]
        sides = {which: self._pairs.member(row, which) for which in ("degraded", "clean")}
        try:
            degraded, clean = decode(sides["degraded"]), decode(sides["clean"])
        except (RRFrameError, ValueError) as error:
            raise RRFrameError(f"pair {row['key']} in {self.path} is damaged: {error}") from error
        return Sample(degraded, clean, json.loads(self._pairs.member(row, "meta")))

    @cached_property
    def _pairs(self) -> PairFolder:
        return PairFolder(self.path)

    @cached_property
    def _rows(self) -> list[dict[str, Any]]:
        kept = [row for row in self._pairs.rows([*_COLUMNS, *_PLACES]) if row["status"] == "kept"]
        if not kept:
            raise RRFrameError(f"no pair in {self.path} was kept", hint="its report tells why")
        return kept
