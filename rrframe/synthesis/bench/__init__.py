"""How fast synthesis is on this machine: every component, the parts of a run, and the run itself, and on demand others'
operators and other chains beside ours, measured in one call.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from rrframe.contracts.component import create
from rrframe.contracts.devices import check_device
from rrframe.contracts.source import Source
from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.imaging.writing import write_picture
from rrframe.run.machine import machine
from rrframe.synthesis.bench.beside import Beside, Others, others_in, peers
from rrframe.synthesis.bench.operators import Batches, batches, components
from rrframe.synthesis.bench.running import parts, recipe_of, timed_run
from rrframe.synthesis.bench.timing import Times, one_thread
from rrframe.synthesis.record import fitted

_DRAWS_A_SECOND = 40  # of a batch: half a second where nothing else is asked for


@dataclass(frozen=True)
class Wanted:
    """What to measure.

    Args:
        size: Side of the pictures, in pixels.
        pairs: How many pairs the longest run makes.
        draws: With how many settings each thing is measured.
        peers: Whether to measure albumentations and kornia beside ours.
        against: A Python file of chains to measure beside ours.
        device: ``cpu`` or ``cuda``: where to measure batches, if at all.
        batch: How many images a batch has.
        components: Whether to measure each component by itself.
        run: Whether to measure a run and its parts.
    """

    size: int = 1024
    pairs: int = 400
    draws: int = 20
    peers: bool = False
    against: Path | None = None
    device: str | None = None
    batch: int = 32
    components: bool = True
    run: bool = True


@dataclass
class Bench:
    """What was measured. Times are milliseconds for one image on one core; rates are images a second."""

    size: int
    machine: dict[str, str] = field(default_factory=machine)
    components: dict[str, Times] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    run_rate: float = 0.0
    """Pairs a second of a real run with one worker, from its first pair to its last."""
    two_worker_rate: float = 0.0
    peak_memory: dict[str, int] = field(default_factory=dict)
    """The largest resident size of a worker in bytes, by the number of pairs made."""
    peers: list[Beside] | None = None
    against: list[Beside] | None = None
    batches: Batches | None = None

    @property
    def parts_rate(self) -> float:
        """Pairs a second that the parts add up to."""
        return 1000 / sum(self.parts.values())

    def as_json(self) -> dict[str, Any]:
        """All that was measured; what was not has no entry."""
        found: dict[str, Any] = {"size": self.size, "machine": self.machine}
        if self.components:
            found["components_ms"] = {name: times.mean for name, times in self.components.items()}
            found["components_worst_ms"] = {name: times.worst for name, times in self.components.items()}
        if self.parts:
            found |= {
                "parts_ms": self.parts,
                "parts_rate": self.parts_rate,
                "run_rate": self.run_rate,
                "run_of_parts": self.run_rate / self.parts_rate,
                "two_worker_rate": self.two_worker_rate,
                "two_workers_of_one": self.two_worker_rate / self.run_rate,
                "peak_memory_bytes": self.peak_memory,
            }
        for name, rows in (("peers", self.peers), ("against", self.against)):
            if rows is not None:
                found[name] = [row.as_json() for row in rows]
        if self.batches is not None:
            found["batches"] = vars(self.batches)
        return found


def bench_synthesis(wanted: Wanted, folder: Path, say: Callable[[str], None]) -> Bench:
    """Measure synthesis.

    Args:
        wanted: What to measure.
        folder: An empty folder for pictures and shards.
        say: Told what is being measured.

    Raises:
        RRFrameError: A library, a device or the other chains are not there; before anything is measured.
    """
    if wanted.device:
        check_device(torch.device(wanted.device))
    others = others_in(wanted.against) if wanted.against else Others()
    bench = Bench(wanted.size)
    photographs = make_photographs(folder / "photographs", wanted.size)
    with one_thread():
        if wanted.peers:
            say("albumentations and kornia beside ours")
            bench.peers = peers(photographs[0], wanted.draws)
        if wanted.against:
            say(f"ours against {wanted.against.name}")
            bench.against = others.beside_ours(photographs[0], wanted.draws)
        if wanted.device:
            say(f"batches of {wanted.batch} on {wanted.device}")
            bench.batches = batches(photographs[0], wanted.device, wanted.batch, wanted.draws / _DRAWS_A_SECOND)
        if wanted.components:
            say("components")
            bench.components = components(photographs[0], wanted.draws)
        if wanted.run:
            _measure_runs(bench, wanted.pairs, folder, say)
    return bench


def _measure_runs(bench: Bench, pairs: int, folder: Path, say: Callable[[str], None]) -> None:
    recipe = recipe_of(folder, 1, 1)
    say("parts of a run")
    before = parts(recipe, folder)
    say(f"a run of {pairs} pairs with one worker")
    bench.run_rate, bench.peak_memory = timed_run(folder, pairs, 1)
    after = parts(recipe, folder)  # before and after, since a machine's speed drifts
    bench.parts = {part: (before[part] + after[part]) / 2 for part in before}
    say(f"a run of {pairs} pairs with two workers")
    bench.two_worker_rate, _ = timed_run(folder, pairs, 2)


def make_photographs(folder: Path, size: int) -> list[np.ndarray]:
    """The sample photographs cut to ``size`` x ``size``, written to ``folder`` as JPEG, and given back."""
    source = cast(Source, create("images/samples", kinds=("source",)))
    cut = []
    for key in source.keys():  # noqa: SIM118 not a mapping
        pixels = to_pixels(to_batch(source.read(key).pixels)[0])
        cut.append(fitted(pixels, size, size))
        write_picture(folder / f"{key}.jpg", cut[-1])
    return cut
