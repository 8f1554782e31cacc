"""The one loop that trains: any backbone, any stage, one process or many."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from torch import nn

from rrframe.contracts.draw import Noise
from rrframe.manager import get_manager
from rrframe.recipe.training import Stage, TrainingRecipe
from rrframe.rng import Key
from rrframe.run.folder import RunFolder
from rrframe.run.observed import StepEnded
from rrframe.run.progress import Watch
from rrframe.training import optimizers
from rrframe.training.checkpoints import BEST, Checkpoints, replace_folder
from rrframe.training.curves import Curves
from rrframe.training.data import Batch, Example, TrainingData
from rrframe.training.encoding import FOLDER, Encoder, Kept
from rrframe.training.loading import Share, batches, unkept, workers_for
from rrframe.training.measures import Measuring
from rrframe.training.model import Model
from rrframe.training.schedule import MAY_DIFFER, learning_rate, split
from rrframe.training.speed import Stopwatch
from rrframe.training.stopping import Gradients, Interrupts
from rrframe.training.validation import Scored, keep_pictures, summary, validate

VALIDATION = "validation/"
"""What the names of figures of a validation begin with, for observers."""


class Trainer:
    """A training run from where it stands to its end.

    Args:
        recipe: What is wanted.
        data: Its pairs.
        folder: The run's folder.
        accelerator: The processes and their devices.
        watch: Told of every step.
        measuring: What validations measure.
    """

    def __init__(
        self,
        recipe: TrainingRecipe,
        data: TrainingData,
        folder: RunFolder,
        accelerator: Accelerator,
        watch: Watch,
        measuring: Measuring,
    ) -> None:
        self.recipe = recipe
        self.data = data
        self.folder = folder
        self.accelerator = accelerator
        self.watch = watch
        self.measuring = measuring
        self.backbone = recipe.backbone
        self.checkpoints = Checkpoints(folder.path, recipe.keep.last)
        self.state: dict[str, Any] = {"done": 0, "best": None, "stale": 0, "drawn": {}, "broken": {}, "resumed": []}
        self._average: dict[str, torch.Tensor] | None = None
        self._interrupts = Interrupts(watch.say)
        self._gradients = Gradients(folder, accelerator.process_index)
        self._stopwatch = Stopwatch(self.backbone.torch_device)

    def run(self) -> str:
        """Train. Gives ``finished``, also where validation no longer improves, or ``stopped`` after an interrupt.

        Raises:
            RunFailed: The loss or the gradient is not finite, or grows out of all bounds; pairs cannot be read.
        """
        newest = self.checkpoints.newest()
        if newest is not None:
            self.state |= self.checkpoints.state(newest)
            self._tell_of_other_processes()
        self.state["processes"] = self.accelerator.num_processes
        self.model = Model(self.recipe, self.accelerator, newest and self.checkpoints.weights(newest))
        self._kept = Kept(self.folder.file(FOLDER), self.backbone.plugin) if self.recipe.cache == "disk" else None
        self.encoder = Encoder(self.backbone, self._kept)
        self._average = self._averaged(newest)
        stopped = False
        with self._interrupts, self._curves() as self.curves:
            first = 0
            for number, stage in enumerate(self.recipe.stages):
                if stopped or self._patience_is_out():
                    break
                if self.state["done"] < first + stage.steps:
                    stopped = self._stage(number, stage, first, newest)
                    newest = None  # a stage begins with a fresh optimizer
                first += stage.steps
            if not stopped:
                self._finish()
        return "stopped" if stopped else "finished"

    def _tell_of_other_processes(self) -> None:
        """Say what can differ where a checkpoint of so many processes goes on with another number of them."""
        before, now = self.state.get("processes"), self.accelerator.num_processes
        if before in (None, now):
            return
        done = self.state["done"]
        said = f"goes on after step {done} with {now} process{'es' if now > 1 else ''}, where there were {before}"
        self.state["resumed"] = [*self.state["resumed"], said]
        self.watch.say(f"{said}: {MAY_DIFFER}")

    # A stage and its steps
    # ----------------------------------------------------------------------------------------------------------------

    def _stage(self, number: int, stage: Stage, first: int, checkpoint: Path | None) -> bool:
        """Train from where the stage stands to its end, or until something ends the run. Says whether that was an
        interrupt.
        """
        learner = self.model.learner(stage)
        choice = self.recipe.optimizer_of(stage)
        optimizer = optimizers.optimizer_for(stage, choice, list(self.model.parameters()))
        begins = self.state["done"] == first
        if checkpoint is not None and not begins:
            self.checkpoints.optimizer(checkpoint, self.model, optimizer)
        ranks, device = self.accelerator.num_processes, self.backbone.torch_device
        shares = split(stage.batch, ranks, self.recipe.micro_batch)
        steps, workers = range(self.state["done"] - first, stage.steps), workers_for(self.recipe.workers, device, ranks)
        share = Share(self.data, number, shares, self.accelerator.process_index)
        self._encode_ahead(share, steps, workers)
        rounds = batches(share, steps, workers, self._kept)
        stopped = False
        for step, batch in zip(steps, self._stopwatch.waiting(rounds), strict=True):
            self._step(stage, step, learner, optimizer, batch)
            done = self.state["done"]
            last = step + 1 == stage.steps
            if done % self.recipe.validation.every == 0 or last:
                self._validate()
            stopped = self._agreed(self._interrupts.asked)
            last = last or stopped or self._patience_is_out()
            if done % self.recipe.keep.every == 0 or last:
                self._save(optimizer)
            if last:
                break
        self.accelerator.free_memory()
        return stopped

    def _encode_ahead(self, share: Share, steps: range, workers: int) -> None:
        """Where encodings are kept, make those of a stage first, so that what makes them can leave the device."""
        if self._kept is None:
            return
        made = 0
        for batch in unkept(share, steps, workers, self._kept):
            if batch is not None:
                self.encoder(batch)
                made += 1
            if self._interrupts.asked:
                break
        if made:
            self.watch.say(f"encoded {made:,} pairs ahead")
        self._release()

    def _release(self) -> None:
        self.backbone.release_companions()
        if self.backbone.torch_device.type == "cuda":
            torch.cuda.empty_cache()

    def _step(
        self, stage: Stage, step: int, learner: nn.Module, optimizer: torch.optim.Optimizer, rounds: Sequence[Batch]
    ) -> None:
        rank = self.accelerator.process_index
        # Nothing of the generator's state has to be kept: it is set anew for every step.
        torch.manual_seed(Key.of(self.recipe.seed, "step", stage.name, step, rank).seed)
        rate = learning_rate(stage, step)
        optimizers.set_learning_rate(optimizer, rate)
        learner.train()
        losses = []
        pairs = sum(len(batch.examples) for batch in rounds)
        for turn, batch in enumerate(rounds):
            waits = turn + 1 < len(rounds)
            with self.accelerator.no_sync(learner) if waits else nullcontext():
                with self._stopwatch.timed("encoding"):
                    encoded = self.encoder(batch)
                each = learner(encoded, Noise(batch.seeds, self.backbone.torch_device))
                # The mean over the whole batch: processes are averaged, so each gives its sum over its own share.
                self.accelerator.backward(each.sum() / pairs)
            losses.append(each.detach())
        norm = self._clipped(learner, stage)
        gathered = self.accelerator.gather(torch.cat(losses)).double().cpu()
        loss = float(gathered.mean())
        examples = [example for batch in rounds for example in batch.examples]
        self._gradients.check(self.state["done"] + 1, loss, norm, examples, torch.cat(losses).tolist())
        with self._stopwatch.timed("updating"):
            optimizers.step(optimizer, Key.of(self.recipe.seed, "rounding", stage.name, step).seed)
            self._averaged_once_more()
        self._told(stage, {"loss": loss, "gradient": norm, "learning_rate": rate}, examples)

    def _clipped(self, learner: nn.Module, stage: Stage) -> float:
        limit = stage.clip if stage.clip is not None else math.inf
        norm = self.accelerator.clip_grad_norm_(learner.parameters(), limit)
        return float(norm) if norm is not None else 0.0

    def _told(self, stage: Stage, figures: dict[str, float], examples: Sequence[Example]) -> None:
        self.state["done"] += 1
        step = self.state["done"]
        self._count(examples)
        speed = self._stopwatch.step(stage.batch)
        if not self.accelerator.is_main_process:
            return
        self.curves.step(step, stage=stage.name, **figures)
        self.curves.timing(step, **speed.figures)
        self.watch.reached(step, f"{stage.name}  loss {figures['loss']:.4g}  {speed}")
        get_manager().notify("on_step_ended", step=StepEnded(self.folder.path, step, {**figures, **speed.figures}))

    def _count(self, examples: Sequence[Example]) -> None:
        """Count what was drawn, and what could not be read, by all processes."""
        mine = [(each.cell, each.broken) for each in examples]
        drawn = Counter[str](self.state["drawn"])
        for cell, broken in gather_object(mine):
            drawn[f"{cell.source}/{cell.task}"] += 1
            for key, reason in broken:
                self._count_broken(f"{cell.source}/{key}", reason)
        self.state["drawn"] = dict(sorted(drawn.items()))

    def _count_broken(self, name: str, reason: str) -> None:
        pair = self.state["broken"].setdefault(name, {"reason": reason, "times": 0})
        pair["times"] += 1
        if pair["times"] == 1:
            self.watch.say(f"step {self.state['done']}: {name} cannot be read: {reason}")

    # Averaged weights
    # ----------------------------------------------------------------------------------------------------------------

    def _averaged(self, checkpoint: Path | None) -> dict[str, torch.Tensor] | None:
        if self.recipe.ema is None:
            return None
        if checkpoint is not None:
            return self.model.like_own(self.checkpoints.average(checkpoint))
        # Float32 whatever the weights are: an average at 0.9999 would not move in bfloat16.
        return {name: tensor.float().clone() for name, tensor in self.model.tensors().items()}

    def _averaged_once_more(self) -> None:
        if self._average is None or self.recipe.ema is None:
            return
        for name, tensor in self.model.tensors().items():
            self._average[name].lerp_(tensor.float(), 1 - self.recipe.ema)

    # Validation, checkpoints, the end
    # ----------------------------------------------------------------------------------------------------------------

    def _validate(self) -> None:
        main, together = self.accelerator.is_main_process, self.model.parts
        if not main and not together:
            return
        self.model.module.eval()
        with self.model.holding(self._average):
            scored, unread = validate(self.backbone, self.data, self.measuring)
            evaluated = self.measuring.evaluation.figures(self.backbone) if self.measuring.evaluation else {}
            for name, reason in unread.items():
                self._count_broken(name, reason)
            better = main and self._judge(scored, evaluated)
            if self._agreed(better) if together else better:
                self._export(BEST)
        if self._kept is not None:
            self._release()
        if better:
            self.folder.note(held_out=keep_pictures(self.folder.path, scored))

    def _judge(self, scored: list[Scored], evaluated: Mapping[str, float | None]) -> bool:
        for each in scored:
            for key, reason in each.example.broken:
                self._count_broken(f"{each.example.cell.source}/{key}", reason)
        figures = {**summary(scored), **evaluated}
        step = self.state["done"]
        better = self.measuring.is_better(figures, self.state["best"])
        self.curves.validation(step, **figures)
        numbers = {name: value for name, value in figures.items() if isinstance(value, (int, float))}
        observed = {f"{VALIDATION}{name}": value for name, value in numbers.items()}
        get_manager().notify("on_step_ended", step=StepEnded(self.folder.path, step, observed))
        self.watch.say(f"step {step}: {self.measuring.said(figures)}{', the best so far' if better else ''}")
        self.state["stale"] = 0 if better else self.state["stale"] + 1
        if better:
            self.state["best"] = {"step": step, **figures}
        return better

    def _save(self, optimizer: torch.optim.Optimizer) -> None:
        writes = self.accelerator.is_main_process
        self.checkpoints.save(self.model, optimizer, self._average, self.state, writes=writes)
        self.accelerator.wait_for_everyone()

    def _finish(self) -> None:
        if self.accelerator.is_main_process or self.model.parts:
            with self.model.holding(self._average):
                self._export("final")

    def _export(self, name: str) -> None:
        writes = self.accelerator.is_main_process
        made = self.folder.file(f"{name}.partial")
        self.model.export(made, writes=writes)
        if writes:
            replace_folder(made, self.folder.file(name))

    def _patience_is_out(self) -> bool:
        patience = self.recipe.validation.patience
        return self._agreed(patience is not None and self.state["stale"] >= patience)

    def _agreed(self, wanted: bool) -> bool:
        """Whether any of the processes wants it."""
        flag = torch.tensor([float(wanted)], device=self.accelerator.device)
        return bool(self.accelerator.gather(flag).max())

    @cached_property
    def steps(self) -> int:
        return sum(stage.steps for stage in self.recipe.stages)

    @contextmanager
    def _curves(self) -> Iterator[Any]:
        if not self.accelerator.is_main_process:
            yield None
            return
        curves = Curves(self.folder.path, self.state["done"])
        try:
            yield curves
        finally:
            curves.close()
