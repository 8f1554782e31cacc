"""What observers are told; see the hooks ``on_...``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class RunStarted:
    """A run begins. ``units`` are to do of ``units_in_all``; fewer where finished ones were found."""

    folder: Path
    kind: str
    name: str
    units: int
    units_in_all: int


@dataclass(frozen=True)
class PairWritten:
    """A pair lies in a committed shard."""

    folder: Path
    shard: int
    key: str
    task: str
    source: str


@dataclass(frozen=True)
class StepEnded:
    """A shard or an optimizer step ended. ``figures`` are numbers by name, such as ``kept`` and ``seconds``."""

    folder: Path
    number: int
    figures: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunFinished:
    """A run ended with ``status`` ``finished``, ``stopped`` or ``failed``."""

    folder: Path
    kind: str
    name: str
    status: str
    figures: dict[str, Any] = field(default_factory=dict)
