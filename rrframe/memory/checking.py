"""Refusing a load that cannot fit, before it begins, with settings that can."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from rrframe.contracts.backbone import Backbone
from rrframe.errors import RRFrameError
from rrframe.memory.footprint import footprint
from rrframe.memory.gpus import GIB
from rrframe.memory.ways import WHOLE, Way, ways_to_restore, ways_to_train

_MOST_SETTINGS = 3
_SIDES = (1024, 768, 512, 256, 128)


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
        RRFrameError: It does not fit: with the estimate, and up to three settings that would.
    """
    free = available_on(backbone.torch_device) if available is None else available
    way = _way(backbone, height, width, batch, training, checkpointing)
    if way.total <= free:
        return way
    settings = []
    for setting, other in _others(backbone, height, width, batch, training, checkpointing):
        if other.total <= free:
            settings.append(f"{setting} ({other.total / GIB:.1f} GiB)")
        if len(settings) == _MOST_SETTINGS:
            break
    doing = f"training it ({way.name})" if training else "restoring with it"
    hint = "; or ".join(settings) or "a larger card: rrframe estimate tells which"
    raise RRFrameError(
        f"{doing} takes about {way.total / GIB:.1f} GiB at {width} x {height}, batch {batch} (weights "
        f"{way.weights / GIB:.1f}, gradients and optimizer {(way.gradients + way.states) / GIB:.1f}, activations "
        f"{way.activations / GIB:.1f}), and {backbone.torch_device} has {free / GIB:.1f} GiB free",
        component=backbone.name,
        plugin=backbone.plugin,
        hint=hint,
    )


def available_on(device: torch.device) -> int:
    """Bytes free on a device: of the GPU's memory, or of the machine's."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    import psutil

    return int(psutil.virtual_memory().available)


def _way(backbone: Backbone, height: int, width: int, batch: int, training: str | None, checkpointing: bool) -> Way:
    found = footprint(backbone, height, width, batch)
    ways = ways_to_train(found, checkpointing=checkpointing) if training else ways_to_restore(found)
    known = {way.name: way for way in ways}
    name = training or WHOLE
    if name not in known:
        raise RRFrameError(f"no way to train is called {name!r}", hint=f"known here: {'; '.join(known)}")
    return known[name]


def _others(
    backbone: Backbone, height: int, width: int, batch: int, training: str | None, checkpointing: bool
) -> Iterator[tuple[str, Way]]:
    """Other settings, the ones that change least first, each with its estimate."""
    here = (height, width, batch, training)
    if training and not checkpointing:
        checkpointing = True
        yield "checkpointing", _way(backbone, *here, checkpointing)
    if backbone.dtype == "float32" and not training:
        half = type(backbone).make(backbone.params() | {"dtype": "bfloat16"})
        half._entry = backbone._entry
        yield "dtype: bfloat16", _way(half, *here, checkpointing)
    if batch > 1:
        yield "batch 1", _way(backbone, height, width, 1, training, checkpointing)
    found = footprint(backbone, height, width, batch)
    if training:
        for way in ways_to_train(found, checkpointing=checkpointing):
            yield way.name + (" with checkpointing" if checkpointing else ""), way
    else:
        for way in ways_to_restore(found):
            asked = [words for start, words in backbone.memory_savers.items() if way.name.startswith(start)]
            if asked:
                yield asked[0], way
    for side in _SIDES:
        if side < max(height, width):
            what = "crops" if training else "tiles"
            yield f"{what} of {side} x {side}", _way(backbone, side, side, 1, training, checkpointing)
