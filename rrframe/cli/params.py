"""Params of components on the command line."""

from __future__ import annotations

from typing import Any

from rrframe.errors import RRFrameError
from rrframe.recipe.yaml import parse_value


def read_param(text: str, what: str = "PARAM") -> tuple[str, Any]:
    """``beta=0.02`` as a name and a value, which is written as in a recipe; ``what`` is the name's name.

    Raises:
        RRFrameError: It is not of that form.
    """
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise RRFrameError(f"-p {text} is not {what}=VALUE", hint="such as -p beta=0.02")
    return name, parse_value(value, f"-p {text}")
