"""``rrframe convert``: a checkpoint of Step1X-Edit in another layout. Imported for ``rrframe --help`` too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rrframe_backbones.step1x.writing import Checkpoint


@click.command()
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--to", "layout", required=True, type=click.Choice(["bundle", "diffusers"]), help="The layout of OUT.")
@click.option("--vae", type=click.Path(path_type=Path), help="The autoencoder, where IN has none beside it.")
@click.option(
    "--text-encoder", type=click.Path(path_type=Path), help="The folder of Qwen2.5-VL, where IN has none beside it."
)
@click.option(
    "--preset",
    type=click.Choice(["full", "tiny"]),
    default="full",
    show_default=True,
    help="The sizes of the networks, as of backbone/step1x-edit.",
)
@click.option("--allow-pickle", is_flag=True, help="Read pickles too, if you trust where they come from.")
@click.option("--force", is_flag=True, help="Replace the checkpoint at OUT.")
@click.option("--dry-run", is_flag=True, help="Check IN, tell what would be written, and write nothing.")
def convert(
    source: Path,
    out: Path,
    layout: str,
    vae: Path | None,
    text_encoder: Path | None,
    preset: str,
    allow_pickle: bool,
    force: bool,
    dry_run: bool,
) -> None:
    """Write the Step1X-Edit checkpoint IN to the folder OUT in another layout.

    IN may be the bundle of RealRestorer, a raw file of Step1X-Edit or its folder, Step1X-Edit-v1p1-diffusers, a folder
    of tensor-parallel shards, or weights that were trained with backbone/step1x-edit.

    Every tensor is the same in OUT to the bit, but for mask_token, which nothing reads and which is left out.
    """
    import torch

    from rrframe_backbones.step1x import sizes
    from rrframe_backbones.step1x.layouts import TITLES, open_parts
    from rrframe_backbones.step1x.writing import planned

    parts = open_parts(source, vae=vae, text_encoder=text_encoder, allow_pickle=allow_pickle)
    _check_target(out, [source, *parts.paths], force)
    with torch.device("meta"):
        networks = sizes.transformer(preset, parts.version), sizes.autoencoder(preset)
    plan = planned(parts, layout, *networks)
    total = sum(plan.sizes().values())
    click.echo(f"{source}: {TITLES[parts.layout]}, {parts.version}")
    for name, size in plan.sizes().items():
        click.echo(f"  {name + ':':<14}{_gigabytes(size)}")
    _check_space(out, total)
    if dry_run:
        click.echo(f"would write {_gigabytes(total)} to {out}")
        return
    _write(plan, out)
    click.echo(f"wrote {_gigabytes(total)} to {out}")


def _check_target(out: Path, read: list[Path], force: bool) -> None:
    from rrframe import RRFrameError

    target = out.resolve()
    for path in read:
        if target in (path.resolve(), *path.resolve().parents):
            raise RRFrameError(f"{path} is read, and lies in {out}", hint="write to another folder")
    if not out.exists():
        return
    if not force:
        raise RRFrameError(f"{out} is there already", hint="write to another folder, or replace it with --force")
    if not (out / "model_index.json").is_file():
        raise RRFrameError(f"{out} is no checkpoint, and --force replaces nothing else", hint="write to another folder")


def _check_space(out: Path, needed: int) -> None:
    import shutil

    from rrframe import RRFrameError

    folder = next(parent for parent in out.resolve().parents if parent.exists())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise RRFrameError(
            f"{_gigabytes(needed)} are needed in {folder}, and {_gigabytes(free)} are free",
            hint="write to another disk; with --force, the old checkpoint goes only when the new one is there",
        )


def _write(plan: Checkpoint, out: Path) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    from rrframe_backbones.step1x.writing import beside

    console = Console(stderr=True)
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with beside(out) as folder, Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("writing", total=sum(plan.sizes().values()))
        plan.write(folder, lambda count: progress.advance(task, count))


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
