"""What a training run would do: stages, batch arithmetic, pairs, memory, work and time, and what is missing."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import nn

from rrframe.contracts.backbone import Backbone
from rrframe.contracts.component import attributed
from rrframe.contracts.freezing import parameters_named
from rrframe.errors import RRFrameError
from rrframe.memory.checking import available_on, check_memory
from rrframe.memory.footprint import without_content, work_of
from rrframe.memory.gpus import GIB, smallest_for
from rrframe.memory.tracing import on_meta
from rrframe.memory.ways import Way
from rrframe.recipe.training import Ramp, Stage, TrainingRecipe
from rrframe.training.checkpoints import Checkpoints
from rrframe.training.curves import TIMINGS, read_curve
from rrframe.training.data import TrainingData
from rrframe.training.schedule import split

_BACKWARD = 3  # times the work of the loss alone that a step takes
_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")

Rows = Iterator[tuple[str, str]]


def describe(recipe: TrainingRecipe, folder: Path, ranks: int = 1) -> Rows:
    """What a run of ``recipe`` over ``ranks`` processes in ``folder`` would do, as names and values for people.

    Nothing is loaded. Pairs and weights that are not there are told of, and the rest of the plan goes without them.

    Raises:
        RRFrameError: The recipe itself is wrong: a batch that cannot be split, a pattern without meaning.
    """
    yield "backbone", recipe.backbone.name
    network = _without_content(recipe.backbone)
    for number, stage in enumerate(recipe.stages):
        yield from _stage(stage, f"stages[{number}]", network, split(stage.batch, ranks, recipe.micro_batch))
    missing = list(_missing(recipe))
    if not any(name.startswith("data.") for name, _ in missing):
        yield from _pairs(TrainingData(recipe))
    yield from _costs(recipe, folder, ranks)
    for name, reason in missing:
        yield "missing", f"{name}: {reason}"


def frozen_in(stage: Stage, path: str, network: nn.Module) -> dict[str, Any]:
    """The patterns of a stage, with how many of the weights of ``network`` they keep as they are.

    Args:
        stage: It has some.
        path: Of the stage in the recipe.
        network: What is trained; it stays as it is.

    Raises:
        RRFrameError: A pattern means nothing, with near names.
    """
    sizes = {name: parameter.numel() for name, parameter in network.named_parameters()}
    names: set[str] = set()
    for place, pattern in enumerate(stage.freeze):
        try:
            names.update(parameters_named(network, pattern))
        except RRFrameError as error:
            error.path = f"{path}.freeze[{place}]"
            raise
    return {
        "patterns": list(stage.freeze),
        "parameters": len(names),
        "weights": sum(sizes[name] for name in names),
        "of": sum(sizes.values()),
    }


def _without_content(backbone: Backbone) -> nn.Module:
    with attributed(backbone, "making it without content"), on_meta():
        return without_content(backbone).trainable()


def _stage(stage: Stage, path: str, network: nn.Module, shares: object) -> Rows:
    yield stage.name, f"{stage.steps:,} steps, {stage.steps * stage.batch:,} pairs; {shares}"
    yield "", f"learning rate {stage.learning_rate:g}, {stage.schedule}, warm-up {stage.warmup}; mix {said_mix(stage)}"
    if stage.freeze:
        frozen = frozen_in(stage, path, network)
        share = frozen["weights"] / frozen["of"]
        yield "", f"frozen: {', '.join(stage.freeze)}, {frozen['weights']:,} weights ({share:.1%})"


def _missing(recipe: TrainingRecipe) -> Rows:
    from rrframe.cards.cached import located

    for name, dataset in recipe.data.items():
        try:
            with attributed(dataset, f"listing data.{name}"):
                dataset.items()
        except RRFrameError as error:
            yield f"data.{name}", error.message
    if recipe.backbone.checkpoint is None:
        return
    try:
        found = located(recipe.backbone.checkpoint)
    except RRFrameError as error:
        yield "weights", error.message
        return
    if not found.exists():
        yield "weights", f"{found} does not exist"


def _pairs(data: TrainingData) -> Rows:
    for cell, count in data.sizes.items():
        yield "data", f"{cell.source}, {cell.task}: {count:,} pairs"
    yield "held out", f"{len(data.held_out):,} pairs, {len(data.validated())} of them restored at each validation"
    for stage, mixer in zip(data.recipe.stages, data.mixers, strict=True):
        counts = mixer.counts(0, stage.steps * stage.batch)
        drawn = ", ".join(f"{cell.source}/{cell.task} {count:,}" for cell, count in counts.items())
        yield f"{stage.name} draws", f"in blocks of {mixer.block}: {drawn}"


def said_mix(stage: Stage) -> str:
    """The mix of a stage in words."""
    if isinstance(stage.mix, Ramp):
        over = f" over {stage.mix.over} steps" if stage.mix.over else ""
        return f"from {_shares(stage.mix.begin)} to {_shares(stage.mix.to)}{over}"
    return _shares(stage.mix)


def _shares(shares: dict[str, float]) -> str:
    return " : ".join(f"{name} {share:g}" for name, share in shares.items())


# What it costs
# ----------------------------------------------------------------------------------------------------------------------


def _costs(recipe: TrainingRecipe, folder: Path, ranks: int) -> Rows:
    micro = max(split(stage.batch, ranks, recipe.micro_batch).micro for stage in recipe.stages)
    side = recipe.resolution
    yield from _memory(recipe, side, micro)
    pairs = sum(stage.steps * stage.batch for stage in recipe.stages)
    yield from _work(recipe.backbone, side, pairs)
    yield "time", _time(recipe, folder)


def _memory(recipe: TrainingRecipe, side: int, micro: int) -> Rows:
    backbone = recipe.backbone
    name = "AdamW" if backbone.dtype == "float32" else "AdamW, stochastic rounding"
    try:
        way = check_memory(backbone, side, side, micro, training=name, available=1 << 62)
    except RRFrameError as error:
        yield "memory", f"not known: {error.message}"
        return
    yield "memory", f"about {_gib(way.total)} GiB a process, {micro} at a time: {_parts(way)}; {_card(way)}"
    try:
        check_memory(backbone, side, side, micro, training=name)
    except RRFrameError as error:
        free = _gib(available_on(backbone.torch_device))
        yield "", f"more than the {free} GiB free on {backbone.torch_device} here; try {error.hint}"


def _parts(way: Way) -> str:
    states = way.gradients + way.states
    return f"weights {_gib(way.weights)}, gradients and optimizer {_gib(states)}, activations {_gib(way.activations)}"


def _card(way: Way) -> str:
    card = smallest_for(way.total)
    return f"smallest card {card}" if card else "more than one card"


def _work(backbone: Backbone, side: int, pairs: int) -> Rows:
    try:
        one = _BACKWARD * work_of(backbone, side, side)
    except RRFrameError as error:
        yield "work", f"not known: {error.message}"
        return
    yield "work", f"{_flop(one)} a pair, forward and backward; {_flop(one * pairs)} in all"


def _time(recipe: TrainingRecipe, folder: Path) -> str:
    """What the steps measured in ``folder`` say of those that are left."""
    done = Checkpoints(folder, recipe.keep.last).done()
    timings = list(read_curve(folder, TIMINGS))
    if not timings:
        return "unknown until measured: train some steps, and ask again"
    rate = statistics.median(line["pairs_per_second"] for line in timings)
    left, first = 0, 0
    for stage in recipe.stages:
        left += stage.batch * max(0, stage.steps - max(0, done - first))
        first += stage.steps
    measured = f"{rate:.3g} pairs a second as measured in {folder}"
    return f"about {_duration(left / rate)} for the {first - done:,} steps left, at {measured}"


def _duration(seconds: float) -> str:
    minutes, hours = seconds / 60, seconds / 3600
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes:.0f} minutes" if hours < 2 else f"{hours:.1f} hours"


def _flop(count: float) -> str:
    place = 0
    while count >= 1000 and place + 1 < len(_PREFIXES):
        count, place = count / 1000, place + 1
    return f"{count:.3g} {_PREFIXES[place]}FLOP"


def _gib(size: int) -> str:
    return f"{size / GIB:.1f}" if size >= GIB / 10 else f"{size / GIB:.3f}"
