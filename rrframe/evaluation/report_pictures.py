"""The images of an evaluation as pieces of a page: each under a slider with its numbers, and the best and worst ones.

A page has a budget: previews are made as large and as faithful as it allows, and the files themselves are linked.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from rrframe.errors import RRFrameError
from rrframe.evaluation.report_tables import Numbers, plain_heading, short_heading
from rrframe.evaluation.results import MeasureFacts, Row
from rrframe.imaging.reading import read_photograph
from rrframe.pages.pictures import Picture, picture, shrink
from rrframe.pages.pieces import (
    Cell,
    Comparison,
    Comparisons,
    Folded,
    Piece,
    Pointer,
    Pointers,
    Table,
    Text,
    Value,
)

BUDGET = 24_000_000
"""Bytes of a page that pictures may take."""
PIXELS = 6_000_000_000
"""Pixels that are read for previews: some two minutes of decoding on two cores."""
_Tier = tuple[int, int | None]
_TIERS: tuple[_Tier, ...] = (
    *((640, None), (480, None), (480, 90), (384, 85), (320, 80), (320, 70), (256, 80), (256, 70)),
    *((224, 70), (192, 65), (160, 60)),
)
"""Pixels of a preview's longer side and its WebP quality, from the best; ``None`` is without a visible loss."""
_TRIED = 6  # images that a tier's size is told from
_CARDS = 1000  # images with a card of their own
_EXTREMES = 4  # worst and best images shown of each restorer by each measure
_GOLDEN = 0.6180339887  # multiples of it spread evenly over the unit interval, however many
_WRITTEN = 400  # characters shown of what a judge wrote


@dataclass(frozen=True)
class Case:
    """One image with its rows, a restorer each."""

    number: int
    rows: tuple[Row, ...]
    same: frozenset[str] = frozenset()
    """Restorers that give the degraded image as it is, and have no picture of their own."""

    @property
    def anchor(self) -> str:
        return f"image-{self.number}"

    @property
    def files(self) -> Iterator[tuple[str, str]]:
        """The name of each picture and its file, relative to the folder of the run: degraded, restored, clean."""
        first = self.rows[0]
        yield from [("degraded", first.degraded)] if first.degraded else []
        yield from ((row.restorer, row.restored) for row in self.rows if row.restored and row.restorer not in self.same)
        yield from [("clean", first.clean)] if first.clean else []


@dataclass(frozen=True)
class _Extreme:
    restorer: str
    side: str
    measure: MeasureFacts
    cases: tuple[tuple[Case, float], ...]


def cases_of(numbers: Numbers) -> list[Case]:
    """The images in the order of the rows, each once."""
    same = frozenset(each.name for each in numbers.results.restorers if each.kind == "identity")
    found: dict[str, list[Row]] = {}
    for row in numbers.results.rows:
        found.setdefault(row.image, []).append(row)
    return [Case(number, tuple(rows), same) for number, rows in enumerate(found.values(), 1)]


# Worst and best
# ----------------------------------------------------------------------------------------------------------------------


