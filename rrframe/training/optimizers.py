"""Optimizers, by the names that recipes have for them, and their state as plain tensors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Adafactor, AdamW, Optimizer
from torch.optim.adamw import adamw

from rrframe.errors import RRFrameError
from rrframe.recipe.modes import OptimizerChoice
from rrframe.recipe.training import Stage

_BETWEEN = "|"  # stands in no name of a parameter


def optimizer_for(stage: Stage, choice: OptimizerChoice, parameters: list[nn.Parameter]) -> Optimizer:
    """The optimizer of ``stage``.

    Raises:
        RRFrameError: It is torchao's, which is not installed.
    """
    adam: dict[str, Any] = {"lr": stage.learning_rate, "weight_decay": stage.weight_decay}
    rounds = choice.stochastic_rounding
    if choice.name == "adafactor":
        return (RoundedAdafactor if rounds else Adafactor)(parameters, **adam)
    adam |= {"betas": stage.betas, "eps": stage.eps}
    if choice.name == "adamw":
        return (RoundedAdamW if rounds else AdamW)(parameters, **adam)
    if choice.name == "adamw-offloaded":
        return OffloadedAdamW(parameters, **adam)
    cls = {"adamw-8bit": "AdamW8bit", "adamw-4bit": "AdamW4bit"}[choice.name]
    made: Optimizer = getattr(_torchao(), cls)(parameters, bf16_stochastic_round=rounds, **adam)
    return made


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Every step from the next one on is made at this ``rate``."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):  # torchao's, which are compiled
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


def step(optimizer: Optimizer, seed: int) -> None:
    """One step.

    Args:
        optimizer: What makes it.
        seed: Names the chances of stochastic rounding. Processes that hold the same weights give the same.
    """
    torch.manual_seed(seed)
    # What torchao compiles for each shape would take longer than a small network's training on a CPU does.
    on_cpu = all(each.device.type == "cpu" for group in optimizer.param_groups for each in group["params"])
    with torch.compiler.set_stance("force_eager") if on_cpu else nullcontext():
        optimizer.step()
    optimizer.zero_grad(set_to_none=True)


class _Rounding(Optimizer):
    """What lets an optimizer compute in float32 and round weights in bfloat16 stochastically.

    It goes a parameter at a time, so that no more than one of them is ever wide.
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        groups = self.param_groups
        try:
            for group in groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self.param_groups = [{**group, "params": [parameter]}]
                        self._move(parameter)
        finally:
            self.param_groups = groups

    def _move(self, parameter: nn.Parameter) -> None:
        narrow, gradient = parameter.data, parameter.grad
        assert gradient is not None
        parameter.grad = None  # a gradient must have its parameter's type
        parameter.data = narrow.float()
        parameter.grad = gradient.float()
        super().step()
        wide = parameter.data
        parameter.grad = None
        parameter.data = narrow.copy_(rounded(wide) if narrow.dtype == torch.bfloat16 else wide)


class RoundedAdamW(_Rounding, AdamW):
    """AdamW (Loshchilov and Hutter 2019) with moments in float32, for weights in bfloat16."""


class RoundedAdafactor(_Rounding, Adafactor):
    """Adafactor (Shazeer and Stern 2018) for weights in bfloat16."""


def rounded(values: torch.Tensor) -> torch.Tensor:
    """Float32 ``values`` as bfloat16, each rounded to one of its two neighbours by chance, the nearer the likelier, so
    that the mean of many is the value.
    """
    # A bfloat16 is the upper half of a float32: adding a random lower half carries over in proportion.
    chance = torch.randint(0, 1 << 16, values.shape, dtype=torch.int32, device=values.device)
    bits = values.view(torch.int32) + chance
    return (bits & -(1 << 16)).view(torch.float32).to(torch.bfloat16)


class OffloadedAdamW(Optimizer):
    """AdamW whose moments, and float32 copy of the weights, lie in main memory, where it computes."""

    def __init__(self, parameters: list[nn.Parameter], **settings: Any) -> None:
        super().__init__(parameters, settings)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, group)

    def _move(self, parameter: nn.Parameter, group: Mapping[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["weights"] = parameter.detach().to("cpu", torch.float32, copy=True)
            state["exp_avg"], state["exp_avg_sq"] = (torch.zeros_like(state["weights"]) for _ in range(2))
            state["step"] = torch.tensor(0.0)
        assert parameter.grad is not None
        first, second = group["betas"]
        adamw(
            [state["weights"]],
            [parameter.grad.to("cpu", torch.float32)],
            [state["exp_avg"]],
            [state["exp_avg_sq"]],
            [],
            [state["step"]],
            fused=True,
            amsgrad=False,
            beta1=first,
            beta2=second,
            lr=group["lr"],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            maximize=False,
        )
        parameter.copy_(state["weights"])


# State
# ----------------------------------------------------------------------------------------------------------------------


def state_of(optimizer: Optimizer, names: Mapping[nn.Parameter, str]) -> dict[str, torch.Tensor]:
    """All that ``optimizer`` remembers, whole and on the CPU, by the name of the parameter and its own.

    Every process calls this, since each holds a part where a network is shared out.
    """
    return {
        name: (part.full_tensor() if isinstance(part, DTensor) else part).detach().to("cpu", copy=True).contiguous()
        for name, part in _parts(optimizer, names)
    }


def take_state(optimizer: Optimizer, names: Mapping[nn.Parameter, str], tensors: Mapping[str, torch.Tensor]) -> None:
    """Make ``optimizer`` remember what ``state_of`` gave. Its learning rate is 0 after that, until one is set.

    Raises:
        RRFrameError: It was another optimizer's.
    """
    _begin(optimizer)
    parts = dict(_parts(optimizer, names))
    if parts.keys() != tensors.keys():
        raise RRFrameError(
            "the state of the optimizer in the checkpoint is of other parameters, or another optimizer's"
        )
    for name, part in parts.items():
        value = tensors[name]
        if isinstance(part, DTensor):
            part.copy_(distribute_tensor(value.to(part.device), part.device_mesh, part.placements))
        else:
            part.copy_(value)


def _parts(optimizer: Optimizer, names: Mapping[nn.Parameter, str]) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors of the state, those that are quantized in their parts: codes, scales and the map of codes."""
    for parameter, name in names.items():
        for key, value in optimizer.state[parameter].items():
            place = f"{name}{_BETWEEN}{key}"
            if type(value) in (torch.Tensor, DTensor):
                yield place, value
            else:
                for inner in value.__tensor_flatten__()[0]:
                    yield f"{place}{_BETWEEN}{inner}", getattr(value, inner)


def _begin(optimizer: Optimizer) -> None:
    """Let ``optimizer`` lay out its state, by a step that changes nothing."""
    set_learning_rate(optimizer, 0.0)
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = torch.zeros_like(parameter)
    step(optimizer, 0)


def _torchao() -> Any:
    logging.disable(logging.ERROR)  # it tells at length which of its parts are for other machines
    try:
        import torchao.optim
    except ModuleNotFoundError:
        raise RRFrameError("moments in 8 or 4 bits need torchao", hint="pip install 'rrframe[quantized]'") from None
    finally:
        logging.disable(logging.NOTSET)
    return torchao.optim
