"""Tensors that stay in their files until they are asked for, so that 42 GB never sit in memory twice."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rrframe.contracts.weights import damaged, is_pickle, read_tensors

_DTYPES = {
    "BF16": torch.bfloat16,
    "BOOL": torch.bool,
    "F16": torch.float16,
    "F32": torch.float32,
    "F64": torch.float64,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I16": torch.int16,
    "I32": torch.int32,
    "I64": torch.int64,
    "I8": torch.int8,
    "U8": torch.uint8,
}


@dataclass(frozen=True)
class Stored:
    """A tensor in a file, or made of such.

    Args:
        shape: Of the tensor.
        dtype: Of the tensor.
        read: Gives it, on the CPU.
    """

    shape: torch.Size
    dtype: torch.dtype
    read: Callable[[], torch.Tensor]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def rows(self, start: int, stop: int | None = None) -> Stored:
        """From row ``start`` up to ``stop``, or to the last; in memory of its own."""
        stop = self.shape[0] if stop is None else min(stop, self.shape[0])
        shape = torch.Size([max(stop - start, 0), *self.shape[1:]])
        return Stored(shape, self.dtype, lambda: torch.clone(self.read()[start:stop]))

    def reshaped(self, *shape: int) -> Stored:
        return Stored(torch.Size(shape), self.dtype, lambda: self.read().reshape(shape))


Table = Mapping[str, Stored]
"""Tensors by name."""


def joined(parts: Sequence[Stored], dim: int = 0) -> Stored:
    """``parts`` one after the other along ``dim``; their other sides are those of the first."""
    shape = list(parts[0].shape)
    shape[dim] = sum(part.shape[dim] for part in parts)
    return Stored(torch.Size(shape), parts[0].dtype, lambda: torch.cat([part.read() for part in parts], dim))


def table_in(files: Sequence[Path], *, allow_pickle: bool = False, **context: Any) -> dict[str, Stored]:
    """The tensors of all ``files``; of a safetensors file only its header is read.

    Raises:
        RRFrameError: One is damaged, or a pickle without ``allow_pickle``.
    """
    table: dict[str, Stored] = {}
    for file in files:
        table.update(_pickled(file, allow_pickle, context) if is_pickle(file) else _safe(file, context))
    return table


def table_of(module: nn.Module) -> dict[str, Stored]:
    """The tensors of ``module``, which may lie on the meta device: then they tell shapes only."""
    return {
        name: Stored(tensor.shape, tensor.dtype, partial(torch.Tensor.detach, tensor))
        for name, tensor in module.state_dict().items()
    }


def fill(module: nn.Module, table: Table) -> None:
    """Put the tensors of ``table``, whose names and shapes are those of ``module``, into it.

    A module on the meta device takes them as they are, in their own dtypes; another copies them into its own, one at a
    time.
    """
    own = module.state_dict()
    if any(tensor.is_meta for tensor in own.values()):
        module.load_state_dict({name: stored.read() for name, stored in table.items()}, assign=True)
        return
    for name, stored in table.items():
        own[name].copy_(stored.read())


def _safe(file: Path, context: dict[str, Any]) -> dict[str, Stored]:
    from safetensors import SafetensorError, safe_open

    try:
        # The library checks the header. It would map the file for torch as memory that must be there, all 25 GB of it,
        # so the tensors are read here.
        safe_open(file, framework="np")
        with open(file, "rb") as reading:
            length = int.from_bytes(reading.read(8), "little")
            header = json.loads(reading.read(length))
        header.pop("__metadata__", None)
        return {name: _entry(file, 8 + length, entry) for name, entry in header.items()}
    except (OSError, SafetensorError, ValueError, LookupError) as error:
        raise damaged(file, error, **context) from error


def _entry(file: Path, start: int, entry: Mapping[str, Any]) -> Stored:
    shape, dtype = torch.Size(entry["shape"]), _DTYPES[entry["dtype"]]
    return Stored(shape, dtype, partial(_read, file, start + entry["data_offsets"][0], shape, dtype))


def _read(file: Path, start: int, shape: torch.Size, dtype: torch.dtype) -> torch.Tensor:
    tensor = torch.empty(shape, dtype=dtype)
    with open(file, "rb") as reading:
        reading.seek(start)
        reading.readinto(tensor.reshape(-1).view(torch.uint8).numpy())
    return tensor


def _pickled(file: Path, allow_pickle: bool, context: dict[str, Any]) -> dict[str, Stored]:
    tensors = read_tensors(file, allow_pickle=allow_pickle, **context)
    return {name: Stored(tensor.shape, tensor.dtype, partial(tensor.clone)) for name, tensor in tensors.items()}
