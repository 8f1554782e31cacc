"""What a backbone consists of and what one pass of it holds: the facts that every estimate is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rrframe.contracts.backbone import Backbone
from rrframe.contracts.component import attributed
from rrframe.contracts.draw import Noise
from rrframe.memory.tracing import Kept, kept_for_backward, on_meta, peak_of, repeated_blocks


@dataclass(frozen=True)
class Part:
    """A network: its name, its parameters, and the bytes that they and its buffers take up."""

    name: str
    parameters: int
    bytes: int


@dataclass(frozen=True)
class Footprint:
    """What a backbone is made of, and what it holds at one size.

    Args:
        trained: The network that is trained.
        linear_sides: The sides of its matrices added up: what LoRA of rank one would add.
        largest_block: Bytes of the largest of the blocks that it repeats; 0 if it repeats none.
        frozen: The networks that go with it and are never trained.
        working: Bytes at once while it restores, weights aside.
        kept: Bytes kept for a backward pass; none where it cannot be trained.
        height: Of the pictures, in pixels.
        width: Of the pictures, in pixels.
        batch: How many at once.
    """

    trained: Part
    linear_sides: int
    largest_block: int
    frozen: tuple[Part, ...]
    working: int
    kept: Kept
    height: int
    width: int
    batch: int

    @property
    def weights(self) -> int:
        """Bytes of all weights, in the backbone's dtype."""
        return self.trained.bytes + sum(part.bytes for part in self.frozen)


def footprint(backbone: Backbone, height: int, width: int, batch: int = 1) -> Footprint:
    """The footprint of ``backbone``, whose weights are neither made nor read.

    Args:
        backbone: As a recipe has it; it stays as it is.
        height: Of the pictures, in pixels; a picture larger than ``capabilities.largest_side`` comes in tiles.
        width: Of the pictures, in pixels.
        batch: How many at once.

    Raises:
        RRFrameError: The backbone cannot be made on the meta device.
    """
    most = backbone.capabilities.largest_side
    height, width = (min(side, most) if most else side for side in (height, width))
    with attributed(backbone, "estimating its memory"), torch.random.fork_rng(devices=[]):
        trainable = backbone.capabilities.trainable
        double = without_content(backbone)
        with on_meta():
            network = double.network
            companions = dict(double.companions())
        passes = 2 if (backbone.capabilities.guidance or 0) > 1 else 1
        kept = Kept(0, 0)
        if trainable:
            told, more = double.rehearsal(height, width, batch), double.rehearsal(height, width, passes * batch)
            working = peak_of(lambda: double.loss(more, NoNoise()))
            working = max(working, peak_of(lambda: double.rehearse_companions(told)))
            kept = kept_for_backward(double.trainable(), lambda: double.loss(told, NoNoise()))
        else:
            images = torch.zeros(batch, 3, height, width, device="meta")
            working = peak_of(lambda: double.restore(images, "noise"))
    return Footprint(
        trained=part_of("trained", network),
        linear_sides=sum(sum(layer.weight.shape) for layer in network.modules() if isinstance(layer, nn.Linear)),
        largest_block=max((part_of("", block).bytes for block in repeated_blocks(network)), default=0),
        frozen=tuple(part_of(name, module) for name, module in companions.items()),
        working=working,
        kept=kept,
        height=height,
        width=width,
        batch=batch,
    )


def work_of(backbone: Backbone, height: int, width: int) -> int:
    """The floating-point operations of one loss of one pair of this size, a multiplication and an addition being two.
    Training takes about three times as many, for the backward pass.

    Raises:
        RRFrameError: The backbone cannot be made on the meta device.
    """
    with attributed(backbone, "estimating its work"), torch.random.fork_rng(devices=[]), torch.no_grad():
        double = without_content(backbone)
        with on_meta():
            double.trainable()
        with FlopCounterMode(display=False) as counted:
            double.loss(double.rehearsal(height, width, 1), NoNoise())
    return int(counted.get_total_flops())


def without_content(backbone: Backbone) -> Backbone:
    """A double whose network, made inside ``on_meta``, has shapes and no content."""
    fresh = {"checkpoint": None} if backbone.capabilities.trainable else {}  # else its file says what it is
    double = type(backbone).make(backbone.params() | {"device": "meta"} | fresh)
    double._entry = backbone._entry
    return double


def part_of(name: str, module: nn.Module) -> Part:
    """``module`` counted."""
    tensors = [*module.parameters(), *module.buffers()]
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors)
    return Part(name, sum(parameter.numel() for parameter in module.parameters()), size)


class NoNoise(Noise):
    """Random fields without content."""

    def __init__(self, seeds: Sequence[int] = (), device: Any = None) -> None:
        pass  # there is no generator to make: nothing is drawn on the meta device

    def select(self, indices: Sequence[int]) -> Noise:
        return self

    def _fields(self, like: torch.Tensor, channels: int | None, law: str) -> torch.Tensor:
        shape = (like.shape[0], channels or like.shape[1], *like.shape[2:]) if like.ndim == 4 else like.shape
        return torch.empty(shape, dtype=torch.float32, device="meta")
