"""How fast a backbone restores, how much memory that takes, and what its accelerators change, one run after another in
one process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from rrframe.contracts.backbone import Backbone
from rrframe.errors import RRFrameError, RRFrameErrors
from rrframe.memory.checking import TooLarge
from rrframe.restoring.measuring import Likeness, Work, best_rate, likeness, peak_memory, seconds_of, work_of
from rrframe.restoring.restorer import Asked, Restorer
from rrframe.restoring.variants import Variant
from rrframe.run.machine import machine


@dataclass(frozen=True)
class Gate:
    """What a variant must reach against the exact run; ``None`` for no bound."""

    psnr: float | None = None
    ssim: float | None = None

    def failures(self, found: Likeness) -> list[str]:
        """What ``found`` lacks, in words."""
        failed = []
        if self.psnr is not None and found.psnr < self.psnr:
            failed.append(f"PSNR below {self.psnr:g}")
        if self.ssim is not None and found.ssim < self.ssim:
            failed.append(f"SSIM below {self.ssim:g}")
        return failed


@dataclass(frozen=True)
class Measured:
    """What one variant takes.

    Args:
        name: Of the variant.
        reason: Why it could not be measured here; then nothing below is known.
        seconds: The fastest run after the first.
        first: Seconds of the first run, in which things are compiled and kernels chosen.
        memory: Bytes at its peak, loading included.
        work: What it computes; ``None`` where that cannot be counted.
        likeness: Against the exact run.
        skipped: The share of the exact run's layers that was left out, of a variant that means to.
        failures: What it lacks to pass the gate.
    """

    name: str
    reason: str = ""
    seconds: float = math.nan
    first: float = math.nan
    memory: int = 0
    work: Work | None = None
    likeness: Likeness = field(default_factory=Likeness)
    skipped: float | None = None
    failures: tuple[str, ...] = ()

    @property
    def remarks(self) -> str:
        """What there is to say of it."""
        if self.reason:
            return "not run"
        told = [f"FAILS: {each}" for each in self.failures]
        if self.skipped is not None:
            told.insert(0, f"skips {self.skipped:.0%}" if self.skipped > 0 else "skips nothing")
        return "; ".join(told)


@dataclass
class RestoringBench:
    """All that was measured.

    Args:
        backbone: Its name.
        device: Where it ran.
        dtype: What the exact run computes in.
        height: Of the picture.
        width: Of the picture.
        steps: Of the exact run; ``None`` where there are none.
        untrained: Backbones whose weights are random.
        best_rate: Operations a second that the GPU can do; ``None`` on a CPU.
        threads: Of torch, on a CPU.
        rows: The exact run first.
    """

    backbone: str
    device: str
    dtype: str
    height: int
    width: int
    steps: int | None
    untrained: list[str] = field(default_factory=list)
    best_rate: float | None = None
    threads: int = field(default_factory=torch.get_num_threads)
    machine: dict[str, str] = field(default_factory=machine)
    rows: list[Measured] = field(default_factory=list)

    @property
    def failed(self) -> list[str]:
        """The variants that did not pass the gate."""
        return [row.name for row in self.rows if row.failures]

    def rate(self, row: Measured) -> float | None:
        """Operations a second, where they are known: on a GPU."""
        return row.work.operations / row.seconds if row.work and self.best_rate else None

    def times_as_fast(self, row: Measured) -> float:
        """Against the exact run."""
        return self.rows[0].seconds / row.seconds

    def as_json(self) -> dict[str, Any]:
        found = {name: value for name, value in vars(self).items() if name != "rows"}
        return found | {"rows": [self._row_as_json(row) for row in self.rows]}

    def _row_as_json(self, row: Measured) -> dict[str, Any]:
        if row.reason:
            return {"name": row.name, "reason": row.reason}
        told = {name: value for name, value in asdict(row).items() if name not in ("reason", "likeness")}
        same = math.isinf(row.likeness.psnr)
        return told | {
            "times_as_fast": self.times_as_fast(row),
            "operations_per_second": self.rate(row),
            "psnr": None if same else row.likeness.psnr,  # JSON knows no infinity
            "ssim": row.likeness.ssim,
            "same_as_exact": same,
        }


UNTRAINED = (
    "no checkpoint was given, so the weights of {} are random: times and memory are as with real ones, likeness "
    "and what caches skip are not"
)


def bench_restoring(
    backbone: Backbone,
    asked: Asked,
    variants: Sequence[Variant],
    images: torch.Tensor,
    *,
    gate: Gate | None = None,
    runs: int = 2,
    say: Callable[[str], None] = lambda what: None,
) -> RestoringBench:
    """Measure ``variants``.

    Args:
        backbone: With the params of the exact run; its own weights stay unread.
        asked: The task and the like.
        variants: What ``find_variants`` gave.
        images: ``[1, 3, H, W]`` float32 in [0, 1], encoded sRGB.
        gate: What variants must reach.
        runs: How often each is timed after its first run.
        say: Told what is being measured.

    Raises:
        RRFrameError: The exact run cannot be made.
    """
    device = backbone.torch_device
    height, width = images.shape[-2:]
    steps = variants[0].steps or backbone.capabilities.steps
    bench = RestoringBench(backbone.name, str(device), backbone.dtype, height, width, steps)
    if device.type == "cuda":
        bench.best_rate = best_rate(device)
    exact: torch.Tensor | None = None
    for variant in variants:
        say(variant.name)
        try:
            _refuse_repeating(backbone, variant, variants[0])
            row, restored, bench.untrained = _measured(backbone, asked, variant, images, runs)
        except (RRFrameError, MemoryError) as error:
            if exact is None:
                raise
            bench.rows.append(Measured(variant.name, reason=_reason(error)))
            continue
        if exact is None:
            exact = restored
        else:
            row = _compared(row, variant, bench.rows[0], likeness(restored, exact), gate or Gate())
        bench.rows.append(row)
    return bench


def _refuse_repeating(backbone: Backbone, variant: Variant, exact: Variant) -> None:
    same = variant is not exact and variant.steps == exact.steps
    if same and type(backbone).make(variant.params).params() == exact.params:
        raise RRFrameError("the exact run is so already")


def _measured(
    backbone: Backbone, asked: Asked, variant: Variant, images: torch.Tensor, runs: int
) -> tuple[Measured, torch.Tensor, list[str]]:
    own = type(backbone).make(variant.params)
    own._entry = backbone._entry
    device = own.torch_device
    restorer = Restorer(own, replace(asked, steps=variant.steps))
    height, width = images.shape[-2:]
    restorer.check_memory([(height, width)])
    restored: list[torch.Tensor] = []

    def run() -> None:
        restored[:] = [restorer.restore(images)]

    with peak_memory(device) as peak:
        restorer.load()
        first = seconds_of(run, device)
        spent = min(seconds_of(run, device) for _ in range(runs))
    (image,) = restored
    if not bool(image.isfinite().all()):
        raise RRFrameError("what came out is not finite (NaN or infinite)")
    work = work_of(own.network, run)
    row = Measured(variant.name, seconds=spent, first=first, memory=peak.bytes, work=work)
    return row, image, restorer.untrained()


def _compared(row: Measured, variant: Variant, exact: Measured, found: Likeness, gate: Gate) -> Measured:
    skipped = None
    if variant.skips and row.work and exact.work:
        skipped = 1 - row.work.layers / max(1, exact.work.layers)
    return replace(row, likeness=found, skipped=skipped, failures=tuple(gate.failures(found)))


def _reason(error: RRFrameError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "it needs more memory than there is"
    if isinstance(error, RRFrameErrors):
        return "; ".join(each.message for each in error.errors)
    cause = "; ".join(error.message.splitlines()[:1])
    return f"{cause}; try {error.hint}" if isinstance(error, TooLarge) and error.hint else cause
