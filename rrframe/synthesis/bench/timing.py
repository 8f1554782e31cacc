"""Taking times: what a processor spends on a thing, which others on the same machine lengthen far less than the time on
the wall.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import torch

from rrframe.contracts.worker import keep_freed_memory

_TURN = 5  # settings


@dataclass(frozen=True)
class Times:
    """Milliseconds of a processor for one thing done with different settings."""

    mean: float
    worst: float

    @classmethod
    def in_turns(cls, *sides: Sequence[Callable[[], Any]]) -> list[Times]:
        """Several things that are to be compared, each setting twice, a few of each thing at a time: the speed of a
        machine drifts from one minute to the next.
        """
        best: list[list[float]] = [[] for _ in sides]
        for first in range(0, max(map(len, sides)), _TURN):
            for calls, times in zip(sides, best, strict=True):
                times.extend(seconds(calls[first : first + _TURN], repeats=2))
        return [cls(statistics.fmean(times) * 1000, max(times) * 1000) for times in best]

    @property
    def rate(self) -> float:
        """Images a second, on average, with a core to itself."""
        return 1000 / self.mean if self.mean else 0.0


def seconds(calls: Sequence[Callable[[], Any]], repeats: int = 1) -> list[float]:
    """What a processor spends on each of ``calls``, the fastest of ``repeats`` times, after one that fills caches."""
    calls[0]()
    return [min(_once(call) for _ in range(repeats)) for call in calls]


def _once(call: Callable[[], Any]) -> float:
    began = time.process_time()
    call()
    return time.process_time() - began


def milliseconds(function: Callable[[], Any], seconds: float = 0.6) -> float:
    """The mean time that a processor spends on a call after a warm-up, over about ``seconds``."""
    function()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        times.append(_once(function))
    return statistics.fmean(times) * 1000


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread, as a worker has, and its way with memory, which lasts as long as the process."""
    keep_freed_memory()
    torch_threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(torch_threads)
        cv2.setNumThreads(cv2_threads)
