"""How networks of diffusers and transformers are made and read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def made(dtype: torch.dtype, device: torch.device | str) -> Iterator[None]:
    """What is made inside has this dtype, on this device, from the start: 12 billion parameters never take up twice
    their room.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def quietly() -> Iterator[None]:
    """No progress bars, which would run into our own, and no warnings that do not hold here, such as diffusers' on
    every change of dtype.
    """
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    libraries = (of_diffusers, of_transformers)
    levels = [library.get_verbosity() for library in libraries]
    bars = [library.is_progress_bar_enabled() for library in libraries]
    for library in libraries:
        library.set_verbosity(logging.ERROR)
        library.disable_progress_bar()
    try:
        yield
    finally:
        for library, level, shown in zip(libraries, levels, bars, strict=True):
            library.set_verbosity(level)
            if shown:
                library.enable_progress_bar()
