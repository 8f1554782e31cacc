"""The pairs of a training run: an endless stream for each stage, and those that are held out."""

from __future__ import annotations

import math
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from heapq import nsmallest
from typing import Any

import cv2
import numpy as np
import torch

from rrframe.contracts.backbone import Pairs
from rrframe.contracts.component import attributed
from rrframe.contracts.cue import Cues
from rrframe.contracts.dataset import Item, NotKept, Sample
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.imaging.layout import to_batch
from rrframe.manager import get_manager
from rrframe.pairs.mixing import Cell, Mixer
from rrframe.pairs.shuffle import Shuffle
from rrframe.recipe.training import Ramp, Shares, Stage, TrainingRecipe
from rrframe.rng import Key
from rrframe.training.recent import Recent

_MULTIPLE = 16  # of the sides of what is cut: what every backbone can take
_KEPT = 512 << 20  # bytes of pairs that a process keeps in memory
_TRIES = 16  # pairs of one source and task that cannot be read before training ends
_PASSES = 1000  # pairs of one source and task that are dropped by their own recipe before training ends


@dataclass(frozen=True)
class Example:
    """One pair as it is trained on.

    Args:
        degraded: ``[1, 3, H, W]`` float32 in [0, 1], encoded sRGB.
        clean: The same size.
        cell: Its source and task.
        key: Its name in the source.
        seed: Names the randomness of its loss.
        broken: Pairs that should have stood here and could not be read: name and reason.
        meta: What is known of it, such as its record.
        encoded: What is kept of it, where a worker has read that already.
    """

    degraded: torch.Tensor
    clean: torch.Tensor
    cell: Cell
    key: str
    seed: int
    broken: tuple[tuple[str, str], ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)
    encoded: dict[str, torch.Tensor] | None = None


@dataclass(frozen=True)
class Batch:
    """Some pairs of one size."""

    pairs: Pairs
    examples: tuple[Example, ...]

    @staticmethod
    def of(examples: Sequence[Example]) -> Batch:
        degraded, clean = (torch.cat([getattr(each, side) for each in examples]) for side in ("degraded", "clean"))
        return Batch(Pairs(degraded, clean, tuple(each.cell.task for each in examples)), tuple(examples))

    @property
    def seeds(self) -> list[int]:
        return [example.seed for example in self.examples]


