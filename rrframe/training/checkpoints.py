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
from torch.optim import Optimizer

from rrframe.errors import RRFrameError
from rrframe.training.model import Model, whole
from rrframe.training.optimizers import state_of, take_state

FOLDER = "checkpoints"
BEST = "best"
_STATE = "state.json"
_WEIGHTS = "weights"
_PARTIAL = ".partial"


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
        model: Model,
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
        final = self.folder / f"step-{state['done']:07d}"
        partial = final.with_name(final.name + _PARTIAL)
        if writes:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
        model.write(partial / _WEIGHTS, writes=writes)
        moments = state_of(optimizer, model.parameters())
        averaged = None if average is None else whole(average, keep=writes)
        if not writes:
            return
        save_file(moments, partial / "optimizer.safetensors")
        if averaged is not None:
            save_file(averaged, partial / "average.safetensors")
        (partial / _STATE).write_text(json.dumps(dict(state), indent=1) + "\n")
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

    def weights(self, checkpoint: Path) -> Path:
        """The folder of the weights."""
        return checkpoint / _WEIGHTS

    def optimizer(self, checkpoint: Path, model: Model, optimizer: Optimizer) -> None:
        """Put the optimizer's state back."""
        take_state(optimizer, model.parameters(), load_file(checkpoint / "optimizer.safetensors"))

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


def _flushed(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
