"""The training run: claim the folder, train from where it stands, report."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from safetensors import SafetensorError

from rrframe.errors import RRFrameError
from rrframe.manager import get_manager
from rrframe.recipe import LoadedRecipe, resolved_yaml
from rrframe.recipe.training import TrainingRecipe
from rrframe.run.folder import RunFolder, disk_errors_told, environment
from rrframe.run.observed import RunFinished, RunStarted
from rrframe.run.progress import Watch
from rrframe.training.data import TrainingData
from rrframe.training.measures import Measuring
from rrframe.training.planning import frozen_in, refuse_too_large
from rrframe.training.report import REPORT, write_report
from rrframe.training.schedule import split

PARTIAL = ".partial"
EVALUATION = "evaluation"
_EXTRA = "pip install 'rrframe[training]'"


@dataclass(frozen=True)
class Trained:
    """What a training run came to.

    Args:
        folder: The run's folder.
        status: ``finished`` or ``stopped``.
        steps: Steps done, of all runs in this folder.
        best: The best validation, if there was one.
        said: The same in words.
        seconds: How long it took this time.
        report: The page.
    """

    folder: Path
    status: str
    steps: int
    best: dict[str, Any] | None
    said: str
    seconds: float
    report: Path


def run_training(loaded: LoadedRecipe, folder: Path, console: Console) -> Trained:
    """Train as ``loaded`` says in ``folder``, or go on there.

    Raises:
        RRFrameError: Something is missing, another recipe was run here, or another run is at work here.
        RunFailed: Training cannot go on. Checkpoints stay.
    """
    recipe = loaded.recipe
    assert isinstance(recipe, TrainingRecipe)
    accelerator = _accelerator(recipe)
    run, main = RunFolder(folder), accelerator.is_main_process
    for stage in recipe.stages:
        split(stage.batch, accelerator.num_processes, recipe.micro_batch)
    data = TrainingData(recipe)
    _ = data.mixers  # tells what is missing before anything is written
    refuse_too_large(recipe, accelerator.num_processes)
    frozen = _frozen(recipe)
    measuring = Measuring.of(recipe.validation, folder / EVALUATION)
    with disk_errors_told(folder), _disk_errors_of_tensors():
        folder.mkdir(parents=True, exist_ok=True)
        with run.claimed(0, 1) if main else nullcontext():
            if main:
                run.adopt(loaded.resolved, resolved_yaml(loaded), aside=("workers", "micro_batch", "parallel"))
                run.note(frozen=frozen)
                _sweep(folder)
            return _train(loaded.name, recipe, data, run, accelerator, console, measuring)


def _train(
    name: str,
    recipe: TrainingRecipe,
    data: TrainingData,
    run: RunFolder,
    accelerator: Any,
    console: Console,
    measuring: Measuring,
) -> Trained:
    from rrframe.training.checkpoints import Checkpoints
    from rrframe.training.loop import Trainer

    began = time.monotonic()
    steps = sum(stage.steps for stage in recipe.stages)
    quiet = Console(quiet=True) if not accelerator.is_main_process else console
    with Watch(quiet, steps, "steps", Checkpoints(run.path, recipe.keep.last).done()) as watch:
        trainer = Trainer(recipe, data, run, accelerator, watch, measuring)
        with _told(name, recipe, run, trainer, accelerator.is_main_process, steps):
            status = trainer.run()
            trainer.state["status"] = status
    done, best = trainer.state["done"], trainer.state["best"]
    said = measuring.said(best) if best else ""
    return Trained(run.path, status, done, best, said, time.monotonic() - began, run.path / REPORT)


@contextmanager
def _told(name: str, recipe: TrainingRecipe, run: RunFolder, trainer: Any, main: bool, steps: int) -> Iterator[None]:
    """Notes the run's beginning and its end, however that comes, and writes the report."""
    if not main:
        yield
        return
    facts = {"seed": recipe.seed, "metric": recipe.validation.metric, "measures": trainer.measuring.told()}
    facts |= {"wanted_steps": steps, "failure": None}
    run.note(recipe=name, kind="training", status="running", **facts, **environment())
    run.log("started", steps=steps)
    get_manager().notify("on_run_started", run=RunStarted(run.path, "training", name, steps, steps))
    status, failure = "failed", None
    try:
        yield
        status = trainer.state["status"]
    except KeyboardInterrupt:
        status = "stopped"
        raise
    except BaseException as error:
        failure = error.message if isinstance(error, RRFrameError) else repr(error)
        raise
    finally:
        state = trainer.state
        figures = {"steps": state["done"], "best": state["best"]}
        _sweep(run.path)
        with _best_effort(status):
            run.log(status, **figures)
            counts: dict[str, Any] = {"drawn": state["drawn"], "wanted": wanted(trainer.data, state["done"])}
            counts |= {"broken": state["broken"], "resumed": state["resumed"]}
            run.note(status=status, failure=failure, last=figures, **counts)
            write_report(run.path)
        get_manager().notify("on_run_finished", run=RunFinished(run.path, "training", name, status, figures))


def _sweep(folder: Path) -> None:
    """Remove weights of which only a part was written, by a run that was killed or found the disk full."""
    for partial in (*folder.glob(f"*{PARTIAL}"), *folder.glob(f"checkpoints/*{PARTIAL}")):
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _disk_errors_of_tensors() -> Iterator[None]:
    """Gives what the disk refused its own error again, which safetensors tells in words."""
    try:
        yield
    except SafetensorError as error:
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


@contextmanager
def _best_effort(status: str) -> Iterator[None]:
    """A run that failed for want of disk may not be able to say so there; its own error is the one to tell."""
    try:
        yield
    except (OSError, RRFrameError):
        if status != "failed":
            raise


def wanted(data: TrainingData, done: int) -> dict[str, float]:
    """How many pairs the recipe asks for of each source and task in the first ``done`` steps, to the fraction."""
    asked: Counter[str] = Counter()
    for stage, mixer in zip(data.recipe.stages, data.mixers, strict=True):
        steps = min(done, stage.steps)
        for cell, count in mixer.wanted(steps * stage.batch).items():
            asked[f"{cell.source}/{cell.task}"] += float(count)  # type: ignore[assignment]
        done -= steps
    return dict(sorted(asked.items()))


def _frozen(recipe: TrainingRecipe) -> dict[str, dict[str, Any]]:
    """What each stage leaves as it is: patterns, and how many of the weights they mean.

    Raises:
        RRFrameError: A pattern means nothing.
    """
    return {
        stage.name: frozen_in(stage, f"stages[{number}]", recipe.backbone.trainable()) if stage.freeze else {}
        for number, stage in enumerate(recipe.stages)
    }


def _accelerator(recipe: TrainingRecipe) -> Any:
    try:
        from accelerate import Accelerator
    except ModuleNotFoundError:
        raise RRFrameError("training needs accelerate", hint=_EXTRA) from None
    return Accelerator(cpu=recipe.backbone.torch_device.type == "cpu")
