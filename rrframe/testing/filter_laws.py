"""Laws of filters."""

from __future__ import annotations

import math
from typing import Any

from rrframe.contracts.filter import Filter, Verdict
from rrframe.testing.checks import Broken, NotApplicable, check, for_all, for_each
from rrframe.testing.component_laws import survives_its_params
from rrframe.testing.examples import Judging, examples_for, tiny_examples
from rrframe.testing.purity_laws import runs
from rrframe.testing.subjects import Subject


@check(survives_its_params)
def has_a_stage(subject: Subject) -> None:
    """It overrides screen, verify or both."""
    assert isinstance(subject.component, Filter)
    if not subject.component.stages():
        raise Broken("it overrides neither screen nor verify, so that no recipe can use it")


@check(runs, has_a_stage)
def gives_a_verdict(subject: Subject) -> None:
    """The result is a Verdict whose score is a finite number or None."""
    for_all(subject, examples_for(subject), lambda example: _verdicts(subject, example))


@check(gives_a_verdict)
def works_on_tiny_pictures(subject: Subject) -> None:
    """Pictures down to 1 x 1 get a verdict too."""
    for_each(tiny_examples(subject), lambda example: _verdicts(subject, example))


@check(works_on_tiny_pictures)
def says_why_it_drops(subject: Subject) -> None:
    """A verdict that drops has a reason of one line."""
    dropped = 0

    def law(example: Judging) -> None:
        nonlocal dropped
        for verdict in _verdicts(subject, example):
            dropped += not verdict.keep
            if not verdict.keep and (not verdict.reason.strip() or "\n" in verdict.reason):
                raise Broken(f"it drops with the reason {verdict.reason!r}; say the figure and the limit in one line")

    for_each(tiny_examples(subject), law)
    for_all(subject, examples_for(subject), law)
    if not dropped:
        raise NotApplicable("it kept every example")


def _verdicts(subject: Subject, example: Any) -> list[Verdict]:
    verdicts = [call.run() for call in example.calls(subject)]
    for verdict in verdicts:
        if not isinstance(verdict, Verdict):
            raise Broken(f"it gives a {type(verdict).__name__}, not a Verdict")
        if verdict.score is not None and not math.isfinite(verdict.score):
            raise Broken(f"the score is {verdict.score}, which JSON cannot hold")
    return verdicts
