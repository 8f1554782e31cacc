"""Refusing a load that cannot fit, before it begins, with settings that can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from rrframe.contracts.backbone import Backbone
from rrframe.contracts.devices import check_device
from rrframe.errors import RRFrameError
from rrframe.memory.footprint import Footprint, footprint
from rrframe.memory.gpus import GIB
from rrframe.memory.ways import RESERVE, WHOLE, Way, ways_to_restore, ways_to_train

_MOST_SETTINGS = 3
_SIDES = (1024, 768, 512, 256, 128)


class TooLarge(RRFrameError):
    """What is about to be loaded does not fit."""


def check_memory(
    backbone: Backbone,
    height: int,
    width: int,
    batch: int = 1,
    *,
    training: str | None = None,
    checkpointing: bool = False,
    available: int | None = None,
) -> Way:
    """Estimate what ``backbone`` is about to take, and refuse if that is not there.

    Args:
        backbone: Its weights need not have been loaded.
        height: Of the pictures or tiles, in pixels.
        width: The same.
        batch: How many at once.
        training: The way to train, as ``rrframe estimate`` calls it; ``None`` to restore.
        checkpointing: Whether training computes blocks again instead of keeping what they made.
        available: Bytes on its device; by default those that are free there now.

    Returns:
        The estimate.

    Raises:
        TooLarge: It does not fit: with the estimate, and up to three settings that would.
        RRFrameError: There is no estimate.
    """
    free = available_on(backbone.torch_device) if available is None else available
    way = _way(backbone, height, width, batch, training, checkpointing)
    device = backbone.torch_device
    if _needed(way, device) <= free:
        return way
    settings = []
    for setting, other in _others(backbone, height, width, batch, training, checkpointing):
        if (needed := _needed(other, device)) <= free:
            settings.append(f"{setting} ({_gib(needed)})")
        if len(settings) == _MOST_SETTINGS:
            break
    doing = f"training it ({way.name})" if training else "restoring with it"
    hint = "; or ".join(settings) or "a larger card: rrframe estimate tells which"
    learning = f"gradients and optimizer {_gib(way.gradients + way.states)}, " if training else ""
    raise TooLarge(
        f"{doing} takes about {_gib(_needed(way, device))} at {width} x {height}, batch {batch} (weights "
        f"{_gib(way.weights)}, {learning}activations {_gib(way.activations)}), and {device} has {_gib(free)} free",
        component=backbone.name,
        plugin=backbone.plugin,
        hint=hint,
    )


def available_on(device: torch.device) -> int:
    """Bytes free on a device: of the GPU's memory, or of the machine's.

    Raises:
        RRFrameError: It is not there.
    """
    check_device(device)
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    import psutil

    return int(psutil.virtual_memory().available)


def _needed(way: Way, device: torch.device) -> int:
    """Bytes on ``device``. Where that is the machine, nothing can lie elsewhere, and no driver takes its part."""
    return way.total if device.type == "cuda" else way.total - RESERVE + way.on_cpu


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB" if size >= GIB / 10 else f"{size / GIB:.3f} GiB"


def _way(backbone: Backbone, height: int, width: int, batch: int, training: str | None, checkpointing: bool) -> Way:
    found = footprint(backbone, height, width, batch)
    ways = ways_to_train(found, checkpointing=checkpointing) if training else ways_to_restore(found)
    known = {way.name: way for way in ways}
    if training:
        if training not in known:
            raise RRFrameError(f"no way to train is called {training!r}", hint=f"known here: {'; '.join(known)}")
        return known[training]
    asked = backbone.saves_memory or WHOLE
    return next((way for name, way in known.items() if name.startswith(asked)), known[WHOLE])


def _others(
    backbone: Backbone, height: int, width: int, batch: int, training: str | None, checkpointing: bool
) -> Iterator[tuple[str, Way]]:
    """Other settings, the ones that change least first, each with its estimate."""
    here = (height, width, batch, training)
    if training and not checkpointing:
        checkpointing = True
        yield "gradient_checkpointing: true", _way(backbone, *here, checkpointing)
    if backbone.dtype == "float32" and not training:
        yield "-p dtype=bfloat16", _way(_with(backbone, dtype="bfloat16"), *here, checkpointing)
    if batch > 1:
        yield "batch 1" if training else "--batch 1", _way(backbone, height, width, 1, training, checkpointing)
    if training:
        for way in ways_to_train(footprint(backbone, height, width, batch), checkpointing=checkpointing):
            yield way.name + (" with checkpointing" if checkpointing else ""), way
        for smaller, _, side in _smaller(backbone, height, width):
            yield f"crops of {side} x {side}", _way(smaller, side, side, 1, training, checkpointing)
        return
    frugal = ""
    for asked, way in _saving(backbone, footprint(backbone, height, width, batch)):
        yield asked, way
        frugal = asked
    for smaller, asked, side in _smaller(backbone, height, width):
        yield asked, _way(smaller, side, side, 1, training, checkpointing)
        if frugal:
            *_, (_, way) = _saving(smaller, footprint(smaller, side, side, 1))
            yield f"{frugal} {asked}", way


def _saving(backbone: Backbone, found: Footprint) -> Iterator[tuple[str, Way]]:
    """The ways to restore that it offers, from the plainest to the most frugal, each with how to ask for it."""
    for way in ways_to_restore(found):
        for start, asked in backbone.memory_savers.items():
            if way.name.startswith(start):
                yield asked, way


def _smaller(backbone: Backbone, height: int, width: int) -> Iterator[tuple[Backbone, str, int]]:
    """What holds less at once: the backbone, how to ask for it, and the side of a picture."""
    param = backbone.pixels_param
    for side in _SIDES:
        if param is None and side < max(height, width):
            yield backbone, f"--tile {side}", side
        elif param is not None and side * side < getattr(backbone, param):
            yield _with(backbone, **{param: side * side}), f"-p {param}={side * side}", side


def _with(backbone: Backbone, **changes: Any) -> Backbone:
    changed = type(backbone).make(backbone.params() | changes)
    changed._entry = backbone._entry
    return changed
