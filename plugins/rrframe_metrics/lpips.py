"""LPIPS, without torchvision: the trunk is a row of convolutions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import PrivateAttr
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from rrframe.cards.cached import located
from rrframe.contracts.weights import fit, read_tensors
from rrframe_metrics.comparing import Comparison

_HEADS = Path(__file__).parent / "heads"
# Convolutions by channels, kernel, stride and padding; a number is a pooling of that width, with a stride of 2.
_LAYERS: dict[str, tuple[Any, ...]] = {
    "alex": ((64, 11, 4, 2), 3, (192, 5, 1, 2), 3, (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1)),
    "vgg": (
        *[(64, 3, 1, 1)] * 2,
        *(2, *[(128, 3, 1, 1)] * 2),
        *(2, *[(256, 3, 1, 1)] * 3),
        *(2, *[(512, 3, 1, 1)] * 3),
        *(2, *[(512, 3, 1, 1)] * 3),
    ),
}
_TAPPED = {"alex": (1, 4, 7, 9, 11), "vgg": (3, 8, 15, 22, 29)}  # the layers, each a ReLU, whose features are compared
_LEAST = {"alex": 31, "vgg": 16}  # below it nothing would be left to pool
_CARDS = {"alex": "lpips-alexnet", "vgg": "lpips-vgg16"}
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of images in [-1, 1]
_EPSILON = 1e-10


class LPIPS(Comparison):
    """Learned perceptual distance, version 0.1: weighted differences of the features of a network trained on ImageNet.

    0 for the same image; about .1 for what is hardly seen to differ, .7 and more for what has little in common. The
    trunk's weights are torchvision's, fetched by card; the heads come with this plugin. Scores of ``alex`` and ``vgg``
    cannot be compared. With ``against: degraded`` and ``net: alex`` it is LPS of RealIR-Bench.
    Source: Zhang, Isola, Efros, Shechtman and Wang, The Unreasonable Effectiveness of Deep Features as a Perceptual
    Metric, 2018; the heads are those of the authors' package lpips 0.1.4, under the BSD 2-Clause licence beside them.
    """

    higher_is_better = False
    range = (0.0, None)
    symmetric = True
    licence = "BSD-3-Clause (trunk), BSD-2-Clause (heads); ImageNet's own terms are for research"

    net: Literal["alex", "vgg"] = "alex"
    """The trunk: AlexNet, as scores are mostly given, or VGG-16, which is closer to what training minimises."""
    weights: Path | None = None
    """The trunk's weights, with the names of torchvision's: a file, or the name of a card; by default the card that
    goes with ``net``."""
    allow_pickle: bool = False
    """Read weights that are a pickle too, of tensors only, as torchvision publishes them."""
    device: str = "cpu"
    """What it computes on, such as ``cuda``."""

    _trunk: nn.Sequential | None = PrivateAttr(default=None)
    _heads: list[torch.Tensor] = PrivateAttr(default_factory=list)

    @property
    def least_side(self) -> int:
        return _LEAST[self.net]

    def score(self, images: torch.Tensor, references: torch.Tensor | None = None) -> torch.Tensor:
        distances = torch.zeros(len(images), device=self.device)
        for head, own, other in zip(self.heads, self._features(images), self._features(references), strict=True):
            difference = (own - other).square()
            distances += functional.conv2d(difference, head).mean((1, 2, 3))
        return distances.to(images.device)

    @property
    def trunk(self) -> nn.Sequential:
        """The network whose features are compared, read at first use.

        Raises:
            RRFrameError: The weights are not there, or are another network's.
        """
        if self._trunk is None:
            where = {"component": self.name, "plugin": self.plugin}
            path = located(self.weights or Path(_CARDS[self.net]), **where)
            with torch.inference_mode(False):  # it may be called outside later
                given = read_tensors(path, allow_pickle=self.allow_pickle, **where)
                with torch.device("meta"):  # fresh weights would be drawn for nothing
                    network = trunk_of(self.net)
                # what classifies is left out
                convolutions = {name: tensor for name, tensor in given.items() if name.startswith("features.")}
                fit(network, convolutions, path, **where)
                self._trunk = network.features.to(self.device).eval().requires_grad_(False)
        return self._trunk

    @property
    def heads(self) -> list[torch.Tensor]:
        """The weights of the channels of each tapped layer, ``[1, C, 1, 1]``."""
        if not self._heads:
            with torch.inference_mode(False):
                tensors = load_file(_HEADS / f"lpips-{self.net}.safetensors")
                self._heads = [tensors[name].to(self.device) for name in sorted(tensors)]
        return self._heads

    def _features(self, images: torch.Tensor) -> list[torch.Tensor]:
        maps = images.to(self.device) * 2 - 1
        maps = (maps - maps.new_tensor(_SHIFT).view(1, 3, 1, 1)) / maps.new_tensor(_SCALE).view(1, 3, 1, 1)
        found = []
        for index, layer in enumerate(self.trunk):
            maps = layer(maps)
            if index in _TAPPED[self.net]:
                # the epsilon lies outside the root, as in the authors' code
                found.append(maps / (maps.square().sum(1, keepdim=True).sqrt() + _EPSILON))
        return found


def trunk_of(net: str) -> nn.Module:
    """The convolutions of torchvision's ``alexnet`` or ``vgg16``, by the same names, with fresh weights."""
    layers: list[nn.Module] = []
    channels = 3
    for layer in _LAYERS[net]:
        if isinstance(layer, int):
            layers.append(nn.MaxPool2d(layer, 2))
            continue
        width, kernel, stride, padding = layer
        layers += [nn.Conv2d(channels, width, kernel, stride, padding), nn.ReLU()]
        channels = width
    network = nn.Module()
    network.features = nn.Sequential(*layers)
    return network
