"""``rrframe study``: what people's rankings say, and what they do not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rrframe.cli.screen import as_text
from rrframe.errors import RRFrameError
from rrframe.pages.pieces import Cell, Value

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=_FILE)
@click.option("--metric", type=_FILE, help="Compare people with this metric: a CSV with the columns model,image,score.")
@click.option("--lower-is-better", is_flag=True, help="The metric's: a low score is a good one.")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, file_okay=False), default="study", show_default=True,
    help="The folder for study.json and study.html.",
)  # fmt: skip
@click.option("--level", type=click.FloatRange(0.5, 0.999), default=0.95, show_default=True, help="Of all intervals.")
@click.option("--resamples", type=click.IntRange(100), default=2000, show_default=True, help="Bootstrap samples.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print what study.json holds.")
def command(
    files: tuple[Path, ...],
    metric: Path | None,
    lower_is_better: bool,
    out: Path,
    level: float,
    resamples: int,
    seed: int,
    as_json: bool,
) -> None:
    """Analyse the human rankings in FILE..., CSV or JSON Lines.

    A row is a vote of one rater on one image: a rank for each model in a column of its name; or an order, such as
    "a > b = c"; or left, right and vote. docs/human-studies.md shows each.
    """
    from rrframe.evaluation.ballots import read_ballots, read_scores
    from rrframe.evaluation.study import analyse
    from rrframe.evaluation.study_page import remarks, tables, write_page
    from rrframe.pairs.files import write_whole

    if lower_is_better and metric is None:
        raise RRFrameError("--lower-is-better is the direction of a metric", hint="name it with --metric FILE")
    ballots = read_ballots(files)
    scores = read_scores(metric, ballots) if metric else None
    study = analyse(ballots, scores, higher_is_better=not lower_is_better, level=level, resamples=resamples, seed=seed)
    results = json.dumps(study.results(), indent=2, allow_nan=False)
    try:
        out.mkdir(parents=True, exist_ok=True)
        write_whole(out / "study.json", results + "\n")
    except OSError as error:
        raise RRFrameError(
            f"{out} cannot be written to: {error.strerror or error}", hint="choose another --out"
        ) from error
    page = write_page(study, out / "study.html")
    if as_json:
        click.echo(results)
        return
    counts = (
        f"{study.ballots} ballots, {study.images} images, {study.raters} raters, {study.ties} of {study.pairs} ties"
    )
    parts: list[RenderableType] = [counts]
    for each in tables(study):
        parts += ["", Text(each.label, style="bold"), _shown(each.columns, each.rows)]
    parts += ["", *remarks(study), "", f"wrote {out / 'study.json'} and {page}"]
    click.echo(as_text(Group(*parts), wide_in_pipes=True))


def _shown(columns: Sequence[str | Value], rows: Sequence[Sequence[Cell]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for number, column in enumerate(columns):
        left = number == 0 or column == "Verdict"
        table.add_column(str(column), justify="left" if left else "right", no_wrap=number > 0)
    for row in rows:
        table.add_row(*(str(cell) for cell in row))
    return table
