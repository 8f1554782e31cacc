"""Laws of every component: it is what its plugin says it is, it is described, and it can be written down."""

from __future__ import annotations

import inspect
import json
import re

from rrframe.contracts.degradation import Degradation
from rrframe.errors import RRFrameError
from rrframe.manager import get_manager
from rrframe.testing.checks import Broken, NotApplicable, check
from rrframe.testing.subjects import Subject

_SOURCE = re.compile(r"\bSource:|\b(1[89]|20)\d\d\b")


@check()
def is_announced(subject: Subject) -> None:
    """The name that the plugin announces leads to the class, and the class is of that kind."""
    if subject.problem:
        raise Broken(subject.problem.render())
    if subject.entry is None:
        raise NotApplicable("no plugin announces it")


@check(is_announced)
def is_described(subject: Subject) -> None:
    """A docstring says what it is; a degradation's names its source; its category, light and cues are known ones."""
    cls = subject.cls
    assert cls is not None
    about = inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    if not about:
        raise Broken("the class has no docstring")
    if not issubclass(cls, Degradation):
        return
    if isinstance(cls.cues, str) or not all(isinstance(name, str) for name in cls.cues):
        raise Broken(f"cues is {cls.cues!r}, which is not a set of names, such as {{'depth'}}")
    if subject.kind == "effect":  # its category and light are those of what it holds
        return
    if cls.light not in ("linear", "encoded"):
        raise Broken(f"light is {cls.light!r}, which is neither 'linear' nor 'encoded'")
    tasks = get_manager().table("task")
    if getattr(cls, "category", None) not in tasks:
        raise Broken(f"category is {getattr(cls, 'category', None)!r}, which is not a task: {', '.join(tasks)}")
    if not _SOURCE.search(about):
        raise Broken("the docstring names no source: a line 'Source: ...', or an author and a year")


@check(is_announced)
def survives_its_params(subject: Subject) -> None:
    """It can be made, and its params, written as JSON and read again, make the same component."""
    try:
        component = subject.component
    except RRFrameError as error:
        hint = "give params: (name, {...}), -p KEY=VALUE, or a ClassVar checked_with"
        raise Broken(
            f"it cannot be made from {dict(subject.params) or 'no params'}: {error.render()}\n{hint}"
        ) from None
    written = component.params()
    try:
        read = json.loads(json.dumps(written, allow_nan=False))
        again = type(component).make(read)
    except (TypeError, ValueError, RRFrameError) as error:
        raise Broken(f"its params {written} cannot be written and read again: {error}") from None
    if again.params() != written:
        raise Broken(f"its params {written} become {again.params()} once written and read again")


@check(survives_its_params)
def refuses_unknown_params(subject: Subject) -> None:
    """A param that it does not have is refused, and named in the error."""
    refused(subject, "no_such_param", 1, "there is no such param")


def refused(subject: Subject, param: str, value: object, why: str) -> None:
    """Nothing, if ``param`` set to ``value`` is refused in words that name it.

    Raises:
        Broken: It is accepted, or refused in other words or by another exception.
    """
    assert subject.cls is not None
    try:
        subject.made({param: value})
    except RRFrameError as error:
        if param not in error.render():
            raise Broken(f"{param}={value!r} is refused in words that do not name {param}: {error.render()}") from None
        return
    except Exception as error:
        raise Broken(f"{param}={value!r} gives {type(error).__name__}, not a validation error: {error}") from None
    raise Broken(f"{param}={value!r} is accepted, though {why}")
