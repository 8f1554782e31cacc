"""How fast training goes, what it waits for, and the memory it takes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import torch

from rrframe.memory.gpus import GIB
from rrframe.training.data import Batch


@dataclass(frozen=True)
class Speed:
    """What a step took.

    Args:
        seconds: From the end of the step before, validation and checkpoints aside.
        waited: Seconds of these in which no pair was ready.
        encoding: Seconds of these for the part that training does not change: latents, prompts.
        updating: Seconds of these for the optimizer.
        pairs: A second, over all processes.
        memory: GiB: the most that this process has held on its GPU, or what it holds now of the machine's.
    """

    seconds: float
    waited: float
    encoding: float
    updating: float
    pairs: float
    memory: float

    @property
    def figures(self) -> dict[str, float]:
        return {
            "seconds": round(self.seconds, 4),
            "waited": round(self.waited, 4),
            "encoding": round(self.encoding, 4),
            "updating": round(self.updating, 4),
            "pairs_per_second": round(self.pairs, 3),
            "memory_gib": round(self.memory, 3),
        }

    def __str__(self) -> str:
        return f"{self.pairs:.1f} pairs/s  {self.memory:.1f} GiB"


class Stopwatch:
    """Times steps on ``device``, and parts of them. What a GPU was given to do counts until it has done it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._began = 0.0
        self._waited = 0.0
        self._parts: dict[str, float] = {}

    def waiting(self, rounds: Iterable[Sequence[Batch]]) -> Iterator[Sequence[Batch]]:
        """The same, with the time noted that each takes to come. A step begins when its pairs are asked for."""
        source = iter(rounds)
        while True:
            self._began, self._parts = time.perf_counter(), {}
            batch = next(source, None)
            self._waited = time.perf_counter() - self._began
            if batch is None:
                return
            yield batch

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Notes what goes on inside as ``part`` of the step."""
        began = self._now()
        yield
        self._parts[part] = self._parts.get(part, 0.0) + self._now() - began

    def step(self, pairs: int) -> Speed:
        """The step on ``pairs`` pairs that ends now."""
        seconds = max(self._now() - self._began, 1e-9)
        parts = {part: self._parts.get(part, 0.0) for part in ("encoding", "updating")}
        return Speed(seconds, self._waited, **parts, pairs=pairs / seconds, memory=self._memory() / GIB)

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()

    def _memory(self) -> int:
        if self._device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self._device))
        return int(psutil.Process().memory_info().rss)
