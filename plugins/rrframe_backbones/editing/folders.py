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
from rrframe.contracts.weights import misfits

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
    """A network of diffusers or transformers from ``folder``, with all of its tensors; others there are left.

    Args:
        cls: Its class.
        folder: Its configuration and its weights.
        dtype: What it computes in.
        allow_pickle: Read pickles too, with ``weights_only=True``.
        context: What an ``RRFrameError`` takes, such as ``component``.

    Raises:
        RRFrameError: They are not there, cannot be read, or do not fit.
    """
    if not folder.is_dir():
        raise RRFrameError(f"there is no {folder.name} in {folder.parent}", **context)
    own_name = "torch_dtype" if cls.__module__.startswith("diffusers") else "dtype"
    try:
        network, told = cls.from_pretrained(
            folder,
            **{own_name: dtype},
            local_files_only=True,
            use_safetensors=None if allow_pickle else True,
            output_loading_info=True,
        )
    except (OSError, SafetensorError, ValueError, RuntimeError) as error:
        said = str(error).strip().partition("\n")[0]
        raise RRFrameError(f"the weights in {folder} do not fit, or are damaged: {said}", **context) from error
    if told["missing_keys"]:
        wanted = {name: torch.Size() for name in told["missing_keys"]}
        raise RRFrameError(f"the weights in {folder} do not fit: {misfits(wanted, {})}", **context)
    return network  # type: ignore[no-any-return]


def _in_cache(checkpoint: Path) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if checkpoint.exists() or checkpoint.is_absolute() or len(checkpoint.parts) != 2:
        return None
    try:
        return Path(snapshot_download(checkpoint.as_posix(), local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        return None
