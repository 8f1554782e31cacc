"""``rrframe degrade``: degrade one image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import click

from rrframe.cli.params import read_param
from rrframe.contracts.chain import Chain
from rrframe.contracts.component import create
from rrframe.contracts.cue import PARTNER
from rrframe.contracts.degradation import Degradation, check_severity
from rrframe.contracts.trying import image_key
from rrframe.imaging.reading import read_photograph
from rrframe.imaging.writing import write_picture
from rrframe.pairs.files import write_whole
from rrframe.synthesis.record import Origin, Record, render


@click.command()
@click.argument("image", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--op",
    "name",
    required=True,
    help="The degradation: haze/scattering. rrframe plugins --kind degradation lists them.",
)
@click.option("--severity", type=float, help="From 0 (mild) to 1 (severe). By default values are drawn.")
@click.option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same picture.")
@click.option("-p", "--param", "params", multiple=True, metavar="DIAL=VALUE", help="Set a dial: -p beta=0.02")
@click.option("--partner", type=click.Path(path_type=Path), help="A second picture, for operators that mix two.")
@click.option(
    "--record", type=click.Path(path_type=Path, dir_okay=False), help="Write what was drawn, for rrframe replay."
)
def command(
    image: Path,
    out: Path,
    name: str,
    severity: float | None,
    seed: int,
    params: tuple[str, ...],
    partner: Path | None,
    record: Path | None,
) -> None:
    """Degrade IMAGE and write it to OUT, whose ending says the format. PNG keeps every pixel."""
    check_severity(severity)
    step = cast(
        Degradation, create(name, dict(read_param(text, "DIAL") for text in params), kinds=("degradation", "effect"))
    )
    photograph = read_photograph(image)
    second = read_photograph(partner) if partner and PARTNER in step.needs() else None
    drawn = Record.of(
        Chain((step,)),
        image_key(seed),
        source=Origin.of(image.name, photograph),
        task=step.category,
        seed=seed,
        severity=severity,
        partner=Origin.of(partner.name, second) if partner and second else None,
    )
    write_picture(out, render(drawn, photograph, partner=second).degraded)
    if record:
        write_whole(record, json.dumps(drawn.written(), indent=2) + "\n")
    values = ", ".join(f"{dial} {_short(value)}" for dial, value in drawn.draw.steps[0].values.items())
    click.echo(f"{out}: {name} ({values})" if values else f"{out}: {name}")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
