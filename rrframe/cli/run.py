"""``rrframe run``: run a recipe, or continue a run."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from rrframe.errors import RRFrameError
from rrframe.recipe import EvaluationRecipe, LoadedRecipe, TrainingRecipe, load_recipe
from rrframe.synthesis.run import Options, Summary, describe, plan_synthesis, run_synthesis


def _shards(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    first, colon, last = value.partition(":")
    if not (colon and first.isdecimal() and last.isdecimal()):
        raise click.BadParameter(f"{value!r} is not FIRST:LAST, such as 0:10 for the first ten")
    return int(first), int(last)


@click.command()
@click.argument("recipe")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="The run's folder.  [default: runs/NAME]")
@click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change the recipe: --set tasks.haze.weight=2"
)
@click.option("--shards", callback=_shards, metavar="FIRST:LAST", help="Only these shards, the last excluded.")
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--retry-failed", is_flag=True, help="Try pairs or images again that failed.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a pair could not be made, or a restorer gains nothing.")
@click.option("--allow-partial", is_flag=True, help="Evaluate what is there, though something is missing or wrong.")
@click.option("--launch", type=click.IntRange(min=1), metavar="N", help="Train with N processes on this machine.")
def command(
    recipe: str,
    out: Path | None,
    overrides: tuple[str, ...],
    shards: tuple[int, int] | None,
    plan_only: bool,
    retry_failed: bool,
    strict: bool,
    allow_partial: bool,
    launch: int | None,
) -> None:
    """Run RECIPE, a YAML file or the name of a shipped recipe.

    Running it again continues where the first run ended, however that was, and gives the same bytes.
    """
    console = Console(highlight=False, soft_wrap=True)
    loaded = load_recipe(recipe, overrides)
    folder = out or Path("runs") / loaded.name
    if isinstance(loaded.recipe, TrainingRecipe):
        if launch and not plan_only:
            _launch(launch, [recipe, "--out", str(folder), *_again(overrides), *(["--strict"] if strict else [])])
            return
        _train(loaded, loaded.recipe, folder, launch or 1 if plan_only else None, strict, console)
    elif isinstance(loaded.recipe, EvaluationRecipe):
        _evaluate(loaded, folder, plan_only, allow_partial, retry_failed, console)
    else:
        _synthesise(loaded, folder, Options(shards, retry_failed), plan_only, strict, console)


def _again(overrides: tuple[str, ...]) -> list[str]:
    return [word for change in overrides for word in ("--set", change)]


def _launch(processes: int, words: list[str]) -> None:
    """Train in processes of torch's launcher, and end as they do."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    command = ["--standalone", f"--nproc-per-node={processes}", "-m", "rrframe", "run", *words]
    try:
        arguments = parse_args(command)  # type: ignore[no-untyped-call]
        run(arguments)  # type: ignore[no-untyped-call]
    except SignalException:  # they have had it too, and have saved
        raise click.exceptions.Abort from None
    except ChildFailedError as error:  # which has told why
        _, failure = error.get_first_failure()
        raise click.exceptions.Exit(max(failure.exitcode, 1)) from None


def _train(
    loaded: LoadedRecipe,
    recipe: TrainingRecipe,
    folder: Path,
    planned_for: int | None,
    strict: bool,
    console: Console,
) -> None:
    if planned_for is not None:
        from rrframe.training.planning import describe as describe_training

        _tell_plan(describe_training(recipe, folder, planned_for), console)
        return
    from rrframe.training.run import run_training

    if os.environ.get("RANK", "0") != "0":  # one process of a launcher's speaks for all
        console = Console(quiet=True)
    console.print(f"training {loaded.name} in {folder}")
    trained = run_training(loaded, folder, console)
    console.print(f"{trained.status} after {trained.steps} steps, {trained.seconds:.1f} s this time")
    gain = trained.best["psnr"] - trained.best["degraded_psnr"] if trained.best else 0.0
    if trained.best:
        console.print(f"best, after step {trained.best['step']}: {trained.said}")
    console.print(f"report: {trained.report}")
    if trained.status == "stopped":
        console.print("the same command goes on from here")
        raise click.exceptions.Abort
    if strict and gain <= 0:
        raise _Unmade("what was trained restores no better than doing nothing", hint="the report shows the curves")


def _evaluate(
    loaded: LoadedRecipe, folder: Path, plan_only: bool, allow_partial: bool, retry_failed: bool, console: Console
) -> None:
    from rrframe.cli.leaderboard import leaderboard
    from rrframe.evaluation.run import Options as Evaluating
    from rrframe.evaluation.run import describe as describe_evaluation
    from rrframe.evaluation.run import plan_evaluation, run_evaluation

    if plan_only:
        _tell_plan(describe_evaluation(plan_evaluation(loaded, folder)), console)
        return
    console.print(f"evaluating {loaded.name} in {folder}")
    try:
        summary = run_evaluation(loaded, folder, console, Evaluating(allow_partial, retry_failed))
    except KeyboardInterrupt:
        console.print(f"stopped; what is scored stays in {folder}, and the same command continues")
        raise
    click.echo(leaderboard(summary.results))
    rows, unscored = len(summary.results.rows), len(summary.unscored)
    whole = f", {unscored} not or not whole" if unscored else ""
    console.print(f"{rows} results in {summary.seconds:.1f} s{whole}")
    console.print(f"report: {summary.report}")
    if unscored and not (allow_partial or summary.results.settings["allow_partial"]):
        raise _Unmade(
            f"{unscored} of {rows} images could not be scored whole",
            hint="the report lists them with the reasons; --retry-failed tries them again, --allow-partial leaves it",
        )


def _synthesise(
    loaded: LoadedRecipe, folder: Path, options: Options, plan_only: bool, strict: bool, console: Console
) -> None:
    if plan_only:
        _tell_plan(describe(plan_synthesis(loaded, folder)), console)
        return
    console.print(f"running {loaded.name} in {folder}")
    try:
        summary = run_synthesis(loaded, folder, options, console)
    except KeyboardInterrupt:
        console.print(f"stopped; finished shards stay in {folder}, and the same command continues")
        raise
    _tell(summary, console)
    if strict and summary.unmade:
        raise _Unmade(f"{summary.unmade} pairs could not be made", hint="the report lists them with the reasons")


def _tell_plan(rows: Iterable[tuple[str, Any]], console: Console) -> None:
    for name, value in rows:
        console.print(f"{name + ':' if name else '':<14}{value}")


class _Unmade(RRFrameError):
    exit_code = 1


def _tell(summary: Summary, console: Console) -> None:
    counts = ", ".join(f"{count} {status}" for status, count in sorted(summary.statuses.items())) or "no pairs"
    if summary.made:
        console.print(f"made {summary.made} of {summary.shards} shards in {summary.seconds:.1f} s: {counts}")
    else:
        console.print(f"nothing left to do, {summary.shards} shards are finished: {counts}")
    if summary.unmade:
        console.print(
            f"{summary.unmade} pairs could not be made; the report tells why, --retry-failed tries them again"
        )
    console.print(f"report: {summary.report}")
