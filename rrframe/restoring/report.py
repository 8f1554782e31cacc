"""The page of a folder of restored pictures: before and after, what failed, what was done to each, and with what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

from rrframe.errors import RRFrameError
from rrframe.imaging.reading import read_photograph
from rrframe.pages.page import Page
from rrframe.pages.pictures import picture, shrink
from rrframe.pages.pieces import Cell, Code, Comparison, Comparisons, Figures, Piece, Section, Table, Text
from rrframe.restoring.inputs import KEPT
from rrframe.restoring.journal import Journal, Row
from rrframe.run.folder import RESOLVED

REPORT = "report.html"
_SHOWN = 10  # pictures under a slider: the page is to stay a few megabytes
_LISTED = 300  # rows of a table
_LONGEST = 400  # pixels of a picture on the page, whole or in part


def write_report(out: Path, journal: Journal) -> Path:
    """Write the page of the pictures that ``journal`` knows of in ``out``, and give its path.

    Raises:
        RRFrameError: It cannot be written.
    """
    rows = sorted(journal.rows.values(), key=lambda row: row.name)
    done = [row for row in rows if row.status == "done"]
    failed = [row for row in rows if row.status == "failed"]
    kept = out / KEPT
    facts = _read_json(kept / "run.json")
    settings = _read_yaml(kept / RESOLVED)
    sections = [
        Section("Before and after", [*_alarms(facts), *_compared(out, done)]),
        Section("Could not be restored", [_failures(failed)]) if failed else None,
        Section("Pictures", list(_listed(done))) if done else None,
        Section("Settings", list(_settings(kept / RESOLVED, facts))),
    ]
    name = str(facts.get("backbone", "restored"))
    total = len(done) + len(failed)
    intro = f"{len(done)} of {total} picture{'s' if total != 1 else ''} restored by {name}."
    about: dict[str, Cell] = {"Task": settings.get("task"), "Prompt": settings.get("prompt")}
    about |= {
        label: str(settings[label.lower()])
        for label in ("Seed", "Steps", "Guidance")
        if settings.get(label.lower()) is not None
    }
    page = Page("Restored pictures", [each for each in sections if each], intro, {k: v for k, v in about.items() if v})
    return page.write(out / REPORT)


def _alarms(facts: dict[str, Any]) -> Iterator[Text]:
    for name in facts.get("untrained", ()):
        yield Text(
            f"The weights of {name} are random, since no checkpoint was given: what is shown here is no restoration.",
            "alarm",
        )


def _compared(out: Path, done: Sequence[Row]) -> Iterator[Piece]:
    if not done:
        yield Text("No picture was restored.")
        return
    shown = _spread(done)
    comparisons: list[Comparison] = []
    unread: list[Text] = []
    for row in shown:
        try:
            comparisons += _comparisons(row, out)
        except (RRFrameError, ValueError) as error:
            said = error.message if isinstance(error, RRFrameError) else str(error)
            unread.append(Text(f"{row.shown} cannot be shown: {said}", "alarm"))
    if len(shown) < len(done):
        yield Text(f"{len(shown)} of {len(done)} pictures are shown, spread evenly; all lie beside this page.", "quiet")
    yield from unread
    yield Comparisons(comparisons)


def _spread(done: Sequence[Row]) -> list[Row]:
    count = min(_SHOWN, len(done))
    return [done[place * len(done) // count] for place in range(count)]


def _comparisons(row: Row, out: Path) -> Iterator[Comparison]:
    """The whole picture, and of a large one the part that changed most, in its own pixels."""
    before = read_photograph(row.source).eight_bit()
    after = read_photograph(out / row.output).eight_bit()
    if before.shape != after.shape:
        raise RRFrameError("its file has another size by now")
    height, width = after.shape[:2]
    small = shrink(after, _LONGEST)
    share = small.shape[1] / width
    whole = "" if share == 1 else f"{width} × {height}, scaled down, which hides fine detail."
    yield _comparison(row, shrink(before, _LONGEST), small, row.shown, whole)
    if share < 1:
        top, left = _most_changed(before, after)
        part = (slice(top, top + _LONGEST), slice(left, left + _LONGEST))
        yield _comparison(row, before[part], after[part], row.shown, "The part that changed most.")


def _comparison(row: Row, before: np.ndarray, after: np.ndarray, caption: str, detail: str) -> Comparison:
    return Comparison(
        [picture(before, f"{row.shown}, as it was", "Before"), picture(after, f"{row.shown}, restored", "After")],
        caption,
        detail,
    )


def _most_changed(before: np.ndarray, after: np.ndarray) -> tuple[int, int]:
    """Where the part of the page's size begins that differs most."""
    change = cv2.absdiff(before, after).astype(np.float32).sum(axis=2)
    height, width = change.shape
    rows, columns = min(_LONGEST, height), min(_LONGEST, width)
    sums = cv2.integral(change)
    totals = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    top, left = np.unravel_index(int(np.argmax(totals)), totals.shape)
    return int(top), int(left)


def _failures(failed: Sequence[Row]) -> Table:
    rows: list[list[Cell]] = [[row.shown, row.reason] for row in failed[:_LISTED]]
    return Table("Pictures that could not be restored", ["Picture", "Reason"], rows)


def _listed(done: Sequence[Row]) -> Iterator[Piece]:
    seconds = [row.seconds for row in done]
    tiled = sum(row.tiles > 1 for row in done)
    yield Figures({"restored": len(done), "in tiles": tiled, "seconds each": f"{sum(seconds) / len(done):.3g}"})
    guessed = any(row.guessed for row in done)
    rows: list[list[Cell]] = [
        [
            *(row.shown, row.width, row.height, row.tiles, row.seconds),
            *((row.guessed, row.scores) if guessed else ()),
            "; ".join(row.notes),
        ]
        for row in done[:_LISTED]
    ]
    columns = ["Picture", "Width", "Height", "Tiles", "Seconds", *(["Task", "Severities"] if guessed else []), "Notes"]
    if guessed:
        yield Text("The task of each picture was guessed, from estimates of severity: a guess, which may be wrong.")
    yield Table("Restored pictures", columns, rows)
    if len(done) > _LISTED:
        yield Text(f"and {len(done) - _LISTED} more; {KEPT}/journal.jsonl lists them all", "quiet")


def _settings(path: Path, facts: dict[str, Any]) -> Iterator[Piece]:
    versions = facts.get("versions", {})
    yield Text(", ".join(f"{name} {version}" for name, version in versions.items()), "quiet")
    yield Code("All settings", path.read_text(encoding="utf-8"))


def _read_json(path: Path) -> dict[str, Any]:
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}


def _read_yaml(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found if isinstance(found, dict) else {}
