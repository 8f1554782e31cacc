"""A restorer against fog."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from rrframe import Backbone


class FogLifter(Backbone):
    """A few convolutions that see a wide neighbourhood, and give what is to be added to the picture.

    Source: Yu, Koltun 2016, "Multi-scale context aggregation by dilated convolutions", for the neighbourhood.
    Cannot: tell tasks apart, or give back what the fog has hidden.
    """

    width: int = 16
    """Channels of the layers inside."""

    def build(self) -> nn.Module:
        layers: list[nn.Module] = [nn.Conv2d(3, self.width, 3, padding=1)]
        for dilation in (2, 4, 8):
            layers += [nn.ReLU(), nn.Conv2d(self.width, self.width, 3, padding=dilation, dilation=dilation)]
        return nn.Sequential(*layers, nn.ReLU(), nn.Conv2d(self.width, 3, 1))

    def loss(self, batch: Mapping[str, torch.Tensor], rng: object) -> torch.Tensor:
        return (self._lifted(batch["degraded"]) - batch["clean"]).abs().mean((1, 2, 3))

    def restore(self, images: torch.Tensor, task: str, **settings: object) -> torch.Tensor:
        return self._lifted(images.to(self.torch_device)).clamp(0, 1).to(images.device)

    def _lifted(self, images: torch.Tensor) -> torch.Tensor:
        return images + self.network(images.to(self.torch_dtype)).float()
