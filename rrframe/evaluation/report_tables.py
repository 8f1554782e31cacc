"""The numbers of an evaluation as pieces of a page: leaderboard, differences, tasks and slices, distributions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rrframe.evaluation.results import Average, DifferenceFacts, MeasureFacts, PublishedFacts, Results
from rrframe.evaluation.scores import OVER_IMAGES
from rrframe.evaluation.wording import ends_words, p_words, pairs_words, too_few_words, turned, verdict_words
from rrframe.pages.pieces import Cell, Columns, Folded, Piece, Section, Table, Text, Value
from rrframe.pages.plots import Histograms, Whisker, Whiskers

_PUBLISHED = "average"  # the key of the mean in a published table
_KINDS = {"backbone": "restores here", "folder": "ready outputs", "identity": "does nothing", "published": "published"}
_DRAWN = 15  # differences in a plot


class Numbers:
    """What every table needs of ``results``: the measures in the order to read them, and how to write their numbers."""

    def __init__(self, results: Results) -> None:
        self.results = results
        # FS is what the protocol ranks by; without it, the recipe's first measure
        self.measures = sorted(results.measures, key=lambda measure: measure.title != "FS")
        self.restorers = [restorer.name for restorer in results.restorers]
        self.part = part_of(results.settings)
        self.images = len({row.image for row in results.rows})
        self.pictures = len({row.picture or row.image for row in results.rows})
        self._forms = {measure.name: self._form_of(measure) for measure in results.measures}

    def form(self, measure: MeasureFacts) -> str:
        """How a number of ``measure`` is written, for :meth:`str.format`."""
        return self._forms[measure.name]

    def signed(self, measure: MeasureFacts) -> str:
        """The same with its sign."""
        return self.form(measure).replace(":", ":+")

    def average(self, restorer: str, group: str, measure: MeasureFacts) -> Average | None:
        """The mean of ``restorer`` over ``group``, if there is one."""
        return self.results.averages.get(restorer, {}).get(group, {}).get(measure.name)

    def ranked(self, measure: MeasureFacts) -> list[str]:
        """The restorers as they stand by ``measure``, and then those that have no standing."""
        standing = [each.name for each in self.results.standings.get(measure.name, ())]
        return standing + [name for name in self.restorers if name not in standing]

    def comparable(self, measure: MeasureFacts) -> list[PublishedFacts]:
        """The published tables of ``measure`` that its means here may stand beside: those of the same judge, where the
        whole benchmark was scored.
        """
        return [] if measure.proxy or self.part else self.published(measure)

    def published(self, measure: MeasureFacts) -> list[PublishedFacts]:
        """The published tables of ``measure``, which they may name with a unit."""
        known = {measure.title.casefold(), measure.name.rpartition("/")[2].casefold()}
        return [table for table in self.results.published if table.measure.partition(",")[0].casefold() in known]

    def values(self, restorer: str, measure: MeasureFacts) -> list[float]:
        """The finite scores of the images under ``restorer``."""
        found = (row.scores.get(measure.name) for row in self.results.rows if row.restorer == restorer)
        return [value for value in found if value is not None and math.isfinite(value)]

    def _form_of(self, measure: MeasureFacts) -> str:
        values = [abs(row.scores.get(measure.name) or 0) for row in self.results.rows]
        largest = max((value for value in values if math.isfinite(value)), default=0)
        return "{:z.1f}" if largest >= 100 else "{:z.2f}" if largest >= 10 else "{:z.3f}"


def part_of(settings: Mapping[str, Any]) -> str:
    """What part of the benchmark was asked for, where it was not all of it. Joined runs have the settings of each."""
    if "kind" not in settings:
        return "; ".join(filter(None, (part_of(each) for each in settings.values() if isinstance(each, Mapping))))
    limit, tasks = settings.get("limit"), settings.get("tasks")
    parts = [f"tasks {', '.join(tasks)}"] if tasks else []
    parts += [f"the first {_images(limit)} of each task"] if limit else []
    return ", ".join(parts)


def heading(measure: MeasureFacts) -> Value:
    """What stands above the numbers of ``measure``, with all that must not be missed of them."""
    direction = "higher is better" if measure.higher_is_better else "lower is better"
    notes = [measure.unit, direction, "proxy judge" if measure.proxy else ""]
    return Value(measure.title, note=", ".join(filter(None, notes)))


def short_heading(measure: MeasureFacts) -> Value:
    """The same where the direction has been told already."""
    return Value(measure.title, note=", ".join(filter(None, [measure.unit, "proxy judge" if measure.proxy else ""])))


def plain_heading(measure: MeasureFacts) -> str:
    """The heading in one line."""
    told = heading(measure)
    return f"{told.words} ({told.note})"


# Leaderboard
# ----------------------------------------------------------------------------------------------------------------------


def leaderboard(numbers: Numbers) -> Iterator[Piece]:
    """Every restorer's means over images with their ranks, and a plot of the intervals of each measure."""
    first = numbers.measures[0]
    kinds = {restorer.name: restorer.kind for restorer in numbers.results.restorers}
    untrained = {restorer.name for restorer in numbers.results.restorers if restorer.untrained}
    rows: list[list[Cell]] = []
    for name in numbers.ranked(first):
        note = ", ".join([_KINDS[kinds[name]], *(["random weights"] if name in untrained else [])])
        rows.append([Value(name, note=note), *(_standing(numbers, name, measure) for measure in numbers.measures)])
    rows += _published_rows(numbers)
    columns: list[str | Value] = ["Restorer", *map(heading, numbers.measures)]
    yield Table("Leaderboard: means over images", columns, rows)
    level = f"{100 * _level(numbers):g} %"
    yield Text(
        f"Means over images. A rank is a span wherever differences lie inside the noise. Below: dots are means, lines "
        f"their {level} intervals, faint bands what a mean could be at worst and at best had no image been missing, "
        "hollow dots published numbers, which come without intervals.",
        "quiet",
    )
    if numbers.pictures < numbers.images:
        yield Text(
            f"The {numbers.images} images were made of {numbers.pictures} photographs. Intervals and tests draw "
            "photographs, since images of one photograph tell little more than one image does.",
            "quiet",
        )
    yield Columns([_whiskers(numbers, measure) for measure in numbers.measures])
    yield from _not_comparable(numbers)


