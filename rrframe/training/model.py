"""A backbone as it is trained: which of its weights change, how it computes, and how processes share it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor

from rrframe.contracts.draw import Noise
from rrframe.contracts.freezing import parameters_named
from rrframe.errors import RRFrameError
from rrframe.recipe.training import Stage, TrainingRecipe
from rrframe.rng import Key
from rrframe.training import adapters

ADAPTER = "adapter"
"""The folder of the adapter beside weights that it is merged into."""

Tensors = dict[str, torch.Tensor]


class Learner(nn.Module):
    """What the processes keep in step: the trained network, with the loss as its forward pass."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.trained = model.module
        self._backbone = (model.backbone,)  # a tuple, so that it does not count as a part

    def forward(self, batch: dict[str, torch.Tensor], noise: Noise) -> torch.Tensor:
        return self._backbone[0].loss(batch, noise)


class Model:
    """The backbone of ``recipe``, made ready to be trained.

    Args:
        recipe: What is wanted.
        accelerator: The processes and their devices.
        checkpoint: The folder of weights to go on from, as ``write`` wrote it.

    Raises:
        RRFrameError: The network cannot be trained so.
    """

    def __init__(self, recipe: TrainingRecipe, accelerator: Accelerator, checkpoint: Path | None) -> None:
        self.backbone = recipe.backbone
        self.module = recipe.backbone.trainable()
        self._accelerator = accelerator
        # Patterns mean the names that the network has without an adapter.
        self._frozen = {
            stage.name: {name for pattern in stage.freeze for name in parameters_named(self.module, pattern)}
            for stage in recipe.stages
        }
        self._adapted = recipe.adapter is not None
        if recipe.adapter is not None:
            adapters.add_adapter(self.module, recipe.adapter, Key.of(recipe.seed, "adapter"))
        if checkpoint is not None:
            self._read(checkpoint)
        for network in self._networks():
            _prepare(network, recipe, self.backbone.torch_device)
        self.parts = recipe.parallel == "fsdp" and accelerator.num_processes > 1
        """Whether each process holds a part of the network."""
        if self.parts:
            for network in self._networks():
                _take_apart(network, self.backbone.torch_device, accelerator.num_processes)

    def learner(self, stage: Stage) -> nn.Module:
        """The network with what ``stage`` freezes frozen, in step with that of the other processes."""
        frozen = self._frozen[stage.name]
        for name, parameter in self.module.named_parameters():
            changes = adapters.is_adapters(name) if self._adapted else True
            parameter.requires_grad_(changes and adapters.own_name(name) not in frozen)
        learner = Learner(self)
        return learner if self.parts else self._accelerator.prepare_model(learner)

    def parameters(self) -> dict[nn.Parameter, str]:
        """What is trained at present, with its names."""
        return {each: name for name, each in self.module.named_parameters() if each.requires_grad}

    def tensors(self) -> Tensors:
        """The tensors that training changes, as they lie in memory: changing these changes the network."""
        return adapters.adapter_tensors(self.module) if self._adapted else self.module.state_dict()

    @contextmanager
    def holding(self, tensors: Mapping[str, torch.Tensor] | None) -> Iterator[None]:
        """``tensors`` in place of those of the same names, where there are any."""
        if tensors is None:
            yield
            return
        own = self.tensors()
        kept = {name: tensor.clone() for name, tensor in own.items()}
        _fill(own, tensors)
        try:
            yield
        finally:
            for network in self._networks() if self.parts else []:
                network.reshard()  # type: ignore[operator]  # else the next step would see what was put together
            _fill(own, kept)

    def like_own(self, tensors: Mapping[str, torch.Tensor]) -> Tensors:
        """Whole ``tensors`` where and as far as this process holds its own of these names."""
        return {name: _like(own, tensors[name]) for name, own in self.tensors().items()}

    # Files
    # ----------------------------------------------------------------------------------------------------------------

    def write(self, folder: Path, *, writes: bool) -> None:
        """Write what training changes. Every process calls this, and the one that ``writes`` writes."""
        if not self._adapted:
            self._save(folder, writes)
        elif writes:
            adapters.write_adapter(self.module, folder)

    def export(self, folder: Path, *, writes: bool) -> None:
        """Write weights to restore with, an adapter merged into them and beside them by itself. As for ``write``."""
        self._save(folder, writes)
        if self._adapted and writes:
            adapters.write_adapter(self.module, folder / ADAPTER)

    def _read(self, folder: Path) -> None:
        if self._adapted:
            adapters.read_adapter(self.module, folder)
        else:
            self.backbone.load(folder)

    def _save(self, folder: Path, writes: bool) -> None:
        if not self._adapted and not self.parts:
            if writes:
                self.backbone.save(folder)
            return
        if self._adapted:
            tensors = adapters.merged(self.module) if writes else {}
        else:
            tensors = whole(self.module.state_dict(), keep=writes)
        if writes:
            with _said_to_be(self.module, tensors):
                self.backbone.save(folder)

    def _networks(self) -> list[nn.Module]:
        """The modules that are called: a table of several networks never is."""
        return list(self.module.values()) if isinstance(self.module, nn.ModuleDict) else [self.module]