def extremes(numbers: Numbers, cases: Sequence[Case]) -> list[_Extreme]:
    """The images that each restorer did worst and best on, by each measure that tells them apart."""
    restoring = [each.name for each in numbers.results.restorers if each.kind not in ("identity", "published")]
    found: list[_Extreme] = []
    for measure in numbers.measures:
        for name in restoring or numbers.restorers:
            scored = [
                (case, value)
                for case in cases
                for row in case.rows
                if row.restorer == name and (value := row.scores.get(measure.name)) is not None and math.isfinite(value)
            ]
            scored.sort(key=lambda each: each[1], reverse=not measure.higher_is_better)
            if len(scored) < 2 or scored[0][1] == scored[-1][1]:
                continue
            worst, best = scored[0][1], scored[-1][1]
            many = min(_EXTREMES, len(scored) // 2)  # and none of them as bad as the worst, or as good as the best
            below = [each for each in scored[:many] if each[1] != best]
            above = [each for each in scored[: -many - 1 : -1] if each[1] != worst]
            found.append(_Extreme(name, "worst", measure, tuple(below)))
            found.append(_Extreme(name, "best", measure, tuple(above)))
    return found


def worst_and_best(numbers: Numbers, found: Sequence[_Extreme]) -> Iterator[Piece]:
    """Links to those images, a fold a measure."""
    for measure, group in itertools.groupby(found, key=lambda each: each.measure):
        form = numbers.form(measure)
        rows = {
            f"{each.restorer}, {each.side}": [
                Pointer(case.anchor, each.restorer, case.rows[0].image, f"{form.format(value)}, {case.rows[0].task}")
                for case, value in each.cases
            ]
            for each in group
        }
        yield Folded(plain_heading(measure), [Pointers(rows)], open=measure is numbers.measures[0])


# Every image
# ----------------------------------------------------------------------------------------------------------------------


def every_image(
    numbers: Numbers,
    cases: Sequence[Case],
    folder: Path,
    first: Sequence[_Extreme],
    budget: int = BUDGET,
    most: int = PIXELS,
) -> Iterator[Piece]:
    """A card an image: the slider, the numbers, what the judge wrote, links to the files.

    Args:
        numbers: Of the results.
        cases: Their images.
        folder: That of the run, which the paths of the rows start from.
        first: Whose images come first where the budget is short.
        budget: Bytes of the page that the pictures may take.
        most: Pixels that may be read for them.
    """
    wanted = {case.number for each in first for case, _ in each.cases}
    order = sorted(cases, key=lambda case: (case.number not in wanted, case.number * _GOLDEN % 1))[:_CARDS]
    read = [
        case for case, pixels in zip(order, itertools.accumulate(map(_pixels, order)), strict=True) if pixels <= most
    ]
    tier = _tier(read, folder, budget)
    previews, used = dict[int, list[Picture]](), 0
    with ThreadPoolExecutor() as pool:
        done = pool.map(lambda case: _previews(_read(case, folder, tier[0]), tier), read)
        for case, made in zip(read, done, strict=True):
            size = sum(len(each.uri) for each in made)
            if used + size <= budget:
                previews[case.number], used = made, used + size
    order.sort(key=lambda case: case.number)
    yield from _about(order, cases, tier, len(order) - len(previews))
    yield Comparisons([_card(numbers, case, previews.get(case.number)) for case in order], browse=True)


def _about(shown: Sequence[Case], cases: Sequence[Case], tier: _Tier, without: int) -> Iterator[Piece]:
    longest, quality = tier
    scaled = any(max(case.rows[0].width, case.rows[0].height) > longest for case in shown)
    done = [f"scaled down to at most {longest} pixels"] if scaled else []
    done += [f"compressed (WebP, quality {quality})"] if quality else []
    previews = f"Previews are {' and '.join(done)}, which hides fine detail. " if done else ""
    yield Text(
        f"{previews}Names in the tables lead to the files themselves, which lie where the run put them. Choose what "
        "stands on either side below a picture, and drag or use the arrow keys.",
        "quiet",
    )
    if len(shown) < len(cases):
        yield Text(f"{len(shown)} of {len(cases)} images are here, spread evenly; results.json has all.", "quiet")
    if without:
        yield Text(f"{without} of these have no preview, so that the page is small and soon made.", "quiet")


def _tier(order: Sequence[Case], folder: Path, budget: int) -> _Tier:
    """The best tier that the budget allows, told from a few images."""
    tried = [_read(case, folder, _TIERS[0][0]) for case in order[:: -(-len(order) // _TRIED) or 1]]
    for tier in _TIERS:
        size = sum(len(each.uri) for each in itertools.chain(*(_previews(read, tier) for read in tried)))
        if size * len(order) <= 0.9 * budget * len(tried):
            return tier
    return _TIERS[-1]


def _pixels(case: Case) -> int:
    """How many pixels the files of ``case`` have, taking all for as large as the first."""
    return case.rows[0].width * case.rows[0].height * sum(1 for _ in case.files)


def _read(case: Case, folder: Path, longest: int) -> dict[str, np.ndarray]:
    """The pictures of ``case`` by name, scaled down, all to the size of the first; what cannot be read is left out."""
    found: dict[str, np.ndarray] = {}
    for name, path in case.files:
        try:
            pixels = read_photograph(folder / path).eight_bit()
        except RRFrameError:
            continue
        first = next(iter(found.values()), None)
        found[name] = shrink(pixels, longest)
        if first is not None and first.shape != found[name].shape:
            found[name] = cv2.resize(found[name], first.shape[1::-1], interpolation=cv2.INTER_AREA)
    return found


def _previews(read: Mapping[str, np.ndarray], tier: _Tier) -> list[Picture]:
    longest, quality = tier
    return [picture(shrink(pixels, longest), name, name, quality=quality) for name, pixels in read.items()]


def _card(numbers: Numbers, case: Case, pictures: Sequence[Picture] | None) -> Comparison:
    """The card of ``case``; ``pictures`` is ``None`` where the budget has no room for them."""
    first = case.rows[0]
    size = f"{first.width} × {first.height}" if first.width and first.height else ""
    marks = {"Task": first.task} | {label.capitalize(): part for label, part in first.slices.items()}
    failed = [row for row in case.rows if row.status != "scored"]
    if failed:
        marks["Status"] = "not all scored"
    pieces: list[Piece] = [_scores(numbers, case)]
    pieces += [
        Text(f"{row.restorer}: {row.reason}", "alarm" if row in failed else "quiet") for row in case.rows if row.reason
    ]
    shown = [replace(each, alt=f"{first.image}, {each.alt}") for each in pictures or ()]
    unread = {name for name, _ in case.files} - {each.caption for each in shown} if pictures is not None else set()
    if unread:
        pieces.append(Text(f"cannot be read: {', '.join(sorted(unread))}", "alarm"))
    return Comparison(shown, first.image, size, marks, pieces, case.anchor)


def _scores(numbers: Numbers, case: Case) -> Table:
    """The numbers of every picture of the card, what the judge wrote of it, and links to the files."""
    judged = any(row.severities for row in case.rows)
    first = case.rows[0]
    rows: list[list[Cell]] = []

    def add(
        name: str, file: str | None, scores: Sequence[Cell], severity: float | None, written: Sequence[str]
    ) -> None:
        shown = None if severity is None else Value(f"{severity:.2f}" if severity % 1 else f"{severity:.0f}", severity)
        said: list[Cell] = [shown, " ⏎ ".join(written)[:_WRITTEN]] if judged else []
        rows.append([Value(name, link=file or ""), *scores, *said])

    nothing: list[Cell] = [None] * len(numbers.measures)
    told = next((row for row in case.rows if row.severities), first)
    if first.degraded:
        severity = told.severities.degraded if told.severities else None
        add("degraded", first.degraded, nothing, severity, told.answers.degraded if told.answers else ())
    for row in case.rows:
        values = [_score(numbers, row, measure) for measure in numbers.measures]
        severity = row.severities.restored if row.severities else None
        add(row.restorer, row.restored, values, severity, row.answers.restored if row.answers else ())
    if first.clean:
        add("clean", first.clean, nothing, None, ())
    columns: list[str | Value] = ["Picture", *map(short_heading, numbers.measures)]
    if judged:
        proxy = numbers.results.judge is not None and numbers.results.judge.proxy
        columns += [Value("Severity", note="1 extreme, 5 none" + (", proxy judge" if proxy else "")), "The judge wrote"]
    return Table(f"Scores of {first.image}", columns, rows, sortable=False)


def _score(numbers: Numbers, row: Row, measure: MeasureFacts) -> Cell:
    value = row.scores.get(measure.name)
    return None if value is None else Value(numbers.form(measure).format(value), value)
