"""``rrframe compare``: evaluations side by side."""

from __future__ import annotations

from pathlib import Path

import click

from rrframe.errors import RRFrameError


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder for the results and their page.",
)
@click.option("--resamples", type=click.IntRange(100), default=9999, show_default=True, help="Bootstrap samples.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print the joined results as results.json holds them.")
def command(runs: tuple[Path, ...], out: Path | None, resamples: int, seed: int, as_json: bool) -> None:
    """Put the restorers of evaluations side by side, and test them against each other on the images that both have.

    RUN is the folder of an evaluation, or its results.json. All have to be on one benchmark. What was measured in
    different ways (another judge, other settings of a metric) stands apart, with the reason.
    """
    from rrframe.cli.leaderboard import leaderboard
    from rrframe.evaluation.joining import join
    from rrframe.evaluation.results import load_results
    from rrframe.evaluation.writing import write_results

    if len({run.resolve() for run in runs}) < 2:
        raise RRFrameError("there is nothing to compare with", hint="name two runs or more")
    loaded = [(load_results(run), run if run.is_dir() else run.parent) for run in runs]
    joined = join(loaded, out or Path.cwd(), resamples=resamples, seed=seed)
    report = None
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
            report = write_results(joined, out)
        except OSError as error:
            raise RRFrameError(f"{out} cannot be written to: {error.strerror or error}") from error
    if as_json:
        click.echo(joined.text())
        return
    click.echo(leaderboard(joined))
    for problem in joined.problems:
        click.echo(problem.message)
    if report is not None:
        click.echo(f"report: {report}")
