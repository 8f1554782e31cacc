"""Observers: Weights & Biases, where the environment names a project of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from rrframe import RRFrameError, hookimpl
from rrframe.run.observed import RunFinished, RunStarted, StepEnded

_ASKS = "WANDB_PROJECT"
_runs: dict[Path, Any] = {}


@hookimpl
def on_run_started(run: RunStarted) -> None:
    if run.kind != "training" or not os.environ.get(_ASKS):
        return
    try:
        import wandb
    except ModuleNotFoundError:
        raise RRFrameError(f"{_ASKS} is set, and wandb is not installed: pip install 'rrframe[wandb]'") from None
    # One run there for one folder here, however often it goes on.
    name = hashlib.sha256(str(run.folder.resolve()).encode()).hexdigest()[:16]
    _runs[run.folder] = wandb.init(name=run.name, id=name, resume="allow", dir=str(run.folder))


@hookimpl
def on_step_ended(step: StepEnded) -> None:
    if step.folder in _runs:
        figures = {name if "/" in name else f"train/{name}": value for name, value in step.figures.items()}
        _runs[step.folder].log(figures, step=step.number)


@hookimpl
def on_run_finished(run: RunFinished) -> None:
    if run.folder in _runs:
        _runs.pop(run.folder).finish(exit_code=int(run.status == "failed"))
