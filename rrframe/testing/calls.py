"""Calls of a component's methods: run on copies, sent to other processes, compared by bytes."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel

from rrframe.contracts.component import Component
from rrframe.contracts.cue import Cues
from rrframe.contracts.dataset import Sample
from rrframe.contracts.draw import Draws

CLOSE = 1e-5
"""How far float32 values may lie apart, or outside [0, 1], where only the order of sums differs: a 400th of an 8-bit
step.
"""


@dataclass(frozen=True)
class Call:
    """A method with its arguments, which stay as they are: every run gets copies. ``settings`` go by name."""

    component: Component
    method: str
    arguments: tuple[Any, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    def run(self) -> Any:
        return self.run_on(copy.deepcopy(self.arguments))

    def run_on(self, arguments: tuple[Any, ...]) -> Any:
        return getattr(self.component, self.method)(*arguments, **self.settings)

    def of(self, component: Component) -> Call:
        """The same call of another component."""
        return replace(self, component=component)

    def single(self, index: int) -> Call:
        """The same call for one image of the batch alone."""
        return replace(self, arguments=tuple(_single(argument, index) for argument in self.arguments))


@dataclass(frozen=True)
class Facts:
    """What the laws of results ask about one, so that it need not be kept: many laws look at the same results.

    Args:
        method: What gave it.
        given: The shape of the images, where the method takes images.
        type: Its type.
        shape: Its own shape, if it is a tensor; the same for what follows.
        dtype: Such as float32.
        odd: How many values are NaN or infinite.
        first_odd: Where the first of them is.
        low: The least of the others, 0 where there are none.
        high: The greatest.
    """

    method: str
    given: tuple[int, ...]
    type: str
    shape: tuple[int, ...] = ()
    dtype: torch.dtype | None = None
    odd: int = 0
    first_odd: tuple[int, ...] = ()
    low: float = 0.0
    high: float = 0.0

    @classmethod
    def of(cls, call: Call) -> Facts:
        """Those of what ``call`` gives."""
        result, given = call.run(), tuple(getattr(call.arguments[0], "shape", ()))
        if not isinstance(result, torch.Tensor):
            return cls(call.method, given, type(result).__name__)
        finite = torch.isfinite(result)
        values = result.detach()[finite]
        return cls(
            call.method,
            given,
            "Tensor",
            tuple(result.shape),
            result.dtype,
            odd=int((~finite).sum()),
            first_odd=() if bool(finite.all()) else tuple((~finite).nonzero()[0].tolist()),
            low=float(values.min()) if len(values) else 0.0,
            high=float(values.max()) if len(values) else 0.0,
        )


def digest(value: Any) -> str:
    """A hash of every byte of ``value``: tensors with their shape and type, arrays, pairs, models, containers of
    these.
    """
    hasher = hashlib.sha256()
    for part in _parts(value):
        hasher.update(len(part).to_bytes(8, "little") + part)
    return hasher.hexdigest()


def _parts(value: Any) -> Iterator[bytes]:
    if isinstance(value, torch.Tensor):
        array = value.detach().cpu().contiguous()
        yield f"{array.dtype} {tuple(array.shape)}".encode()
        yield array.reshape(-1).view(torch.uint8).numpy().tobytes()
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype} {value.shape}".encode() + value.tobytes()
    elif isinstance(value, BaseModel):
        yield repr(value).encode()
    elif isinstance(value, Cues):
        yield from _parts(value._maps)
    elif isinstance(value, Sample):
        yield from _parts(vars(value))
    elif isinstance(value, dict):
        for key in sorted(value):
            yield str(key).encode()
            yield from _parts(value[key])
    elif isinstance(value, (list, tuple, Draws)):
        for item in value:
            yield from _parts(item)
    else:
        yield repr(value).encode()


def _single(argument: Any, index: int) -> Any:
    if isinstance(argument, (Draws, Cues)):
        return argument.select([index])
    if isinstance(argument, str):  # a task, which all have
        return argument
    return argument[index : index + 1]
