"""The report of an evaluation: who stands where and how surely, task by task and image by image, and with what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from rrframe.evaluation.report_pictures import cases_of, every_image, extremes, worst_and_best
from rrframe.evaluation.report_tables import Numbers, by_group, differences, distributions, leaderboard
from rrframe.evaluation.results import Results
from rrframe.pages.page import Page
from rrframe.pages.pieces import Cell, Code, Facts, Figures, Piece, Section, Table, Text, Value

REPORT = "report.html"
_LISTED = 300  # rows of a table: a page is for reading, results.json holds everything
_READS = {
    "full-reference": "the clean image",
    "no-reference": "nothing else",
    "consistency": "the degraded image",
    "judged": "the judge's answers on both",
}


def write_report(results: Results, folder: Path) -> Path:
    """Write the report of ``results`` and give its path.

    Args:
        results: What came of the run.
        folder: That of the run, which the paths in ``results`` start from.

    Raises:
        RRFrameError: It cannot be written.
    """
    numbers = Numbers(results)
    cases = cases_of(numbers)
    outer = extremes(numbers, cases)
    sections = [
        Section("Leaderboard", [*_alarms(numbers), _figures(results), *leaderboard(numbers)]),
        Section("What holds", list(differences(numbers))),
        Section("By task", list(by_group(numbers))),
        Section("Distributions", list(distributions(numbers))),
        Section("Worst and best", list(worst_and_best(numbers, outer))) if outer else None,
        Section("Every image", list(every_image(numbers, cases, folder, outer))) if cases else None,
        Section("Not scored", list(_not_scored(results))) if not results.complete else None,
        Section("Problems", list(_problems(results))) if results.problems else None,
        Section("Settings", list(_settings(results))),
    ]
    page = Page(f"Evaluation: {results.name}", [each for each in sections if each], _intro(results))
    return page.write(folder / REPORT)


def _intro(results: Results) -> str:
    restorers = [each for each in results.restorers if each.kind != "published"]
    one, other = len(restorers), results.benchmark.images_asked
    judge = f", judged by {results.judge.name}" if results.judge else ""
    return (
        f"{one} restorer{'s' if one != 1 else ''} on {other} image{'s' if other != 1 else ''} of "
        f"{results.benchmark.title}{judge}."
    )


def _alarms(numbers: Numbers) -> Iterator[Text]:
    """What must be known before any number is read."""
    results = numbers.results
    if results.judge and results.judge.proxy:
        resting = "; ".join(measure.title for measure in results.measures if measure.proxy)
        yield Text(
            f"The judge, {results.judge.name}, only stands in for one that looks (a proxy). What rests on it compares "
            f"with nothing that another judge gave, published scores included: {resting or 'nothing here'}.",
            "alarm",
        )
    for restorer in results.restorers:
        if restorer.untrained:
            yield Text(
                f"{restorer.name} runs on random weights ({', '.join(restorer.untrained)}): what it gives is no "
                "restoration, and its numbers say nothing of the method.",
                "alarm",
            )
    if numbers.part:
        yield Text(f"Only a part of the benchmark was scored: {numbers.part}.", "alarm")
    if not results.complete:
        failed = sum(row.status != "scored" for row in results.rows)
        yield Text(
            f"{failed} of {len(results.rows)} results could not be scored. A mean is over those that could, and says "
            "how many wherever they are fewer than were asked for.",
            "alarm",
        )
    if results.problems:
        many = len(results.problems)
        yield Text(f"{many} problem{'s were' if many > 1 else ' was'} passed over; see Problems.", "alarm")


def _figures(results: Results) -> Figures:
    scored = sum(row.status == "scored" for row in results.rows)
    return Figures(
        {
            "images": results.benchmark.images_asked,
            "tasks": len(results.benchmark.tasks),
            "restorers": sum(each.kind != "published" for each in results.restorers),
            "results scored": scored,
            "not scored": len(results.rows) - scored,
        }
    )


def _not_scored(results: Results) -> Iterator[Piece]:
    failed = [row for row in results.rows if row.status != "scored"]
    rows: list[list[Cell]] = [[row.image, row.task, row.restorer, row.status, row.reason] for row in failed[:_LISTED]]
    yield Table("Results that could not be scored", ["Image", "Task", "Restorer", "Status", "Reason"], rows)
    yield from _more(len(failed))


def _problems(results: Results) -> Iterator[Piece]:
    rows: list[list[Cell]] = [
        [each.kind, each.message, each.restorer, each.image] for each in results.problems[:_LISTED]
    ]
    yield Table("What was wrong with what was to be scored", ["Kind", "Problem", "Restorer", "Image"], rows)
    yield from _more(len(results.problems))


def _more(count: int) -> Iterator[Text]:
    if count > _LISTED:
        yield Text(f"and {count - _LISTED} more; results.json lists them all", "quiet")


# Settings
# ----------------------------------------------------------------------------------------------------------------------


def _settings(results: Results) -> Iterator[Piece]:
    made, benchmark = results.made, results.benchmark
    facts: dict[str, Cell] = {
        "Benchmark": Value(benchmark.title, note=", ".join(filter(None, [benchmark.page, benchmark.licence]))),
        "Made": f"{made.date}, in {made.seconds:.0f} s",
        "Versions": ", ".join(f"{name} {version}" for name, version in made.versions.items()),
        "Published": "; ".join(dict.fromkeys(table.source for table in results.published)),
    }
    yield Facts({label: value for label, value in facts.items() if value})
    yield Section("Measures", [_measures(results)])
    yield Section("Restorers", [_restorers(results)])
    if results.judge:
        judge = results.judge
        about: dict[str, Cell] = {"Component": judge.name, "Stand-in": "yes, a proxy" if judge.proxy else "no"}
        about |= {name: told for name, value in judge.identity.items() if name != "judge" and (told := _flat(value))}
        about |= {"Asked": judge.asked, "Answers from the cache": judge.hits}
        yield Section("Judge", [Facts(about)])
    yield Code("The recipe, every default filled in", yaml.safe_dump(results.settings, sort_keys=False, width=100))


def _measures(results: Results) -> Table:
    rows: list[list[Cell]] = []
    for each in results.measures:
        terms = {True: "allowed", False: "not allowed", None: "not known"}[each.commercial]
        how = ". ".join(filter(None, [each.protocol.rstrip("."), _flat(each.params)]))
        rows.append([Value(each.title, note=each.name), f"{_READS[each.reads]}", how, each.licence, terms])
    columns = ["Measure", "Looks besides at", "How", "Licence of what it needs", "Commercial use"]
    return Table("Measures", columns, rows, sortable=False)


def _restorers(results: Results) -> Table:
    rows: list[list[Cell]] = []
    for each in results.restorers:
        what = ", ".join(filter(None, [each.backbone, _flat(each.params)])) or each.kind
        weights = ", ".join(filter(None, [each.checkpoint, *(f"{name} {mark}" for name, mark in each.weights.items())]))
        weights = ", ".join(filter(None, [weights, *(f"{name}: random" for name in each.untrained)]))
        rows.append([each.name, what, weights, _flat(each.asked), each.source])
    return Table("Restorers", ["Restorer", "What", "Weights", "Asked", "Source"], rows, sortable=False)


def _flat(value: Any) -> str:
    """Settings in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_flat(inner)}" for name, inner in value.items() if inner not in (None, "", {}, []))
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_flat, value))
    return str(value)
