"""What a worker does: make one shard, a pure function of the recipe, the list of the source and the shard's number."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from rrframe.contracts.component import attributed
from rrframe.contracts.cue import PARTNER
from rrframe.contracts.engine import Unit
from rrframe.contracts.sink import ShardWriter
from rrframe.contracts.source import Photograph
from rrframe.errors import RRFrameError
from rrframe.manager import get_manager
from rrframe.pairs.manifest import write_manifest
from rrframe.recipe.models import SynthesisRecipe
from rrframe.synthesis.plan import PairPlan, Plan, read_listing
from rrframe.synthesis.record import Origin, Record, render


@dataclass
class ShardResult:
    """What the run is told of a finished shard."""

    statuses: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    kept: list[tuple[str, str, str]] = field(default_factory=list)
    """(key, task, source) of every pair written."""
    seconds: Counter[str] = field(default_factory=Counter)
    """Time by part: read, screen, degrade, verify, write."""


class Dropped(Exception):
    """A pair that is not kept, with its status and the reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass
class _Clean:
    """A picture that several variants share: read, screened, with the cues computed so far.

    ``error`` if it could not be read.
    """

    source: str
    photograph: Photograph | None = None
    error: str = ""
    dropped: str = ""
    verdicts: dict[str, Any] = field(default_factory=dict)
    cues: dict[str, torch.Tensor] = field(default_factory=dict)


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

    @cached_property
    def _prompts(self) -> dict[str, dict[str, str]]:
        manager = get_manager()
        return {name: manager.create(name, kinds=("task",)).prompts for name in self.recipe.tasks}  # type: ignore[attr-defined]

    def __getstate__(self) -> dict[str, Any]:
        return {"recipe": self.recipe, "folder": self.folder}

    def __call__(self, unit: Unit, begin: Callable[[int], None]) -> ShardResult:
        result = ShardResult()
        rows: list[dict[str, Any]] = []
        clean = _Clean("")
        with self.recipe.sink.open(self.folder, unit.number) as writer:
            for index in self.plan.shard(unit.number):
                begin(index)
                pair = self.plan.pair(index)
                if clean.source != pair.source or not rows:
                    clean = _Clean(pair.source)
                row = _row(pair)
                try:
                    if index in unit.quarantined:
                        raise Dropped("quarantined", unit.quarantined[index])
                    self._make(pair, clean, writer, row, result)
                except Dropped as dropped:
                    row |= {"status": dropped.status, "reason": dropped.reason}
                except RRFrameError as error:
                    row |= {"status": "failed", "reason": _one_line(error)}
                except MemoryError:
                    row |= {"status": "failed", "reason": "not enough memory"}
                _count(row, result)
                rows.append(row)
        write_manifest(self.folder, unit.number, rows, self.recipe.sink.places)
        return result

    def _make(
        self, pair: PairPlan, clean: _Clean, writer: ShardWriter, row: dict[str, Any], result: ShardResult
    ) -> None:
        clock = _Clock(result.seconds)
        self._read(clean)
        clock.lap("read")
        photograph = clean.photograph
        if photograph is None:
            raise Dropped("failed", clean.error)
        height, width = photograph.pixels.shape[:2]
        row |= {"width": width, "height": height, "source_sha256": photograph.sha256}
        self._screen(clean)
        clock.lap("screen")
        row["verdicts"] = json.dumps(clean.verdicts, sort_keys=True)
        if clean.dropped:
            raise Dropped("screened", clean.dropped)
        chain = self.recipe.tasks[pair.task].chain
        partner = self._partner(pair) if PARTNER in chain.needs() else None
        record = Record.of(
            chain,
            self.plan.key(pair),
            source=Origin.of(pair.source, photograph),
            task=pair.task,
            seed=self.recipe.seed,
            variant=pair.variant,
            partner=partner[0] if partner else None,
            cues=self.recipe.cues,
        )
        written = record.written()
        row["record"] = json.dumps(written, sort_keys=True)
        rendered = render(record, photograph, partner=partner[1] if partner else None, known=clean.cues)
        clock.lap("degrade")
        verdicts, reason = self._verify(rendered.clean, rendered.degraded)
        row["verdicts"] = json.dumps(clean.verdicts | verdicts, sort_keys=True)
        clock.lap("verify")
        if reason:
            raise Dropped("rejected", reason)
        meta = {"task": pair.task, "prompts": self._prompts[pair.task], "record": written}
        row |= {"status": "kept", **writer.add(pair.key, rendered.degraded, rendered.clean, meta)}
        clock.lap("write")

    def _read(self, clean: _Clean) -> None:
        if clean.photograph is None and not clean.error:
            try:
                with attributed(self.recipe.source, "reading"):
                    clean.photograph = self.recipe.source.read(clean.source)
            except RRFrameError as error:
                clean.error = _one_line(error)

    def _screen(self, clean: _Clean) -> None:
        assert clean.photograph is not None
        if clean.verdicts or clean.dropped:
            return
        pixels = clean.photograph.eight_bit()
        for used in self.recipe.screen:
            with attributed(used, "screening"):
                verdict = used.screen(pixels)
            clean.verdicts[used.name] = verdict.model_dump(exclude_defaults=True)
            if not verdict.keep:
                clean.dropped = f"{used.name}: {verdict.reason}"
                return

    def _verify(self, clean: Any, degraded: Any) -> tuple[dict[str, Any], str]:
        verdicts = {}
        for used in self.recipe.verify:
            with attributed(used, "verifying"):
                verdict = used.verify(clean, degraded)
            verdicts[used.name] = verdict.model_dump(exclude_defaults=True)
            if not verdict.keep:
                return verdicts, f"{used.name}: {verdict.reason}"
        return verdicts, ""

    def _partner(self, pair: PairPlan) -> tuple[Origin, Photograph]:
        for key in self.plan.partners(pair):
            try:
                photograph = self.recipe.source.read(key)
            except RRFrameError:
                continue  # its own row says what is wrong with it
            return Origin.of(key, photograph), photograph
        raise RRFrameError("no second picture could be read from the source")


class _Clock:
    def __init__(self, seconds: Counter[str]) -> None:
        self._seconds: Any = seconds
        self._last = time.perf_counter()

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self._seconds[part] += now - self._last
        self._last = now


def _row(pair: PairPlan) -> dict[str, Any]:
    return {"index": pair.index, "key": pair.key, "source": pair.source, "variant": pair.variant, "task": pair.task}


def _count(row: dict[str, Any], result: ShardResult) -> None:
    result.statuses[row["status"]] += 1
    if row["status"] == "kept":
        result.tasks[row["task"]] += 1
        result.kept.append((row["key"], row["task"], row["source"]))


def _one_line(error: RRFrameError) -> str:
    source = f" [{error.component}, {error.plugin}]" if error.component else ""
    return " ".join(error.message.split()) + source