def _standing(numbers: Numbers, restorer: str, measure: MeasureFacts) -> Cell:
    mean = numbers.average(restorer, OVER_IMAGES, measure)
    if mean is None or mean.value is None:
        return None
    ranks = numbers.results.standings.get(measure.name, ())
    rank = next((f"rank {each.label}" for each in ranks if each.name == restorer), "")
    note = "\n".join(filter(None, [rank, _count(mean)]))
    return Value(numbers.form(measure).format(mean.value), mean.value, note)


def _count(mean: Average) -> str:
    """How many images are behind a mean, wherever these are fewer than were asked for."""
    return "" if mean.complete else f"{mean.images_scored} of {mean.images_asked} images"


def _published_rows(numbers: Numbers) -> Iterator[list[Cell]]:
    """What is printed of models that are not among the restorers, where it may be compared."""
    scores: dict[str, dict[str, Value]] = {}
    for measure in numbers.measures:
        for table in numbers.comparable(measure):
            for model, printed in table.scores.items():
                if _PUBLISHED in printed and model not in numbers.restorers:
                    value = printed[_PUBLISHED]
                    scores.setdefault(model, {})[measure.name] = Value(f"{value:.{table.decimals}f}", value)
    for model, found in scores.items():
        yield [Value(model, note="published"), *(found.get(measure.name) for measure in numbers.measures)]


def _whiskers(numbers: Numbers, measure: MeasureFacts) -> Whiskers:
    form = numbers.form(measure)
    printed_alone = {each.name for each in numbers.results.restorers if each.kind == "published"}
    rows: dict[str, Whisker] = {}
    for name in numbers.ranked(measure):
        mean = numbers.average(name, OVER_IMAGES, measure)
        if mean is not None and mean.value is not None:
            rows[name] = _whisker(mean, form, name in printed_alone)
    for table in numbers.comparable(measure):
        for model, printed in table.scores.items():
            if _PUBLISHED in printed and model not in numbers.restorers:
                words = f"{printed[_PUBLISHED]:.{table.decimals}f}, published"
                rows[model] = Whisker(printed[_PUBLISHED], words, hollow=True)
    told = heading(measure)
    unrestored = next((each.name for each in numbers.results.restorers if each.kind == "identity"), None)
    mark = rows[unrestored].value if unrestored in rows else None
    return Whiskers(
        told.words, rows, told.note, mark, "dashed: the degraded images as they are" if mark is not None else ""
    )


