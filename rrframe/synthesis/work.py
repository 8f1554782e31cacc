"""What a worker does: make one shard, a pure function of the recipe, the list of the source and the shard's number."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rrframe.contracts.engine import Unit
from rrframe.contracts.sink import ShardWriter
from rrframe.pairs.manifest import write_manifest
from rrframe.recipe.models import SynthesisRecipe
from rrframe.synthesis.making import Attempt, PairMaker
from rrframe.synthesis.plan import Plan, read_listing


@dataclass
class ShardResult:
    """What the run is told of a finished shard."""

    statuses: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    kept: list[tuple[str, str, str]] = field(default_factory=list)
    """(key, task, source) of every pair written."""
    seconds: Counter[str] = field(default_factory=Counter)
    """Time by part: read, screen, degrade, verify, write."""

    def count(self, attempt: Attempt) -> None:
        """Take a pair into account."""
        self.statuses[attempt.status] += 1
        if attempt.status == "kept":
            self.tasks[attempt.plan.task] += 1
            self.kept.append((attempt.plan.key, attempt.plan.task, attempt.plan.source))


class SynthesisWork:
    """Makes shards of the run in ``folder``.

    Args:
        recipe: The run's recipe.
        folder: Its folder, which holds the list of the source.
    """

    def __init__(self, recipe: SynthesisRecipe, folder: Path) -> None:
        self.recipe = recipe
        self.folder = folder

    @cached_property
    def plan(self) -> Plan:
        return Plan(self.recipe, read_listing(self.folder) or [])

    def __getstate__(self) -> dict[str, Any]:
        return {"recipe": self.recipe, "folder": self.folder}

    def __call__(self, unit: Unit, begin: Callable[[int], None]) -> ShardResult:
        indices = self.plan.shard(unit.number)
        coming = () if unit.again else [index for index in indices if index not in unit.quarantined]
        result, maker = ShardResult(), PairMaker(self.plan, coming)
        rows: list[dict[str, Any]] = []
        with self.recipe.sink.open(self.folder, unit.number) as writer:
            for index in indices:
                begin(index)
                if index in unit.quarantined:
                    attempt = Attempt(self.plan.pair(index), "quarantined", unit.quarantined[index])
                else:
                    attempt = maker.make(index)
                place = _written(attempt, writer, maker.seconds)
                rows.append(attempt.row() | place)
                result.count(attempt)
        write_manifest(self.folder, unit.number, rows, self.recipe.sink.places)
        result.seconds = maker.seconds
        return result


def _written(attempt: Attempt, writer: ShardWriter, seconds: Counter[str]) -> dict[str, int | str]:
    """Where the pair lies in the shard, if it is kept; one that cannot be written has failed."""
    place: dict[str, int | str] = {}
    if attempt.rendered is not None and attempt.meta is not None:
        began = time.perf_counter()
        with attempt.settled():
            rendered = attempt.rendered
            place |= writer.add(attempt.plan.key, rendered.degraded, rendered.clean, attempt.meta)
            seconds["write"] += time.perf_counter() - began  # type: ignore[assignment]
    return place
