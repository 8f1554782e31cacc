"""``rrframe bench restore``: what each way to restore faster or smaller takes, and what it changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import click
import torch
from rich.console import Console, Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from rrframe.cli.params import read_param
from rrframe.cli.screen import as_text
from rrframe.contracts.component import create
from rrframe.contracts.source import Source
from rrframe.imaging.layout import to_batch
from rrframe.imaging.originals import read_original
from rrframe.imaging.resample import resize
from rrframe.restoring.bench import UNTRAINED, Gate, RestoringBench, bench_restoring
from rrframe.restoring.bench_page import cells, check_page, columns, write_page
from rrframe.restoring.restorer import Asked, Restorer, make_backbone
from rrframe.restoring.variants import find_variants
from rrframe.run.folder import RunFailed

_SAMPLE = "sample"


def _counts(context: click.Context, parameter: click.Parameter, value: str | None) -> list[int]:
    words = value.split(",") if value else []
    if not all(word.strip().isdecimal() and int(word) > 0 for word in words):
        raise click.BadParameter(f"{value!r} is not a list of numbers such as 28,14,8")
    return [int(word) for word in words]


@click.command("restore")
@click.option("--backbone", "name", metavar="NAME", help="What restores. A checkpoint that rrframe saved names it.")
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Trained weights: a file, or a folder.")
@click.option("-p", "--param", "params", multiple=True, metavar="PARAM=VALUE", help="Set a param of the exact run.")
@click.option("--image", default=_SAMPLE, show_default=True, metavar="FILE|sample", help="The picture to restore.")
@click.option("--size", type=click.IntRange(16), default=1024, show_default=True, help="Its longer side, in pixels.")
@click.option("--task", help="What to remove.  [default: noise, or the first that the backbone knows]")
@click.option("--seed", type=int, default=0, show_default=True, help="The same for all.")
@click.option(
    "--steps", callback=_counts, metavar="N,...", help="The exact run's, and others to measure, such as 28,14,8."
)
@click.option("--variants", metavar="NAME,...", help="Which; A+B is both at once.  [default: each that there is]")
@click.option("--runs", type=click.IntRange(1), default=2, show_default=True, help="Timed runs after the first.")
@click.option("--least-psnr", type=float, metavar="DB", help="Variants below this against the exact run fail.")
@click.option("--least-ssim", type=float, metavar="SHARE", help="Variants below this against the exact run fail.")
@click.option(
    "--write",
    "page",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A Markdown page whose marked place is filled with the figures.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def restore(
    name: str | None,
    checkpoint: Path | None,
    params: tuple[str, ...],
    image: str,
    size: int,
    task: str | None,
    seed: int,
    steps: list[int],
    variants: str | None,
    runs: int,
    least_psnr: float | None,
    least_ssim: float | None,
    page: Path | None,
    as_json: bool,
) -> None:
    """Measure a backbone as it is and with each of its accelerators, all on one picture with one seed in one process:
    time, memory, and how near the result is to the exact run.

    With --least-psnr or --least-ssim the exit code is 1 if a variant fails.
    """
    given: dict[str, Any] = dict(map(read_param, params))
    backbone = make_backbone(name, checkpoint, given)
    known = backbone.capabilities.tasks
    asked = Asked(task or ("noise" if known is None or "noise" in known else min(known)), seed=seed)
    wanted = find_variants(backbone, None if variants is None else variants.split(","), steps)
    for variant in wanted:
        Restorer(backbone, Asked(asked.task, steps=variant.steps))  # tells what does not go together
    if page:
        check_page(page)
    told = Console(stderr=True, highlight=False)
    bench = bench_restoring(
        backbone,
        asked,
        wanted,
        _picture(image, size),
        gate=Gate(least_psnr, least_ssim),
        runs=runs,
        say=lambda what: told.print(escape(f"measuring {what} ...")),
    )
    for untrained in bench.untrained:
        told.print(escape(f"warning: {UNTRAINED.format(untrained)}"), style="bold red", soft_wrap=True)
    if page:
        write_page(bench, page)
    if as_json:
        click.echo(json.dumps(bench.as_json(), indent=2))
    else:
        click.echo(_page(bench))
    if bench.failed:
        raise RunFailed(f"{', '.join(bench.failed)}: below what was asked for", hint="the table says by which measure")


def _picture(image: str, size: int) -> torch.Tensor:
    """``[1, 3, H, W]`` float32 in [0, 1], encoded sRGB, the longer side ``size``."""
    if image == _SAMPLE:
        images = to_batch(cast(Source, create("images/samples", kinds=("source",))).read("astronaut").pixels)
    else:
        images = read_original(Path(image)).image()
    height, width = images.shape[-2:]
    share = size / max(height, width)
    return resize(
        images, max(16, round(height * share)), max(16, round(width * share)), "area" if share < 1 else "cubic"
    )


def _page(bench: RestoringBench) -> str:
    facts = ", ".join(f"{what} {value}" for what, value in bench.machine.items())
    steps = f", {bench.steps} steps" if bench.steps else ""
    what = f"{bench.backbone}, {bench.width} x {bench.height} pixels{steps}, {bench.dtype} on {bench.device}"
    table = Table(box=None, pad_edge=False)
    for index, title in enumerate(columns(bench)):
        left = index == 0 or title == "remarks"
        table.add_column(title, justify="left" if left else "right", no_wrap=True)
    for row in bench.rows:
        table.add_row(*cells(bench, row))
    missing = [Text(f"not run, {row.name}: {row.reason}") for row in bench.rows if row.reason]
    return as_text(Group(what, facts, "", table, *missing), wide_in_pipes=True)
