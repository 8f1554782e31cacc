"""The training run: claim the folder, train from where it stands, report."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from rrframe.errors import RRFrameError
from rrframe.manager import get_manager
from rrframe.recipe import LoadedRecipe, resolved_yaml
from rrframe.recipe.training import Ramp, Stage, TrainingRecipe
from rrframe.run.folder import RunFolder, disk_errors_told, environment
from rrframe.run.observed import RunFinished, RunStarted
from rrframe.run.progress import Watch
from rrframe.training.data import TrainingData
from rrframe.training.schedule import split

_EXTRA = "pip install 'rrframe[training]'"


@dataclass(frozen=True)
class Trained:
    """What a training run came to.

    Args:
        folder: The run's folder.
        status: ``finished`` or ``stopped``.
        steps: Steps done, of all runs in this folder.
        best: The best validation, if there was one.
        seconds: How long it took this time.
        report: The page.
    """

    folder: Path
    status: str
    steps: int
    best: dict[str, Any] | None
    seconds: float
    report: Path


def describe(recipe: TrainingRecipe, ranks: int = 1) -> Iterator[tuple[str, str]]:
    """What a run of ``recipe`` over ``ranks`` processes would do, as names and values for people.

    Raises:
        RRFrameError: Something is missing that can be known before the first step.
    """
    yield "backbone", recipe.backbone.name
    for stage in recipe.stages:
        shares = split(stage.batch, ranks, recipe.micro_batch)
        yield stage.name, f"{stage.steps} steps, {stage.steps * stage.batch} pairs; {shares}"
        yield "", f"learning rate {stage.learning_rate:g}, {stage.schedule}, warm-up {stage.warmup}; mix {_said(stage)}"
    data = TrainingData(recipe)
    for cell, count in data.sizes.items():
        yield "data", f"{cell.source}, {cell.task}: {count} pairs"
    yield "held out", f"{len(data.held_out)} pairs"
    for stage, mixer in zip(recipe.stages, data.mixers, strict=True):
        counts = mixer.counts(0, stage.steps * stage.batch)
        drawn = ", ".join(f"{cell.source}/{cell.task} {count}" for cell, count in counts.items())
        yield f"{stage.name} draws", f"in blocks of {mixer.block}: {drawn}"


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
    _check_frozen(recipe)
    with disk_errors_told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with run.claimed(0, 1) if main else nullcontext():
            if main:
                run.adopt(loaded.resolved, resolved_yaml(loaded), aside=("workers", "micro_batch"))
            return _train(loaded.name, recipe, data, run, accelerator, console)


def _train(
    name: str, recipe: TrainingRecipe, data: TrainingData, run: RunFolder, accelerator: Any, console: Console
) -> Trained:
    from rrframe.training.loop import Trainer
    from rrframe.training.report import REPORT, write_report

    began = time.monotonic()
    steps = sum(stage.steps for stage in recipe.stages)
    quiet = Console(quiet=True) if not accelerator.is_main_process else console
    with Watch(quiet, steps, "steps") as watch:
        trainer = Trainer(recipe, data, run, accelerator, watch)
        with _told(name, recipe, run, trainer, accelerator.is_main_process, steps):
            status = trainer.run()
            trainer.state["status"] = status
    if accelerator.is_main_process:
        write_report(run.path)
    state = trainer.state
    return Trained(run.path, status, state["done"], state["best"], time.monotonic() - began, run.path / REPORT)


@contextmanager
def _told(name: str, recipe: TrainingRecipe, run: RunFolder, trainer: Any, main: bool, steps: int) -> Iterator[None]:
    """Notes the run's beginning and its end, however that comes."""
    if not main:
        yield
        return
    run.note(recipe=name, kind="training", seed=recipe.seed, status="running", **environment())
    run.log("started", steps=steps)
    get_manager().notify("on_run_started", run=RunStarted(run.path, "training", name, steps, steps))
    status = "failed"
    try:
        yield
        status = trainer.state["status"]
    except KeyboardInterrupt:
        status = "stopped"
        raise
    finally:
        state = trainer.state
        figures = {"steps": state["done"], "best": state["best"]}
        run.log(status, **figures)
        run.note(
            status=status,
            last=figures,
            drawn=state["drawn"],
            broken=state["broken"],
            frozen={stage: len(names) for stage, names in trainer.frozen.items()},
        )
        get_manager().notify("on_run_finished", run=RunFinished(run.path, "training", name, status, figures))


def _check_frozen(recipe: TrainingRecipe) -> None:
    for number, stage in enumerate(recipe.stages):
        for place, pattern in enumerate(stage.freeze):
            try:
                recipe.backbone.freeze([pattern])
            except RRFrameError as error:
                error.path = f"stages[{number}].freeze[{place}]"
                raise
        recipe.backbone.trainable().requires_grad_(True)


def _accelerator(recipe: TrainingRecipe) -> Any:
    try:
        from accelerate import Accelerator
    except ModuleNotFoundError:
        raise RRFrameError("training needs accelerate", hint=_EXTRA) from None
    return Accelerator(cpu=recipe.backbone.torch_device.type == "cpu")


def _said(stage: Stage) -> str:
    if isinstance(stage.mix, Ramp):
        over = f" over {stage.mix.over} steps" if stage.mix.over else ""
        return f"from {_shares(stage.mix.begin)} to {_shares(stage.mix.to)}{over}"
    return _shares(stage.mix)


def _shares(shares: dict[str, float]) -> str:
    return " : ".join(f"{name} {share:g}" for name, share in shares.items())
