"""``rrframe restore``: restore photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from rrframe.cli.params import read_param
from rrframe.errors import RRFrameError
from rrframe.restoring.guessing import AUTO, counted
from rrframe.restoring.inputs import find_inputs
from rrframe.restoring.restorer import Asked, Restorer, make_backbone
from rrframe.restoring.run import Summary, plan_restoring, run_restoring
from rrframe.run.folder import RunFailed

_FORMATS = ("keep", "png", "jpeg", "tiff", "webp", "avif")


def _tile(context: click.Context, parameter: click.Parameter, value: str) -> int | str:
    if value in ("auto", "off"):
        return value
    if not value.isdecimal() or int(value) < 1:
        raise click.BadParameter(f"{value!r} is not auto, off or a number of pixels")
    return int(value)


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--backbone", "name", metavar="NAME", help="What restores. A checkpoint that rrframe saved names it.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Trained weights: a file, or a folder.")
@click.option("--task", help="What to remove, such as haze or noise; auto has it guessed for each picture.")
@click.option("--explain", is_flag=True, help="With --task auto: tell what each guess is made from.")
@click.option("--prompt", help="What to do, in words, for backbones that read them.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder of the results.  [default: restored-TASK]",
)
@click.option("-p", "--param", "params", multiple=True, metavar="PARAM=VALUE", help="Set a param of the backbone.")
@click.option("--steps", type=click.IntRange(min=1), help="How many steps, for backbones that take several.")
@click.option("--guidance", type=float, help="How strongly to follow the prompt.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same picture.")
@click.option("--batch", type=click.IntRange(min=1), help="Pictures of a size, or tiles, at once.  [default: 1 Mpx]")
@click.option(
    "--tile",
    callback=_tile,
    default="auto",
    show_default=True,
    metavar="auto|off|PIXELS",
    help="The longest side of what goes through in one piece.",
)
@click.option("--overlap", type=click.IntRange(min=0), help="Pixels that tiles share.  [default: an eighth of a tile]")
@click.option(
    "--format",
    "format_name",
    type=click.Choice(_FORMATS, case_sensitive=False),
    default="keep",
    show_default=True,
    help="What to save as.",
)
@click.option("--plan", "plan_only", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--strict", is_flag=True, help="Stop at the first picture that cannot be restored.")
@click.option("--no-memory-check", is_flag=True, help="Load even if the estimate says that it does not fit.")
@click.option("--overwrite", is_flag=True, help="Do all again, and replace files that are there.")
def command(
    inputs: tuple[str, ...],
    name: str | None,
    checkpoint: Path | None,
    task: str | None,
    explain: bool,
    prompt: str | None,
    out: Path | None,
    params: tuple[str, ...],
    steps: int | None,
    guidance: float | None,
    seed: int,
    batch: int | None,
    tile: int | str,
    overlap: int | None,
    format_name: str,
    plan_only: bool,
    strict: bool,
    no_memory_check: bool,
    overwrite: bool,
) -> None:
    """Restore each INPUT: files, folders with all below them, and patterns such as 'trip/**/*.jpg'.

    Running it again continues where the first run ended. Inputs are never changed.
    """
    if explain and task != AUTO:
        raise RRFrameError("--explain tells how a task is guessed", hint=f"it goes with --task {AUTO}")
    given: dict[str, Any] = dict(map(read_param, params))
    asked = Asked(task, prompt, steps, guidance, seed, tile, overlap, batch, format_name.lower())
    restorer = Restorer(make_backbone(name, checkpoint, given), asked)
    out = out or Path(f"restored-{restorer.task}" if restorer.task else "restored")
    found = find_inputs(inputs, out)
    console = Console(highlight=False, soft_wrap=True)
    for note in restorer.notes:
        console.print(escape(note))
    if plan_only:
        for one in plan_restoring(found, out, restorer, overwrite=overwrite):
            path = click.format_filename(one.input.path)
            if one.output is None:
                console.print(escape(f"{path}: cannot be restored: {one.reason}"))
                continue
            tiles = f", {one.tiles} tiles" if one.tiles > 1 else ""
            done = " (done)" if one.done else ""
            size = f"{one.width} x {one.height}{tiles}"
            told = f", {one.guess}" if one.guess else ""
            console.print(escape(f"{path}: {size} -> {click.format_filename(out / one.output)}{told}{done}"))
            if one.guess and explain:
                console.print(escape(f"  {one.guess.explained()}"))
        console.print(f"{len(found)} picture{'s' if len(found) != 1 else ''}")
        return
    try:
        summary = run_restoring(
            found,
            out,
            restorer,
            console,
            overwrite=overwrite,
            strict=strict,
            check_memory=not no_memory_check,
            explain=explain,
        )
    except KeyboardInterrupt:
        console.print(escape(f"stopped; what is finished stays in {out}, and the same command continues"))
        raise
    _tell(summary, len(found), out, console)


def _tell(summary: Summary, total: int, out: Path, console: Console) -> None:
    before = f", {summary.before} were done before" if summary.before else ""
    console.print(
        escape(f"restored {summary.restored} of {total} pictures in {summary.seconds:.1f} s into {out}{before}")
    )
    if summary.guessed:
        console.print(escape(f"what was removed is a guess: {counted(summary.guessed)}"))
    console.print(escape(f"report: {summary.report}"))
    if summary.failed:
        console.print("could not be restored:")
        width = min(60, max(len(row.shown) for row in summary.failed))
        for row in summary.failed:
            console.print(escape(f"  {row.shown:<{width}}  {row.reason}"))
        count = len(summary.failed)
        raise RunFailed(f"{count} of {total} pictures could not be restored", hint="the same command tries them again")
