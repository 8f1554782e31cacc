"""Small networks with random weights, in files, for the operators that load weights."""

from __future__ import annotations

from pathlib import Path

import torch
from rrframe_degradations.lowlight.learned import CurveNetwork
from rrframe_degradations.reflection.learned import WeightNetwork
from rrframe_metrics.lpips import trunk_of
from safetensors.torch import save_file


def save_alexnet(path: Path) -> Path:
    """The convolutions of AlexNet, with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = trunk_of("alex")
    save_file(network.state_dict(), path)
    return path


def save_darkener(path: Path, width: int = 4) -> Path:
    """A ``CurveNetwork`` that darkens: random, but for the bias of its last layer."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = CurveNetwork(width)
    with torch.no_grad():
        network.layers[-1].bias.fill_(-0.5)
    save_file(network.state_dict(), path)
    return path


def save_mixer(path: Path, width: int = 4) -> Path:
    """A ``WeightNetwork``: random, with large numbers, so that its weights differ from place to place."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = WeightNetwork(width)
    with torch.no_grad():
        for layer in network.layers:
            layer.weight.mul_(3.0)
    save_file(network.state_dict(), path)
    return path
