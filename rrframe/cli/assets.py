"""``rrframe assets``: published weights, data and benchmarks, what they are, and getting weights."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from rrframe.cards.cached import snapshot, state
from rrframe.cards.fetching import Plan, fetch, make_plan
from rrframe.cards.loading import find_card, find_model, shipped_cards
from rrframe.cards.models import Card, ModelCard
from rrframe.cards.verifying import verify
from rrframe.cli.cards import amount, listed, page_of, size_of
from rrframe.cli.screen import as_text
from rrframe.errors import RRFrameError


class _Different(RRFrameError):
    exit_code = 1


@click.group()
def command() -> None:
    """Cards of published weights, data sets and benchmarks; fetching weights to the cache of the Hugging Face hub."""


@command.command("list")
@click.option(
    "--kind", type=click.Choice(["models", "datasets", "benchmarks"]), default="models", show_default=True,
    help="Which cards.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def list_command(kind: str, as_json: bool) -> None:
    """List the cards: of models the size, licence, whether that allows commercial use, and whether the files are here;
    of data sets and benchmarks how many pictures they have, and of which degradations.
    """
    cards = [card for card in shipped_cards().values() if card.kind == kind.removesuffix("s")]
    if as_json:
        click.echo(json.dumps([_object(card) for card in cards], indent=2))
    else:
        columns = ("size", "licence", "commercial", "here") if kind == "models" else ("images", "tasks", "licence")
        click.echo(as_text(_listing(cards, columns), wide_in_pipes=True))


@command.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
def show(name: str, as_json: bool) -> None:
    """Show the card NAME: files, hashes or published scores, licence, where each fact is from."""
    card = find_card(name)
    click.echo(json.dumps(_object(card), indent=2) if as_json else page_of(card))


@command.command("fetch")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--plan", "only_plan", is_flag=True, help="Say what would be fetched, and fetch nothing.")
@click.option("--allow-pickle", is_flag=True, help="Fetch pickles, which can run code when they are read.")
def fetch_command(names: tuple[str, ...], only_plan: bool, allow_pickle: bool) -> None:
    """Fetch the files of NAME... to the cache of the Hugging Face hub.

    A download that was stopped goes on from where it stopped. Files are checked against the hash of their card, or of
    the hub. HF_HOME moves the cache, HF_ENDPOINT names a mirror, HF_HUB_OFFLINE=1 forbids the network.
    """
    for card in [find_model(name) for name in names]:
        if card.licence.commercial is not True:
            restricted = "not for commercial use" if card.licence.commercial is False else "commercial use not known"
            click.echo(f"{card.name}: {restricted} ({card.licence.name}), see {card.page}", err=True)
        if only_plan:
            click.echo(_told(card, make_plan(card)))
        else:
            click.echo(f"{card.name}: {fetch(card, allow_pickle=allow_pickle)}")


@command.command("verify")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--folder", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Look here instead.")
def verify_command(names: tuple[str, ...], folder: Path | None) -> None:
    """Hash the files of NAME... in the cache, or in a folder of your own, and compare. Exits with 1 if one is wrong."""
    wrong = 0
    for card in [find_model(name) for name in names]:
        place = folder or snapshot(card)
        if place is None:
            raise RRFrameError(f"{card.name} is not in the cache", hint=f"rrframe assets fetch {card.name}")
        for finding in verify(card, place):
            wrong += finding.status in ("wrong", "missing")
            click.echo(f"{finding.status:<8} {finding.path}" + (f"  {finding.detail}" if finding.detail else ""))
    if wrong:
        raise _Different(
            f"{wrong} file{'s' if wrong != 1 else ''} missing or not as told",
            hint="delete what is wrong, and fetch it again",
        )


def _object(card: Card) -> dict[str, Any]:
    told = card.model_dump(mode="json")
    return told | {"cached": state(card)} if isinstance(card, ModelCard) else told


def _listing(cards: Iterable[Card], columns: tuple[str, ...]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("name", *columns):
        table.add_column(
            column, no_wrap=column != "licence", justify="right" if column in ("size", "images") else "left"
        )
    for card in cards:
        table.add_row(card.name, *listed(card))
    return table


def _told(card: ModelCard, plan: Plan) -> str:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for file in plan.files:
        size = "size not known" if file.size is None else amount(file.size)
        table.add_row(f"  {file.path}", size, "here" if file.cached else "")
    known = all(file.size is not None or file.cached for file in plan.files)
    total = amount(plan.to_fetch) if known else size_of(card)
    source = "as the hub lists them" if plan.asked else "as the card lists them; the hub was not reached"
    return "\n".join(
        [
            f"{card.name}: {len(plan.files)} entries, {source}",
            as_text(table, wide_in_pipes=True),
            f"to fetch: {total}; free in {plan.folder}: {amount(plan.free)}",
        ]
    )
