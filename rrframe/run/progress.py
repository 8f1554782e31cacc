"""Progress of long work: a live bar where somebody watches, a line now and then where the output goes to a file."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

_LINE_EVERY = 10.0  # seconds


class _Rate(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} {self._unit}/s" if speed else "", style="progress.data.speed")


class Watch:
    """Shows how far a run is, with rate and time left.

    Args:
        console: Where to show it.
        total: How many items there are.
        unit: What they are, in the plural: ``pairs``.
        done: How many were done before.
    """

    def __init__(self, console: Console, total: int, unit: str, done: int = 0) -> None:
        self._console = console
        self._total, self._unit = total, unit
        self._first = self._done = done
        self._about = ""
        self._began = self._told = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(unit),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(unit, total=total, completed=done)

    def __enter__(self) -> Watch:
        self._bar.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._bar.stop()

    def reached(self, done: int, about: str = "") -> None:
        """Say that ``done`` items are done in all, and a word about the last."""
        self._done, self._about = done, about
        self._bar.update(self._task, completed=done, description=about or self._unit)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._told >= _LINE_EVERY:
            self._told = now
            self._console.print(self._line(now), highlight=False)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(text, highlight=False)

    def _line(self, now: float) -> str:
        rate = (self._done - self._first) / max(now - self._began, 1e-9)
        left = f", about {(self._total - self._done) / rate:.0f} s left" if rate > 0 else ""
        about = f": {self._about}" if self._about else ""
        return f"{self._done} of {self._total} {self._unit}, {rate:.1f} a second{left}{about}"
