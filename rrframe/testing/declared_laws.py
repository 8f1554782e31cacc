"""Laws of what is declared: a degradation's dials refuse what is out of bounds, its draws can be kept, its cues are all
that it reads; a judge says how it is asked.
"""

from __future__ import annotations

import copy
import math
from contextlib import suppress
from typing import Any

from rrframe.contracts.degradation import Degradation
from rrframe.contracts.dials import Dial
from rrframe.contracts.draw import Draw
from rrframe.contracts.judge import Judge
from rrframe.testing.asking import known_tasks
from rrframe.testing.calls import digest
from rrframe.testing.checks import Broken, check, for_all
from rrframe.testing.component_laws import is_described, refused, survives_its_params
from rrframe.testing.examples import Degrading, degrading_examples
from rrframe.testing.subjects import Subject
from rrframe.testing.watching import WatchedCues

_GREATEST_DRAW = 65_536  # bytes of JSON


@check(survives_its_params)
def refuses_bad_dials(subject: Subject) -> None:
    """NaN, infinity, words for numbers and values beyond a dial's bounds are refused, and the error names the dial."""
    component = subject.component
    assert isinstance(component, Degradation)
    for name, dial in component.dials().items():
        for value, why in _bad_values(dial):
            refused(subject, name, value, why)
    plain = [name for name in type(component).model_fields if isinstance(getattr(component, name), float)]
    for name in plain:
        for value in (math.nan, math.inf):
            refused(subject, name, value, "it is not finite; say Field(allow_inf_nan=False), or make it a Dial")


def _bad_values(dial: Dial) -> list[tuple[Any, str]]:
    bad: list[tuple[Any, str]] = [("no-such-value", "it is not one of the dial's values")]
    if any(isinstance(argument, (str, bool)) for argument in dial.law.arguments):
        return bad
    bad += [(value, "it is not finite") for value in (math.nan, math.inf, -math.inf)]
    for bound, side in ((dial.low, -1), (dial.high, 1)):
        if bound is not None:
            beyond = int(bound) + side if dial.law.name == "integers" else math.nextafter(bound, side * math.inf)
            why = f"{'the least' if side < 0 else 'the greatest'} value is {bound:g}"
            bad += [(beyond, why), ({"uniform": sorted([beyond, bound])}, why)]
    return bad


@check(survives_its_params)
def draw_survives_json(subject: Subject) -> None:
    """A draw written as JSON and read again is equal to what it was, and small: records keep it."""

    def law(example: Degrading) -> None:
        for draw in example.draws(subject):
            try:
                written = draw.model_dump_json()
                read = Draw.model_validate_json(written)
            except ValueError as error:  # pydantic's errors of both ways are ValueErrors
                raise Broken(f"the draw {draw!r} cannot be written as JSON and read again: {error}") from None
            if digest(read) != digest(draw):
                raise Broken(f"the draw {draw!r} becomes {read!r}; use plain numbers, text and lists")
            if len(written) > _GREATEST_DRAW:
                raise Broken(
                    f"the draw is {len(written)} bytes of JSON, more than {_GREATEST_DRAW}; name fields by seed"
                )

    for_all(subject, degrading_examples(subject), law)


@check(draw_survives_json)
def reads_only_declared_cues(subject: Subject) -> None:
    """No cue is read that is not declared in cues."""

    def law(example: Degrading) -> None:
        declared = example.component(subject).needs()
        for call in example.calls(subject):
            images, draws, cues = copy.deepcopy(call.arguments)
            watched = WatchedCues(cues)
            with suppress(Exception):  # the law that it runs tells of this
                call.run_on((images, draws, watched))
            undeclared = sorted(watched.read() - declared)
            if undeclared:
                raise Broken(
                    f"{call.method} reads {', '.join(map(repr, undeclared))}; cues declares {sorted(declared)}"
                )

    for_all(subject, degrading_examples(subject), law, share=0.5)


@check(is_described, survives_its_params)
def says_how_it_is_asked(subject: Subject) -> None:
    """It knows a registered task, and its numbers of workers and of images a call are whole ones from 1."""
    judge = subject.component
    assert isinstance(judge, Judge)
    if not known_tasks(judge):
        raise Broken("it knows none of the registered tasks")
    for name in ("workers", "at_once"):
        count = getattr(judge, name)
        if type(count) is not int or count < 1:
            raise Broken(f"{name} is {count!r}")
