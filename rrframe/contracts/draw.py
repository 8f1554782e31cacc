"""Draws: the concrete values taken from the dials for one image, and how an operator sees those of a whole batch."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, JsonValue, field_validator

from rrframe.errors import RRFrameError
from rrframe.imaging.random import DeviceStream, Stream


class Draw(BaseModel):
    """What was drawn for one image: small, frozen, JSON-able, and enough to replay.

    Fields and noise are not stored: ``seed`` names them. The draws of an effect's inner steps are its ``steps``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    seed: int
    values: dict[str, JsonValue] = {}
    steps: tuple[Draw, ...] = ()

    def with_values(self, **values: JsonValue) -> Draw:
        """This draw with some values replaced or added: for settings that depend on each other.

        Raises:
            pydantic.ValidationError: A value is no JSON value, such as a tensor or a NaN.
        """
        return Draw(seed=self.seed, values={**self.values, **values}, steps=self.steps)

    @field_validator("values")
    @classmethod
    def _values_survive_json(cls, values: dict[str, JsonValue]) -> dict[str, JsonValue]:
        json.dumps(values, allow_nan=False)  # JSON has no NaN and no infinity
        return values


class Draws:
    """The draws of a batch, as ``apply`` sees them.

    An attribute is a drawn value for every image: a number as a float32 tensor ``[B, 1, 1, 1]``, a list of k numbers
    as ``[B, k, 1, 1]``, anything else as a tuple of B values. ``rng`` makes the noise that the draws' seeds name.

    Args:
        draws: One draw an image.
        device: Where tensors are made.
    """

    def __init__(self, draws: Sequence[Draw], device: torch.device | str = "cpu") -> None:
        self._draws = tuple(draws)
        self._device = torch.device(device)
        self._rng: Noise | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            values = [draw.values[name] for draw in self._draws]
        except KeyError:
            known = ", ".join(self._draws[0].values) if self._draws else "none"
            raise RRFrameError(f"nothing called {name!r} was drawn", hint=f"drawn values: {known}") from None
        if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
            return torch.tensor(values, dtype=torch.float32, device=self._device).view(-1, 1, 1, 1)
        if all(
            isinstance(value, list) and all(isinstance(number, (int, float)) for number in value) for value in values
        ):
            return torch.tensor(values, dtype=torch.float32, device=self._device).view(len(values), -1, 1, 1)
        return tuple(values)

    @property
    def rng(self) -> Noise:
        """The batch's generator; successive calls give successive, independent fields."""
        if self._rng is None:
            self._rng = Noise([draw.seed for draw in self._draws], self._device)
        return self._rng

    def each(self, name: str) -> tuple[Any, ...]:
        """The value called ``name`` for every image, as plain Python: for operators that go through a batch
        one image at a time.
        """
        return tuple(draw.values[name] for draw in self._draws)

    def select(self, indices: Sequence[int]) -> Draws:
        """The draws of some of the images."""
        return Draws([self._draws[index] for index in indices], self._device)

    def __iter__(self) -> Iterator[Draw]:
        return iter(self._draws)

    def __len__(self) -> int:
        return len(self._draws)


class Noise:
    """Random fields for a batch, each image's from its own seed, so that a batch gives what its images would give one
    by one.

    Fields are the same on every CPU and on every GPU of a kind; a GPU's differ from a CPU's.
    """

    def __init__(self, seeds: Sequence[int], device: torch.device) -> None:
        on_cpu = device.type == "cpu"
        self._streams = [Stream(seed) if on_cpu else DeviceStream(seed, device) for seed in seeds]

    def normal(self, like: torch.Tensor, *, channels: int | None = None) -> torch.Tensor:
        """Standard normal float32 values, ``[B, channels, H, W]`` for images ``like`` that; as many
        channels as ``like`` by default. For tensors of another rank, ``[B, ...]`` like theirs.
        """
        return self._fields(like, channels, "normal")

    def uniform(self, like: torch.Tensor, *, channels: int | None = None) -> torch.Tensor:
        """Float32 values in [0, 1), of the shape that ``normal`` gives."""
        return self._fields(like, channels, "uniform")

    def levels(self, like: torch.Tensor, *, channels: int | None = None) -> torch.Tensor:
        """Whole numbers from 0 to 65,535, int32, of the shape that ``normal`` gives: places in a table of values that
        are equally likely. On a CPU they cost a third of what uniform numbers do.
        """
        return self._fields(like, channels, "levels")

    def select(self, indices: Sequence[int]) -> Noise:
        """The noise of some of the images, each going on from where it is."""
        chosen = copy.copy(self)
        chosen._streams = [self._streams[index] for index in indices]
        return chosen

    def _fields(self, like: torch.Tensor, channels: int | None, law: str) -> torch.Tensor:
        images = like.ndim == 4
        shape = list(like.shape[1:])
        if images:
            # Laid out as HWC, the images' own layout on a CPU: mixing layouts would cost a pass over memory for every
            # operation after.
            shape = [*shape[1:], channels or shape[0]]
        fields = [getattr(stream, law)(math.prod(shape)).reshape(shape) for stream in self._streams]
        stacked = fields[0][None] if len(fields) == 1 else torch.stack(fields)
        return stacked.permute(0, 3, 1, 2) if images else stacked
