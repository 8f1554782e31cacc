"""Which parameters a pattern of a recipe means."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from torch import nn

from rrframe.errors import RRFrameError, did_you_mean

_PART = re.compile(r"(?P<name>[^\[\]]+)(\[(?P<start>-?\d+%?)?(?P<colon>:)?(?P<stop>-?\d+%?)?\])?")


def parameters_named(module: nn.Module, pattern: str) -> list[str]:
    """The parameters of ``module`` that ``pattern`` means, in their order.

    Args:
        module: Any network.
        pattern: The dotted name of a module or a parameter. ``*`` stands for any text within a part;
            ``blocks[:25%]``, ``blocks[2:]``, ``blocks[-1]`` for some of a list. A share is rounded down:
            a quarter of 38 blocks is 9.

    Raises:
        RRFrameError: It means nothing, with near names; or it is not of that form.
    """
    wanted = [_part(part, pattern) for part in pattern.split(".")]
    names = [name for name, _ in module.named_parameters()]
    found = [name for name in names if _matches(module, name.split("."), wanted)]
    if not found:
        raise RRFrameError(f"no parameter is called {pattern!r}", hint=did_you_mean(pattern, _modules_and(names)))
    return found


def _modules_and(names: list[str]) -> list[str]:
    """Every name that a pattern could have meant: parameters and the modules that hold them."""
    prefixes = (name.split(".")[:length] for name in names for length in range(1, name.count(".") + 2))
    return list(dict.fromkeys(".".join(prefix) for prefix in prefixes))


def _part(text: str, pattern: str) -> re.Match[str]:
    match = _PART.fullmatch(text)
    if match is None or ("[" in text and not any(match[group] for group in ("start", "colon", "stop"))):
        raise RRFrameError(
            f"{pattern!r} is no pattern of parameters", hint="such as single_transformer_blocks[:25%] or *.norm*"
        )
    return match


def _matches(module: nn.Module, name: list[str], wanted: list[re.Match[str]]) -> bool:
    """Whether the parameter ``name`` is what ``wanted`` names, or lies inside."""
    for part in wanted:
        if not name or not fnmatchcase(name[0], part["name"]):
            return False
        module, name = getattr(module, name[0]), name[1:]
        if part["start"] is None and part["colon"] is None:
            continue
        if not name or not isinstance(module, (nn.ModuleList, nn.Sequential)):
            return False
        if int(name[0]) not in _indices(part, len(module)):
            return False
        module, name = module[int(name[0])], name[1:]
    return True


def _indices(part: re.Match[str], length: int) -> range:
    start, stop = (_position(part[group], length) for group in ("start", "stop"))
    if part["colon"]:
        return range(length)[start:stop]
    index = start if start is not None and start >= 0 else length + (start or 0)
    return range(index, index + 1)


def _position(text: str | None, length: int) -> int | None:
    if text is None:
        return None
    return int(int(text[:-1]) * length / 100) if text.endswith("%") else int(text)
