"""Reflection mixed by a network that has learnt how."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from rrframe import Dial, Draws, uniform
from rrframe.imaging.colour import linear_to_encoded
from rrframe.imaging.resample import resize
from rrframe_degradations.reflection.scene import Reflection
from rrframe_degradations.weights import read_network

_SIDE = 160  # shorter side of the pictures that the network sees, in pixels
_DILATIONS = (1, 2, 4, 8, 1)


class WeightNetwork(nn.Module):
    """From two scenes to the weight of the first at every place.

    3 x 3 convolutions with dilations 1, 2, 4, 8 and 1, ReLU after each, and one more to three channels with a sigmoid.
    Parameters are called ``layers.0.weight``, ``layers.0.bias`` and so on to ``layers.5``.

    Args:
        width: Channels of the hidden layers.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        ins, outs = [6] + [width] * len(_DILATIONS), [width] * len(_DILATIONS) + [3]
        self.layers = nn.ModuleList(
            nn.Conv2d(come, go, 3, padding=dilation, dilation=dilation)
            for come, go, dilation in zip(ins, outs, (*_DILATIONS, 1), strict=True)
        )

    def forward(self, behind: torch.Tensor, reflected: torch.Tensor) -> torch.Tensor:
        """``[B, 3, h, w]`` float32 in [0, 1], encoded, each, to weights of the same shape in (0, 1)."""
        values = torch.cat([behind, reflected], dim=1)
        for layer in self.layers[:-1]:
            values = F.relu(layer(values))
        return torch.sigmoid(self.layers[-1](values))


class Learned(Reflection):
    """Two scenes mixed with weights that a network has learnt: I = w T + (1 - w) r, where w depends on the place and on
    both scenes, so that the mixing is none that one formula could give.

    The network (``WeightNetwork``) sees both scenes 160 px small; its weights are enlarged and mix the scenes at their
    full size, in linear light. ``strength`` s takes 1 - s (1 - w) for w.

    No weights of real pairs come with rrframe: ``weights`` names a safetensors file of your own. It is read once a
    process, at first use. Its width is told by its tensors. Those published for SynNet are of another network.
    ``examples/learned_degradations`` makes a tiny one, which has learnt the mixing of reflection/glass from sample
    photographs; the documentation shows that one.

    Source: Wen et al. 2019, "Single image reflection removal beyond linearity", eq. 2 and its synthesis network.
    Cannot: weights finer than the small pictures.
    """

    weights: Path
    """A safetensors file with the parameters of ``WeightNetwork``."""
    strength: Dial = uniform(0.4, 1.0, mild=0.0, low=0.0, high=1.0, about="share of the learnt mixing")

    def mixed(self, behind: torch.Tensor, reflected: torch.Tensor, draw: Draws) -> torch.Tensor:
        network = read_network(WeightNetwork, self.weights, str(behind.device))
        with torch.no_grad():
            weights = network(_small(behind), _small(reflected))
        shares = resize((1 - weights) * draw.strength, *behind.shape[-2:], "linear")
        return torch.lerp(behind, reflected, shares)


def _small(images: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[-2:]
    shrink = min(1.0, _SIDE / min(height, width))
    return linear_to_encoded(resize(images, max(round(height * shrink), 1), max(round(width * shrink), 1)))
