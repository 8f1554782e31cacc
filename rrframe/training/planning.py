"""What a training run would do: stages, batch arithmetic, pairs, memory, work and time, and what is missing."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

from rrframe.contracts.backbone import Backbone
from rrframe.contracts.component import attributed
from rrframe.contracts.freezing import parameters_named
from rrframe.errors import RRFrameError
from rrframe.memory.checking import TooLarge, available_on, check_memory
from rrframe.memory.footprint import Footprint, footprint, without_content, work_of
from rrframe.memory.gpus import GIB, smallest_for
from rrframe.memory.tracing import on_meta
from rrframe.memory.ways import LORA_RANK, RESERVE, Way, ways_to_train
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
        yield "draws", f"{stage.name}, in blocks of {mixer.block}: {drawn}"


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
    try:
        yield from _memory(recipe, footprint(recipe.backbone, side, side, micro), ranks)
    except RRFrameError as error:
        yield "memory", f"not known: {error.message}"
    pairs = sum(stage.steps * stage.batch for stage in recipe.stages)
    yield from _work(recipe.backbone, side, pairs)
    yield "time", _time(recipe, folder)


def _memory(recipe: TrainingRecipe, found: Footprint, ranks: int) -> Rows:
    backbone = recipe.backbone
    ways = {way.name: way for way in ways_to_train(found, checkpointing=recipe.gradient_checkpointing)}
    asked = [ways[name] for name in dict.fromkeys(_way_names(recipe)) if name in ways]
    if not asked:
        yield "memory", "not known for this way to train"
        return
    way = max((_shared(recipe, way, ranks) for way in asked), key=lambda way: way.total)
    encoders = 0 if recipe.cache == "disk" else sum(part.bytes for part in found.frozen)
    way = replace(way, weights=way.weights + encoders)
    learning = _gib(way.gradients + way.states)
    yield (
        "memory",
        f"about {_gib(way.total)} GiB a process, {found.batch} at a time ({way.name}): weights {_gib(way.weights)}, "
        f"gradients and optimizer {learning}, activations {_gib(way.activations)}, reserve {_gib(RESERVE)}",
    )
    if way.on_cpu:
        yield "", f"and {_gib(way.on_cpu)} GiB of main memory"
    if encoders:
        names = " and ".join(part.name.replace("_", " ") for part in found.frozen)
        yield "", f"{_gib(encoders)} GiB of the weights are those of {names}, which cache: disk saves"
    card = smallest_for(way.total)
    yield "", f"smallest card: {card}" if card else "more than any one card has"
    device = backbone.torch_device
    if device.type != "cuda":
        return
    try:
        free = available_on(device)
    except RRFrameError as error:  # a plan for another machine
        yield "", error.message
    else:
        if free < way.total:
            yield "", f"{device} here has {_gib(free)} GiB free"


def refuse_too_large(recipe: TrainingRecipe, ranks: int) -> None:
    """Refuse, before any weight is read, training that the free memory cannot hold. Where the estimate may say more
    than is taken, as with an adapter, frozen weights, shared ones or autocast, nothing is refused.

    Raises:
        TooLarge: With the estimate, and settings that would fit.
    """
    kept = any(stage.freeze for stage in recipe.stages)
    if kept or recipe.adapter is not None or recipe.autocast or recipe.parallel != "ddp":
        return
    micro = min(split(stage.batch, ranks, recipe.micro_batch).micro for stage in recipe.stages)
    side, checkpointing = recipe.resolution, recipe.gradient_checkpointing
    for name in dict.fromkeys(_way_names(recipe)):
        try:
            check_memory(recipe.backbone, side, side, micro, training=name, checkpointing=checkpointing)
        except TooLarge:
            raise
        except RRFrameError:  # it cannot be estimated
            return


def _way_names(recipe: TrainingRecipe) -> Iterator[str]:
    """The ways to train of the stages, as ``rrframe estimate`` calls them."""
    whole = recipe.backbone.dtype == "float32"
    for stage in recipe.stages:
        if recipe.adapter is not None:
            yield f"LoRA of rank {LORA_RANK}"
        elif whole and recipe.optimizer_of(stage).name == "adamw-offloaded":
            yield "AdamW"  # at most: what is offloaded is in float32 already
        else:
            yield {
                "adamw": "AdamW" if whole else "AdamW, stochastic rounding",
                "adamw-8bit": "8-bit Adam",
                "adamw-4bit": "4-bit Adam",
                "adafactor": "Adafactor, no momentum",
                "adamw-offloaded": "AdamW, states on the CPU",
            }[recipe.optimizer_of(stage).name]


def _shared(recipe: TrainingRecipe, way: Way, ranks: int) -> Way:
    """What one of ``ranks`` processes has of it."""
    if recipe.adapter is not None:
        name = f"{recipe.adapter.kind} of rank {recipe.adapter.rank}"
        return replace(way, name=name, states=way.states * recipe.adapter.rank // LORA_RANK)
    if recipe.parallel == "fsdp" and ranks > 1:
        shares = {part: getattr(way, part) // ranks for part in ("weights", "gradients", "states")}
        return replace(way, name=f"{way.name}, shared out", **shares)
    return way


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
