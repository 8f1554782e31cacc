"""``rrframe gallery``: every degradation and effect on one photograph, as a page."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape

from rrframe.errors import RRFrameError, did_you_mean
from rrframe.imaging.reading import read_photograph
from rrframe.manager import Entry, get_manager
from rrframe.pages.gallery import Gallery
from rrframe.pages.pictures import shrink
from rrframe.run.progress import Watch


class _Broken(RRFrameError):
    exit_code = 1


def _numbers(context: click.Context, parameter: click.Parameter, value: str) -> list[float]:
    try:
        return [float(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is not numbers joined by commas, such as 0,0.5,1") from None


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--only", multiple=True, metavar="PATTERN", help="Only these: haze, haze/scattering, '*/jpeg'.")
@click.option("--severities", callback=_numbers, default="0,0.25,0.5,0.75,1", show_default=True, help="From 0 to 1.")
@click.option("--size", type=click.IntRange(min=1), default=512, show_default=True, help="The longer side, in pixels.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same page.")
@click.option("--strict", is_flag=True, help="Exit with 1 if a degradation could not be shown.")
def command(
    image: Path, out: Path, only: tuple[str, ...], severities: list[float], size: int, seed: int, strict: bool
) -> None:
    """Show every installed degradation and effect on IMAGE, from mild to severe, as one page: OUT."""
    entries = _chosen(only)
    gallery = Gallery(shrink(read_photograph(image).pixels, size), severities, seed)
    console = Console(highlight=False, soft_wrap=True)
    _fill(gallery, entries, Console(stderr=True))
    gallery.page(click.format_filename(image, shorten=True)).write(out)
    shown = len(entries) - len(gallery.broken) - len(gallery.waiting)
    console.print(
        escape(f"{click.format_filename(out)}: {shown} of {len(entries)} degradations at {len(severities)} severities")
    )
    for name, reason in {**gallery.waiting, **gallery.broken}.items():
        console.print(escape(f"not shown: {name}: {reason}"))
    if strict and gallery.broken:
        raise _Broken(f"{len(gallery.broken)} of {len(entries)} degradations could not be shown")


def _chosen(only: Sequence[str]) -> list[Entry]:
    table = get_manager().table("degradation", "effect")
    for pattern in only:
        if not any(_matches(name, pattern) for name in table):
            hint = did_you_mean(pattern, table, listing="rrframe plugins --kind degradation")
            raise RRFrameError(f"no degradation matches {pattern!r}", hint=hint)
    return [entry for name, entry in table.items() if not only or any(_matches(name, pattern) for pattern in only)]


def _matches(name: str, pattern: str) -> bool:
    return fnmatchcase(name, pattern) or name.split("/")[0] == pattern


def _fill(gallery: Gallery, entries: Sequence[Entry], console: Console) -> None:
    each = len(gallery.severities)
    with Watch(console, len(entries) * each, "pictures") as watch:
        for number, entry in enumerate(entries):
            for shown, _ in enumerate(gallery.add(entry), start=1):
                watch.reached(number * each + shown)
            watch.reached((number + 1) * each)  # one that fails stops short
