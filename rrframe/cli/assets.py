"""``rrframe assets``: published weights, what they are, and getting them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rrframe.cards.cached import snapshot, state
from rrframe.cards.fetching import Plan, fetch, make_plan
from rrframe.cards.loading import find_model, model_cards
from rrframe.cards.models import ModelCard
from rrframe.cards.verifying import verify
from rrframe.cli.screen import as_text
from rrframe.errors import RRFrameError

_COMMERCIAL = {True: "yes", False: "no", None: "not known"}


class _Different(RRFrameError):
    exit_code = 1


@click.group()
def command() -> None:
    """Published weights: list their cards, fetch them to the cache of the Hugging Face hub, and check them."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def list_command(as_json: bool) -> None:
    """List the cards: size, licence, whether that allows commercial use, and whether the files are here."""
    cards = model_cards().values()
    if as_json:
        click.echo(json.dumps([card.model_dump(mode="json") | {"cached": state(card)} for card in cards], indent=2))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("name", "size", "licence", "commercial", "here"):
        table.add_column(column, no_wrap=column != "licence", justify="right" if column == "size" else "left")
    for card in cards:
        commercial = _COMMERCIAL[card.licence.commercial]
        table.add_row(card.name, _size(card), card.licence.name, commercial, state(card))
    click.echo(as_text(table, wide_in_pipes=True))


@command.command()
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
def show(name: str, as_json: bool) -> None:
    """Show the card NAME: files, hashes, licence, where each fact is from."""
    card = find_model(name)
    if as_json:
        click.echo(json.dumps(card.model_dump(mode="json") | {"cached": state(card)}, indent=2))
    else:
        click.echo(_page(card))


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


def _size(card: ModelCard) -> str:
    if card.size is None:
        return "not known"
    return f"{'about ' if card.is_rounded else ''}{_amount(card.size)}"


def _amount(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def _told(card: ModelCard, plan: Plan) -> str:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for file in plan.files:
        size = "size not known" if file.size is None else _amount(file.size)
        table.add_row(f"  {file.path}", size, "here" if file.cached else "")
    known = all(file.size is not None or file.cached for file in plan.files)
    total = _amount(plan.to_fetch) if known else _size(card)
    source = "as the hub lists them" if plan.asked else "as the card lists them; the hub was not reached"
    return "\n".join(
        [
            f"{card.name}: {len(plan.files)} entries, {source}",
            as_text(table, wide_in_pipes=True),
            f"to fetch: {total}; free in {plan.folder}: {_amount(plan.free)}",
        ]
    )


def _page(card: ModelCard) -> str:
    facts = {
        "page": str(card.page),
        "repository": f"{card.hub.repo} at {card.hub.revision}{' (terms to accept)' if card.hub.gated else ''}"
        if card.hub
        else "",
        "size": _size(card),
        "licence": card.licence.name + (f": {card.licence.note}" if card.licence.note else ""),
        "commercial": _COMMERCIAL[card.licence.commercial],
        "used by": ", ".join(card.used_by) or "no component yet",
        "here": state(card),
        "by hand": card.by_hand,
    }
    parts: list[RenderableType] = [Text.assemble((card.title, "bold"), f"  {card.name}"), card.summary, ""]
    parts.append(_rows((f"{name}:", value) for name, value in facts.items() if value))
    if card.files:
        parts += ["", Text("Files", style="bold")]
        described = ((file.path, _amount(file.bytes) if file.bytes else "", file.sha256 or "") for file in card.files)
        parts.append(_rows(described))
    parts += ["", Text("Where this is from", style="bold"), _rows((fact,) for fact in card.facts)]
    if card.unverified:
        parts += ["", Text("Unverified", style="bold"), _rows((what,) for what in card.unverified)]
    return as_text(Group(*parts))


def _rows(rows: Iterable[Iterable[str]]) -> Table:
    """A table that cuts nothing: a hash is there to be copied."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), show_header=False)
    for number, row in enumerate(list(map(list, rows))):
        for _ in row if number == 0 else ():
            table.add_column(overflow="fold")
        table.add_row(*row)
    return table
