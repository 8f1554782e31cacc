"""Examples: the situations that components are put in, one class a kind, and how many of them are made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Protocol

from hypothesis import strategies as st

from rrframe.contracts.backbone import Backbone
from rrframe.contracts.component import Component
from rrframe.contracts.cue import Cue, Cues
from rrframe.contracts.dataset import Dataset, NotKept
from rrframe.contracts.degradation import Degradation
from rrframe.contracts.draw import Draw, Draws
from rrframe.contracts.filter import Filter
from rrframe.contracts.trying import image_key
from rrframe.errors import RRFrameError
from rrframe.imaging.colour import convert_light
from rrframe.imaging.layout import to_pixels
from rrframe.testing.asking import asking_examples
from rrframe.testing.calls import Call, Facts, digest
from rrframe.testing.measuring import measuring_examples
from rrframe.testing.pictures import Picture
from rrframe.testing.strategies import pictures, seeds, severities
from rrframe.testing.subjects import Subject

_TINY = ((1, 1), (1, 7), (7, 1), (2, 2), (3, 2), (2, 5), (5, 5))
_LARGE = 224
_PAIRS = 3  # of a dataset: one may take a second to make
_STEPS = 2  # of a restoration that takes steps: all have the same laws
_SMALL = 8  # the shortest side that is not tiny: the law of tiny pictures alone goes below it


class Example(Protocol):
    """One situation to put a component in."""

    @property
    def picture(self) -> Picture:
        """The picture, or the clean one of a pair."""

    def calls(self, subject: Subject) -> list[Call]:
        """The calls of the subject's methods in this situation."""


@dataclass(frozen=True)
class Degrading:
    """A degradation on a picture. ``settings`` are dials put at a bound, as params."""

    picture: Picture
    severity: float | None = None
    seed: int = 0
    settings: tuple[tuple[str, Any], ...] = ()

    def component(self, subject: Subject) -> Degradation:
        found = subject.component if not self.settings else subject.made(dict(self.settings))
        assert isinstance(found, Degradation)
        return found

    def draws(self, subject: Subject) -> list[Draw]:
        """The draws that the component makes for each image."""
        return [call.run() for call in self.drawing(subject)]

    def drawing(self, subject: Subject) -> list[Call]:
        """The calls that make these draws."""
        component = self.component(subject)
        keys = [image_key(self.seed, index).child(subject.name) for index in range(self.picture.batch)]
        return [Call(component, "draw", (key, self.severity)) for key in keys]

    def calls(self, subject: Subject, draws: list[Draw] | None = None) -> list[Call]:
        component, images = self.component(subject), self.picture.tensor()
        cues = Cues(subject.maps(component.needs(), convert_light(images, component.light, "encoded")))
        arguments = (images, Draws(self.draws(subject) if draws is None else draws), cues)
        methods = ["apply", "retarget"] if component.retargets() else ["apply"]
        return [Call(component, method, arguments) for method in methods]

    def __str__(self) -> str:
        severity = "drawn values" if self.severity is None else f"severity {self.severity:g}"
        settings = "".join(f"; {name}={value}" for name, value in self.settings)
        return f"{self.picture}; {severity}; seed {self.seed}{settings}"


@dataclass(frozen=True)
class Looking:
    """A cue of a picture."""

    picture: Picture

    def calls(self, subject: Subject) -> list[Call]:
        assert isinstance(subject.component, Cue)
        keys = [str(index) for index in range(self.picture.batch)]
        return [Call(subject.component, "compute", (self.picture.tensor(), keys))]

    def __str__(self) -> str:
        return str(self.picture)


@dataclass(frozen=True)
class Judging:
    """A filter on a clean picture, and on a pair whose degraded side has ``change``, a share of noise mixed in."""

    picture: Picture
    change: float = 0.0

    def calls(self, subject: Subject) -> list[Call]:
        component = subject.component
        assert isinstance(component, Filter)
        clean = self.picture.tensor()
        noise = replace(self.picture, pattern="noise", seed=self.picture.seed + 1).tensor()
        degraded = clean * (1 - self.change) + noise * self.change
        arguments = {"screen": (to_pixels(clean[0]),), "verify": (to_pixels(clean[0]), to_pixels(degraded[0]))}
        return [Call(component, stage, arguments[stage]) for stage in sorted(component.stages())]

    def __str__(self) -> str:
        return f"{self.picture}; a share of {self.change:g} of noise mixed in"


def facts_of(subject: Subject, example: Example) -> list[Facts]:
    """What the calls of ``example`` give, in short; computed once."""
    return subject.once(("facts", example), lambda: [Facts.of(call) for call in example.calls(subject)])


def digests_of(subject: Subject, example: Example) -> list[str]:
    """The bytes that the calls of ``example`` give, in short; computed once, so it is for components whose results do
    not change.
    """
    return subject.once(("digests", example), lambda: [digest(call.run()) for call in example.calls(subject)])


