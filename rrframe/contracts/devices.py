"""Devices that are asked for and may not be there."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import AfterValidator

from rrframe.contracts.problems import problem
from rrframe.errors import RRFrameError


def _known(name: str) -> str:
    try:
        torch.device("cpu" if name == "auto" else name)
    except RuntimeError:
        raise problem(f"no kind of device is called {name!r}", hint="auto, cpu, cuda, cuda:1 or mps") from None
    return name


Device = Annotated[str, AfterValidator(_known)]
"""The name of a device, ``auto`` for the best that is there; it need not be on this machine."""


def check_device(device: torch.device, *, component: str | None = None, plugin: str | None = None) -> None:
    """Refuse a device that this machine has not, before anything is made for it.

    Raises:
        RRFrameError: It is not there, with those that are.
    """
    if device.type in ("cpu", "meta"):
        return
    backend = getattr(torch, device.type, None)
    count = backend.device_count() if backend is not None and backend.is_available() else 0
    if (device.index or 0) < count:
        return
    others = [f"{device.type}:{index}" for index in range(count)] or ["cpu"]
    built = "" if device.type != "cuda" or torch.version.cuda else "; this torch is built for CPUs alone"
    raise RRFrameError(
        f"torch finds no device {device} on this machine{built}",
        component=component,
        plugin=plugin,
        hint=f"what is there: {', '.join(others)}",
    )
