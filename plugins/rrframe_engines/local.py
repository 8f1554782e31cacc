"""The embedded engine: processes on this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext
from typing import Any, Literal

from pydantic import Field

from rrframe import Engine
from rrframe.contracts.engine import Event, Unit, Work
from rrframe.contracts.worker import settle_worker

_TRIES = 2  # a sample that kills its process this often is not tried again
_START_TRIES = 3  # a unit whose process dies this often before any sample stops the run


class Local(Engine):
    """Processes on this machine, each with one torch and one OpenCV thread.

    A worker that dies is replaced and its unit begun again. A sample that was at work when its worker died for the
    second time is quarantined: the unit is made without it. Workers end when the run does, even when that is killed.
    All are forked from one process that has imported what they need and does nothing else, so that torch is imported
    once, and is once in memory.
    """

    workers: int | Literal["auto"] = Field("auto", description="how many processes; auto: one for each processor")
    patience: float = Field(600, gt=0, description="seconds that one sample may take before its worker is killed")

    def run(self, work: Work, units: Sequence[Unit]) -> Iterator[Event]:
        count = self.workers if isinstance(self.workers, int) else len(os.sched_getaffinity(0))
        pool = _Pool(work, units, max(1, count), self.patience)
        try:
            yield from pool.events()
        finally:
            pool.stop()


class _Pool:
    """The supervisor: hands out units, listens, and replaces workers that die."""

    def __init__(self, work: Work, units: Sequence[Unit], count: int, patience: float) -> None:
        self._context = multiprocessing.get_context("forkserver")
        # Where the server has been started, by whatever else in this process, its workers import this themselves.
        self._context.set_forkserver_preload([type(work).__module__, "cv2", "torch"])
        self._work = pickle.dumps(work)
        self._waiting = deque(units)
        self._count = count
        self._patience = patience
        self._workers: list[_Worker] = []
        self._deaths: Counter[tuple[int, int | None]] = Counter()

    def events(self) -> Iterator[Event]:
        while self._waiting or any(worker.unit for worker in self._workers):
            self._hand_out()
            ready = wait(
                [part for worker in self._workers for part in (worker.pipe, worker.process.sentinel)], timeout=1.0
            )
            for worker in list(self._workers):
                if worker.pipe in ready or worker.process.sentinel in ready:
                    yield from self._listen(worker)
                elif worker.unit and time.monotonic() - worker.since > self._patience:
                    worker.process.kill()  # its death is noticed in the next round
                    worker.message = f"took longer than {self._patience:g} s"

    def stop(self) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join()
            worker.pipe.close()

    def _hand_out(self) -> None:
        idle = [worker for worker in self._workers if not worker.unit]
        while self._waiting and (idle or len(self._workers) < self._count):
            if idle:
                worker = idle.pop()
            else:
                worker = _Worker(self._context, self._work)
                self._workers.append(worker)
            worker.give(self._waiting.popleft())

    def _listen(self, worker: _Worker) -> Iterator[Event]:
        try:
            while worker.pipe.poll():
                event = worker.pipe.recv()
                worker.heard(event)
                yield event
        except (EOFError, OSError):
            worker.process.join()
        if not worker.process.is_alive():
            yield from self._bury(worker)

    def _bury(self, worker: _Worker) -> Iterator[Event]:
        self._workers.remove(worker)
        unit, sample = worker.unit, worker.sample
        if unit is None:
            return
        how = worker.message or _death(worker.process.exitcode)
        self._deaths[unit.number, sample] += 1
        yield Event("died", unit.number, sample, message=how)
        if sample is None and self._deaths[unit.number, None] >= _START_TRIES:
            yield Event(
                "failed",
                unit.number,
                error=RuntimeError(f"its worker died before it began, {_START_TRIES} times: {how}"),
            )
            return
        quarantined = unit.quarantined
        if sample is not None and self._deaths[unit.number, sample] >= _TRIES:
            quarantined = {**quarantined, sample: f"its worker died {_TRIES} times: {how}"}
        self._waiting.appendleft(Unit(unit.number, quarantined, again=True))


class _Worker:
    """A process, the unit that it has, and the sample that it is at."""

    def __init__(self, context: ForkServerContext, work: bytes) -> None:
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, work, dict(os.environ)), daemon=True)
        # Ctrl-C reaches the whole group, a server and a worker that are just starting among it: the supervisor decides.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        self.unit: Unit | None = None
        self.sample: int | None = None
        self.since = 0.0
        self.message = ""

    def give(self, unit: Unit) -> None:
        self.unit, self.sample, self.since = unit, None, time.monotonic()
        with contextlib.suppress(OSError):  # it died while idle; burying it hands the unit on
            self.pipe.send(unit)

    def heard(self, event: Event) -> None:
        self.since = time.monotonic()
        if event.what == "sample":
            self.sample = event.sample
        else:
            self.unit = self.sample = None


def _serve(pipe: Connection, pickled: bytes, environment: dict[str, str]) -> None:
    """A worker's life: take a unit, make it, tell; until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    os.environ.clear()  # the server's is of when it was started
    os.environ.update(environment)
    settle_worker()
    work: Work = pickle.loads(pickled)
    while True:
        try:
            unit: Unit = pipe.recv()
        except EOFError:
            return
        pipe.send(_attempt(work, unit, pipe))


def _attempt(work: Work, unit: Unit, pipe: Connection) -> Event:
    try:
        result: Any = work(unit, lambda sample: pipe.send(Event("sample", unit.number, sample)))
    except Exception as error:
        return Event("failed", unit.number, error=_portable(error))
    return Event("done", unit.number, result=result)


def _portable(error: Exception) -> Exception:
    """``error``, or where it cannot cross to another process one that says the same."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
