"""How much a training step has to compute: counted, on the meta device, by running it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from rrframe.contracts.component import attributed
from rrframe.contracts.freezing import parameters_named
from rrframe.errors import RRFrameError
from rrframe.memory.footprint import NoNoise, without_content
from rrframe.memory.tracing import on_meta
from rrframe.recipe.training import Stage, TrainingRecipe
from rrframe.rng import Key
from rrframe.training import adapters


@dataclass(frozen=True)
class Work:
    """Floating-point operations for one pair, a multiplication and an addition being two.

    Args:
        needed: Of the loss and its gradient: what "model FLOPs utilisation" counts.
        done: The same, with what gradient checkpointing computes a second time.
    """

    needed: int
    done: int


def work_of(recipe: TrainingRecipe, stage: Stage) -> Work:
    """The work of ``stage`` for one pair, ``encode`` and the optimizer aside.

    Raises:
        RRFrameError: The backbone cannot be made on the meta device, or cannot be trained so.
    """
    needed = _count(recipe, stage, checkpointing=False)
    return Work(needed, _count(recipe, stage, checkpointing=True) if recipe.gradient_checkpointing else needed)


def _count(recipe: TrainingRecipe, stage: Stage, *, checkpointing: bool) -> int:
    backbone = recipe.backbone
    with attributed(backbone, "estimating its work"), torch.random.fork_rng(devices=[]):
        double = without_content(backbone)
        with on_meta():
            module = double.trainable()
            frozen = {name for pattern in stage.freeze for name in parameters_named(module, pattern)}
            if recipe.adapter is not None:
                adapters.add_adapter(module, recipe.adapter, Key.of(0))
            for name, parameter in module.named_parameters():
                changes = recipe.adapter is None or adapters.is_adapters(name)
                parameter.requires_grad_(changes and adapters.own_name(name) not in frozen)
        module.train()
        if checkpointing:
            try:
                module.enable_gradient_checkpointing()  # type: ignore[operator]
            except (AttributeError, ValueError):
                raise RRFrameError("it cannot compute its blocks again", path="gradient_checkpointing") from None
        side = recipe.resolution
        pairs = double.rehearsal(side, side, 1)
        counting = _Counting()  # type: ignore[no-untyped-call]
        with counting, torch.enable_grad():
            double.loss(pairs, NoNoise()).sum().backward()  # type: ignore[no-untyped-call]
    return counting.operations


class _Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts as torch's ``FlopCounterMode`` does, which takes apart every operation that it has no number for: minutes
    for a network of 12 billion parameters.
    """

    operations: int = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        counter = flop_registry.get(func._overloadpacket)
        if counter is not None:
            self.operations += int(counter(*args, **(kwargs or {}), out_val=out))
        return out