def _whisker(mean: Average, form: str, published: bool) -> Whisker:
    ends = _interval(mean)
    words = form.format(mean.value) + (f" ({ends_words(*ends, form)})" if ends else "")
    bounds = None if mean.complete else _both(mean.low, mean.high)
    told = ", ".join(filter(None, [words, _count(mean), "published" if published else ""]))
    return Whisker(mean.value, told, ends, bounds, hollow=published)


def _interval(mean: Average) -> tuple[float, float] | None:
    """The ends of the interval; none where every image has the same value, as the unrestored have."""
    ends = _both(mean.interval_low, mean.interval_high)
    return None if ends and ends[0] == ends[1] else ends


def _both(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)


def _not_comparable(numbers: Numbers) -> Iterator[Piece]:
    """What is printed of measures whose numbers here are of a stand-in for the judge or of a part of the images."""
    found = [
        table for measure in numbers.measures if not numbers.comparable(measure) for table in numbers.published(measure)
    ]
    models = dict.fromkeys(model for table in found for model in table.scores)
    rows: list[list[Cell]] = [
        [model, *(_printed(table, model, _PUBLISHED) for table in found)]
        for model in models
        if any(_PUBLISHED in table.scores.get(model, {}) for table in found)
    ]
    if rows:
        reasons = {
            "Those that rest on a judge come of one that looks; the numbers above come of a stand-in and have another "
            "scale.": any(measure.proxy for measure in numbers.measures if numbers.published(measure)),
            f"They are over the whole benchmark, the numbers above over a part of it ({numbers.part}).": numbers.part,
        }
        told = " ".join(reason for reason, holds in reasons.items() if holds)
        said = Text(f"{told} Neither is better or worse than the other.", "alarm")
        table = Table("Published scores", ["Model", *(each.measure for each in found)], rows)
        sources = "; ".join(dict.fromkeys(each.source for each in found))
        yield Folded("Published scores, not comparable with these", [said, table, Text(sources, "quiet")])


def _printed(table: PublishedFacts, model: str, task: str) -> Cell:
    value = table.scores.get(model, {}).get(task)
    return None if value is None else Value(f"{value:.{table.decimals}f}", value)


def _level(numbers: Numbers) -> float:
    levels = (
        mean.level
        for groups in numbers.results.averages.values()
        for means in groups.values()
        for mean in means.values()
    )
    return next(levels, 0.95)


# Differences
# ----------------------------------------------------------------------------------------------------------------------


def differences(numbers: Numbers) -> Iterator[Piece]:
    """Every pair of restorers compared on the images that both have a score for, by each measure, in words first."""
    found = [measure for measure in numbers.measures if numbers.results.differences.get(measure.name)]
    if not found:
        yield Text("There are not two restorers with scores on the same images.", "quiet")
        return
    yield Text(
        "Paired tests by permutation on the images that both have a score for; p is adjusted for the number of pairs "
        "(Holm). What does not hold orders nobody.",
        "quiet",
    )
    if too_few := too_few_words(numbers.pictures, _level(numbers)):
        yield Text(f"{too_few[0].upper()}{too_few[1:]}.", "alarm")
    for measure in found:
        pairs = numbers.results.differences[measure.name]
        yield Section(
            plain_heading(measure),
            [
                *map(Text, _what_holds(pairs, measure)),
                *_gaps(numbers, measure, pairs),
                Folded("As a table", [_pairs(numbers, measure, pairs)], open=measure is found[0]),
            ],
        )


def _ahead(each: DifferenceFacts, measure: MeasureFacts) -> tuple[str, str]:
    """The better of the two by its mean, and the other."""
    better = each.value >= 0 if measure.higher_is_better else each.value <= 0
    return (each.one, each.other) if better else (each.other, each.one)


def _what_holds(pairs: Sequence[DifferenceFacts], measure: MeasureFacts) -> Iterator[str]:
    behind: dict[str, list[str]] = {}
    for each in pairs:
        if each.holds:
            ahead, other = _ahead(each, measure)
            behind.setdefault(ahead, []).append(other)
    for ahead, others in behind.items():
        yield f"{ahead} is better than {_listed(others)}."
    noise = [(each.one, each.other) for each in pairs if not each.holds]
    if noise:
        yield f"Inside the noise, so not ranked: {pairs_words(noise)}."


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _gaps(numbers: Numbers, measure: MeasureFacts, pairs: Sequence[DifferenceFacts]) -> Iterator[Whiskers]:
    if len(pairs) > _DRAWN:
        return
    form = numbers.signed(measure)
    rows: dict[str, Whisker] = {}
    for each in pairs:
        one, other = _ahead(each, measure)
        value, low, high = _from(each, one)
        ends = _both(low, high)
        words = form.format(value) + (f" ({ends_words(low, high, form)})" if ends else "")
        rows[f"{one} − {other}"] = Whisker(value, words, ends, hollow=not each.holds)
    yield Whiskers("Differences of means", rows, "hollow: inside the noise", 0.0, "dashed: no difference")


