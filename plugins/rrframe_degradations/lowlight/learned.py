"""Low light by a network that has learnt it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from rrframe import Cues, Degradation, Dial, Draws, uniform
from rrframe_degradations.weights import read_network

_ROUNDS = 8  # how often the curve is applied
_THUMBNAIL = 128  # shorter side of the picture that the network sees, in pixels
_LAYERS = 7


class CurveNetwork(nn.Module):
    """From a small picture to a curve for every place in it.

    Seven 3 x 3 convolutions, ReLU between them and tanh at the end; layers 5, 6 and 7 also see what layers 3, 2 and 1
    gave. Parameters are called ``layers.0.weight``, ``layers.0.bias`` and so on to ``layers.6``.

    Source: Guo et al. 2020, "Zero-reference deep curve estimation" (Zero-DCE), with one map a channel for all
    rounds as in Li et al. 2021 (Zero-DCE++).

    Args:
        width: Channels of the hidden layers; 32 in the paper.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        ins = [3, width, width, width, 2 * width, 2 * width, 2 * width]
        outs = [width] * (_LAYERS - 1) + [3]
        self.layers = nn.ModuleList([nn.Conv2d(i, o, 3, padding=1) for i, o in zip(ins, outs, strict=True)])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """``[B, 3, h, w]`` float32 in [0, 1], encoded, to curves of the same shape in [-1, 1]."""
        first = F.relu(self.layers[0](images))
        second = F.relu(self.layers[1](first))
        third = F.relu(self.layers[2](second))
        fourth = F.relu(self.layers[3](third))
        fifth = F.relu(self.layers[4](torch.cat([third, fourth], dim=1)))
        sixth = F.relu(self.layers[5](torch.cat([second, fifth], dim=1)))
        return torch.tanh(cast(torch.Tensor, self.layers[6](torch.cat([first, sixth], dim=1))))


class Learned(Degradation):
    """Darkening by a network that has been trained to do it, such as one trained on the pairs of a low-light set
    turned around.

    The network (``CurveNetwork``) sees the picture 128 px small and gives a curve c for every place; eight rounds of
    x <- x + strength c x (1 - x) then darken the picture at its full size, so that details and size stay as they are.

    No weights of real pairs come with rrframe: ``weights`` names a safetensors file of your own. It is read once a
    process, at first use. Its width is told by its tensors. ``examples/learned_degradations`` makes a tiny one, which
    has learnt two stops of lowlight/exposure from sample photographs; the documentation shows that one.

    Source: Guo et al. 2020, "Zero-reference deep curve estimation", eq. 3, there used to brighten.
    Cannot: noise or blur, since a curve moves tones alone; put noise/sensor after it. Curves vary no finer than the
    small picture.
    """

    category = "lowlight"
    light = "encoded"
    weights: Path
    """A safetensors file with the parameters of ``CurveNetwork``."""
    strength: Dial = uniform(0.7, 1.0, mild=0.0, low=0.0, high=1.0, about="share of the learnt curve")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        network = read_network(CurveNetwork, self.weights, str(images.device))
        with torch.no_grad():
            curves = network(_small(images)) * draw.strength
            curves = F.interpolate(curves, size=images.shape[-2:], mode="bilinear", align_corners=False)
        curves = curves.contiguous(memory_format=torch.channels_last)
        done, change = images.clone(), torch.empty_like(images)
        for _ in range(_ROUNDS):
            torch.mul(done, done, out=change)
            done.sub_(change.sub_(done).mul_(curves))
        return done.clamp_(0.0, 1.0)


def _small(images: torch.Tensor) -> torch.Tensor:
    height, width = images.shape[-2:]
    scale = min(1.0, _THUMBNAIL / min(height, width))
    size = (max(1, round(height * scale)), max(1, round(width * scale)))
    return images if scale == 1.0 else F.interpolate(images, size=size, mode="area")
