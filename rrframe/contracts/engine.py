"""Engines: they spread the units of a run over processes or machines."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from rrframe.contracts.component import Component


@dataclass(frozen=True)
class Unit:
    """A piece of work that is made whole or not at all: a shard.

    Args:
        number: Which one.
        quarantined: Samples not to be tried, each with the reason: they killed their process.
        again: A worker was lost in it before: samples are to be taken one by one, so that the guilty one is found.
    """

    number: int
    quarantined: dict[int, str] = field(default_factory=dict)
    again: bool = False


@dataclass(frozen=True)
class Event:
    """What an engine tells the run.

    ``sample``: the worker begins sample ``sample`` of the unit. ``done``: the unit is finished, with ``result``.
    ``died``: the worker was lost in that sample, and ``message`` says how. ``failed``: the unit cannot be made, and
    the run must stop, with ``error``.
    """

    what: Literal["sample", "done", "died", "failed"]
    unit: int
    sample: int | None = None
    result: Any = None
    error: BaseException | None = None
    message: str = ""


class Work(Protocol):
    """What a worker does with a unit. It can be pickled, and is a pure function of the unit but for what it writes."""

    def __call__(self, unit: Unit, begin: Callable[[int], None]) -> Any:
        """Make the unit, calling ``begin(sample)`` before each sample, and give back something small."""


class Engine(Component):
    """Runs units of work. A worker that dies costs its unit's time, not the run; a sample that kills its worker
    twice is quarantined.
    """

    kind: ClassVar[str] = "engine"

    @abstractmethod
    def run(self, work: Work, units: Sequence[Unit]) -> Iterator[Event]:
        """Make all ``units``, in any order, telling what happens as it does. Closing the iterator stops the workers."""
