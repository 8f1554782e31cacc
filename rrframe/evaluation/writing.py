"""Results as files: JSON that holds everything, CSV with a line for each image, LaTeX for a paper, and the page."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from rrframe.evaluation.averages import OVER_IMAGES
from rrframe.evaluation.report import write_report
from rrframe.evaluation.results import RESULTS, Average, MeasureFacts, Results
from rrframe.pairs.files import write_whole

CSV = "results.csv"
LATEX = "results.tex"
_LATEX_ESCAPES = str.maketrans({mark: f"\\{mark}" for mark in "&%$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\~{}"})


def write_results(results: Results, folder: Path) -> Path:
    """Write ``results.json``, ``results.csv``, ``results.tex`` and the page into ``folder``, and give the page's path.

    Raises:
        RRFrameError: The page cannot be written.
        OSError: Another file cannot.
    """
    write_whole(folder / RESULTS, results.text() + "\n")
    write_whole(folder / CSV, as_csv(results))
    write_whole(folder / LATEX, as_latex(results))
    return write_report(results, folder)


def as_csv(results: Results) -> str:
    """A line for each image under each restorer: who, what, every slice, every score, what the judge said."""
    slices = list(dict.fromkeys(name for row in results.rows for name in row.slices))
    names = [measure.name for measure in results.measures]
    judged = ["severity degraded", "severity restored"] if results.judge else []
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "restorer", "task", *slices, "status", *names, *judged, "reason"])
    for row in results.rows:
        sides = (
            [row.severities.degraded, row.severities.restored] if judged and row.severities else [None] * len(judged)
        )
        parts = [row.slices.get(name, "") for name in slices]
        scores = [_plain(row.scores.get(name)) for name in names]
        cells = [row.image, row.restorer, row.task, *parts, row.status, *scores, *map(_plain, sides), row.reason]
        writer.writerow(cells)
    return text.getvalue()


def as_latex(results: Results) -> str:
    """The leaderboard as a table of LaTeX (package booktabs): means over images with their intervals.

    Bold are all that nobody is better than beyond the noise. Notes below say what is not what it seems: means over
    fewer images than asked, a judge that stands in for one, published numbers.
    """
    measures = results.measures
    lines = [
        "% Needs \\usepackage{booktabs}.",
        f"\\begin{{tabular}}{{l{'c' * len(measures)}}}",
        "\\toprule",
        " & ".join(["restorer", *map(_heading, measures)]) + r" \\",
        "\\midrule",
    ]
    notes: list[str] = []
    for restorer in results.restorers:
        means = results.averages.get(restorer.name, {}).get(OVER_IMAGES, {})
        cells = [_cell(results, restorer.name, measure, means.get(measure.name), notes) for measure in measures]
        lines.append(" & ".join([_escaped(restorer.name), *cells]) + r" \\")
    level = f"{100 * next(iter(_levels(results)), 0.95):g}"
    legend = f"Means over images of {results.benchmark.title} with {level} \\% intervals (BCa bootstrap)."
    if any(measure.proxy for measure in measures):
        judge = results.judge.name if results.judge else "the judge"
        titles = ", ".join(measure.title for measure in measures if measure.proxy)
        notes.insert(0, f"{titles}: {judge} stands in for a judge that looks; comparable with no published scores.")
    lines += ["\\bottomrule", "\\end{tabular}", *(f"% {note}" for note in [legend, *notes])]
    return "\n".join(lines) + "\n"


def _cell(results: Results, restorer: str, measure: MeasureFacts, mean: Average | None, notes: list[str]) -> str:
    if mean is None or mean.value is None:
        return "--"
    text = shown(mean.value, measure)
    best = {each.name for each in results.standings.get(measure.name, ()) if each.best == 1}
    if restorer in best and len(best) < len(results.standings[measure.name]):
        text = f"\\textbf{{{text}}}"
    if mean.interval_low is not None and mean.interval_high is not None:
        ends = f"{shown(mean.interval_low, measure)}, {shown(mean.interval_high, measure)}"
        text += f" {{\\scriptsize [{ends}]}}"
    if not mean.complete or mean.scored == 0:
        note = f"{restorer}, {measure.title}: {mean.label}."
        if note not in notes:
            notes.append(note)
        text += f"$^{{{notes.index(note) + 1}}}$"
    return text


def shown(value: float, measure: MeasureFacts) -> str:
    """A score with as many decimals as its unit bears."""
    return f"{value:.2f}" if measure.unit == "dB" else f"{value:.3f}"


def _heading(measure: MeasureFacts) -> str:
    unit = f" ({measure.unit})" if measure.unit else ""
    proxy = ", proxy" if measure.proxy else ""
    arrow = r"$\uparrow$" if measure.higher_is_better else r"$\downarrow$"
    return f"{_escaped(measure.title + unit + proxy)} {arrow}"


def _levels(results: Results) -> Iterator[float]:
    yield from (mean.level for groups in results.averages.values() for row in groups.values() for mean in row.values())


def _plain(value: float | None) -> str:
    return "" if value is None else f"{value:.8g}"


def _escaped(text: str) -> str:
    return text.translate(_LATEX_ESCAPES)
