"""Turns pydantic's errors into ours, keeping the component, the plugin and the path through every level of nesting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from rrframe.errors import RRFrameError, did_you_mean

_TYPE = "rrframe"


def problem(message: str, **context: str | None) -> PydanticCustomError:
    """An error for a validator to raise, carrying what ``RRFrameError`` carries: ``component``, ``plugin``,
    ``hint``.
    """
    return PydanticCustomError(
        _TYPE, "{message}", {"message": message, **{key: value for key, value in context.items() if value}}
    )


def from_error(error: RRFrameError) -> PydanticCustomError:
    return problem(error.message, component=error.component, plugin=error.plugin, hint=error.hint)


def nested(
    error: ValidationError,
    prefix: Sequence[str | int],
    *,
    known: Iterable[str] = (),
    component: str | None = None,
    plugin: str | None = None,
) -> ValidationError:
    """``error`` moved under ``prefix``, each line told which component and plugin it concerns.

    ``known``: the keys that are allowed.
    """
    lines: list[InitErrorDetails] = []
    for line in error.errors(include_url=False):
        context = {"component": component, "plugin": plugin, "hint": _hint(line, known)} | _own_context(line)
        lines.append(
            InitErrorDetails(type=problem(_message(line), **context), loc=(*prefix, *line["loc"]), input=line["input"])
        )
    return ValidationError.from_exception_data(error.title, lines)


def translate(
    error: ValidationError, known: Mapping[str, Any] | None = None
) -> list[tuple[tuple[str | int, ...], RRFrameError]]:
    """Every line of ``error`` as a location and an ``RRFrameError`` whose path is set."""
    found = []
    for line in error.errors(include_url=False):
        context = {"hint": _hint(line, known or ())} | _own_context(line)
        found.append((line["loc"], RRFrameError(_message(line), path=path_text(line["loc"]), **context)))
    return found


def path_text(location: Sequence[str | int]) -> str:
    """``("tasks", "haze", "chain", 0, "params")`` as ``tasks.haze.chain[0].params``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _message(line: Any) -> str:
    if line["type"] == "extra_forbidden":
        return f"unknown key {line['loc'][-1]!r}"
    if line["type"] == "missing":
        return f"{line['loc'][-1]!r} is missing"
    if line["type"] == "value_error":
        return str(line["ctx"]["error"])
    return str(line["msg"])


def _hint(line: Any, known: Iterable[str]) -> str | None:
    return did_you_mean(str(line["loc"][-1]), known) if line["type"] == "extra_forbidden" and known else None


def _own_context(line: Any) -> dict[str, str]:
    return (
        {key: value for key, value in line.get("ctx", {}).items() if key != "message"} if line["type"] == _TYPE else {}
    )
