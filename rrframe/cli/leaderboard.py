"""The results of an evaluation on the screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rrframe.cli.screen import as_text
from rrframe.evaluation.averages import OVER_IMAGES
from rrframe.evaluation.results import Average, MeasureFacts, Results
from rrframe.evaluation.wording import too_few_words
from rrframe.evaluation.writing import shown


def leaderboard(results: Results) -> str:
    """Means over images with their intervals, and what has to be known of them."""
    names = [restorer.name for restorer in results.restorers]
    means = {name: results.averages.get(name, {}).get(OVER_IMAGES, {}) for name in names}
    parts: list[RenderableType] = [board(results.measures, means), *map(Text, remarks(results))]
    return as_text(Group(*parts), wide_in_pipes=True)


def board(measures: Sequence[MeasureFacts], means: Mapping[str, Mapping[str, Average]]) -> Table:
    """A row a restorer, a column a measure."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("restorer", no_wrap=True)
    for measure in measures:
        arrow = "up" if measure.higher_is_better else "down"
        unit = f" {measure.unit}" if measure.unit else ""
        proxy = " (proxy)" if measure.proxy else ""
        table.add_column(f"{measure.title}{unit}, {arrow}{proxy}", justify="right", no_wrap=True)
    for name, row in means.items():
        table.add_row(name, *(_cell(row.get(measure.name), measure) for measure in measures))
    return table


def remarks(results: Results) -> Iterator[str]:
    """What has to be known of the numbers, a sentence each."""
    level = next((f"{100 * each.level:g} %" for each in _averages(results)), "")
    yield f"means over images, in brackets the {level} interval"
    if results.judge and results.judge.proxy:
        titles = ", ".join(measure.title for measure in results.measures if measure.proxy)
        yield f"{titles}: by {results.judge.name}, a stand-in for a judge: they compare with no published ones"
    for restorer in results.restorers:
        if restorer.untrained:
            yield f"{restorer.name}: random weights; it restores nothing"
        means = results.averages.get(restorer.name, {}).get(OVER_IMAGES, {})
        labels = {mean.label for mean in means.values() if not mean.complete}
        for label in sorted(labels):
            titles = ", ".join(measure.title for measure in results.measures if means[measure.name].label == label)
            yield f"{restorer.name}, {titles}: {label}"
    pictures = len({row.picture or row.image for row in results.rows})
    too_few = too_few_words(pictures, next((each.level for each in _averages(results)), 0.95))
    if too_few and any(results.differences.values()):
        yield too_few
        return
    for measure in results.measures:
        noise = [f"{each.one} and {each.other}" for each in results.differences.get(measure.name, ()) if not each.holds]
        if noise:
            yield f"{measure.title}: inside the noise, so not ranked: {', '.join(noise)}"


def _cell(mean: Average | None, measure: MeasureFacts) -> str:
    if mean is None or mean.value is None:
        return "-"
    text = shown(mean.value, measure)
    if mean.interval_low is not None and mean.interval_high is not None:
        text += f" [{shown(mean.interval_low, measure)}, {shown(mean.interval_high, measure)}]"
    return text + ("" if mean.complete else f" ({mean.images_scored} of {mean.images_asked})")


def _averages(results: Results) -> Iterator[Average]:
    yield from (mean for groups in results.averages.values() for means in groups.values() for mean in means.values())
