"""The synthesis run: plan, claim the folder, make what is missing, report."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console

from rrframe.contracts.engine import Event, Unit
from rrframe.errors import RRFrameError
from rrframe.manager import get_manager
from rrframe.pairs.files import remove_partial
from rrframe.pairs.manifest import SHARDS, UNMADE, finished_shards, read_manifest
from rrframe.recipe import LoadedRecipe, resolved_yaml
from rrframe.recipe.models import SynthesisRecipe
from rrframe.run.folder import RunFailed, RunFolder, disk_error, disk_errors_told, environment
from rrframe.run.observed import PairWritten, RunFinished, RunStarted, StepEnded
from rrframe.run.progress import Watch
from rrframe.synthesis.plan import Plan, read_listing, write_listing
from rrframe.synthesis.report import write_report
from rrframe.synthesis.work import ShardResult, SynthesisWork


@dataclass
class Summary:
    """What a run, or what was left of it, came to."""

    folder: Path
    report: Path
    statuses: Counter[str] = field(default_factory=Counter)
    """Pairs by status, of all finished shards in the folder."""
    made: int = 0
    """Shards made this time."""
    shards: int = 0
    seconds: float = 0.0

    @property
    def unmade(self) -> int:
        """Pairs that could not be made."""
        return sum(self.statuses[status] for status in UNMADE)


@dataclass(frozen=True)
class Options:
    """How to run, apart from the recipe: none of it changes what is written.

    Args:
        shards: Only these, first and last (excluded); all by default.
        retry_failed: Make shards again that have pairs which could not be made.
    """

    shards: tuple[int, int] | None = None
    retry_failed: bool = False


def plan_synthesis(loaded: LoadedRecipe, folder: Path) -> Plan:
    """The plan that ``loaded`` makes in ``folder``, without writing anything.

    Raises:
        RRFrameError: The source cannot be listed.
    """
    recipe = _recipe(loaded)
    return Plan(recipe, read_listing(folder) or recipe.source.keys())


def run_synthesis(loaded: LoadedRecipe, folder: Path, options: Options, console: Console) -> Summary:
    """Run ``loaded`` in ``folder``, or continue there.

    Raises:
        RRFrameError: The source cannot be listed, another recipe was run here, or another run is at work here.
        RunFailed: The disk is full, or a shard cannot be made. Finished shards stay.
    """
    plan = plan_synthesis(loaded, folder)
    first, last = _range(options.shards, plan.shards)
    run = RunFolder(folder)
    with disk_errors_told(folder):
        (folder / SHARDS).mkdir(parents=True, exist_ok=True)
        with run.claimed(first, last):
            run.adopt(loaded.resolved, resolved_yaml(loaded), aside=("engine",))
            if read_listing(folder) is None:
                write_listing(folder, plan.sources)
            return _Synthesis(plan, run, options, console, (first, last)).run(loaded.name)


class _Synthesis:
    """One run, from what is missing to the report."""

    def __init__(self, plan: Plan, run: RunFolder, options: Options, console: Console, span: tuple[int, int]) -> None:
        self.plan = plan
        self.folder = run
        self.options = options
        self.console = console
        self.span = span
        self.results: dict[int, ShardResult] = {}
        self.at_work: dict[int, int] = {}

    def run(self, name: str) -> Summary:
        began = time.monotonic()
        units = self._units()
        whole = self.span == (0, self.plan.shards)
        if whole:  # of a range, the rest may be being written by others
            remove_partial(self.folder.path / SHARDS)
        self.folder.note(recipe=name, kind="synthesis", seed=self.plan.recipe.seed, status="running", **environment())
        self.folder.log("started", shards=len(units), of=self.plan.shards, range=list(self.span))
        get_manager().notify(
            "on_run_started", run=RunStarted(self.folder.path, "synthesis", name, len(units), self.plan.shards)
        )
        status = "failed"
        try:
            self._make(units)
            status = "finished"
        except KeyboardInterrupt:
            status = "stopped"
            raise
        finally:
            self._end(name, status, time.monotonic() - began)
        report = write_report(self.folder.path)
        return Summary(
            self.folder.path, report, self._statuses(), len(self.results), self.plan.shards, time.monotonic() - began
        )

    def _units(self) -> list[Unit]:
        finished = finished_shards(self.folder.path)
        if self.options.retry_failed:
            again = {number for number, path in finished.items() if _has_unmade(path)}
            finished = {number: path for number, path in finished.items() if number not in again}
        return [Unit(number) for number in range(*self.span) if number not in finished]

    def _make(self, units: list[Unit]) -> None:
        before = sum(len(self.plan.shard(number)) for number in range(*self.span)) - sum(
            len(self.plan.shard(unit.number)) for unit in units
        )
        total = sum(len(self.plan.shard(number)) for number in range(*self.span))
        work = SynthesisWork(self.plan.recipe, self.folder.path)
        with (
            Watch(self.console, total, "pairs", before) as watch,
            closing(self.plan.recipe.engine.run(work, units)) as events,  # type: ignore[type-var]
        ):
            for event in events:
                self._hear(event, watch)
                begun = sum(index - self.plan.shard(number).start for number, index in self.at_work.items())
                watch.reached(before + sum(len(self.plan.shard(number)) for number in self.results) + begun)

    def _hear(self, event: Event, watch: Watch) -> None:
        if event.what == "sample" and event.sample is not None:
            if not self.results and not self.at_work:
                self.folder.log("working")  # the workers have started: rates count from here
            self.at_work[event.unit] = event.sample
        elif event.what == "died":
            self.at_work.pop(event.unit, None)
            source = f" at {self.plan.pair(event.sample).source}" if event.sample is not None else ""
            watch.say(f"a worker was lost{source} ({event.message}); shard {event.unit} is begun again")
            self.folder.log("died", shard=event.unit, sample=event.sample, message=event.message)
        elif event.what == "failed":
            self.folder.log("failed", shard=event.unit, error=str(event.error))
            raise _failure(event, self.folder.path)
        elif event.what == "done":
            self.at_work.pop(event.unit, None)
            self._shard_done(event.unit, event.result)

    def _shard_done(self, number: int, result: ShardResult) -> None:
        self.results[number] = result
        seconds = {part: round(spent, 4) for part, spent in result.seconds.items()}
        self.folder.log(
            "shard", shard=number, statuses=dict(result.statuses), tasks=dict(result.tasks), seconds=seconds
        )
        notify = get_manager().notify
        for key, task, source in result.kept:
            notify("on_pair_written", pair=PairWritten(self.folder.path, number, key, task, source))
        notify(
            "on_step_ended",
            step=StepEnded(self.folder.path, number, {**result.statuses, "seconds": sum(seconds.values())}),
        )

    def _end(self, name: str, status: str, seconds: float) -> None:
        figures = {"shards": len(self.results), "seconds": round(seconds, 3), **self._made()}
        self.folder.log(status, **figures)
        self.folder.note(status=status, last=figures)
        get_manager().notify("on_run_finished", run=RunFinished(self.folder.path, "synthesis", name, status, figures))

    def _made(self) -> Counter[str]:
        return sum((result.statuses for result in self.results.values()), Counter())

    def _statuses(self) -> Counter[str]:
        rows = (row for path in finished_shards(self.folder.path).values() for row in read_manifest(path, ["status"]))
        return Counter(row["status"] for row in rows)


def _recipe(loaded: LoadedRecipe) -> SynthesisRecipe:
    assert isinstance(loaded.recipe, SynthesisRecipe)
    return loaded.recipe


def _range(asked: tuple[int, int] | None, shards: int) -> tuple[int, int]:
    first, last = asked or (0, shards)
    if asked and not 0 <= first < last <= shards:
        raise RRFrameError(
            f"shards {first}:{last} are not within 0:{shards}, which this run has", hint="rrframe run --plan shows them"
        )
    return first, last


def _has_unmade(manifest: Path) -> bool:
    return any(row["status"] in UNMADE for row in read_manifest(manifest, ["status"]))


def _failure(event: Event, folder: Path) -> RRFrameError:
    told = disk_error(event.error, folder)
    if told:
        return told
    if isinstance(event.error, RRFrameError):
        return event.error
    said = f"{type(event.error).__name__}: {event.error}"
    return RunFailed(
        f"shard {event.unit} cannot be made: {said}",
        hint="finished shards stay; RRFRAME_TRACEBACK=1 shows where it came from",
    )


def describe(plan: Plan) -> Iterator[tuple[str, Any]]:
    """What a run of ``plan`` would do, as names and values for people."""
    dealt = Counter(plan.pair(index).task for index in range(min(plan.pairs, 100_000)))
    yield "pictures", len(plan.sources)
    yield "pairs", f"{plan.pairs} ({plan.recipe.variants} a picture)"
    yield "shards", f"{plan.shards} of up to {plan.recipe.sink.pairs_per_shard} pairs"
    for task, count in sorted(dealt.items()):
        steps = ", ".join(plan.recipe.tasks[task].chain.ids)
        yield task, f"{count}: {steps}"
