"""Overrides: ``a.b[0].c=VALUE`` from the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rrframe.contracts.problems import Location, path_text
from rrframe.errors import RRFrameError
from rrframe.recipe.yaml import parse_value

_PART = re.compile(r"(?P<key>[^.\[\]=]+)(?P<indices>(\[[0-9]{1,9}\])*)")


@dataclass(frozen=True)
class Override:
    """A value to set, and how it was written."""

    location: Location
    value: Any
    written: str

    @property
    def place(self) -> str:
        """What errors say instead of a line."""
        return f"--set {self.written}"


def parse_override(text: str) -> Override:
    """``a.b[0].c=VALUE`` as an override.

    Raises:
        RRFrameError: It is not of that form, or the value is not one that ``parse_value`` reads.
    """
    path, equals, value = text.partition("=")
    place = f"--set {text}"
    if not equals:
        raise RRFrameError(
            f"an override sets a value, and {text!r} has no '='", place=place, hint="--set source.params.path=photos"
        )
    location: list[str | int] = []
    for part in path.split("."):
        match = _PART.fullmatch(part.strip())
        if match is None:
            raise RRFrameError(
                f"{path!r} is no path in a recipe", place=place, hint="paths are written as tasks.haze.chain[0].params"
            )
        location += [match["key"], *map(int, re.findall("[0-9]+", match["indices"]))]
    return Override(tuple(location), parse_value(value, place), text)


def apply_override(data: Any, override: Override) -> Location:
    """Set the value in ``data``, making the mappings and lists on the way that are not there.

    Returns:
        The part of the location that is the override's own: up to the first part that was not there, or all of it.

    Raises:
        RRFrameError: The way leads through something that is no mapping or list, or beyond a list's end.
    """
    *way, last = override.location
    own = override.location
    here = data
    for depth, part in enumerate(way):
        if not _has(here, part, override, depth) or here[part] is None:
            own = min(own, override.location[: depth + 1], key=len)
            _put(here, part, [] if isinstance(override.location[depth + 1], int) else {})
        here = here[part]
    _has(here, last, override, len(way))
    _put(here, last, override.value)
    return own


def _has(here: Any, part: str | int, override: Override, depth: int) -> bool:
    """Whether ``here`` has ``part`` already; it is certain afterwards that it can be put there."""
    before = path_text(override.location[:depth]) or "the recipe"
    if isinstance(part, int):
        if not isinstance(here, list):
            raise _stop(override, f"{before} is {_named(here)}, so it has no [{part}]")
        if part > len(here):
            known = f"[0] to [{len(here) - 1}]" if here else "none"
            raise _stop(override, f"{before} has no [{part}]", f"entries there: {known}; [{len(here)}] adds one")
        return part < len(here)
    if not isinstance(here, dict):
        index = "[0]" if isinstance(here, list) else ""
        hint = f"{before}{index}.{part} reaches into the list's first entry" if index else None
        raise _stop(override, f"{before} is {_named(here)}, so it has no {part!r}", hint)
    return part in here


def _put(here: Any, part: Any, value: Any) -> None:
    if isinstance(here, list) and part == len(here):
        here.append(value)
    else:
        here[part] = value


def _stop(override: Override, message: str, hint: str | None = None) -> RRFrameError:
    return RRFrameError(message, path=path_text(override.location), place=override.place, hint=hint)


def _named(value: Any) -> str:
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else repr(value)