@dataclass(frozen=True)
class Restoring:
    """A backbone on a picture."""

    picture: Picture
    seed: int = 0

    def calls(self, subject: Subject) -> list[Call]:
        backbone = subject.shaken
        settings: dict[str, Any] = {"task": task_of(backbone), "seed": self.seed}
        if backbone.capabilities.steps is not None:
            settings["steps"] = _STEPS
        return [Call(backbone, "restore", (self.picture.tensor(),), settings)]

    def __str__(self) -> str:
        return f"{self.picture}; seed {self.seed}"


# Few: a restoration may take a second, even of a network made small for the purpose.
RESTORING = (
    Restoring(Picture(16, 16, 1, "gradient")),
    Restoring(Picture(24, 17, 2, "texture", "contiguous"), seed=1),
    Restoring(Picture(9, 40, 1, "extreme", "strided"), seed=2**31 - 1),
)


@dataclass(frozen=True)
class Reading:
    """A pair of a dataset."""

    number: int

    def calls(self, subject: Subject) -> list[Call]:
        return [Call(subject.component, "read", (self.number,))]

    def __str__(self) -> str:
        return f"pair {self.number}"


def readings(subject: Subject) -> list[Reading]:
    """Some pairs, the first and the last among them; those that the dataset drops itself are passed over."""
    return subject.once("readings", lambda: list(islice(_kept(subject.component), _PAIRS)))


def _kept(dataset: Component) -> Iterator[Reading]:
    assert isinstance(dataset, Dataset)
    last = len(dataset.items()) - 1
    for number in dict.fromkeys((0, last, *(last * part // 16 for part in (8, 4, 12, *range(16))))):
        with suppress(NotKept):
            dataset.read(number)
            yield Reading(number)


def task_of(backbone: Backbone) -> str:
    """A task that ``backbone`` takes."""
    tasks = backbone.capabilities.tasks
    return "noise" if tasks is None or "noise" in tasks else min(tasks)


def examples_for(subject: Subject, *, greatest_batch: int = 1) -> st.SearchStrategy[Any]:
    """Situations for components of the subject's kind, on pictures of at least 8 x 8."""
    if subject.kind == "backbone":
        return st.sampled_from(RESTORING)
    if subject.kind == "dataset":
        return st.sampled_from(readings(subject))
    if subject.kind == "metric":
        return st.sampled_from(measuring_examples(subject))
    if subject.kind == "judge":
        return st.sampled_from(asking_examples(subject))
    some = _some_pictures(greatest_batch)
    if subject.kind == "cue":
        return st.builds(Looking, some)
    if subject.kind == "filter":
        return st.builds(Judging, _some_pictures(1), st.sampled_from((0.0, 0.05, 1.0)))
    return degrading_examples(subject, greatest_batch=greatest_batch)


def degrading_examples(subject: Subject, *, greatest_batch: int = 1) -> st.SearchStrategy[Degrading]:
    """The same for a degradation: severities, seeds, and each dial at each of its bounds."""
    some = _some_pictures(greatest_batch)
    return st.builds(Degrading, some, severities(), seeds(), st.sampled_from(bounds_of(subject)))


def _some_pictures(greatest_batch: int) -> st.SearchStrategy[Picture]:
    """Small pictures mostly, and large ones, on which lengths that scale with the image come to a pixel and more."""
    small = pictures(least_side=_SMALL, greatest_batch=greatest_batch)
    large = pictures(least_side=_LARGE, greatest_side=_LARGE + 33, greatest_batch=greatest_batch)
    return st.integers(0, 4).flatmap(lambda number: large if number == 4 else small)


def bounds_of(subject: Subject) -> list[tuple[tuple[str, Any], ...]]:
    """The settings to try besides the subject's own: each dial at each bound that it and the whole component accept."""
    settings: list[tuple[tuple[str, Any], ...]] = [()]
    assert isinstance(subject.component, Degradation)
    for name, dial in subject.component.dials().items():
        for bound in {dial.low, dial.high} - {None}:
            value = int(bound) if dial.law.name == "integers" and bound is not None else bound
            try:
                subject.made({name: value})
            except RRFrameError:  # it does not go with the other settings
                continue
            settings.append(((name, value),))
    return settings


def tiny_examples(subject: Subject) -> Iterator[Any]:
    """Pictures from 1 x 1 to 5 x 5, at every end of severity where there is one."""
    for height, width in _TINY:
        for pattern in ("texture", "black", "extreme"):
            picture = Picture(height, width, 2 if subject.kind != "filter" else 1, pattern)
            if subject.kind == "cue":
                yield Looking(picture)
            elif subject.kind == "filter":
                yield Judging(picture, 0.5)
            else:
                yield from (Degrading(picture, severity) for severity in (None, 0.0, 1.0))
