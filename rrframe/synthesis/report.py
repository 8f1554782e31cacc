"""The report of a synthesis run: what was kept, what was not and why, and a few pairs to look at."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rrframe.contracts.chain import Chain
from rrframe.contracts.draw import Draw
from rrframe.contracts.effect import Effect
from rrframe.errors import RRFrameError
from rrframe.imaging.codec import decode
from rrframe.pages.page import Page
from rrframe.pages.pictures import Picture, picture, shrink
from rrframe.pages.pieces import Cell, Code, Comparison, Comparisons, Facts, Figures, Piece, Section, Table, Text
from rrframe.pages.plots import Bars
from rrframe.pairs.manifest import STATUSES, UNMADE
from rrframe.pairs.reading import PairFolder
from rrframe.run.folder import RESOLVED
from rrframe.synthesis.record import Record

REPORT = "report.html"
_LONGEST = 640  # pixels of a picture's longer side on the page
_LISTED = 200  # rows of a table: a page is for reading, the manifests hold everything
_EXAMPLES = 3
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e[+-]?\d+)?")


def write_report(folder: Path, pairs_per_task: int = 3) -> Path:
    """Write the report of the run in ``folder`` and give its path.

    The manifests are streamed: memory holds counts and the pairs shown, however long the run was.

    Args:
        folder: The run's folder, with one finished shard or more.
        pairs_per_task: How many kept pairs to show of each task, spread evenly over the run.

    Raises:
        RRFrameError: No shard is finished, or the page cannot be written.
    """
    pairs = PairFolder(folder)
    tally = _Tally()
    for row in pairs.rows(["source", "task", "status", "reason"]):
        tally.add(row)
    run = _run_facts(folder)
    sections = [
        Section("Pairs", list(_numbers(tally))),
        Section("Before and after", list(_shown(pairs, tally, pairs_per_task))),
        Section("Dropped", [_dropped(tally)]) if tally.dropped else None,
        Section("Could not be made", list(_unmade(tally))) if tally.unmade else None,
        Section("Run", [Facts({name: _flat(value) for name, value in run.items()}), *_recipe(folder)]),
    ]
    name = str(run.get("recipe") or folder.resolve().name)
    page = Page(f"Synthesis run: {name}", [section for section in sections if section], _intro(tally))
    return page.write(folder / REPORT)


# Counting
# ----------------------------------------------------------------------------------------------------------------------


@dataclass
class _Reason:
    """A reason that differs in its numbers alone from one drop to the next. Numbers that never differed stay."""

    words: list[str]
    numbers: list[str]
    count: int = 0
    sources: list[str] = field(default_factory=list)

    def add(self, numbers: list[str], source: str) -> None:
        self.count += 1
        self.numbers = [own if own == other else "…" for own, other in zip(self.numbers, numbers, strict=True)]
        if len(self.sources) < _EXAMPLES and source not in self.sources:
            self.sources.append(source)

    def __str__(self) -> str:
        return "".join(part for pair in zip(self.words, [*self.numbers, ""], strict=True) for part in pair)


class _Tally:
    """Counts over the rows of a run, bounded in size."""

    def __init__(self) -> None:
        self.tasks: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.dropped: dict[tuple[str, ...], _Reason] = {}
        self.unmade: Counter[tuple[str, str, str]] = Counter()

    @property
    def statuses(self) -> Counter[str]:
        return sum(self.tasks.values(), Counter())

    def add(self, row: Mapping[str, Any]) -> None:
        status, source, reason = row["status"], row["source"], row["reason"] or "no reason was given"
        self.tasks[row["task"]][status] += 1
        if status in UNMADE:
            self._count_unmade((source, status, reason))
        elif status != "kept":
            words, numbers = _NUMBER.split(reason), _NUMBER.findall(reason)
            kind = (status, *words)
            if kind not in self.dropped and len(self.dropped) >= _LISTED:
                kind, words, numbers = (status, "other reasons"), ["other reasons"], []
            self.dropped.setdefault(kind, _Reason(words, numbers)).add(numbers, source)

    def _count_unmade(self, what: tuple[str, str, str]) -> None:
        if what in self.unmade or len(self.unmade) < _LISTED:
            self.unmade[what] += 1


# Showing
# ----------------------------------------------------------------------------------------------------------------------


def _intro(tally: _Tally) -> str:
    tried, kept = tally.statuses.total(), tally.statuses["kept"]
    tasks = len(tally.tasks)
    return f"{kept} of {tried} pairs were kept, over {tasks} task{'s' if tasks != 1 else ''}."


def _numbers(tally: _Tally) -> Iterator[Piece]:
    statuses = tally.statuses
    yield Figures({"tried": statuses.total(), **{status: statuses[status] for status in STATUSES}})
    parts = {
        task: [*(counts[status] for status in STATUSES[:3]), sum(counts[status] for status in UNMADE)]
        for task, counts in sorted(tally.tasks.items())
    }
    yield Bars([*STATUSES[:3], "not made"], parts)


def _dropped(tally: _Tally) -> Table:
    ranked = sorted(tally.dropped.items(), key=lambda item: (-item[1].count, item[0]))
    rows: list[list[Cell]] = [
        [str(reason), reason.count, status, ", ".join(reason.sources)] for (status, *_), reason in ranked
    ]
    return Table("Reasons for dropping", ["Reason", "Pairs", "Status", "Such as"], rows)


def _unmade(tally: _Tally) -> Iterator[Piece]:
    total = sum(tally.statuses[status] for status in UNMADE)
    rows: list[list[Cell]] = [
        [source, reason, status, count] for (source, status, reason), count in tally.unmade.items()
    ]
    yield Table("Pictures that no pair could be made of", ["Picture", "Reason", "Status", "Pairs"], rows)
    if total > tally.unmade.total():
        yield Text(f"and {total - tally.unmade.total()} more pairs; the manifests list them all", "quiet")


def _shown(pairs: PairFolder, tally: _Tally, pairs_per_task: int) -> Iterator[Piece]:
    if not tally.statuses["kept"]:
        yield Text("No pair was kept.")
        return
    wanted = {
        task: _spread(counts["kept"], pairs_per_task, number)
        for number, (task, counts) in enumerate(sorted(tally.tasks.items()))
    }
    found: defaultdict[str, list[Comparison]] = defaultdict(list)
    unread: list[Text] = []
    met: Counter[str] = Counter()
    for row in pairs.rows(["key", "source", "task", "status", *_PLACES]):
        if row["status"] != "kept":
            continue
        task = row["task"]
        if met[task] in wanted[task]:
            try:
                found[task].append(_comparison(pairs, row))
            except (RRFrameError, ValueError) as error:
                unread.append(Text(f"Pair {row['key']} cannot be shown: {error}", "alarm"))
        met[task] += 1
    yield from unread
    for task, comparisons in sorted(found.items()):
        yield Section(task, [Comparisons(comparisons)])


_PLACES = [f"{part}_{measure}" for part in ("degraded", "clean", "meta") for measure in ("offset", "length")]


def _spread(count: int, shown: int, turn: int) -> set[int]:
    """``shown`` places, evenly among ``count``, or all where there are fewer; shifted with ``turn``, so that tasks that
    walk through the same pictures in step do not all show the same ones.
    """
    shown = min(count, shown)
    return {((2 * place + 1) * count // (2 * shown) + turn) % count for place in range(shown)}


def _comparison(pairs: PairFolder, row: Mapping[str, Any]) -> Comparison:
    degraded, share = _member(pairs, row, "degraded", f"{row['source']}, degraded: {row['task']}")
    clean, _ = _member(pairs, row, "clean", f"{row['source']}, clean")
    scaled = "" if share == 1 else f"Shown at {share:.0%}, which hides fine detail."
    told = " ".join(filter(None, [_drawn(pairs.member(row, "meta").decode()), scaled]))
    return Comparison([degraded, clean], row["source"], told)


def _member(pairs: PairFolder, row: Mapping[str, Any], which: str, alt: str) -> tuple[Picture, float]:
    pixels = decode(pairs.member(row, which))
    small = shrink(pixels, _LONGEST)
    return picture(small, alt, which.capitalize()), small.shape[1] / pixels.shape[1]


def _drawn(record: str) -> str:
    """The steps of a record with the values drawn for them, as a sentence; empty where it cannot be read here."""
    try:
        known = Record.read(record)
    except RRFrameError:  # a plugin that made it is gone
        return ""
    told = list(_steps(known.chain, known.draw))
    return f"{'; then '.join(told)}." if told else ""


def _steps(chain: Chain, draw: Draw) -> Iterator[str]:
    for step, own in zip(chain.steps, draw.steps, strict=True):
        if isinstance(step, Effect):  # what it let through tells more than its own name
            for inner, passed in step.passed(own):
                yield from _steps(inner, passed)
        else:
            values = {name: value for name, value in own.values.items() if not isinstance(value, list | dict)}
            yield ": ".join(filter(None, [step.name, str(_flat(values))]))


def _recipe(folder: Path) -> Iterator[Piece]:
    try:
        yield Code(RESOLVED, (folder / RESOLVED).read_text(encoding="utf-8"))
    except OSError:
        yield Text(f"{RESOLVED} is missing.", "quiet")


def _run_facts(folder: Path) -> dict[str, Any]:
    """What the run noted of itself; nothing where that is missing or torn. A page is shown to others, so the machine's
    name stays out of it.
    """
    try:
        facts = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(facts, dict):
        return {}
    host = facts.get("host")
    named = {"host": {key: value for key, value in host.items() if key != "name"}} if isinstance(host, dict) else {}
    return facts | named


def _flat(value: Any) -> Cell:
    """Any JSON value on one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_flat(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return ", ".join(str(_flat(inner)) for inner in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
