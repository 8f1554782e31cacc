"""``rrframe bench``: measure speed and memory on this machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from rrframe.cli.bench_restore import restore
from rrframe.synthesis.bench import Bench, Wanted, bench_synthesis
from rrframe.synthesis.bench.beside import Beside
from rrframe.synthesis.bench.page import check_page, write_page

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def command() -> None:
    """Measure speed and memory on this machine. Every figure comes from the call that prints it."""


command.add_command(restore)


@command.command()
@click.option(
    "--size", type=click.IntRange(16), default=1024, show_default=True, help="Side of the pictures, in pixels."
)
@click.option(
    "--pairs", type=click.IntRange(100), default=400, show_default=True, help="Pairs that the longest run makes."
)
@click.option(
    "--draws", type=click.IntRange(1), default=20, show_default=True, help="Settings that each thing is measured with."
)
@click.option("--peers", is_flag=True, help="Measure albumentations and kornia beside ours.")
@click.option(
    "--against", type=_FILE, help="A Python file with CHAINS to measure beside the recipes they are named by."
)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), help="Measure batches there, too.")
@click.option("--batch", type=click.IntRange(1), default=32, show_default=True, help="Images in a batch.")
@click.option(
    "--without",
    multiple=True,
    type=click.Choice(["components", "run"]),
    help="Leave out each component by itself, or a run and its parts.",
)
@click.option("--write", "page", type=_FILE, help="A Markdown page whose marked places are filled with the figures.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def synthesis(
    size: int,
    pairs: int,
    draws: int,
    peers: bool,
    against: Path | None,
    device: str | None,
    batch: int,
    without: tuple[str, ...],
    page: Path | None,
    as_json: bool,
) -> None:
    """Measure each component, the parts of a run, and the run, on one core; then the run on two."""
    told = Console(stderr=True, highlight=False)
    wanted = Wanted(
        size=size,
        pairs=pairs,
        draws=draws,
        peers=peers,
        against=against,
        device=device,
        batch=batch,
        components="components" not in without,
        run="run" not in without,
    )
    if page:
        check_page(page)
    with tempfile.TemporaryDirectory(prefix="rrframe-bench-") as folder:
        bench = bench_synthesis(wanted, Path(folder), lambda what: told.print(f"measuring {what} ..."))
    if page:
        write_page(bench, page)
    if as_json:
        click.echo(json.dumps(bench.as_json(), indent=2))
    else:
        _show(bench, Console(highlight=False))


def _show(bench: Bench, console: Console) -> None:
    facts = ", ".join(f"{what} {value}" for what, value in bench.machine.items())
    console.print(f"{bench.size} x {bench.size} pixels, one core; {facts}\n")
    for rows in (bench.against, bench.peers):
        if rows is not None:
            console.print(_beside(rows))
    if bench.batches is not None:
        console.print(_batches(bench))
    if bench.components:
        components = [
            (name, f"{times.mean:.2f}", f"{times.worst:.2f}", f"{times.rate:.1f}")
            for name, times in bench.components.items()
        ]
        console.print(_table(("component", "mean ms", "worst ms", "images/s"), components))
    if bench.parts:
        _show_run(bench, console)


def _show_run(bench: Bench, console: Console) -> None:
    parts = [(part, f"{spent:.2f}", f"{1000 / spent:.1f}") for part, spent in bench.parts.items()]
    console.print(_table(("part of a run, for one pair", "ms", "images/s"), parts))
    of_parts, of_one = bench.run_rate / bench.parts_rate, bench.two_worker_rate / bench.run_rate
    console.print(f"parts add up to     {bench.parts_rate:8.1f} pairs/s")
    console.print(f"run, one worker     {bench.run_rate:8.1f} pairs/s = {of_parts:.0%} of its parts")
    console.print(f"run, two workers    {bench.two_worker_rate:8.1f} pairs/s = {of_one:.2f} x one")
    for pairs, size in bench.peak_memory.items():
        console.print(f"peak memory of the worker, {pairs} pairs: {size / 2**20:.0f} MiB")


def _beside(rows: list[Beside]) -> Table:
    cells = [
        (row.ours, f"{row.our_times.rate:.1f}", row.theirs, f"{row.their_times.rate:.1f}", f"{row.ratio:.1f} x")
        for row in rows
    ]
    return _table(("ours", "images/s", "beside", "images/s", "ours is"), cells)


def _batches(bench: Bench) -> Table:
    assert bench.batches is not None
    title = f"batches of {bench.batches.size} on {bench.batches.device}"
    rows = [
        (name, f"{rate:.1f}", f"{bench.batches.differences[name]:.1e}") for name, rate in bench.batches.rates.items()
    ]
    return _table((title, "images/s", "off one by one"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for index, title in enumerate(head):
        table.add_column(title, min_width=32 if index == 0 else None, justify="right" if index else "left")
    for cells in rows:
        table.add_row(*cells)
    table.add_row()
    return table