def whole(tensors: Mapping[str, torch.Tensor], *, keep: bool = True) -> Tensors:
    """``tensors`` put together from the parts that processes hold, on the CPU where they were apart. Every process
    calls this; those that do not ``keep`` them get none.
    """
    found: Tensors = {}
    for name, tensor in tensors.items():
        together = tensor.full_tensor().to("cpu", copy=True) if isinstance(tensor, DTensor) else tensor
        if keep:
            found[name] = together
    return found


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """The repeated blocks of ``network``: the entries of its outermost lists of modules."""
    found: list[nn.Module] = []
    for module in network.children():
        found += module.children() if isinstance(module, nn.ModuleList) else blocks_of(module)
    return [block for block in found if not isinstance(block, nn.ModuleList) and any(True for _ in block.parameters())]


def _prepare(network: nn.Module, recipe: TrainingRecipe, device: torch.device) -> None:
    """Let ``network`` compute as ``recipe`` says."""
    if recipe.gradient_checkpointing:
        try:
            network.enable_gradient_checkpointing()  # type: ignore[operator]
        except (AttributeError, ValueError):
            raise RRFrameError(
                f"{recipe.backbone.name} cannot compute its blocks again",
                path="gradient_checkpointing",
                hint="leave it out, and take a smaller micro_batch",
            ) from None
    if recipe.compile and hasattr(network, "compile_repeated_blocks"):
        network.compile_repeated_blocks()  # type: ignore[operator]
    elif recipe.compile:
        network.compile()
    if recipe.autocast:  # of the network alone: what comes before and after stays in float32
        network.forward = torch.autocast(device.type, torch.bfloat16)(network.forward)


def _take_apart(network: nn.Module, device: torch.device, processes: int) -> None:
    """Leave each process a part of every weight of ``network``. Blocks are put together as they are needed.

    This is the FSDP2 that accelerate prepares too, which has it for GPUs only; here the same code runs on CPUs.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (processes,))
    for block in blocks_of(network):
        fully_shard(block, mesh=mesh)
    fully_shard(network, mesh=mesh)


@contextmanager
def _said_to_be(module: nn.Module, tensors: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """``module``, and each of its parts, gives ``tensors`` as its state, whatever it holds."""

    def instead(above: str, _: nn.Module, state: dict[str, Any], prefix: str, *__: Any) -> None:
        if not prefix:
            state.clear()
            state.update({name.removeprefix(above): each for name, each in tensors.items() if name.startswith(above)})

    hooks = [
        part.register_state_dict_post_hook(partial(instead, f"{name}." if name else ""))
        for name, part in module.named_modules()
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _fill(own: Mapping[str, torch.Tensor], given: Mapping[str, torch.Tensor]) -> None:
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(given[name])


def _like(own: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
    if isinstance(own, DTensor):
        return distribute_tensor(given.to(own.device), own.device_mesh, own.placements)
    return given.to(own.device)
