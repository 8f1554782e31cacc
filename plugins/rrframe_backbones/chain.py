"""A backbone for each task, behind one name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import torch
from pydantic import Field, PrivateAttr, field_validator
from torch import nn

from rrframe import Backbone, Capabilities, Pairs, RRFrameError
from rrframe.contracts.backbone import is_saved
from rrframe.contracts.component import Used
from rrframe.contracts.draw import Noise
from rrframe.errors import did_you_mean

_OTHERWISE = "otherwise"
_PART = "part"


class ChainOfBackbones(Backbone):
    """One backbone for each task, each with its own weights.

    ```yaml
    use: backbone/chain
    params:
      tasks:
        noise: {use: backbone/nafnet, params: {checkpoint: denoiser}}
        blur: {use: backbone/nafnet, params: {checkpoint: deblurrer}}
      otherwise: {use: backbone/step1x-edit}
    ```
    Saved, it is a folder with a folder for each part. ``seed`` does nothing: parts have their own.
    """

    checked_with: ClassVar[dict[str, Any]] = {
        "tasks": {
            task: {"use": "backbone/nafnet", "params": {"preset": "tiny", "seed": seed}}
            for seed, task in enumerate(("noise", "haze"))
        }
    }

    tasks: dict[str, Annotated[Backbone, Used("backbone")]] = Field(min_length=1)
    """The backbone of each task."""
    otherwise: Annotated[Backbone, Used("backbone")] | None = None
    """The backbone of every other task; without it they are refused."""

    _made: dict[str, Backbone] | None = PrivateAttr(default=None)

    @field_validator("tasks")
    @classmethod
    def _tasks_name_parts(cls, tasks: dict[str, Backbone]) -> dict[str, Backbone]:
        for name in tasks:
            if name == _OTHERWISE or "." in name:  # they name modules, and folders
                raise ValueError(f"no task can be called {name!r} here")
        return tasks

    @property
    def parts(self) -> dict[str, Backbone]:
        """The backbones by task, and the one called ``otherwise``, as they are used: with the weights that were saved
        for them, on this chain's device and in its dtype unless they have their own.
        """
        if self._made is None:
            if self.checkpoint is not None and not is_saved(self.checkpoint):
                raise RRFrameError(
                    f"{self.checkpoint} is no folder of a saved chain",
                    component=self.name,
                    plugin=self.plugin,
                    hint="give each part the checkpoint that is its own",
                )
            if self.checkpoint is not None:
                self.described_in(self.checkpoint)
            given = self.tasks | ({_OTHERWISE: self.otherwise} if self.otherwise else {})
            self._made = {name: self._placed(name, part) for name, part in given.items()}
        return self._made

    def _placed(self, name: str, part: Backbone) -> Backbone:
        changes: dict[str, Any] = {}
        if self.checkpoint is not None:  # nor may a saved chain allow its parts to be pickles
            changes = {"checkpoint": self.checkpoint / name, "allow_pickle": self.allow_pickle}
        changes["device"] = self.device if part.device == "auto" else part.device
        changes["dtype"] = self.dtype if part.dtype == "float32" else part.dtype
        return part.model_copy(update=changes)

    @property
    def capabilities(self) -> Capabilities:
        """What all parts can do together: the smallest limits, the largest defaults."""
        given = [*self.tasks.values(), *([self.otherwise] if self.otherwise else [])]
        found = [part.capabilities for part in given]
        sides = [each.largest_side for each in found if each.largest_side is not None]
        return Capabilities(
            needs_prompt=any(each.needs_prompt for each in found),
            tasks=None if self.otherwise else frozenset(self.tasks),
            steps=max((each.steps for each in found if each.steps is not None), default=None),
            guidance=max((each.guidance for each in found if each.guidance is not None), default=None),
            largest_side=min(sides, default=None),
            multiple=math.lcm(*(each.multiple for each in found)),
            trainable=any(each.trainable for each in found),
            deterministic_on_cpu=all(each.deterministic_on_cpu for each in found),
        )

    def build(self) -> nn.Module:
        return nn.ModuleDict({name: part.network for name, part in self.parts.items()})

    @property
    def network(self) -> nn.Module:
        """The networks of the parts, by task; each is where, and as, its part wants it."""
        return self.build()

    def trainable(self) -> nn.Module:
        """What each part trains, by task."""
        modules = {name: part.trainable() for name, part in self.parts.items() if part.capabilities.trainable}
        return nn.ModuleDict(modules)

    def companions(self) -> Mapping[str, nn.Module]:
        found = ((name, part.companions()) for name, part in self.parts.items())
        return {f"{name}.{key}": module for name, modules in found for key, module in modules.items()}

    def encode(self, pairs: Pairs) -> dict[str, torch.Tensor]:
        """What each part's ``encode`` gives for its own pairs, as ``task.name``, with zeros for those of others."""
        names = list(self.parts)
        owners = torch.tensor([names.index(self._part_of(task)) for task in pairs.tasks])
        encoded = {_PART: owners}
        for index in owners.unique().tolist():
            rows = (owners == index).nonzero()[:, 0]
            tasks = tuple(pairs.tasks[row] for row in rows.tolist())
            own = self.parts[names[index]].encode(Pairs(pairs.degraded[rows], pairs.clean[rows], tasks))
            for key, values in own.items():
                spread = values.new_zeros((len(owners), *values.shape[1:]))
                spread[rows.to(values.device)] = values
                encoded[f"{names[index]}.{key}"] = spread
        return encoded

    def loss(self, batch: Mapping[str, torch.Tensor], rng: Noise) -> torch.Tensor:
        owners = batch[_PART].cpu()  # which network to run is decided there
        losses = torch.zeros(len(owners), device=self.torch_device)
        for index in owners.unique().tolist():
            name, part = list(self.parts.items())[index]
            rows = (owners == index).nonzero()[:, 0]
            own = {
                key.removeprefix(f"{name}."): values[rows.to(values.device)]
                for key, values in batch.items()
                if key.startswith(f"{name}.")
            }
            losses = losses.index_put(
                (rows.to(losses.device),), part.loss(own, rng.select(rows.tolist())).to(losses.device)
            )
        return losses

    def restore(self, images: torch.Tensor, task: str, **settings: Any) -> torch.Tensor:
        return self.parts[self._part_of(task)].restore(images, task, **settings)

    def write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, part in self.parts.items():
            part.save(folder / name)

    def read(self, folder: Path) -> None:
        for name, part in self.parts.items():
            part.load(folder / name)

    def _part_of(self, task: str) -> str:
        if task in self.tasks:
            return task
        if self.otherwise is None:
            raise RRFrameError(
                f"no backbone is there for the task {task!r}",
                component=self.name,
                plugin=self.plugin,
                hint=f"{did_you_mean(task, self.tasks)} Or set 'otherwise'",
            )
        return _OTHERWISE
