"""``rrframe replay``: make a degraded image again from its record."""

from __future__ import annotations

from pathlib import Path

import click

from rrframe.contracts.source import Photograph
from rrframe.errors import RRFrameError
from rrframe.imaging.clips import read_picture
from rrframe.imaging.writing import write_picture
from rrframe.synthesis.record import Origin, Record, differing_versions, render


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("record", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--partner", type=click.Path(path_type=Path), help="The second picture, where the record names one.")
@click.option("--clean", type=click.Path(path_type=Path, dir_okay=False), help="Write the clean side of the pair too.")
@click.option("--force", is_flag=True, help="Go on with another image than the record was made from.")
def command(image: Path, record: Path, out: Path, partner: Path | None, clean: Path | None, force: bool) -> None:
    """Make the degraded picture that RECORD describes from the clean IMAGE, to the same pixels, and write it to OUT.

    RECORD is what rrframe degrade --record wrote, or the JSON file of a pair in a shard. A frame of a video is
    written clip.mp4#000123.
    """
    try:
        text = record.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RRFrameError(f"{record} cannot be read: {error}") from None
    known = Record.read(text)
    for warning in differing_versions(known):
        click.echo(f"warning: {warning}; the pixels may differ", err=True)
    photograph = _read(image, known.source, force)
    second = _read(partner, known.partner, force) if partner and known.partner else None
    if known.partner and not second:
        raise RRFrameError(
            "this record mixed two pictures", hint=f"name the second, {known.partner.key}, with --partner"
        )
    pair = render(known, photograph, partner=second)
    write_picture(out, pair.degraded)
    if clean:
        write_picture(clean, pair.clean)
    click.echo(f"{out}: {', '.join(known.chain.ids)}")


def _read(path: Path, origin: Origin, force: bool) -> Photograph:
    photograph = read_picture(path)
    if photograph.sha256 != origin.sha256 and not force:
        raise RRFrameError(
            f"{path} is not the file that the record was made from ({origin.key})", hint="--force goes on with it"
        )
    return photograph
