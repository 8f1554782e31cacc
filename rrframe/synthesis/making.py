"""How one pair is made: read, screened, drawn, rendered, verified. A shard is written of what comes out, and a
training that degrades as it goes takes it as it is.
"""

from __future__ import annotations

import json
import math
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np
import torch

from rrframe.contracts.component import attributed
from rrframe.contracts.cue import PARTNER, Cue
from rrframe.contracts.source import Photograph
from rrframe.errors import RRFrameError
from rrframe.manager import get_manager
from rrframe.synthesis.cues import cues_of
from rrframe.synthesis.plan import PairPlan, Plan
from rrframe.synthesis.record import Origin, Record, Rendered, render

_HELD = 8 << 20  # pixels of the pictures whose cues are computed together: they wait in memory for their turn


@dataclass
class Attempt:
    """A pair that was tried, and what came of it.

    Args:
        plan: What it was to be made from.
        status: One of ``rrframe.pairs.manifest.STATUSES``.
        reason: Why it is not kept.
        size: Height and width of the clean picture, once it is read.
        sha256: Of the clean picture's file.
        verdicts: Of the filters that were asked, by name; ``None`` before the first.
        meta: Its task, prompts and record, JSON-able, once it is drawn.
        rendered: Both sides, once they are made, of a pair that is kept.
    """

    plan: PairPlan
    status: str = "kept"
    reason: str | None = None
    size: tuple[int, int] | None = None
    sha256: str | None = None
    verdicts: dict[str, Any] | None = None
    meta: dict[str, Any] | None = None
    rendered: Rendered | None = None

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Notes what ends the attempt inside, in place of raising it; what the system refuses passes unchanged."""
        try:
            yield
        except _Dropped as dropped:
            self.status, self.reason = dropped.status, dropped.reason
        except RRFrameError as error:
            self.status, self.reason = "failed", _one_line(error)
        except MemoryError:
            self.status, self.reason = "failed", "not enough memory"

    def row(self) -> dict[str, Any]:
        """The attempt as a row of a manifest, but for where the pair lies."""
        height, width = self.size or (None, None)
        return {
            "index": self.plan.index,
            "key": self.plan.key,
            "source": self.plan.source,
            "variant": self.plan.variant,
            "task": self.plan.task,
            "status": self.status,
            "reason": self.reason,
            "width": width,
            "height": height,
            "source_sha256": self.sha256,
            "verdicts": None if self.verdicts is None else json.dumps(self.verdicts, sort_keys=True),
            "record": None if self.meta is None else json.dumps(self.meta["record"], sort_keys=True),
        }


class _Dropped(Exception):
    """A pair that is not kept, with its status and the reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass
class _Clean:
    """A picture that several variants share: read, screened, with the cues computed so far.

    ``error`` if it could not be read.
    """

    source: str
    photograph: Photograph | None = None
    error: str = ""
    dropped: str = ""
    verdicts: dict[str, Any] = field(default_factory=dict)
    cues: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, ...]:
        """Height and width."""
        return () if self.photograph is None else self.photograph.pixels.shape[:2]

    @property
    def pixels(self) -> int:
        return math.prod(self.size)


