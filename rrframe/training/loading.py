"""Batches in the order in which a process trains on them, read ahead by workers where there are some."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader, Dataset

from rrframe.training.data import Batch, TrainingData
from rrframe.training.schedule import Split

_MOST_WORKERS = 8


class _Batches(Dataset[Batch]):
    """The batches of a stage from one step on, for one process: each a pure function of its number."""

    def __init__(self, data: TrainingData, stage: int, steps: range, shares: Split, rank: int) -> None:
        self._data, self._stage, self._steps, self._shares, self._rank = data, stage, steps, shares, rank

    def __len__(self) -> int:
        return len(self._steps) * self._shares.rounds

    def __getitem__(self, number: int) -> Batch:
        turn, round_ = divmod(number, self._shares.rounds)
        step = self._steps[turn]
        size = self._data.size_of(self._stage, step)
        places = self._shares.places(step, self._rank)[round_]
        return Batch.of([self._data.example(self._stage, place, size) for place in places])


def batches(
    data: TrainingData, stage: int, steps: range, shares: Split, rank: int, workers: int
) -> Iterator[Sequence[Batch]]:
    """The rounds of each of ``steps``, in turn, as process ``rank`` takes them."""
    # Spawned, not forked: a process that trains has threads.
    context = "spawn" if workers else None
    loader = DataLoader(
        _Batches(data, stage, steps, shares, rank),
        batch_size=None,
        num_workers=workers,
        multiprocessing_context=context,
    )
    stream = iter(loader)
    for _ in steps:
        yield [next(stream) for _ in range(shares.rounds)]


def workers_for(asked: int | None, device: torch.device, ranks: int) -> int:
    """How many workers each process has: as many as ``asked``, or none on a CPU, which has its own work to do."""
    if asked is not None:
        return asked
    return 0 if device.type == "cpu" else min(_MOST_WORKERS, max(1, (os.cpu_count() or 1) // ranks - 1))
