"""Checks: laws with a name, and how one is tried on many examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import hypothesis
from hypothesis import strategies as st

if TYPE_CHECKING:
    from rrframe.testing.subjects import Subject

T = TypeVar("T")


class Broken(AssertionError):
    """A law is broken.

    Args:
        message: What was found. The kit adds the law and the rest.
        example: For what. ``for_all`` and ``for_each`` add it.
    """

    def __init__(self, message: str, example: object = None) -> None:
        super().__init__(message)
        self.example = example


class NotApplicable(Exception):
    """The law says nothing about this component, and why."""


@dataclass(frozen=True)
class Check:
    """A law that a component obeys.

    Args:
        name: Lower case, joined by hyphens: ``stays-in-range``.
        law: One sentence.
        premises: Checks without which this one would only say the same again; it is skipped if one of them fails.
        function: Raises ``Broken`` or whatever the component raises, or else ``NotApplicable``.
    """

    name: str
    law: str
    premises: tuple[Check, ...]
    function: Callable[[Subject], None]

    def __call__(self, subject: Subject) -> None:
        self.function(subject)


def check(*premises: Check) -> Callable[[Callable[[Subject], None]], Check]:
    """Makes a check of a function: its name is the check's, its docstring's first paragraph the law.

    ```python
    @check(runs)
    def darkens_nothing(subject):
        "No value falls below what it was."
    ```
    """

    def made(function: Callable[[Subject], None]) -> Check:
        law = " ".join((function.__doc__ or "").partition("\n\n")[0].split())
        return Check(function.__name__.replace("_", "-"), law, premises, function)

    return made


def for_all(
    subject: Subject, examples: st.SearchStrategy[T], law: Callable[[T], object], *, share: float = 1.0
) -> None:
    """Tries ``law`` on as many of ``examples`` as the subject's effort says, the same ones every time.

    Args:
        subject: What is checked.
        examples: What it may be tried on.
        law: Raises what is wrong.
        share: Of that number. A law of how code is written, more than of the values that it meets, needs fewer.

    Raises:
        Broken: It fails, on the simplest example that could be found.
    """
    tried: T | None = None

    @hypothesis.seed(subject.effort.seed)
    @hypothesis.settings(
        max_examples=math.ceil(share * subject.effort.examples),
        database=None,
        deadline=None,
        print_blob=False,
        report_multiple_bugs=False,
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
        suppress_health_check=list(hypothesis.HealthCheck),
        verbosity=hypothesis.Verbosity.quiet,
    )
    @hypothesis.given(examples)
    def run(example: T) -> None:
        nonlocal tried
        tried = example
        law(example)

    try:
        run()
    except hypothesis.errors.Flaky as error:
        raise Broken("the same example fails at one time and passes at another", tried) from error
    except Broken as broken:  # Hypothesis ends with the simplest example, so that is the one last tried
        broken.example = tried
        raise
    except Exception as error:
        raise Broken(f"{type(error).__name__}: {error}", tried) from error


def for_each(examples: Iterable[T], law: Callable[[T], object]) -> None:
    """Tries ``law`` on each of a few chosen examples.

    Raises:
        Broken: It fails, on the first example for which it does.
    """
    for example in examples:
        try:
            law(example)
        except Broken as broken:
            broken.example = example
            raise
        except Exception as error:
            raise Broken(f"{type(error).__name__}: {error}", example) from error
