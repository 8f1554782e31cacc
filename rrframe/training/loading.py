"""Batches in the order in which a process trains on them, read ahead by workers where there are some."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence

import torch
from torch.utils.data import DataLoader, Dataset

from rrframe.errors import RRFrameError
from rrframe.run.folder import RunFailed
from rrframe.training.data import Batch, TrainingData
from rrframe.training.schedule import Split

_MOST_WORKERS = 8


class _Batches(Dataset["Batch | RRFrameError"]):
    """The batches of a stage from one step on, for one process: each a pure function of its number."""

    def __init__(self, data: TrainingData, stage: int, steps: range, shares: Split, rank: int) -> None:
        self._data, self._stage, self._steps, self._shares, self._rank = data, stage, steps, shares, rank

    def __len__(self) -> int:
        return len(self._steps) * self._shares.rounds

    def __getitem__(self, number: int) -> Batch | RRFrameError:
        turn, round_ = divmod(number, self._shares.rounds)
        step = self._steps[turn]
        size = self._data.size_of(self._stage, step)
        places = self._shares.places(step, self._rank)[round_]
        try:
            return Batch.of([self._data.example(self._stage, place, size) for place in places])
        except RRFrameError as error:  # given, not raised: the loader would make a traceback its message
            return error


def batches(
    data: TrainingData, stage: int, steps: range, shares: Split, rank: int, workers: int
) -> Iterator[Sequence[Batch]]:
    """The rounds of each of ``steps``, in turn, as process ``rank`` takes them.

    Raises:
        RunFailed: Pairs cannot be read, and none can stand in for them.
    """
    # Spawned, not forked: a process that trains has threads.
    context = "spawn" if workers else None
    loader = DataLoader(
        _Batches(data, stage, steps, shares, rank),
        batch_size=None,
        num_workers=workers,
        multiprocessing_context=context,
        worker_init_fn=_ignore_interrupts,
    )
    stream = iter(loader)
    for _ in steps:
        yield [_batch(next(stream)) for _ in range(shares.rounds)]


def _batch(given: Batch | RRFrameError) -> Batch:
    if isinstance(given, RRFrameError):
        raise RunFailed(given.message, component=given.component, plugin=given.plugin, hint=given.hint) from given
    return given


def _ignore_interrupts(worker: int) -> None:
    """A Ctrl-C reaches every process of the terminal: a worker reads on, so that the step at hand can end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def workers_for(asked: int | None, device: torch.device, ranks: int) -> int:
    """How many workers each process has: as many as ``asked``, or none on a CPU, which has its own work to do."""
    if asked is not None:
        return asked
    return 0 if device.type == "cpu" else min(_MOST_WORKERS, max(1, (os.cpu_count() or 1) // ranks - 1))
