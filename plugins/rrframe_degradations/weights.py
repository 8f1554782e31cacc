"""Networks of one's own, from safetensors files."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TypeVar

from torch import nn

from rrframe import RRFrameError

Network = TypeVar("Network", bound=nn.Module)


@lru_cache(maxsize=4)
def read_network(cls: type[Network], path: Path, device: str) -> Network:
    """The network whose parameters a file holds, on a device, read once a process.

    Args:
        cls: Its class, which takes a width: as many as its first layer, ``layers.0``, has channels.
        path: The file.
        device: Such as ``cpu``.

    Raises:
        RRFrameError: The file is not there, or is no safetensors file, or holds another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(path)
    except FileNotFoundError:
        raise RRFrameError(f"{path} is not there", hint="no trained weights come with rrframe; give a file") from None
    except (OSError, SafetensorError) as error:
        raise RRFrameError(f"{path} cannot be read as safetensors: {error}") from error
    first = tensors.get("layers.0.weight")
    network = cls(len(first) if first is not None and first.ndim == 4 else 1)
    try:
        network.load_state_dict(tensors)
    except RuntimeError as error:
        said = " ".join(str(error).split())
        raise RRFrameError(
            f"{path} does not hold a {cls.__name__}: {said}", hint="its docstring names the tensors"
        ) from None
    return network.float().eval().requires_grad_(False).to(device)
