"""Batches in the order in which a process trains on them, read ahead by workers where there are some."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from rrframe.errors import RRFrameError
from rrframe.run.folder import RunFailed
from rrframe.training.data import Batch, Example, TrainingData
from rrframe.training.encoding import Kept
from rrframe.training.schedule import Split

_MOST_WORKERS = 8


class _Batches(Dataset["Batch | RRFrameError"]):
    """The batches of a stage from one step on, for one process: each a pure function of its number."""

    def __init__(self, share: Share, steps: range, kept: Kept | None) -> None:
        self._share, self._steps, self._kept = share, steps, kept

    def __len__(self) -> int:
        return len(self._steps) * self._share.split.rounds

    def __getitem__(self, number: int) -> Batch | RRFrameError:
        turn, round_ = divmod(number, self._share.split.rounds)
        step = self._steps[turn]
        places = self._share.split.places(step, self._share.rank)[round_]
        try:
            return Batch.of([_read(self._share, step, place, self._kept) for place in places])
        except RRFrameError as error:  # given, not raised: the loader would make a traceback its message
            return error


class _Unkept(Dataset["Batch | RRFrameError | None"]):
    """Each pair of a stage once, on its own; ``None`` where its encoding is kept."""

    def __init__(self, share: Share, steps: range, kept: Kept) -> None:
        self._share, self._kept = share, kept
        self._places = list(share.each_once(steps))

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, number: int) -> Batch | RRFrameError | None:
        try:
            example = _read(self._share, *self._places[number], self._kept)
        except RRFrameError as error:
            return error
        return Batch.of([example]) if example.encoded is None else None


@dataclass(frozen=True)
class Share:
    """What one process reads of a stage.

    Args:
        data: The pairs.
        stage: Its number.
        split: How batches are split.
        rank: Of the process.
    """

    data: TrainingData
    stage: int
    split: Split
    rank: int

    def each_once(self, steps: range) -> Iterator[tuple[int, int]]:
        """Step and place of every pair that is read in ``steps``, the first time that it comes in a size."""
        seen = set()
        for step in steps:
            size = self.data.size_of(self.stage, step)
            for place in itertools.chain(*self.split.places(step, self.rank)):
                found = self.data.mixers[self.stage][place]
                if (what := (found.cell, found.item, size)) not in seen:
                    seen.add(what)
                    yield step, place


def batches(share: Share, steps: range, workers: int, kept: Kept | None) -> Iterator[Sequence[Batch]]:
    """The rounds of each of ``steps``, in turn.

    Raises:
        RunFailed: Pairs cannot be read, and none can stand in for them.
    """
    stream = iter(_loader(_Batches(share, steps, kept), workers))
    for _ in steps:
        yield [_batch(next(stream)) for _ in range(share.split.rounds)]


def unkept(share: Share, steps: range, workers: int, kept: Kept) -> Iterator[Batch | None]:
    """The pairs of ``steps`` whose encodings are not kept, one by one; ``None`` for each that is.

    Raises:
        RunFailed: Pairs cannot be read, and none can stand in for them.
    """
    for given in _loader(_Unkept(share, steps, kept), workers):
        yield None if given is None else _batch(given)


def _loader(dataset: Dataset[Any], workers: int) -> DataLoader[Any]:
    # Spawned, not forked: a process that trains has threads.
    context = "spawn" if workers else None
    return DataLoader(
        dataset,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context=context,
        worker_init_fn=_ignore_interrupts,
    )


def _read(share: Share, step: int, place: int, kept: Kept | None) -> Example:
    example = share.data.example(share.stage, place, share.data.size_of(share.stage, step))
    return example if kept is None else replace(example, encoded=kept.read(example))


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
