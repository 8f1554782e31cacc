"""Folders of pipelines of diffusers: a file that tells which pipeline, and a sub-folder a part."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from rrframe import RRFrameError
from rrframe.contracts.weights import is_pickle, misfits, weight_files
from rrframe_backbones.step1x.stored import Table, table_in

_INDEX = "model_index.json"


def pipeline_folder(checkpoint: Path, pipelines: Collection[str], **context: Any) -> Path:
    """The folder of a pipeline at ``checkpoint``.

    Args:
        checkpoint: The folder, or the name of a repository such as ``owner/name`` that lies in the cache of
            huggingface_hub.
        pipelines: The names of the classes that it may be for.
        context: What an ``RRFrameError`` takes, such as ``component``.

    Raises:
        RRFrameError: It is not there, or for another pipeline.
    """
    folder = _in_cache(checkpoint) or checkpoint
    try:
        found = json.loads((folder / _INDEX).read_text())["_class_name"]
    except FileNotFoundError:
        lacks = f"holds no {_INDEX}, so it is no folder of a pipeline of diffusers"
        told = f"{folder} {lacks}" if folder.exists() else f"{checkpoint} is not there"
        hint = f"a checkpoint is a folder, {'or '.join(pipelines)}'s, or what `rrframe assets list` names"
        raise RRFrameError(told, hint=hint, **context) from None
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise RRFrameError(f"{folder / _INDEX} cannot be read: {error}", **context) from error
    if found not in pipelines:
        raise RRFrameError(f"{folder} is for {found}, not for {' or '.join(pipelines)}", **context)
    return folder


def read_network(
    cls: Any, folder: Path, dtype: torch.dtype, *, allow_pickle: bool = False, **context: Any
) -> nn.Module:
    """A network from ``folder``, with all of its tensors.

    Args:
        cls: Its class. One of diffusers takes all tensors there; one of transformers leaves others, such as those of
            a language head.
        folder: Its configuration and its weights.
        dtype: What it computes in.
        allow_pickle: Read pickles too, with ``weights_only=True``.
        context: What an ``RRFrameError`` takes, such as ``component``.

    Raises:
        RRFrameError: They are not there, cannot be read, or do not fit: all that is wrong, together.
    """
    if not folder.is_dir():
        raise RRFrameError(f"there is no {folder.name} in {folder.parent}", **context)
    files = weight_files(folder, **context)
    table = table_in(files, allow_pickle=allow_pickle, **context)
    read = _of_diffusers if cls.__module__.startswith("diffusers") else _of_transformers
    try:
        network, problems = read(cls, folder, dtype, table, use_safetensors=not any(map(is_pickle, files)))
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        said = str(error).strip().partition("\n")[0]
        raise RRFrameError(f"{folder} cannot be read: {said}", **context) from error
    if problems:
        raise RRFrameError(f"{folder} does not fit: {problems}", **context)
    return network


def _of_diffusers(cls: Any, folder: Path, dtype: torch.dtype, table: Table, **settings: Any) -> tuple[nn.Module, str]:
    with torch.device("meta"):
        empty: nn.Module = cls.from_config(cls.load_config(folder))
    wanted = {name: tensor.shape for name, tensor in empty.state_dict().items()}
    if any(table[name].shape != shape for name, shape in wanted.items() if name in table):
        return empty, misfits(wanted, table)
    # it knows older names of some tensors, so what is missing and extra it has to tell
    network, told = cls.from_pretrained(
        folder, torch_dtype=dtype, local_files_only=True, output_loading_info=True, **settings
    )
    lacks = {name: wanted[name] for name in told["missing_keys"]}
    return network, misfits(lacks, {name: table[name] for name in told["unexpected_keys"]})


def _of_transformers(
    cls: Any, folder: Path, dtype: torch.dtype, table: Table, **settings: Any
) -> tuple[nn.Module, str]:
    network, told = cls.from_pretrained(
        folder, dtype=dtype, local_files_only=True, output_loading_info=True, ignore_mismatched_sizes=True, **settings
    )
    lacks = dict.fromkeys(told["missing_keys"], torch.Size())
    apart = {name: (given, wanted) for name, given, wanted in told["mismatched_keys"]}
    wanted = lacks | {name: shapes[1] for name, shapes in apart.items()}
    return network, misfits(wanted, {name: torch.empty(shapes[0], device="meta") for name, shapes in apart.items()})


def _in_cache(checkpoint: Path) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if checkpoint.exists() or checkpoint.is_absolute() or len(checkpoint.parts) != 2:
        return None
    try:
        return Path(snapshot_download(checkpoint.as_posix(), local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
