"""``rrframe estimate``: what fits which card, before anything is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rrframe.cli.params import read_param
from rrframe.cli.screen import as_text
from rrframe.contracts.backbone import Backbone
from rrframe.contracts.component import create
from rrframe.errors import RRFrameError
from rrframe.memory.footprint import Footprint, footprint
from rrframe.memory.gpus import GIB, Gpu, find_gpu, smallest_for
from rrframe.memory.ways import RESERVE, Way, ways_to_restore, ways_to_train


@click.command()
@click.argument("name", metavar="RECIPE|BACKBONE")
@click.option("-p", "--param", "params", multiple=True, metavar="PARAM=VALUE", help="Set a param of the backbone.")
@click.option("--size", default="1024x1024", show_default=True, metavar="WxH", help="Of the pictures, in pixels.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Pictures at once.")
@click.option("--gpu", metavar="CARD", help='Say what fits this one: "H100 80GB", "24 GB", "RTX 4090".')
@click.option("--json", "as_json", is_flag=True, help="Print an object; sizes in bytes.")
def command(name: str, params: tuple[str, ...], size: str, batch: int, gpu: str | None, as_json: bool) -> None:
    """Estimate the memory that a backbone takes, and which card it fits: to restore, and to train.

    Nothing is loaded: the network is built without content, and one pass through it is followed. docs/what-fits.md
    has the sums.
    """
    card = find_gpu(gpu) if gpu else None
    width, height = _size(size)
    found = footprint(_backbone(name, dict(map(read_param, params))), height, width, batch)
    tables = {"restore": list(ways_to_restore(found))}
    if found.kept.all:
        tables["train"] = list(ways_to_train(found, checkpointing=False))
        tables["train with checkpointing"] = list(ways_to_train(found, checkpointing=True))
    if as_json:
        ways = {title: [asdict(way) | {"total": way.total} for way in rows] for title, rows in tables.items()}
        click.echo(json.dumps({"footprint": asdict(found), "reserve": RESERVE, **ways}, indent=2))
    else:
        click.echo(_page(found, tables, card))


def _backbone(name: str, params: dict[str, Any]) -> Backbone:
    if not name.startswith("backbone/") and (name.endswith((".yaml", ".yml")) or _is_recipe(name)):
        from rrframe.recipe import load_recipe

        held = getattr(load_recipe(name).recipe, "backbone", None)
        if not isinstance(held, Backbone):
            raise RRFrameError(
                f"the recipe {name} holds no backbone", hint="rrframe plugins --kind backbone lists them"
            )
        made = type(held).make(held.params() | params)
        made._entry = held._entry
        return made
    return cast(Backbone, create(name, params, kinds=("backbone",)))


def _is_recipe(name: str) -> bool:
    from rrframe.recipe.shipped import shipped_recipes

    return Path(name).is_file() or name in shipped_recipes()


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and 1 <= int(width) <= 65536 and 1 <= int(height) <= 65536):
        raise RRFrameError(f"--size {text} is not WxH", hint="such as --size 1024x768")
    return int(width), int(height)


def _page(found: Footprint, tables: dict[str, list[Way]], card: Gpu | None) -> str:
    tiles = f"{found.width} x {found.height} pixels, batch {found.batch}"
    rows = [(part.name, f"{part.parameters:,}", _gib(part.bytes)) for part in (found.trained, *found.frozen)]
    parts: list[RenderableType] = [_table(("network", "parameters", "GiB"), rows), ""]
    parts.append(Text(f"One pass over {tiles}", style="bold"))
    held = [
        ("held while restoring", _gib(found.working)),
        ("kept for training", _gib(found.kept.all)),
        ("kept with checkpointing", _gib(found.kept.checkpointed)),
    ]
    parts.append(_table(("", "GiB"), held))
    columns = ("weights", "gradients", "optimizer", "activations", "all", "fits" if card else "smallest card")
    for title, ways in tables.items():
        parts += ["", _table((title, *columns), [_cells(way, card) for way in ways])]
    parts += ["", f"In GiB. Each sum has {_gib(RESERVE)} for the driver, work space and gaps."]
    if found.frozen and found.kept.all:
        names = " and ".join(part.name.replace("_", " ") for part in found.frozen)
        online = sum(part.bytes for part in found.frozen)
        parts.append(f"Training here reads what {names} give from a cache; with them it takes {_gib(online)} GiB more.")
    return as_text(Group(*parts), wide_in_pipes=True)


def _cells(way: Way, card: Gpu | None) -> list[str]:
    smallest = smallest_for(way.total)
    verdict = str(smallest) if smallest else "more than one card"
    if card:
        verdict = f"{card}: {'yes' if way.total <= card.bytes else 'no'}"
    amounts = (way.weights, way.gradients, way.states, way.activations, way.total)
    return [way.name, *map(_gib, amounts), verdict]


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}" if size >= GIB / 10 else f"{size / GIB:.3f}"


def _table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for number, column in enumerate(columns):
        left = number == 0 or column in ("fits", "smallest card")
        table.add_column(column, justify="left" if left else "right", no_wrap=not left, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
