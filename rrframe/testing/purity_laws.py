"""Laws of every component that works on pictures: it runs on any, gives the same for the same, and touches nothing
else.
"""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

from hypothesis import strategies as st

from rrframe.contracts.judge import Judge
from rrframe.testing.asking import asking_examples
from rrframe.testing.calls import Call, digest
from rrframe.testing.checks import Broken, NotApplicable, check, for_all, for_each
from rrframe.testing.component_laws import survives_its_params
from rrframe.testing.declared_laws import reads_only_declared_cues, says_how_it_is_asked
from rrframe.testing.elsewhere import digests_elsewhere
from rrframe.testing.examples import (
    Degrading,
    Example,
    Judging,
    Looking,
    digests_of,
    examples_for,
    facts_of,
    readings,
)
from rrframe.testing.measuring import measuring_examples
from rrframe.testing.pictures import Picture
from rrframe.testing.subjects import Subject
from rrframe.testing.watching import moved_by, other_global_seeds


@check(survives_its_params, reads_only_declared_cues, says_how_it_is_asked)
def runs(subject: Subject) -> None:
    """It takes every picture of at least 8 x 8 without an error."""

    def law(example: Example) -> None:
        for facts in facts_of(subject, example):
            if subject.kind not in ("filter", "judge") and facts.type != "Tensor":
                raise Broken(f"{facts.method} gives a {facts.type}, not a tensor")

    for_all(subject, examples_for(subject, greatest_batch=3), law)


@check(runs)
def leaves_its_input_alone(subject: Subject) -> None:
    """Nothing that is handed in is written to."""

    def law(example: Example) -> None:
        for call in example.calls(subject):
            arguments = copy.deepcopy(call.arguments)
            before = [digest(argument) for argument in arguments]
            call.run_on(arguments)
            changed = [index for index, argument in enumerate(arguments) if digest(argument) != before[index]]
            if changed:
                names = list(inspect.signature(getattr(call.component, call.method)).parameters)
                raise Broken(f"{call.method} writes into {names[changed[0]]}; work on a copy: x = x.clone()")

    for_all(subject, examples_for(subject, greatest_batch=2), law, share=0.5)


@check(runs)
def leaves_global_state_alone(subject: Subject) -> None:
    """The global generators of random, numpy, torch and OpenCV, and the settings of the process, stay as they are."""

    def law(example: Example) -> None:
        calls = example.calls(subject)
        for call in calls:
            _nothing_moved(call.method, moved_by(call.run))
        if isinstance(example, Degrading):
            _nothing_moved("draw", moved_by(lambda: example.draws(subject)))

    for_all(subject, examples_for(subject), law, share=0.5)


@check(leaves_global_state_alone)
def same_input_same_bytes(subject: Subject) -> None:
    """The same picture, draw and cues, or number, give the same bytes, whatever the global generators hold."""
    must_repeat(subject)

    def law(example: Example) -> None:
        with other_global_seeds(1):
            known = digests_of(subject, example)
        for first, call in zip(known, example.calls(subject), strict=True):
            with other_global_seeds(2):
                second = digest(call.run())
            if first != second:
                raise Broken(
                    f"{call.method} gives two results for the same input; randomness comes from draw.rng alone"
                )

    for_all(subject, examples_for(subject), law)


@check(same_input_same_bytes)
def keeps_no_state(subject: Subject) -> None:
    """What it was given before makes no difference: A, B, A gives A again, and B as a new component gives it."""
    must_repeat(subject)

    def law(pair: tuple[Example, Example]) -> None:
        used, new = subject.made(), subject.made()
        for first, other in zip(pair[0].calls(subject), pair[1].calls(subject), strict=True):
            before, between, after = [digest(call.of(used).run()) for call in (first, other, first)]
            if before != after:
                raise Broken(f"{first.method} gives something else for a picture after it has seen another")
            if between != digest(other.of(new).run()):
                raise Broken(f"{first.method} of a used component gives something else than that of a new one")

    same_settings = examples_for(subject).map(_with_own_settings)
    for_all(subject, st.tuples(same_settings, same_settings), law, share=0.5)


@check(keeps_no_state)
def survives_pickling(subject: Subject) -> None:
    """It can be pickled, and gives the same bytes after."""
    copied = pickle.loads(pickle.dumps(subject.component))
    must_repeat(subject)

    def law(example: Example) -> None:
        for known, call in zip(digests_of(subject, example), example.calls(subject), strict=True):
            if known != digest(call.of(copied).run()):
                raise Broken(f"{call.method} of the copy gives something else")

    for_all(subject, examples_for(subject).map(_with_own_settings), law, share=0.5)


@check(survives_pickling)
def same_bytes_in_another_process(subject: Subject) -> None:
    """The same picture, draw and cues, or number, give the same bytes in another process, with one thread."""
    must_repeat(subject)
    if not subject.effort.processes:
        raise NotApplicable("it starts a process, which was not wanted")
    if type(subject.component).__module__ == "__main__":
        raise NotApplicable("a class of __main__ cannot be sent to another process; put it in a module")
    texture = Picture(24, 33)
    examples: list[Any] = [Looking(texture)] if subject.kind == "cue" else [Judging(texture, 0.1)]
    if subject.kind == "dataset":
        examples = [*readings(subject)]
    if subject.kind == "metric":
        examples = [*measuring_examples(subject)]
    if subject.kind == "judge":
        examples = [*asking_examples(subject)]
    if subject.kind in ("degradation", "effect"):
        examples = [Degrading(texture, severity, seed) for severity in (None, 0.5, 1.0) for seed in (0, 1)]
    groups = [_with_drawing(subject, example) for example in examples]
    there = dict(zip(examples, digests_elsewhere(groups), strict=True))

    def law(example: Example) -> None:
        for call, other in zip(_with_drawing(subject, example), there[example], strict=True):
            if digest(call.run()) != other:
                raise Broken(f"{call.method} gives something else in another process")

    for_each(examples, law)


def must_repeat(subject: Subject) -> None:
    """Nothing, unless it is a judge that does not say that its answers are repeatable.

    Raises:
        NotApplicable: It is.
    """
    if isinstance(subject.component, Judge) and not subject.component.repeatable:
        raise NotApplicable("it does not say that its answers are repeatable")


def _with_drawing(subject: Subject, example: Example) -> list[Call]:
    drawing = example.drawing(subject) if isinstance(example, Degrading) else []
    return drawing + example.calls(subject)


def _nothing_moved(method: str, moved: list[str]) -> None:
    if moved:
        raise Broken(f"{method} changes {' and '.join(moved)}")


def _with_own_settings(example: Example) -> Example:
    return Degrading(example.picture, example.severity, example.seed) if isinstance(example, Degrading) else example
