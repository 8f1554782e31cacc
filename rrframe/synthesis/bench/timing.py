"""Taking times."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import cv2
import torch


@dataclass(frozen=True)
class Times:
    """Milliseconds of one thing done with different settings."""

    mean: float
    worst: float

    @classmethod
    def of(cls, calls: Sequence[Callable[[], Any]], repeats: int = 2) -> Times:
        """Each of ``calls`` made ``repeats`` times after a first one of them all, its fastest time counted: what else
        the machine does then adds little.
        """
        calls[0]()
        best = [min(_once(call) for _ in range(repeats)) for call in calls]
        return cls(statistics.fmean(best) * 1000, max(best) * 1000)

    @property
    def rate(self) -> float:
        """Images a second, on average."""
        return 1000 / self.mean if self.mean else 0.0


def _once(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def milliseconds(function: Callable[[], Any], seconds: float = 0.6) -> float:
    """The mean time of a call after a warm-up, over about ``seconds``."""
    function()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return statistics.fmean(times) * 1000


@contextmanager
def one_thread() -> Iterator[None]:
    torch_threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(torch_threads)
        cv2.setNumThreads(cv2_threads)
