"""``rrframe bench``: measure speed and memory on this machine."""

from __future__ import annotations

import json
import platform
import tempfile
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from rrframe.synthesis.bench import Bench, bench_synthesis


@click.group()
def command() -> None:
    """Measure speed and memory on this machine. Every figure comes from the call that prints it."""


@command.command()
@click.option(
    "--size", type=click.IntRange(16), default=1024, show_default=True, help="Side of the pictures, in pixels."
)
@click.option(
    "--pairs", type=click.IntRange(100), default=400, show_default=True, help="Pairs that the longest run makes."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def synthesis(size: int, pairs: int, as_json: bool) -> None:
    """Measure each component, the parts of a run, and the run, on one core; then the run on two."""
    told = Console(stderr=True, highlight=False)
    with tempfile.TemporaryDirectory(prefix="rrframe-bench-") as folder:
        bench = bench_synthesis(size, pairs, Path(folder), lambda what: told.print(f"measuring {what} ..."))
    if as_json:
        click.echo(json.dumps(bench.as_json(), indent=2))
    else:
        _show(bench, Console(highlight=False))


def _show(bench: Bench, console: Console) -> None:
    machine = platform.processor() or platform.machine()
    console.print(f"{bench.size} x {bench.size} pixels, one core of {machine}, Python {platform.python_version()}\n")
    console.print(_table("component", bench.components))
    console.print(_table("part of a run, for one pair", bench.parts))
    of_parts, of_one = bench.run_rate / bench.parts_rate, bench.two_worker_rate / bench.run_rate
    console.print(f"parts add up to     {bench.parts_rate:8.1f} pairs/s")
    console.print(f"run, one worker     {bench.run_rate:8.1f} pairs/s = {of_parts:.0%} of its parts")
    console.print(f"run, two workers    {bench.two_worker_rate:8.1f} pairs/s = {of_one:.2f} x one")
    for pairs, size in bench.peak_memory.items():
        console.print(f"peak memory of the worker, {pairs} pairs: {size / 2**20:.0f} MiB")


def _table(title: str, milliseconds: dict[str, float]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(title, min_width=32)
    table.add_column("ms", justify="right")
    table.add_column("images/s", justify="right")
    for name, spent in milliseconds.items():
        table.add_row(name, f"{spent:.2f}", f"{1000 / spent:.1f}" if spent else "")
    table.add_row()
    return table