class PairMaker:
    """Makes the pairs of ``plan``, each a pure function of its number, in any order and in any process.

    The last clean picture is kept, with its cues: pairs made of one picture cost least one after the other.

    Args:
        plan: What is to be made.
        coming: The pairs that will be asked for, in order, where that is known. Cues whose provider would rather have
            several pictures together are then computed for some of them ahead.
    """

    def __init__(self, plan: Plan, coming: Sequence[int] = ()) -> None:
        self.plan = plan
        self.coming = coming
        self.seconds: Counter[str] = Counter()
        """Time spent so far by part: read, screen, degrade, verify."""
        self._clean: _Clean | None = None
        self._ahead: dict[str, _Clean] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return PairMaker, (self.plan, self.coming)  # another process begins afresh

    def make(self, index: int) -> Attempt:
        """Try pair number ``index``."""
        attempt = Attempt(self.plan.pair(index))
        with attempt.settled():
            self._make(attempt)
        return attempt

    @cached_property
    def _prompts(self) -> dict[str, dict[str, str]]:
        manager = get_manager()
        return {name: manager.create(name, kinds=("task",)).prompts for name in self.plan.recipe.tasks}  # type: ignore[attr-defined]

    def _make(self, attempt: Attempt) -> None:
        recipe, pair, clock = self.plan.recipe, attempt.plan, _Clock(self.seconds)
        clean = self._read(pair.source)
        clock.lap("read")
        photograph = clean.photograph
        if photograph is None:
            raise _Dropped("failed", clean.error)
        height, width = photograph.pixels.shape[:2]
        attempt.size, attempt.sha256 = (height, width), photograph.sha256
        self._screen(clean)
        clock.lap("screen")
        attempt.verdicts = clean.verdicts
        if clean.dropped:
            raise _Dropped("screened", clean.dropped)
        chain = recipe.tasks[pair.task].chain
        partner = self._partner(pair) if PARTNER in chain.needs() else None
        record = Record.of(
            chain,
            self.plan.key(pair),
            source=Origin.of(pair.source, photograph),
            task=pair.task,
            seed=recipe.seed,
            variant=pair.variant,
            partner=partner[0] if partner else None,
            cues=recipe.cues,
        )
        attempt.meta = {"task": pair.task, "prompts": self._prompts[pair.task], "record": record.written()}
        for name, provider in record.cues.items():
            if provider.at_once > 1 and name not in clean.cues:
                self._together(name, provider, pair, clean)
        rendered = render(record, photograph, partner=partner[1] if partner else None, known=clean.cues)
        clock.lap("degrade")
        verdicts, reason = self._verify(rendered.clean, rendered.degraded)
        attempt.verdicts = clean.verdicts | verdicts
        clock.lap("verify")
        if reason:
            raise _Dropped("rejected", reason)
        attempt.rendered = rendered

    def _read(self, source: str) -> _Clean:
        if self._clean is None or self._clean.source != source:
            self._clean = self._ahead.pop(source, None) or self._opened(source)
        return self._clean

    def _opened(self, source: str) -> _Clean:
        clean = _Clean(source)
        try:
            with attributed(self.plan.recipe.source, "reading"):
                clean.photograph = self.plan.recipe.source.read(source)
        except RRFrameError as error:
            clean.error = _one_line(error)
        return clean

    def _together(self, name: str, provider: Cue, pair: PairPlan, clean: _Clean) -> None:
        """Compute a cue of ``clean`` and, as one batch, of the next pictures that are as large and will need it."""
        group, pixels = [clean], clean.pixels
        for source in self._next(name, pair, provider.at_once - 1):
            other = self._ahead[source] = self._ahead.get(source) or self._opened(source)
            if other.photograph is None:
                continue
            with suppress(RRFrameError):  # what is wrong with it is told at its turn
                self._screen(other)
            pixels += other.pixels
            if pixels <= _HELD and not other.dropped and name not in other.cues and other.size == clean.size:
                group.append(other)
        photographs = [each.photograph for each in group if each.photograph is not None]
        with suppress(RRFrameError, MemoryError):  # then each is tried by itself
            maps = cues_of(name, provider, photographs, [each.source for each in group])
            for each, found in zip(group, maps, strict=True):
                each.cues[name] = found

    def _next(self, name: str, pair: PairPlan, most: int) -> list[str]:
        """The next sources among what is coming whose pairs need the cue called ``name``."""
        found: dict[str, None] = {}
        begin = bisect_right(self.coming, pair.index)
        for index in islice(self.coming, begin, None):
            other = self.plan.pair(index)
            if other.source != pair.source and name in self.plan.recipe.tasks[other.task].chain.needs():
                found[other.source] = None
                if len(found) == most:
                    break
        return list(found)

    def _screen(self, clean: _Clean) -> None:
        assert clean.photograph is not None
        if clean.verdicts or clean.dropped:
            return
        pixels = clean.photograph.eight_bit()
        for used in self.plan.recipe.screen:
            with attributed(used, "screening"):
                verdict = used.screen(pixels)
            clean.verdicts[used.name] = verdict.model_dump(exclude_defaults=True)
            if not verdict.keep:
                clean.dropped = f"{used.name}: {verdict.reason}"
                return

    def _verify(self, clean: np.ndarray, degraded: np.ndarray) -> tuple[dict[str, Any], str]:
        verdicts = {}
        for used in self.plan.recipe.verify:
            with attributed(used, "verifying"):
                verdict = used.verify(clean, degraded)
            verdicts[used.name] = verdict.model_dump(exclude_defaults=True)
            if not verdict.keep:
                return verdicts, f"{used.name}: {verdict.reason}"
        return verdicts, ""

    def _partner(self, pair: PairPlan) -> tuple[Origin, Photograph]:
        for key in self.plan.partners(pair):
            try:
                photograph = self.plan.recipe.source.read(key)
            except RRFrameError:
                continue  # its own row says what is wrong with it
            return Origin.of(key, photograph), photograph
        raise RRFrameError("no second picture could be read from the source")


class _Clock:
    def __init__(self, seconds: Counter[str]) -> None:
        self._seconds: Any = seconds
        self._last = time.perf_counter()

    def lap(self, part: str) -> None:
        now = time.perf_counter()
        self._seconds[part] += now - self._last
        self._last = now


def _one_line(error: RRFrameError) -> str:
    source = f" [{error.component}, {error.plugin}]" if error.component else ""
    return " ".join(error.message.split()) + source
