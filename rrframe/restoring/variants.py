"""What a bench of restoring compares: the params as they are, and changes of them by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from rrframe.contracts.backbone import Backbone
from rrframe.errors import RRFrameError, did_you_mean

EXACT = "exact"


@dataclass(frozen=True)
class Variant:
    """A way to restore.

    Args:
        name: Such as ``compiled+first-block``.
        params: All params of the backbone.
        steps: How many; ``None`` leaves them to the backbone.
        skips: It means to leave out part of the work.
    """

    name: str
    params: Mapping[str, Any]
    steps: int | None = None
    skips: bool = False


def find_variants(backbone: Backbone, names: Sequence[str] | None, steps: Sequence[int]) -> list[Variant]:
    """The params as they are, first with the first of ``steps`` and then with the others, and all of ``names`` with the
    first.

    Args:
        backbone: What restores, with the params that are taken for exact.
        names: Accelerators of the backbone, several at once joined by ``+``; ``None`` for each of them by itself.
        steps: Numbers of steps; none leaves them to the backbone.

    Raises:
        RRFrameError: There is no such accelerator, or two of them set the same param.
    """
    params = backbone.params()
    first = steps[0] if steps else None
    found = [Variant(EXACT, params, first)]
    found += [
        Variant(f"{count} step{'s' if count > 1 else ''}", params, count)
        for count in dict.fromkeys(steps)
        if count != first
    ]
    for name in dict.fromkeys(backbone.accelerators if names is None else names):
        if name != EXACT:
            parts = [_named(backbone, part) for part in name.split("+")]
            _refuse_clashes(backbone, name)
            changed = params
            for part in parts:
                changed = _merged(changed, part.params)
            found.append(Variant(name, changed, first, any(part.skips for part in parts)))
    return found


def _named(backbone: Backbone, name: str) -> Any:
    if name not in backbone.accelerators:
        raise RRFrameError(
            f"it has no variant {name!r}",
            component=backbone.name,
            plugin=backbone.plugin,
            hint=did_you_mean(name, [EXACT, *backbone.accelerators]),
        )
    return backbone.accelerators[name]


def _refuse_clashes(backbone: Backbone, name: str) -> None:
    for one, other in combinations(name.split("+"), 2):
        both = set(_paths(backbone.accelerators[one].params)) & set(_paths(backbone.accelerators[other].params))
        if both:
            raise RRFrameError(
                f"{one} and {other} both set {', '.join(sorted(both))}",
                component=backbone.name,
                plugin=backbone.plugin,
                hint="measure them one by one",
            )


def _paths(params: Mapping[str, Any]) -> Iterator[str]:
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from (f"{name}.{path}" for path in _paths(value))
        else:
            yield name


def _merged(params: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(params)
    for name, value in changes.items():
        merged[name] = _merged(merged.get(name) or {}, value) if isinstance(value, Mapping) else value
    return merged
