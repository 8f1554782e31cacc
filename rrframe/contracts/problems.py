"""Turns pydantic's errors into ours, keeping the component, the plugin and the path through every level of nesting."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from rrframe.errors import RRFrameError, did_you_mean

_TYPE = "rrframe"
_MUST = "this must be "
_UNKNOWN: Any = object()  # what was given is not known here, or nothing was
_PLAIN = {  # pydantic's type of an error -> what it means in a recipe
    "dict_type": "a mapping of names to values is needed here",
    "list_type": "a list is needed here",
    "model_attributes_type": "a mapping of names to values is needed here",
    "model_type": "a mapping of names to values is needed here",
    "tuple_type": "a list is needed here",
}

Location = tuple[str | int, ...]


def problem(message: str, **context: str | None) -> PydanticCustomError:
    """An error for a validator to raise, carrying what ``RRFrameError`` carries: ``component``, ``plugin``,
    ``hint``.
    """
    return PydanticCustomError(
        _TYPE, "{message}", {"message": message, **{key: value for key, value in context.items() if value}}
    )


def from_error(error: RRFrameError) -> PydanticCustomError:
    return problem(error.message, component=error.component, plugin=error.plugin, hint=error.hint)


def failure(problems: Mapping[Location, PydanticCustomError]) -> ValidationError:
    """Several problems, each at a location below the validator that raises them, as the one error pydantic carries."""
    lines = [InitErrorDetails(type=kind, loc=location, input=None) for location, kind in problems.items()]
    return ValidationError.from_exception_data("recipe", lines)


def nested(
    error: ValidationError,
    prefix: Location = (),
    *,
    model: type[BaseModel] | None = None,
    given: Any = _UNKNOWN,
    component: str | None = None,
    plugin: str | None = None,
) -> dict[Location, PydanticCustomError]:
    """The problems of ``error`` under ``prefix``, each told which component and plugin it concerns.

    Args:
        error: What pydantic found.
        prefix: Where what it looked at lies.
        model: The model that refused, whose fields make the hints for unknown keys.
        given: What it was given, which tells the parts of a location that a user wrote from those pydantic adds.
        component: The component concerned, unless an inner one is known.
        plugin: Its plugin.
    """
    return {
        (*prefix, *line.location): problem(line.message, **{"component": component, "plugin": plugin} | line.context)
        for line in _lines(error, model, given)
    }


def translate(
    error: ValidationError,
    *,
    model: type[BaseModel] | None = None,
    given: Any = _UNKNOWN,
    component: str | None = None,
    plugin: str | None = None,
) -> list[tuple[Location, RRFrameError]]:
    """Every problem of ``error`` as a location and an ``RRFrameError`` whose path is set.

    The arguments are those of ``nested``.
    """
    return [
        (
            line.location,
            RRFrameError(
                line.message,
                path=path_text(line.location),
                **{"component": component, "plugin": plugin} | line.context,
            ),
        )
        for line in _lines(error, model, given)
    ]


def path_text(location: Sequence[str | int]) -> str:
    """``("tasks", "haze", "chain", 0, "params")`` as ``tasks.haze.chain[0].params``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


class _Line(NamedTuple):
    location: Location
    message: str
    context: dict[str, str]


def _lines(error: ValidationError, model: type[BaseModel] | None, given: Any) -> Iterator[_Line]:
    found: dict[Location, list[Any]] = {}
    for line in error.errors(include_url=False):
        found.setdefault(_written(line, given), []).append(line)
    for location, lines in found.items():
        if lines[0]["type"] == "too_short" and any(_below(location, other) for other in found):
            continue  # pydantic counts only the entries that are right
        context = _own_context(lines[0])
        if lines[0]["type"] == "extra_forbidden" and model:
            context["hint"] = did_you_mean(str(location[-1]), _fields_at(model, location[:-1]))
        yield _Line(location, _message(lines), context)


def _message(lines: Sequence[Any]) -> str:
    """What is wrong at one location; several lines where it may hold several things: ``int | "auto"``."""
    said = list(dict.fromkeys(_said(line) for line in lines))
    if any(line["type"] == _TYPE for line in lines) or not all(message.startswith(_MUST) for message in said):
        return "; ".join(said)
    value = lines[0]["input"]
    instead = f", not {reprlib.repr(value)}" if value is None or isinstance(value, (str, int, float)) else ""
    return _MUST + " or ".join(message.removeprefix(_MUST) for message in said) + instead


def _said(line: Any) -> str:
    kind, context = line["type"], line.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key {line['loc'][-1]!r}"
    if kind == "missing":
        return f"{line['loc'][-1]!r} is missing"
    if kind == "value_error":
        return str(context["error"])
    if kind == "too_short":
        return f"at least {context['min_length']} needed here, not {context['actual_length']}"
    return _PLAIN.get(kind) or str(line["msg"]).replace("Input should be ", _MUST, 1).partition(", unable to")[0]


def _below(location: Location, other: Location) -> bool:
    return len(other) > len(location) and other[: len(location)] == location


def _own_context(line: Any) -> dict[str, str]:
    if line["type"] != _TYPE:
        return {}
    return {key: value for key, value in line.get("ctx", {}).items() if key != "message"}


def _written(line: Any, given: Any) -> Location:
    """The location without what pydantic adds to it: ``[key]``, and the names of a union's branches."""
    if given is _UNKNOWN:
        return tuple(part for part in line["loc"] if part != "[key]")
    location: list[str | int] = []
    here = given
    for part in line["loc"]:
        if part == "[key]":
            continue
        if part in (here if isinstance(here, Mapping) else range(len(here)) if isinstance(here, (list, tuple)) else ()):
            location, here = [*location, part], here[part]
        elif (here is None or here is _UNKNOWN or isinstance(here, Mapping)) and line["type"] in ("missing", _TYPE):
            location, here = [*location, part], _UNKNOWN  # what should be there and is not
    return tuple(location)


def _fields_at(model: type[BaseModel], location: Sequence[str | int]) -> Sequence[str]:
    """The fields of the model that lies at ``location`` below ``model``."""
    for part in location:
        field = model.model_fields.get(str(part))
        if field is not None:
            inner = next(_models_in(field.annotation), None)
            if inner is None:
                return ()
            model = inner
    return list(model.model_fields)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
