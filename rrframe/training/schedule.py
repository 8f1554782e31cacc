"""The learning rate of each step, and how a batch is split: plain arithmetic, told before anything runs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from rrframe.errors import RRFrameError
from rrframe.recipe.training import Stage

_HELD = 8  # pairs that a process holds at a time unless the recipe says otherwise

MAY_DIFFER = (
    "the pairs, their noise and the batch stay the same; sums over a batch are rounded in another order, and so losses "
    "and weights may differ from those of an undisturbed run in their last digits"
)
"""What another number of processes changes."""


def learning_rate(stage: Stage, step: int) -> float:
    """The learning rate of step number ``step`` of ``stage``, from 0.

    It rises from 0 over the warm-up in equal parts, then stays, or falls to 0 at the end along a line or half a cosine.
    """
    if step < stage.warmup:
        return stage.learning_rate * step / stage.warmup
    left = (step - stage.warmup) / max(1, stage.steps - stage.warmup)
    if stage.schedule == "cosine":
        return stage.learning_rate * 0.5 * (1 + math.cos(math.pi * min(left, 1.0)))
    if stage.schedule == "linear":
        return stage.learning_rate * max(0.0, 1 - left)
    return stage.learning_rate


@dataclass(frozen=True)
class Split:
    """How the pairs of a step are shared out: ``ranks`` processes, each with ``rounds`` times ``micro`` pairs."""

    ranks: int
    rounds: int
    micro: int

    @property
    def batch(self) -> int:
        return self.ranks * self.rounds * self.micro

    def places(self, step: int, rank: int) -> list[range]:
        """The places of the stage's stream that process ``rank`` takes in step ``step``, a range for each round."""
        first = step * self.batch + rank * self.rounds * self.micro
        return [range(first + turn * self.micro, first + (turn + 1) * self.micro) for turn in range(self.rounds)]

    def __str__(self) -> str:
        processes = f"{self.ranks} process{'es' if self.ranks != 1 else ''}"
        return f"{self.batch} pairs a step = {processes} x {self.rounds} rounds x {self.micro} pairs"


def split(batch: int, ranks: int, micro: int | None) -> Split:
    """``batch`` pairs over ``ranks`` processes, ``micro`` at a time.

    Raises:
        RRFrameError: It does not come out even, with batches that would.
    """
    share, rest = divmod(batch, ranks)
    if rest or not share:
        near = sorted({max(1, share) * ranks, (share + 1) * ranks})
        raise RRFrameError(
            f"a batch of {batch} cannot be split over {ranks} processes", hint=f"take {' or '.join(map(str, near))}"
        )
    if micro is None:
        micro = max(size for size in range(1, min(share, _HELD) + 1) if share % size == 0)
    if share % micro:
        sizes = [str(size) for size in range(1, share + 1) if share % size == 0]
        raise RRFrameError(
            f"each of {ranks} processes has {share} pairs of a batch of {batch}, which {micro} at a time do not make",
            hint=f"set micro_batch to {', '.join(sizes[-4:])}",
        )
    return Split(ranks, share // micro, micro)