def _pairs(numbers: Numbers, measure: MeasureFacts, pairs: Sequence[DifferenceFacts]) -> Table:
    form = numbers.signed(measure)
    rows: list[list[Cell]] = []
    for each in pairs:
        one, other = _ahead(each, measure)
        value, low, high = _from(each, one)
        gap: list[Cell] = [Value(form.format(value), value), ends_words(low, high, form), each.images]
        tests: list[Cell] = [Value(p_words(p), p) for p in (each.p, each.adjusted_p)]
        rows.append([f"{one} − {other}", *gap, *tests, verdict_words(each.holds)])
    level = f"{100 * _level(numbers):g} % of it"
    columns = ["Pair", "Difference", level, "Images", "p", "p, adjusted", "Verdict"]
    return Table(f"Differences by {measure.title}", columns, rows)


def _from(each: DifferenceFacts, one: str) -> tuple[float, float | None, float | None]:
    """The difference as seen from ``one``, and the ends of its interval."""
    if one == each.one:
        return each.value, each.low, each.high
    return -each.value, *turned(each.low, each.high)


# Tasks and slices, distributions
# ----------------------------------------------------------------------------------------------------------------------


def by_group(numbers: Numbers) -> Iterator[Piece]:
    """A table a measure: restorers down, tasks and the means over them across; and one for each way to slice."""
    kinds: dict[str, list[str]] = {}
    for group in numbers.results.groups:
        kind = group.name.partition(": ")[0] if group.kind == "slice" else "task"
        kinds.setdefault(kind, []).append(group.name)
    images = {group.name: group.images for group in numbers.results.groups}
    for measure in numbers.measures:
        tables: list[Piece] = []
        for kind, groups in kinds.items():
            columns = [Value(group.removeprefix(f"{kind}: "), note=_images(images[group])) for group in groups]
            rows = [
                [name, *(_grouped(numbers, name, group, measure) for group in groups)]
                for name in numbers.ranked(measure)
                if any(numbers.average(name, group, measure) for group in groups)
            ]
            rows += _published_groups(numbers, measure, groups) if kind == "task" else ()
            label = f"{measure.title} by {kind}"
            tables += [Text(label[0].upper() + label[1:] if len(kinds) > 1 else "", "quiet")] if len(kinds) > 1 else []
            tables.append(Table(label, ["Restorer", *columns], rows))
        yield Folded(plain_heading(measure), tables, open=measure is numbers.measures[0])


def _images(count: int) -> str:
    return f"{count} image{'s' if count != 1 else ''}"


def _grouped(numbers: Numbers, restorer: str, group: str, measure: MeasureFacts) -> Cell:
    mean = numbers.average(restorer, group, measure)
    if mean is None or mean.value is None:
        return Value("none", note=_count(mean)) if mean else None
    form = numbers.form(measure)
    ends = _interval(mean)
    note = "\n".join(filter(None, [ends_words(*ends, form) if ends else "", _count(mean)]))
    return Value(form.format(mean.value), mean.value, note)


def _published_groups(numbers: Numbers, measure: MeasureFacts, groups: Sequence[str]) -> Iterator[list[Cell]]:
    for table in numbers.comparable(measure):
        for model in table.scores:
            if model in numbers.restorers:
                continue
            cells = [_printed(table, model, _PUBLISHED if group == OVER_IMAGES else group) for group in groups]
            yield [Value(model, note="published"), *cells]


def distributions(numbers: Numbers) -> Iterator[Piece]:
    """How the scores of images are spread, by measure."""
    yield Text("How many images have which score. The line is the median.", "quiet")
    plots: list[Piece] = []
    for measure in numbers.measures:
        rows = {name: values for name in numbers.ranked(measure) if (values := numbers.values(name, measure))}
        if rows:
            told = heading(measure)
            plots.append(Histograms(told.words, rows, numbers.form(measure), told.note))
    yield Columns(plots)
