"""Card files to validated cards, with every error at its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

from pydantic import ValidationError

from rrframe.cards.models import CARDS, BenchmarkCard, Card, ModelCard
from rrframe.contracts.problems import translate
from rrframe.errors import RRFrameError, RRFrameErrors, did_you_mean
from rrframe.recipe.yaml import read_yaml


def load_card(file: Traversable) -> Card:
    """The card in ``file``.

    Raises:
        RRFrameErrors: Everything that is wrong with it, each with file, line and YAML path.
        RRFrameError: It is no YAML.
    """
    root = read_yaml(file.read_bytes(), str(file))
    said = root.plain()
    kind = said.get("kind") if isinstance(said, dict) else None
    if kind not in CARDS:
        known = " or ".join(f"kind: {name}" for name in CARDS)
        message = f"no kind of card is called {kind!r}" if kind else "'kind' is missing: it says what this is a card of"
        line = root.line_of(("kind",))
        raise RRFrameErrors([RRFrameError(message, path="kind", place=f"{file}:{line}", hint=f"write {known}")])
    try:
        card = CARDS[kind].model_validate(said)
    except ValidationError as error:
        found = translate(error, model=CARDS[kind], given=said)
        for location, each in found:
            each.place = f"{file}:{root.line_of(location)}"
        raise RRFrameErrors([each for _, each in found]) from None
    if card.name != file.name.removesuffix(".yaml"):
        place = f"{file}:{root.line_of(('name',))}"
        raise RRFrameErrors([RRFrameError("a card is named after its file", path="name", place=place)])
    return card


@lru_cache(maxsize=1)
def shipped_cards() -> Mapping[str, Card]:
    """Every card that comes with rrframe, by name.

    Raises:
        RRFrameErrors: One is wrong.
    """
    cards = [load_card(file) for file in _files()]
    return MappingProxyType({card.name: card for card in sorted(cards, key=lambda card: card.name)})


def model_cards() -> dict[str, ModelCard]:
    """The cards of published weights, by name."""
    return {name: card for name, card in shipped_cards().items() if isinstance(card, ModelCard)}


def find_card(name: str) -> Card:
    """The card ``name``, of whatever kind.

    Raises:
        RRFrameError: There is none.
    """
    known = shipped_cards()
    if name not in known:
        hint = did_you_mean(name, known, listing="rrframe assets list")
        raise RRFrameError(f"no card is called {name!r}", hint=hint)
    return known[name]


def find_benchmark(name: str) -> BenchmarkCard:
    """The card of the benchmark ``name``.

    Raises:
        RRFrameError: There is none.
    """
    known = {name: card for name, card in shipped_cards().items() if isinstance(card, BenchmarkCard)}
    if name not in known:
        hint = did_you_mean(name, known, listing="rrframe assets list --kind benchmarks")
        raise RRFrameError(f"no benchmark is called {name!r}", hint=hint)
    return known[name]


def find_model(name: str) -> ModelCard:
    """The card of the published weights ``name``.

    Raises:
        RRFrameError: There is none, or it is of something else.
    """
    known = model_cards()
    if name not in known:
        other = shipped_cards().get(name)
        if other:
            raise RRFrameError(
                f"{name} is a {other.kind}, no model", hint=f"rrframe assets show {name} says where it is"
            )
        hint = did_you_mean(name, known, listing="rrframe assets list")
        raise RRFrameError(f"no card is called {name!r}", hint=hint)
    return known[name]


def _files() -> Iterator[Traversable]:
    for folder in files("rrframe_registry").iterdir():
        if folder.is_dir():
            yield from (file for file in folder.iterdir() if file.name.endswith(".yaml"))
