"""The plan of a run: which pair is made from what, a pure function of the recipe and the list of its source."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rrframe.pairs.files import write_whole
from rrframe.recipe.models import SynthesisRecipe
from rrframe.rng import Key
from rrframe.synthesis.deck import Deck

LISTING = "source.jsonl"
_PARTNERS = 8  # how many other pictures are tried as a second image before a pair is given up


@dataclass(frozen=True)
class PairPlan:
    """What one pair is made from."""

    index: int
    source: str
    variant: int
    task: str

    @property
    def key(self) -> str:
        """The pair's name in its shard: rising, without dots."""
        return f"{self.index:08d}"


class Plan:
    """All pairs of a run, cut into shards.

    Args:
        recipe: What is wanted.
        sources: The keys of the source's pictures, in order.
    """

    def __init__(self, recipe: SynthesisRecipe, sources: Sequence[str]) -> None:
        self.recipe = recipe
        self.sources = sources if recipe.limit is None else sources[: recipe.limit]

    def __getstate__(self) -> dict[str, Any]:
        return {"recipe": self.recipe, "sources": self.sources}  # the deck is made again

    @cached_property
    def deck(self) -> Deck:
        return Deck({name: mix.weight for name, mix in self.recipe.tasks.items()}, self.recipe.seed)

    @property
    def pairs(self) -> int:
        """How many pairs are tried."""
        return len(self.sources) * self.recipe.variants

    @property
    def shards(self) -> int:
        return -(-self.pairs // self.recipe.sink.pairs_per_shard)

    def shard(self, number: int) -> range:
        """The indices of the pairs of shard ``number``."""
        size = self.recipe.sink.pairs_per_shard
        return range(number * size, min((number + 1) * size, self.pairs))

    def pair(self, index: int) -> PairPlan:
        position, variant = divmod(index, self.recipe.variants)
        return PairPlan(index, self.sources[position], variant, self.deck.task(index))

    def key(self, pair: PairPlan) -> Key:
        """The key of all that is random in ``pair`` except its task."""
        return Key.of(self.recipe.seed, pair.source, pair.variant)

    def partners(self, pair: PairPlan) -> Iterator[str]:
        """Other pictures of the source that may serve as the second image of ``pair``, in the order to try them."""
        others = len(self.sources) - 1
        if others < 1:
            return
        position = pair.index // self.recipe.variants
        generator = self.key(pair).child("partner").random()
        for offset in generator.sample(range(1, others + 1), min(_PARTNERS, others)):
            yield self.sources[(position + offset) % len(self.sources)]


def write_listing(folder: Path, sources: Sequence[str]) -> None:
    """Keep the list of the source with the run, so that a folder that changes later shifts nothing."""
    write_whole(folder / LISTING, "".join(json.dumps(key) + "\n" for key in sources))


def read_listing(folder: Path) -> list[str] | None:
    """The list kept with the run in ``folder``; ``None`` before there is one."""
    path = folder / LISTING
    if not path.exists():
        return None
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]
