"""The report of a training run: curves, held-out pictures, what was drawn and what stayed frozen."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rrframe.imaging.reading import read_photograph
from rrframe.pages.page import Page
from rrframe.pages.pictures import picture
from rrframe.pages.pieces import (
    Cell,
    Code,
    Columns,
    Comparison,
    Comparisons,
    Facts,
    Figures,
    Piece,
    Section,
    Table,
    Text,
)
from rrframe.pages.plots import Curve
from rrframe.recipe.training import BY_EVALUATION
from rrframe.run.folder import RESOLVED
from rrframe.training.curves import STEPS, TIMINGS, VALIDATIONS, read_curve
from rrframe.training.measures import DEGRADED, Measure
from rrframe.training.schedule import MAY_DIFFER
from rrframe.training.validation import kept_picture

REPORT = "report.html"
_MEANS = 40  # points of a smoothed curve
_BROKEN = 200  # rows shown of pairs that could not be read

Line = dict[str, Any]


def write_report(folder: Path) -> Path:
    """Write the report of the training run in ``folder`` and give its path."""
    run: Line = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    steps, validations, timings = (list(read_curve(folder, name)) for name in (STEPS, VALIDATIONS, TIMINGS))
    sections = [
        Section("Curves", [Columns(list(_curves(steps, validations, _measures(run))))]),
        Section("Held-out pairs", list(_held_out(folder, run, validations))),
        Section("What was drawn", list(_drawn(run))),
        Section("What was trained", list(_trained(run))),
        Section("Speed and memory", list(_speed(timings))),
        Section("Run", [Facts(_facts(run)), *_resumed(run), *_recipe(folder)]),
    ]
    if run.get("failure"):
        sections.insert(0, Section("Failure", [Text(run["failure"], "alarm")]))
    name = str(run.get("recipe") or folder.resolve().name)
    return Page(f"Training run: {name}", sections, _intro(run)).write(folder / REPORT)


def _intro(run: Line) -> str:
    done, steps, best = run["last"]["steps"], run["wanted_steps"], run["last"]["best"]
    early = run["status"] == "finished" and done < steps
    said = f"{done:,} of {steps:,} steps, " + ("ended early: no better validation came" if early else run["status"])
    if not best:
        return f"{said}. Nothing was validated."
    measure = _measures(run)[run["metric"]]
    return (
        f"{said}. The best validation by {measure.title}, after step {best['step']:,}, has a PSNR of "
        f"{best['psnr']:.2f} dB over {best['pairs']} held-out pairs, {best['psnr'] - best['degraded_psnr']:+.2f} dB "
        "against the degraded side."
    )


# Curves
# ----------------------------------------------------------------------------------------------------------------------


def _measures(run: Line) -> dict[str, Measure]:
    return {name: Measure(**told) for name, told in run["measures"].items()}


def _curves(steps: list[Line], validations: list[Line], measures: dict[str, Measure]) -> Iterator[Piece]:
    if not steps:
        yield Text("No step was done.", "quiet")
        return
    yield _noisy("Loss", steps, "loss")
    for name, measure in measures.items() if validations else ():
        lines = {"restored": _line(validations, name)}
        if DEGRADED + name in validations[0]:
            lines["degraded"] = _line(validations, DEGRADED + name)
        what = measure.title + (f",{measure.unit}" if measure.unit else "")
        on = "Evaluation" if name.startswith(BY_EVALUATION) else "Held-out pairs"
        yield Curve(f"{on}: {what}", "step", lines)
    yield Curve("Learning rate", "step", {"learning rate": _line(steps, "learning_rate")})
    yield _noisy("Norm of the gradient", steps, "gradient")


def _noisy(title: str, steps: list[Line], name: str) -> Curve:
    """A curve of every step under that of their means, on a logarithmic scale where all of it is above 0."""
    points = _line(steps, name)
    log = min(value for _, value in points) > 0
    size = math.ceil(len(points) / _MEANS)
    lines = {"each step": points}
    if size > 1:
        groups = [points[first : first + size] for first in range(0, len(points), size)]
        means = [(statistics.mean(x for x, _ in group), statistics.mean(y for _, y in group)) for group in groups]
        lines = {f"mean of {size} steps": means, "each step": points}
    return Curve(title + (", logarithmic" if log else ""), "step", lines, log=log)


def _line(lines: list[Line], name: str) -> list[tuple[float, float]]:
    return [(line["step"], line[name]) for line in lines if line[name] is not None]


# Held-out pairs
# ----------------------------------------------------------------------------------------------------------------------


def _held_out(folder: Path, run: Line, validations: list[Line]) -> Iterator[Piece]:
    best = run["last"]["best"]
    if not best or not validations:
        yield Text("Nothing was validated.", "quiet")
        return
    gain = best["psnr"] - best["degraded_psnr"]
    yield Figures({"PSNR, dB": f"{best['psnr']:.2f}", "gain, dB": f"{gain:+.2f}", "SSIM": f"{best['ssim']:.4f}"})
    rows = [_row(name, cell) for name, cell in best["cells"].items()]
    columns = ["Source and task", "Pairs", "Degraded, dB", "Restored, dB", "Gain, dB", "Degraded SSIM", "Restored SSIM"]
    yield Table(f"Held-out pairs after step {best['step']}", columns, [*rows, _row("all", best)])
    told = run.get("held_out", [])
    yield Comparisons([_comparison(folder, each) for each in told])


def _row(name: str, cell: Line) -> list[Cell]:
    psnr = [cell["degraded_psnr"], cell["psnr"], cell["psnr"] - cell["degraded_psnr"]]
    similarity = [round(cell[side], 4) for side in ("degraded_ssim", "ssim")]
    return [name, cell["pairs"], *(round(value, 2) for value in psnr), *similarity]


def _comparison(folder: Path, told: Line) -> Comparison:
    sides = [
        picture(
            read_photograph(kept_picture(folder, told["task"], side, told["number"])).eight_bit(),
            f"{told['key']}, {side}",
            side.capitalize(),
        )
        for side in ("degraded", "restored", "clean")
    ]
    caption = f"{told['task']}, {told['source']}"
    return Comparison(sides, caption, f"{told['degraded_psnr']:.2f} to {told['psnr']:.2f} dB")


# The run
# ----------------------------------------------------------------------------------------------------------------------


def _drawn(run: Line) -> Iterator[Piece]:
    drawn, wanted = run.get("drawn", {}), run.get("wanted", {})
    rows: list[list[Cell]] = []
    for name in sorted(drawn.keys() | wanted.keys()):
        source, _, task = name.partition("/")
        rows.append([source, task, *_asked_and_drawn(wanted.get(name, 0.0), drawn.get(name, 0))])
    columns = ["Source", "Task", "Asked for", "Drawn", "Difference"]
    total = _asked_and_drawn(sum(wanted.values()), sum(drawn.values()))
    yield Table("Pairs drawn by source and task", columns, [*rows, ["all", "", *total]])
    yield Text(
        "Every block of the mix is exact; a difference is what a block that is not yet full leaves over.", "quiet"
    )
    broken: dict[str, Line] = run.get("broken", {})
    if broken:
        yield Text(f"{len(broken)} pairs could not be read, and others of their kind took their place.", "alarm")
        shown = list(broken.items())[:_BROKEN]
        cells: list[list[Cell]] = [[name, pair["times"], pair["reason"]] for name, pair in shown]
        yield Table("Pairs that could not be read", ["Pair", "Times", "Reason"], cells)


def _asked_and_drawn(wanted: float, drawn: int) -> list[Cell]:
    return [round(wanted, 1), drawn, round(drawn - wanted, 1)]


def _trained(run: Line) -> Iterator[Piece]:
    rows: list[list[Cell]] = []
    for stage, frozen in run.get("frozen", {}).items():
        if not frozen:
            rows.append([stage, "nothing", None, None])
            continue
        rows.append(
            [stage, ", ".join(frozen["patterns"]), frozen["weights"], f"{frozen['weights'] / frozen['of']:.1%}"]
        )
    yield Table("What stayed frozen", ["Stage", "Frozen", "Weights", "Share"], rows)


def _speed(timings: list[Line]) -> Iterator[Piece]:
    if not timings:
        yield Text("Nothing was timed.", "quiet")
        return
    seconds = sum(line["seconds"] for line in timings)
    rate = statistics.median(line["pairs_per_second"] for line in timings)
    yield Facts(
        {
            "Pairs a second, median": f"{rate:.3g}",
            "Seconds a pair, median": f"{1 / rate:.3g}" if rate else "",
            "Seconds a step, median": f"{statistics.median(line['seconds'] for line in timings):.3g}",
            "Steps in all": f"{seconds:.0f} s, validation and checkpoints aside",
            "Encoding": f"{sum(line.get('encoding', 0.0) for line in timings) / seconds:.1%} of that",
            "Optimizer": f"{sum(line.get('updating', 0.0) for line in timings) / seconds:.1%} of that",
            "Waiting for pairs": f"{sum(line['waited'] for line in timings) / seconds:.1%} of that",
            "Memory, most": f"{max(line['memory_gib'] for line in timings):.2f} GiB in the first process",
        }
    )


def _facts(run: Line) -> dict[str, Cell]:
    versions = ", ".join(f"{name} {version}" for name, version in run.get("versions", {}).items())
    return {"Status": run["status"], "Seed": run["seed"], "Versions": versions}


def _resumed(run: Line) -> Iterator[Piece]:
    for said in run.get("resumed", []):
        yield Text(f"It {said}: {MAY_DIFFER}.")


def _recipe(folder: Path) -> Iterator[Piece]:
    path = folder / RESOLVED
    if path.exists():
        yield Code("The recipe, every default filled in", path.read_text(encoding="utf-8"))
