"""The tables of a study, for the screen and for its page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rrframe.evaluation.statistics import Interval
from rrframe.evaluation.study import Study
from rrframe.evaluation.wording import ends_words, p_words, pairs_words, turned, verdict_words
from rrframe.pages.page import Page
from rrframe.pages.pieces import Cell, Columns, Figures, Piece, Section, Table, Text, Value
from rrframe.pages.plots import Whisker, Whiskers


def tables(study: Study) -> Iterator[Table]:
    """The tables, in the order in which they are read."""
    level = f"{100 * study.level:g} %"
    rows: list[list[Cell]] = [
        [
            each.name,
            each.label,
            Value(f"{100 * study.shares[each.name].value:.2f} %", study.shares[each.name].value),
            _ends(study.shares[each.name], "{:.2f}", 100),
            Value(f"{each.value:+.0f}", each.value),
            _ends(study.strengths.elo[each.name], "{:+.0f}"),
        ]
        for each in study.standings
    ]
    yield Table("Models", ["Model", "Rank", "First places", f"{level} of it", "Elo", f"{level} of Elo"], rows, False)
    places = {each.name: place for place, each in enumerate(study.standings)}
    pairs: dict[tuple[int, int], list[Cell]] = {}
    for each in study.strengths.differences:
        ahead = each.one if each.mean.value >= 0 else each.other
        behind = each.other if ahead == each.one else each.one
        ends = (each.mean.low, each.mean.high)
        low, high = ends if ahead == each.one else turned(*ends)
        gap = abs(each.mean.value)
        pairs[places[ahead], places[behind]] = [
            *(f"{ahead} over {behind}", Value(f"{gap:+.0f}", gap), ends_words(low, high, "{:+.0f}")),
            *(Value(p_words(each.adjusted_p), each.adjusted_p), verdict_words(each.holds)),
        ]
    ordered = [pairs[key] for key in sorted(pairs)]
    yield Table("Differences", ["Pair", "Elo", f"{level} of it", "p, adjusted", "Verdict"], ordered, False)
    if study.correlations:
        found: list[list[Cell]] = [
            [
                *(each.name, Value(f"{each.value.value:.4f}", each.value.value)),
                *(_ends(each.value, "{:.4f}"), Value(p_words(each.p), each.p)),
            ]
            for each in study.correlations
        ]
        yield Table("Metric against people", ["Coefficient", "Value", f"{level} of it", "p"], found, False)


def remarks(study: Study) -> Iterator[str]:
    """What has to be known of the numbers, a sentence or two each."""
    noise = study.noise
    if noise:
        yield f"Inside the noise, so not ranked: {pairs_words(noise)}."
    if study.images < 2:
        yield "All votes are on one image, so nothing can be said of other images, and there are no intervals."
    agreed = study.agreement
    if agreed.alpha is None:
        yield "No two people judged the same models on the same image, so nothing is known of how far they agree."
    else:
        w = f"; Kendall's W {agreed.w:.2f} over {agreed.images} images" if agreed.w is not None else ""
        yield (
            f"Agreement: Krippendorff's alpha {agreed.alpha:.2f} over {agreed.pairs} pairs that two people or more "
            f"judged (1 is full, 0 is chance){w}."
        )
    if study.sides:
        sides = study.sides
        yield (
            f"Sides: the left won {100 * sides.share:.1f} % of {sides.left + sides.right} decided votes; the strengths "
            f"alone predict {100 * sides.expected:.1f} % (p = {p_words(sides.p)})."
        )
    if study.judged and not study.correlations:
        yield "The metric or the people say the same of everything, so no correlation is defined."
    if study.scored < study.judged:
        yield f"The metric has a score for {study.scored} of the {study.judged} results that people judged."


def write_page(study: Study, path: Path) -> Path:
    """Write the page of the study to ``path`` and give its path."""
    first, *rest = tables(study)
    figures: dict[str, Cell] = {
        "ballots": study.ballots,
        "pairs": study.pairs,
        "ties": study.ties,
        "images": study.images,
        "people": study.raters,
    }
    explained = (
        "Ranks span what the data allow: models whose difference is inside the noise share them. Elo is the strength "
        "of Bradley and Terry with Davidson's ties, 400 points being odds of 10 to 1. Intervals come from resampling "
        "images."
    )
    sections = [
        Section("Models", [Figures(figures), first, Text(explained, "quiet"), Columns(list(_plots(study)))]),
        Section("What holds", [*(Text(remark) for remark in remarks(study)), *_first(rest)]),
    ]
    if len(rest) > 1:
        sections.append(Section("Metric against people", [rest[1]]))
    intro = f"{study.raters} people, {study.images} images, {len(study.standings)} models."
    return Page("Human study", sections, intro).write(path)


def _plots(study: Study) -> Iterator[Whiskers]:
    names = [each.name for each in study.standings]
    note = f"with {100 * study.level:g} % intervals"
    shares = {name: _whisker(study.shares[name], "{:.1f}", 100) for name in names}
    yield Whiskers("First places, %", shares, note)
    elo = {name: _whisker(study.strengths.elo[name], "{:+.0f}") for name in names}
    yield Whiskers("Elo", elo, note, 0.0, "dashed: the mean of the models")


def _whisker(interval: Interval, form: str, scale: float = 1) -> Whisker:
    words = form.format(scale * interval.value)
    if interval.low is None or interval.high is None:
        return Whisker(scale * interval.value, words)
    ends = (scale * interval.low, scale * interval.high)
    return Whisker(scale * interval.value, f"{words} ({ends_words(*ends, form)})", ends)


def _first(rest: list[Table]) -> list[Piece]:
    return [rest[0]] if rest else []


def _ends(interval: Interval, form: str, scale: float = 1) -> str:
    return ends_words(interval.low, interval.high, form, scale)
