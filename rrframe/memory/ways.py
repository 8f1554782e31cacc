"""Ways to restore with and to train a backbone, and what each of them takes. docs/what-fits.md has the sums."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rrframe.memory.footprint import Footprint
from rrframe.memory.gpus import GIB

RESERVE = 2 * GIB
"""What goes to the driver's context, the kernels' work space and gaps between tensors on a GPU."""
LORA_RANK = 64


@dataclass(frozen=True)
class Way:
    """One way, and its bytes on the card.

    Args:
        name: What it is called.
        weights: Of weights, master copies included.
        gradients: Of gradients.
        states: Of what the optimizer remembers.
        activations: Of what the computation holds.
        on_cpu: Bytes that lie in the memory of the machine instead.
    """

    name: str
    weights: int
    gradients: int = 0
    states: int = 0
    activations: int = 0
    on_cpu: int = 0

    @property
    def total(self) -> int:
        """Bytes on the card, reserve included."""
        return self.weights + self.gradients + self.states + self.activations + RESERVE


WHOLE = "everything on the card"
FROZEN_ON_CPU = "frozen networks on the CPU while idle"
EIGHT_BITS = "weights in 8 bits"
STREAMED = "weights streamed from the CPU, block by block"


def ways_to_restore(found: Footprint) -> Iterator[Way]:
    """Ways to restore with a backbone, from the plainest to the most frugal."""
    trained, frozen = found.trained.bytes, found.weights - found.trained.bytes
    largest_frozen = max((part.bytes for part in found.frozen), default=0)
    yield Way(WHOLE, weights=found.weights, activations=found.working)
    if frozen:
        yield Way(FROZEN_ON_CPU, weights=max(trained, largest_frozen), activations=found.working, on_cpu=frozen)
    yield Way(
        EIGHT_BITS + (", frozen networks on the CPU" if frozen else ""),
        weights=max(found.trained.parameters, largest_frozen),
        activations=found.working,
        on_cpu=frozen,
    )
    if found.largest_block:
        yield Way(STREAMED, weights=2 * found.largest_block, activations=found.working, on_cpu=found.weights)


def ways_to_train(found: Footprint, *, checkpointing: bool) -> Iterator[Way]:
    """Ways to train a backbone, what its frozen networks give being kept beforehand.

    Args:
        found: Its footprint.
        checkpointing: Blocks keep their inputs alone, and are computed again in the backward pass.
    """
    count, weights = found.trained.parameters, found.trained.bytes
    kept = found.kept.checkpointed if checkpointing else found.kept.all
    whole = weights >= 4 * count  # float32: no master copy is needed
    full = {"weights": weights, "gradients": weights, "activations": kept}
    if whole:
        yield Way("AdamW", **full, states=8 * count)
    else:
        yield Way("AdamW, float32 master copy", **(full | {"weights": weights + 4 * count}), states=8 * count)
        yield Way("AdamW, stochastic rounding", **full, states=2 * weights)
        yield Way("AdamW, states on the CPU", **full, on_cpu=12 * count)
    yield Way("8-bit Adam", **full, states=_quantized(count, bits=8, block=256))
    in_backward = full | {"gradients": found.largest_block}
    yield Way("8-bit Adam in the backward pass", **in_backward, states=_quantized(count, bits=8, block=256))
    yield Way("4-bit Adam", **full, states=_quantized(count, bits=4, block=128))
    yield Way("Adafactor, no momentum", **full)
    if found.linear_sides:
        adapter = 16 * LORA_RANK * found.linear_sides  # float32 weights, gradients and two moments
        yield Way(f"LoRA of rank {LORA_RANK}", weights=weights, states=adapter, activations=kept)
        yield Way(f"LoRA of rank {LORA_RANK}, base in 8 bits", weights=count, states=adapter, activations=kept)


def _quantized(count: int, *, bits: int, block: int) -> int:
    """Two moments of so many bits, each block of them with a float32 scale."""
    return 2 * (count * bits // 8 + 4 * count // block)
