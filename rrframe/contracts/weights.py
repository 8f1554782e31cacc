"""Weights in files: safetensors, and one error that tells all that does not fit."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from rrframe.errors import RRFrameError

_SHOWN = 5
_PICKLES = frozenset({".bin", ".ckpt", ".pkl", ".pt", ".pth"})


def write_weights(network: nn.Module, folder: Path, *, largest_file: int | str = "5GB") -> None:
    """Write all tensors of ``network`` to ``model.safetensors`` in ``folder``, in several files with an index beside
    them where they pass ``largest_file``: bytes, or text such as ``5GB``.
    """
    from huggingface_hub import save_torch_state_dict

    folder.mkdir(parents=True, exist_ok=True)
    save_torch_state_dict(
        network.state_dict(), folder, filename_pattern="model{suffix}.safetensors", max_shard_size=largest_file
    )


def read_weights(network: nn.Module, path: Path, *, allow_pickle: bool = False, **context: Any) -> None:
    """Fill ``network`` with the tensors at ``path``, all of them and no others.

    Args:
        network: On any device, the meta device included; its dtype stays.
        path: A safetensors file, or a folder of them.
        allow_pickle: Read pickles too, with ``weights_only=True``.
        context: What an ``RRFrameError`` takes, such as ``component``.

    Raises:
        RRFrameError: They cannot be read, or do not fit.
    """
    fit(network, read_tensors(path, allow_pickle=allow_pickle, **context), path, **context)


def read_tensors(path: Path, *, allow_pickle: bool = False, **context: Any) -> dict[str, torch.Tensor]:
    """All tensors in the safetensors file, or the folder of them, at ``path``, on the CPU.

    Args:
        path: A file or a folder.
        allow_pickle: Read pickles too, with ``weights_only=True``.
        context: What an ``RRFrameError`` takes, such as ``component``.

    Raises:
        RRFrameError: There is none, one is damaged, or it is a pickle.
    """
    tensors: dict[str, torch.Tensor] = {}
    for file in weight_files(path, **context):
        tensors.update(_read(file, allow_pickle, context))
    return tensors


def weight_files(path: Path, **context: Any) -> list[Path]:
    """The files of weights at ``path``, a file or a folder, sorted.

    Raises:
        RRFrameError: There is none.
    """
    if path.is_dir():
        files = sorted(path.glob("*.safetensors")) or sorted(file for file in path.iterdir() if is_pickle(file))
        if not files:
            raise RRFrameError(f"{path} holds no safetensors file", **context)
        return files
    if not path.exists():
        raise RRFrameError(f"{path} is not there", **context)
    return [path]


def is_pickle(file: Path) -> bool:
    """Whether the name of ``file`` is that of a pickle."""
    return file.suffix in _PICKLES


def damaged(file: Path, error: Exception, **context: Any) -> RRFrameError:
    """What to raise when reading the safetensors ``file`` failed with ``error``."""
    return RRFrameError(
        f"{file} cannot be read as safetensors: {error}",
        hint="it may have been cut short on its way: compare its size, and fetch it again",
        **context,
    )


def fit(network: nn.Module, tensors: Mapping[str, torch.Tensor], path: Path, **context: Any) -> None:
    """Fill ``network`` with ``tensors``, which came from ``path``.

    Raises:
        RRFrameError: Some are missing, extra or of another shape: all that is wrong, together.
    """
    own = network.state_dict()
    if problems := misfits({name: tensor.shape for name, tensor in own.items()}, tensors):
        raise RRFrameError(f"{path} does not fit: {problems}", **context)
    meta = any(tensor.is_meta for tensor in own.values())
    if meta:
        tensors = {name: tensor.to(own[name].dtype) for name, tensor in tensors.items()}
    network.load_state_dict(tensors, assign=meta)


def misfits(wanted: Mapping[str, torch.Size], given: Mapping[str, torch.Tensor]) -> str:
    """What is missing, extra and misshapen in ``given``, as one line; empty if nothing is."""
    shared = wanted.keys() & given.keys()
    wrong = sorted(name for name in shared if given[name].shape != wanted[name])
    shapes = [f"{name} is {_size(given[name].shape)}, not {_size(wanted[name])}" for name in wrong]
    parts = {
        "missing": _listed(sorted(wanted.keys() - given.keys())),
        "extra": _listed(sorted(given.keys() - wanted.keys())),
        "of another shape": _listed(shapes),
    }
    return "; ".join(f"{what}: {names}" for what, names in parts.items() if names)


def _read(file: Path, allow_pickle: bool, context: dict[str, Any]) -> dict[str, torch.Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if is_pickle(file):
        if not allow_pickle:
            raise RRFrameError(
                f"{file} is a pickle, which can run code when it is read",
                hint="take the safetensors file of the same weights, or, if you trust it, set allow_pickle",
                **context,
            )
        return _unpickled(file, context)
    try:
        return load_file(file)
    except (OSError, SafetensorError, ValueError) as error:
        raise damaged(file, error, **context) from error


def _unpickled(file: Path, context: dict[str, Any]) -> dict[str, torch.Tensor]:
    try:
        # a zip archive is mapped, so that a large one is read as its tensors are used; old files are no archives
        found = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except Exception as error:  # a pickle may hold anything
        said = str(error).partition("\n")[0]
        raise RRFrameError(f"{file} holds more than weights, or is damaged: {said}", **context) from error
    for key in ("params_ema", "params", "state_dict", "model"):  # what training code wraps weights in
        if isinstance(found, dict) and isinstance(found.get(key), dict):
            found = found[key]
    if not isinstance(found, dict) or not all(isinstance(value, torch.Tensor) for value in found.values()):
        raise RRFrameError(f"{file} holds no plain table of tensors", **context)
    return found


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _size(shape: Iterable[int]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