class TrainingData:
    """The pairs of ``recipe``, listed once.

    Raises:
        RRFrameError: A source cannot be listed, or lacks what the recipe wants of it.
    """

    def __init__(self, recipe: TrainingRecipe) -> None:
        self.recipe = recipe
        self._key = Key.of(recipe.seed, "training")
        self._recent = Recent(_KEPT)
        self._items: dict[str, Sequence[Item]] = {}
        for name, dataset in recipe.data.items():
            with attributed(dataset, f"listing data.{name}"):
                self._items[name] = dataset.items()
        held_out = self._held_out_pictures()
        self.held_out: list[tuple[str, int]] = []
        """Source and number of the pairs that are never trained on."""
        self._cells: defaultdict[Cell, array[int]] = defaultdict(_numbers)
        for name, items in self._items.items():
            for number, item in enumerate(items):
                if item.picture in held_out:
                    self.held_out.append((name, number))
                else:
                    self._cells[Cell(name, item.task)].append(number)
        self._check_tasks()
        self._check_weights()

    def __getstate__(self) -> dict[str, Any]:
        """Workers read pairs, and are not sent the network."""
        return {**vars(self), "recipe": self.recipe.model_copy(update={"backbone": None})}

    @property
    def sizes(self) -> dict[Cell, int]:
        """How many pairs there are to train on, by source and task."""
        return {cell: len(numbers) for cell, numbers in sorted(self._cells.items())}

    @cached_property
    def mixers(self) -> tuple[Mixer, ...]:
        """The stream of each stage."""
        return tuple(self._mixer(stage) for stage in self.recipe.stages)

    def size_of(self, stage: int, step: int) -> tuple[int, int]:
        """Height and width of what is cut in a step."""
        aspects = self.recipe.aspects
        aspect = aspects[self._key.child("aspect", stage, step).random().randrange(len(aspects))]
        sides = (self.recipe.resolution / math.sqrt(aspect), self.recipe.resolution * math.sqrt(aspect))
        height, width = (max(_MULTIPLE, round(side / _MULTIPLE) * _MULTIPLE) for side in sides)
        return height, width

    @property
    def held_out_size(self) -> tuple[int, int]:
        """Height and width of what is cut of held-out pairs."""
        side = self.recipe.validation.resolution
        return (side, side) if side else self.size_of(0, 0)

    def example(self, stage: int, place: int, size: tuple[int, int]) -> Example:
        """What stands at ``place`` in the stream of a stage, cut to ``size``: a pure function of the three.

        A pair that cannot be read is replaced by another of its source and task, drawn from all of them: those beside
        it may lie in the same damaged shard. One that is dropped by its own recipe is, too.

        Raises:
            RRFrameError: Several in a row cannot be read.
        """
        found = self.mixers[stage][place]
        key = self._key.child(self.recipe.stages[stage].name, place)
        name, sample, broken = self._readable(found.cell, self._cells[found.cell], found.item)
        # What is kept of a pair can be used again where it is augmented alike each time.
        alike = self._key.child("pair", found.cell.source, name) if self.recipe.cache == "disk" else key
        degraded, clean = self._augmented(sample, size, alike)
        return Example(degraded, clean, found.cell, name, key.child("loss").seed, broken, sample.meta)

    def held_out_example(self, number: int, size: tuple[int, int]) -> Example:
        """Held-out pair ``number``, cut to ``size`` in its middle, or another held-out one of its source and task where
        it cannot be read.

        Raises:
            RRFrameError: Several in a row cannot be read.
        """
        source, index = self.held_out[number]
        cell = Cell(source, self._items[source][index].task)
        places = self._held_out_cells[cell]
        numbers = array("q", (self.held_out[place][1] for place in places))
        key, sample, broken = self._readable(cell, numbers, places.index(number))
        sides = [to_batch(_cut(pixels, size, 0.5, 0.5)) for pixels in (sample.degraded, sample.clean)]
        return Example(sides[0], sides[1], cell, key, self._key.child("held out", source, key).seed, broken)

    def picture_of(self, source: str, number: int) -> str:
        """The clean picture that a pair of a source was made of."""
        return self._items[source][number].picture

    def validated(self) -> list[int]:
        """The held-out pairs that are restored at each validation: the sources and tasks in turn."""
        turns = sorted(
            (turn, cell, number) for cell, them in self._held_out_cells.items() for turn, number in enumerate(them)
        )
        return [number for _, _, number in turns][: self.recipe.validation.pairs]

    @cached_property
    def _held_out_cells(self) -> dict[Cell, list[int]]:
        by_cell: defaultdict[Cell, list[int]] = defaultdict(list)
        for number, (source, index) in enumerate(self.held_out):
            by_cell[Cell(source, self._items[source][index].task)].append(number)
        return dict(by_cell)

    def _readable(
        self, cell: Cell, numbers: Sequence[int], place: int
    ) -> tuple[str, Sample, tuple[tuple[str, str], ...]]:
        """The pair at ``place`` of the ``numbers`` of a cell or one in its stead: its key, what was read, and those
        that could not be.
        """
        broken: list[tuple[str, str]] = []
        dropped = 0
        for number in self._instead(cell, numbers, place):
            name = self._items[cell.source][number].key
            try:
                return name, self.read(cell.source, number), tuple(broken)
            except NotKept:
                dropped += 1
            except RRFrameError as error:
                broken.append((name, error.message))
            if len(broken) == _TRIES or dropped == _PASSES:
                break
        where = f"data.{cell.source}, {cell.task}"
        if not broken:
            raise RRFrameError(f"{where}: {dropped} pairs in a row are dropped by the filters of their recipe")
        names = "; ".join(f"{name}: {reason}" for name, reason in broken)
        raise RRFrameError(f"{where}: {len(broken)} pairs in a row cannot be read: {names}")

    def _instead(self, cell: Cell, numbers: Sequence[int], place: int) -> Iterator[int]:
        """The pair at ``place``, and then the others of its cell in an order of its own."""
        yield numbers[place]
        order = Shuffle(self._key.child("instead", *cell, numbers[place]), len(numbers))
        for turn in range(len(numbers)):
            if order[turn] != place:
                yield numbers[order[turn]]

    def read(self, source: str, number: int) -> Sample:
        """A pair of a source. The last ones read are kept in memory: a small set is decoded once.

        Raises:
            RRFrameError: It cannot be read, or its sides differ in size.
            NotKept: It is dropped by what would make it.
        """
        return self._recent.get(source, number, self._read)

    def _read(self, source: str, number: int) -> Sample:
        dataset = self.recipe.data[source]
        with attributed(dataset, f"reading {self._items[source][number].key}"):
            return dataset.read(number)

    # Augmentation
    # ----------------------------------------------------------------------------------------------------------------

    def _augmented(self, sample: Sample, size: tuple[int, int], key: Key) -> tuple[torch.Tensor, torch.Tensor]:
        random = key.child("augment").random()
        top, left, flip = random.random(), random.random(), random.random() < self.recipe.augment.flip
        sides = [_cut(pixels, size, top, left) for pixels in (sample.degraded, sample.clean)]
        degraded, clean = (to_batch(np.ascontiguousarray(side[:, ::-1]) if flip else side) for side in sides)
        chain = self.recipe.augment.degraded
        if chain is not None:
            draw = chain.draw(key.child("degraded"), None)
            with torch.inference_mode():
                degraded = chain.apply(degraded, [draw], Cues({}))
            degraded = degraded.clone()  # outside inference mode, since gradients pass through what reads it
        return degraded, clean

    # Mixing
    # ----------------------------------------------------------------------------------------------------------------

    def _held_out_pictures(self) -> set[str]:
        pictures = {item.picture for items in self._items.values() for item in items}
        count = max(1, round(self.recipe.validation.share * len(pictures)))
        if count >= len(pictures):
            raise RRFrameError(
                f"too few clean pictures to hold some out: all pairs are made of {len(pictures)}",
                path="data",
                hint="give pairs of more pictures",
            )
        return set(nsmallest(count, pictures, key=lambda picture: (self._key.child("held out", picture).seed, picture)))

    def _check_tasks(self) -> None:
        """Refuses what is no task: the name of some other folder, say."""
        known = get_manager().table("task")
        for source, task in sorted({*self._cells, *self._held_out_cells}):
            if task not in known:
                raise RRFrameError(
                    f"data.{source} has pairs of {task!r}, which is no task",
                    path=f"data.{source}",
                    hint=did_you_mean(task, known, listing="rrframe plugins --kind task"),
                )

    def _check_weights(self) -> None:
        if isinstance(self.recipe.tasks, str):
            return
        used = {name for stage in self.recipe.stages for name in stage.sources()}
        for task, weight in self.recipe.tasks.items():
            for source in sorted(used) if weight else ():
                if not self._cells.get(Cell(source, task)):
                    has = sorted(cell.task for cell in self._cells if cell.source == source)
                    raise RRFrameError(
                        f"data.{source} has no pair of the task {task} to train on",
                        path=f"tasks.{task}",
                        hint=did_you_mean(task, has) if has else "",
                    )

    def _mixer(self, stage: Stage) -> Mixer:
        mix = stage.mix
        begin, end = (mix.begin, mix.to) if isinstance(mix, Ramp) else (mix, None)
        steps = (mix.over or stage.steps) if isinstance(mix, Ramp) else 0
        return Mixer(
            self.sizes,
            self._shares(begin),
            None if end is None else self._shares(end),
            steps * stage.batch,
            key=self._key.child("mix", stage.name),
        )

    def _shares(self, sources: Shares) -> dict[Cell, Fraction]:
        shares: dict[Cell, Fraction] = {}
        total = sum(Fraction(str(share)) for share in sources.values())
        for source, share in sources.items():
            weights = self._weights(source)
            if share and not weights:
                raise RRFrameError(
                    f"data.{source} has no pair left to train on", hint="lower validation.share, or give more pairs"
                )
            whole = sum(weights.values())
            for cell, weight in weights.items():
                shares[cell] = Fraction(str(share)) / total * weight / whole
        return shares

    def _weights(self, source: str) -> dict[Cell, Fraction]:
        counts = Counter({cell: len(numbers) for cell, numbers in self._cells.items() if cell.source == source})
        if self.recipe.tasks == "uniform":
            return {cell: Fraction(1) for cell in sorted(counts)}
        if self.recipe.tasks == "proportional":
            return {cell: Fraction(count) for cell, count in sorted(counts.items())}
        assert not isinstance(self.recipe.tasks, str)
        weights = {cell: Fraction(str(self.recipe.tasks.get(cell.task, 0))) for cell in sorted(counts)}
        return {cell: weight for cell, weight in weights.items() if weight}


def _numbers() -> array[int]:
    return array("q")  # eight bytes each, where a list takes forty


def _cut(pixels: np.ndarray, size: tuple[int, int], top: float, left: float) -> np.ndarray:
    """``[H, W, 3]`` cut to ``size`` at a place given as shares of the room there is; scaled up first if too small."""
    height, width = size
    scale = max(height / pixels.shape[0], width / pixels.shape[1])
    if scale > 1:
        grown = (max(width, round(pixels.shape[1] * scale)), max(height, round(pixels.shape[0] * scale)))
        pixels = cv2.resize(pixels, grown, interpolation=cv2.INTER_CUBIC)
    first = round(top * (pixels.shape[0] - height)), round(left * (pixels.shape[1] - width))
    return np.ascontiguousarray(pixels[first[0] : first[0] + height, first[1] : first[1] + width])
