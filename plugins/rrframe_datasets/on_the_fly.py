"""Pairs that are made as they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field

from rrframe import Dataset, Item, RRFrameError, Sample
from rrframe.contracts.dataset import Items, NotKept
from rrframe.recipe import SynthesisRecipe, load_recipe
from rrframe.synthesis.making import PairMaker
from rrframe.synthesis.plan import Plan

_DROPPED = ("screened", "rejected")


class OnTheFly(Dataset):
    """The pairs of a recipe of synthesis, each made when it is asked for: nothing is written, and no disk is filled.

    The items are the pairs that the recipe plans, under the keys, with the tasks and with the very pixels that a run of
    it writes. So training on them is training on the run's shards, to the bit, where those are lossless (``webp`` or
    ``png``) and no pair was dropped. Where filters drop some it still is, if ``pairs/webdataset`` lists what was
    ``tried``: what is dropped is known only once it is made, and is replaced then by another pair of its task. One that
    kills its process, which a run would quarantine, ends the training.

    The recipe's sink and engine are not used. Its source is listed when the training starts and must not change until
    it ends.
    """

    checked_with: ClassVar[dict[str, Any]] = {"recipe": "quickstart"}

    recipe: str = Field(min_length=1)
    """A recipe of synthesis: a file, or the name of a shipped one."""
    overrides: tuple[str, ...] = ()
    """Changes to it, as ``--set`` takes them: ``source.params.path=photos``."""

    def items(self) -> Sequence[Item]:
        return self._items

    def read(self, number: int) -> Sample:
        if number not in self._dropped:
            attempt = self._maker.make(number)
            if attempt.rendered is not None and attempt.meta is not None:
                return Sample(attempt.rendered.degraded, attempt.rendered.clean, attempt.meta)
            if attempt.status not in _DROPPED:
                raise RRFrameError(f"{attempt.plan.source}: {attempt.reason}")
            self._dropped[number] = f"{attempt.plan.source} was {attempt.status}: {attempt.reason}"
        raise NotKept(self._dropped[number])

    @cached_property
    def _items(self) -> _Planned:
        loaded = load_recipe(self.recipe, self.overrides)
        if not isinstance(loaded.recipe, SynthesisRecipe):
            raise RRFrameError(
                f"{loaded.origin} is a recipe of {loaded.recipe.kind}, and pairs are made by one of synthesis",
                hint="rrframe recipes lists those that are shipped",
            )
        return _Planned(Plan(loaded.recipe, loaded.recipe.source.keys()))

    @cached_property
    def _maker(self) -> PairMaker:
        return PairMaker(self._items.plan)

    @cached_property
    def _dropped(self) -> dict[int, str]:
        return {}  # what a second try would only find again


class _Planned(Items):
    """The items of a plan, each computed when it is asked for."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __len__(self) -> int:
        return self.plan.pairs

    def item(self, number: int) -> Item:
        pair = self.plan.pair(number)
        return Item(pair.key, pair.task, pair.source)

    def __iter__(self) -> Iterator[Item]:
        return map(self.__getitem__, range(len(self)))
