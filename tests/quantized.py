"""What a training does with torchao's optimizers, in a process where torchao is to be had (tests/beside.py)."""

from __future__ import annotations

import torch
from torch import nn

from rrframe.recipe.modes import OptimizerChoice
from rrframe.recipe.training import Stage
from rrframe.training import optimizers

STAGE = Stage.model_validate({"name": "x", "steps": 1, "batch": 1, "mix": {"a": 1}, "learning_rate": 1e-2})


def check() -> dict[str, bool]:
    """Whether each goes on from what was kept of it to the very same weights."""
    return {name: _goes_on(name) for name in ("adamw-8bit", "adamw-4bit")}


def _goes_on(name: str) -> bool:
    torch.manual_seed(0)
    begin, gradients = torch.randn(64, 64, dtype=torch.bfloat16), torch.randn(4, 64, 64, dtype=torch.bfloat16)

    def made(weights: nn.Parameter) -> torch.optim.Optimizer:
        choice = OptimizerChoice.model_validate({"name": name, "stochastic_rounding": True})
        return optimizers.optimizer_for(STAGE, choice, [weights])

    def run(weights: nn.Parameter, optimizer: torch.optim.Optimizer, steps: range) -> None:
        optimizers.set_learning_rate(optimizer, 1e-2)
        for step in steps:
            weights.grad = gradients[step].clone()
            optimizers.step(optimizer, step)

    weights = nn.Parameter(begin.clone())
    optimizer = made(weights)
    run(weights, optimizer, range(2))
    halfway, state = weights.detach().clone(), optimizers.state_of(optimizer, {weights: "weights"})
    assert state["weights|exp_avg|codes"].dtype == torch.uint8
    assert not torch.equal(halfway, begin)
    run(weights, optimizer, range(2, 4))

    resumed = nn.Parameter(halfway.clone())
    again = made(resumed)
    optimizers.take_state(again, {resumed: "weights"}, state)
    assert torch.equal(resumed, halfway)
    run(resumed, again, range(2, 4))
    return torch.equal(resumed, weights)
