"""Cards as people read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rrframe.cards.cached import state
from rrframe.cards.models import BenchmarkCard, Card, DatasetCard, Licence, ModelCard, PublishedScores
from rrframe.cli.screen import as_text

_COMMERCIAL = {True: "yes", False: "no", None: "not known"}
_MOST_TASKS = 3


def listed(card: Card) -> list[str]:
    """The cells of a card in a list of its kind, after its name."""
    if isinstance(card, ModelCard):
        return [size_of(card), card.licence.name, _COMMERCIAL[card.licence.commercial], state(card)]
    assert isinstance(card, (DatasetCard, BenchmarkCard))
    tasks = [task if isinstance(task, str) else task.name for task in card.tasks]
    named = ", ".join(tasks) if len(tasks) <= _MOST_TASKS else f"{len(tasks)} tasks"
    images = "not known" if card.images is None else f"{card.images:,}"
    return [images, named or "clean", card.licence.name if card.licence else "of each picture"]


def page_of(card: Card) -> str:
    """All that a card says."""
    parts: list[RenderableType] = [Text.assemble((card.title, "bold"), f"  {card.name}"), card.summary, ""]
    about = {ModelCard: _of_model, DatasetCard: _of_dataset, BenchmarkCard: _of_benchmark}[type(card)]
    parts += about(card)  # type: ignore[operator]
    for title, lines in (("Where this is from", "facts"), ("Unverified", "unverified")):
        if said := getattr(card, lines):
            parts += ["", Text(title, style="bold"), _rows((line,) for line in said)]
    return as_text(Group(*parts))


def size_of(card: ModelCard) -> str:
    """What the files of a model take."""
    if card.size is None:
        return "not known"
    return f"{'about ' if card.is_rounded else ''}{amount(card.size)}"


def amount(size: int) -> str:
    """Bytes, in the unit that suits them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.1f} kB"


def _of_model(card: ModelCard) -> Iterator[RenderableType]:
    facts = {
        "page": str(card.page),
        "repository": f"{card.hub.repo} at {card.hub.revision}{' (terms to accept)' if card.hub.gated else ''}"
        if card.hub
        else "",
        "size": size_of(card),
        **_terms(card.licence),
        "used by": ", ".join(card.used_by) or "no component yet",
        "here": state(card),
        "by hand": card.by_hand,
    }
    yield _facts(facts)
    if card.files:
        yield from ("", Text("Files", style="bold"))
        yield _rows((file.path, amount(file.bytes) if file.bytes else "", file.sha256 or "") for file in card.files)


def _of_dataset(card: DatasetCard) -> Iterator[RenderableType]:
    facts = {
        "page": str(card.page or ""),
        "use": card.use,
        "shows": ", ".join(card.tasks) or "no degradation",
        "pairs": "yes" if card.pairs else "no",
        "download": card.download,
        "size": f"about {amount(card.about_bytes)}" if card.about_bytes else "",
        **_terms(card.licence),
        "used by": ", ".join(card.used_by),
    }
    yield _facts(facts)
    if card.parts:
        yield from ("", Text("Parts", style="bold"))
        yield _rows((part.name, _count(part.images), part.summary) for part in card.parts)
    if card.pictures:
        yield from ("", Text("Pictures", style="bold"))
        yield _rows((each.name, f"{each.size[0]} x {each.size[1]}", each.licence) for each in card.pictures)


def _of_benchmark(card: BenchmarkCard) -> Iterator[RenderableType]:
    facts = {
        "page": str(card.page),
        "repository": f"{card.hub.repo} at {card.hub.revision}" if card.hub else "",
        "images": _count(card.images),
        "references": "yes" if card.references else "none",
        "scored by": ", ".join(card.metrics),
        "layout": card.layout,
        "download": card.download,
        "size": f"about {amount(card.about_bytes)}" if card.about_bytes else "",
        **_terms(card.licence),
    }
    yield _facts(facts)
    yield from ("", Text("Tasks", style="bold"))
    yield _rows((task.name, _count(task.images), task.folder, task.prompts.get("en", "")) for task in card.tasks)
    for table in card.published:
        direction = "higher" if table.higher_is_better else "lower"
        yield from ("", Text.assemble((f"Published {table.measure}", "bold"), f", {direction} is better"))
        yield _scores(table)
        yield Text(f"{table.source}{'. ' + table.note if table.note else ''}", style="dim")


def _scores(table: PublishedScores) -> Table:
    columns = list(dict.fromkeys(column for row in table.scores.values() for column in row))
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 1), header_style="dim")
    shown.add_column("model", overflow="fold")
    for column in columns:
        shown.add_column(column, justify="right", overflow="fold", min_width=table.decimals + 2)
    for model, row in table.scores.items():
        shown.add_row(model, *(f"{row[column]:.{table.decimals}f}" if column in row else "" for column in columns))
    return shown


def _terms(licence: Licence | None) -> dict[str, str]:
    if licence is None:
        return {}
    note = f": {licence.note}" if licence.note else ""
    return {"licence": licence.name + note, "commercial": _COMMERCIAL[licence.commercial]}


def _count(images: int | None) -> str:
    return "not known" if images is None else f"{images:,}"


def _facts(facts: dict[str, str]) -> Table:
    return _rows((f"{name}:", value) for name, value in facts.items() if value)


def _rows(rows: Iterable[Iterable[str]]) -> Table:
    """A table that cuts nothing: a hash is there to be copied."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2), show_header=False)
    for number, row in enumerate(list(map(list, rows))):
        for _ in row if number == 0 else ():
            table.add_column(overflow="fold")
        table.add_row(*row)
    return table
