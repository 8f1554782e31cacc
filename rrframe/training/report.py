"""The report of a training run: curves, held-out pictures, what was drawn and what stayed frozen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rrframe.imaging.reading import read_photograph
from rrframe.pages.page import Page
from rrframe.pages.pictures import picture
from rrframe.pages.pieces import Cell, Code, Comparison, Comparisons, Curve, Facts, Piece, Section, Table, Text
from rrframe.run.folder import RESOLVED
from rrframe.training.curves import STEPS, VALIDATIONS, read_curve
from rrframe.training.validation import PICTURES

REPORT = "report.html"


def write_report(folder: Path) -> Path:
    """Write the report of the training run in ``folder`` and give its path."""
    run: dict[str, Any] = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    steps, validations = (list(read_curve(folder, name)) for name in (STEPS, VALIDATIONS))
    sections = [
        Section("Curves", list(_curves(steps, validations))),
        Section("Held-out pairs", list(_held_out(folder, run, validations))),
        Section("What was drawn", list(_drawn(run))),
        Section("Run", [Facts(_facts(run)), *_recipe(folder)]),
    ]
    name = str(run.get("recipe") or folder.resolve().name)
    return Page(f"Training run: {name}", sections, _intro(run, validations)).write(folder / REPORT)


def _intro(run: dict[str, Any], validations: list[dict[str, Any]]) -> str:
    steps = run["last"]["steps"]
    if not validations:
        return f"{steps} steps, {run['status']}."
    best = max(validations, key=lambda line: line["psnr"])
    gain = best["psnr"] - best["degraded_psnr"]
    return (
        f"{steps} steps, {run['status']}. The best validation, after step {best['step']}, has a PSNR of "
        f"{best['psnr']:.2f} dB over {best['pairs']} held-out pairs, {gain:+.2f} dB against the degraded side."
    )


def _curves(steps: list[dict[str, Any]], validations: list[dict[str, Any]]) -> Iterator[Piece]:
    loss = [(line["step"], line["loss"]) for line in steps]
    yield Curve("Loss", "step", {"loss": loss})
    if validations:
        sides = {"restored": "psnr", "degraded": "degraded_psnr"}
        lines = {name: [(line["step"], line[key]) for line in validations] for name, key in sides.items()}
        yield Curve("PSNR of held-out pairs, dB", "step", lines)
    yield Curve("Learning rate", "step", {"learning rate": [(line["step"], line["learning_rate"]) for line in steps]})
    yield Curve("Norm of the gradient", "step", {"gradient": [(line["step"], line["gradient"]) for line in steps]})


def _held_out(folder: Path, run: dict[str, Any], validations: list[dict[str, Any]]) -> Iterator[Piece]:
    if not validations:
        yield Text("Nothing was validated.", "quiet")
        return
    best = max(validations, key=lambda line: line["psnr"])
    rows: list[list[Cell]] = [
        [name, cell["pairs"], cell["degraded_psnr"], cell["psnr"], cell["psnr"] - cell["degraded_psnr"]]
        for name, cell in best["cells"].items()
    ]
    columns = ["Source and task", "Pairs", "Degraded, dB", "Restored, dB", "Gain, dB"]
    yield Table(f"PSNR of held-out pairs after step {best['step']}", columns, rows)
    yield Comparisons([_comparison(folder, told) for told in run.get("held_out", [])])


def _comparison(folder: Path, told: dict[str, Any]) -> Comparison:
    sides = [
        picture(
            read_photograph(folder / PICTURES / f"{told['number']:02d}-{side}.png").eight_bit(),
            f"{told['key']}, {side}",
            side.capitalize(),
        )
        for side in ("degraded", "restored")
    ]
    caption = f"{told['task']}, {told['source']}"
    return Comparison(sides[0], sides[1], caption, f"{told['degraded_psnr']:.2f} to {told['psnr']:.2f} dB")


def _drawn(run: dict[str, Any]) -> Iterator[Piece]:
    drawn: dict[str, int] = run.get("drawn", {})
    total = sum(drawn.values()) or 1
    rows: list[list[Cell]] = [[name, count, f"{100 * count / total:.2f} %"] for name, count in drawn.items()]
    yield Table("Pairs drawn by source and task", ["Source and task", "Pairs", "Share"], rows)
    if run.get("broken"):
        yield Text(
            f"{len(run['broken'])} pairs could not be read, and the next of their kind took their place.", "alarm"
        )
        yield Table("Pairs that could not be read", ["Source", "Pair", "Reason"], run["broken"][:200])


def _facts(run: dict[str, Any]) -> dict[str, Cell]:
    frozen = ", ".join(f"{stage}: {count}" for stage, count in run.get("frozen", {}).items() if count)
    versions = ", ".join(f"{name} {version}" for name, version in run.get("versions", {}).items())
    return {"Status": run["status"], "Seed": run["seed"], "Frozen parameters": frozen or "none", "Versions": versions}


def _recipe(folder: Path) -> Iterator[Piece]:
    path = folder / RESOLVED
    if path.exists():
        yield Code("The recipe, every default filled in", path.read_text(encoding="utf-8"))
