"""Checkpoints: all that a training run needs to go on as if it had never stopped, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_optimizer_state_dict,
)
from torch.optim import Optimizer

from rrframe.contracts.backbone import Backbone
from rrframe.errors import RRFrameError

FOLDER = "checkpoints"
BEST = "best"
_STATE = "state.json"
_WEIGHTS = "weights"
_PARTIAL = ".partial"
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
_BETWEEN = "|"  # stands in no name of a parameter


class Checkpoints:
    """The checkpoints of the run in ``folder``, named by the number of steps done.

    Args:
        folder: The run's folder.
        last: How many of the newest are kept.
    """

    def __init__(self, folder: Path, last: int) -> None:
        self.folder = folder / FOLDER
        self._last = last

    def newest(self) -> Path | None:
        """The newest that is whole."""
        found = sorted(self.folder.glob(f"step-*/{_STATE}"))
        return found[-1].parent if found else None

    def done(self) -> int:
        """How many steps the newest has done; 0 if there is none."""
        newest = self.newest()
        return int(newest.name.partition("-")[2]) if newest else 0

    def save(
        self,
        backbone: Backbone,
        learner: nn.Module,
        optimizer: Optimizer,
        average: Mapping[str, torch.Tensor] | None,
        state: Mapping[str, Any],
        *,
        writes: bool,
    ) -> None:
        """Write a checkpoint after ``state["done"]`` steps, and remove those that are too old.

        Every process calls this, since each holds a part where a network is spread over several; the one that
        ``writes`` writes.
        """
        whole = get_optimizer_state_dict(learner, optimizer, options=_WHOLE)
        if not writes:  # and so was given nothing
            return
        moments, settings = _flat(whole)
        final = self.folder / f"step-{state['done']:07d}"
        partial = final.with_name(final.name + _PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        backbone.save(partial / _WEIGHTS)
        save_file(moments, partial / "optimizer.safetensors")
        if average is not None:
            save_file(dict(average), partial / "average.safetensors")
        (partial / _STATE).write_text(json.dumps({**state, "optimizer": settings}, indent=1) + "\n")
        _flushed(partial)
        shutil.rmtree(final, ignore_errors=True)  # of an earlier try
        partial.rename(final)
        for old in sorted(self.folder.glob("step-*[0-9]"))[: -self._last]:
            shutil.rmtree(old)

    def state(self, checkpoint: Path) -> dict[str, Any]:
        """What ``save`` was told.

        Raises:
            RRFrameError: It cannot be read.
        """
        try:
            state: dict[str, Any] = json.loads((checkpoint / _STATE).read_text())
        except (OSError, ValueError) as error:
            hint = f"remove {checkpoint}: the run goes on from the one before"
            raise RRFrameError(f"{checkpoint / _STATE} cannot be read: {error}", hint=hint) from error
        return state

    def weights(self, checkpoint: Path, backbone: Backbone) -> None:
        """Put the weights back."""
        backbone.load(checkpoint / _WEIGHTS)

    def optimizer(self, checkpoint: Path, learner: nn.Module, optimizer: Optimizer) -> None:
        """Put the optimizer's state back."""
        moments = load_file(checkpoint / "optimizer.safetensors")
        whole = _nested(moments, self.state(checkpoint)["optimizer"])
        set_optimizer_state_dict(learner, optimizer, whole, options=_WHOLE)

    def average(self, checkpoint: Path) -> dict[str, torch.Tensor]:
        """The averaged weights."""
        return load_file(checkpoint / "average.safetensors")


def replace_folder(made: Path, final: Path) -> None:
    """Put the folder ``made`` where ``final`` is or was."""
    old = final.with_name(final.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    made.rename(final)
    shutil.rmtree(old, ignore_errors=True)


def _flat(whole: dict[str, Any]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors of an optimizer's state by parameter and name, and the rest as JSON."""
    tensors, numbers = {}, {}
    for parameter, values in whole["state"].items():
        for name, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"{parameter}{_BETWEEN}{name}"] = value.contiguous()
            else:
                numbers[f"{parameter}{_BETWEEN}{name}"] = value
    return tensors, {"groups": whole["param_groups"], "numbers": numbers}


def _nested(tensors: Mapping[str, torch.Tensor], settings: Mapping[str, Any]) -> dict[str, Any]:
    state: dict[str, dict[str, Any]] = {}
    for place, value in {**tensors, **settings["numbers"]}.items():
        parameter, _, name = place.rpartition(_BETWEEN)
        state.setdefault(parameter, {})[name] = value
    return {"state": state, "param_groups": settings["groups"]}


def _flushed(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
