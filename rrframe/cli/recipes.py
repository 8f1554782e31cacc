"""``rrframe recipes`` and ``rrframe cp``: the recipes that come with rrframe."""

from __future__ import annotations

import json
from pathlib import Path

import click

from rrframe.errors import RRFrameError
from rrframe.recipe.shipped import about, find_shipped, shipped_recipes


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list of objects {name, kind, about, file}.")
def command(as_json: bool) -> None:
    """List the shipped recipes. Run one by its name, or copy it with rrframe cp to change it."""
    rows = [about(name) for name in shipped_recipes()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    widths = [max(len(row[column]) for row in rows) for column in ("name", "kind")]
    for row in rows:
        click.echo(f"{row['name']:<{widths[0]}}  {row['kind']:<{widths[1]}}  {row['about']}")


@click.command()
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def copy_command(name: str, file: Path, force: bool) -> None:
    """Copy the shipped recipe NAME to FILE, making its folder. A folder as FILE takes the recipe's own file name."""
    shipped = find_shipped(name)
    target = file / shipped.name if file.is_dir() else file
    if target.exists() and not force:
        raise RRFrameError(f"{target} is there already", hint="--force replaces it")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(shipped.read_bytes())
    except OSError as error:
        raise RRFrameError(f"cannot write {target}: {error.strerror or error}") from None
    click.echo(f"{target}: run it with: rrframe run {target}")
