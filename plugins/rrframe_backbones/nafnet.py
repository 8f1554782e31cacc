"""NAFNet, a small convolutional restorer that trains from nothing, told which task to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from rrframe import Backbone, Capabilities, Pairs

# width, blocks of each encoder, blocks in the middle, blocks of each decoder
_PRESETS = {
    "tiny": (8, (1, 1), 1, (1, 1)),
    "small": (16, (1, 1, 2), 2, (1, 1, 1)),
    "32": (32, (1, 1, 1, 28), 1, (1, 1, 1, 1)),
    "64": (64, (1, 1, 1, 28), 1, (1, 1, 1, 1)),
}


class NAFNetRestorer(Backbone):
    """NAFNet, a U-Net of blocks without activations, which gives the difference to the degraded image in one pass.

    Source: Chen, Chu, Zhang, Sun 2022, "Simple Baselines for Image Restoration" (arXiv 2204.04676); the presets ``32``
    and ``64`` have the widths and depths of the published denoising and deblurring networks.
    """

    preset: Literal["tiny", "small", "32", "64"] = "small"
    """Width and depth."""
    tasks: tuple[str, ...] = (
        "blur",
        "compression",
        "flare",
        "haze",
        "lowlight",
        "moire",
        "noise",
        "rain",
        "reflection",
    )
    """The tasks that it is told apart by; none for published weights, which know of one only."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(tasks=frozenset(self.tasks) or None, largest_side=1024, multiple=16)

    def build(self) -> nn.Module:
        return NAFNet(*_PRESETS[self.preset], tasks=len(self.tasks))

    def encode(self, pairs: Pairs) -> dict[str, torch.Tensor]:
        numbers = torch.tensor([self._number(task) for task in pairs.tasks])
        return super().encode(pairs) | {"task": numbers.to(self.torch_device)}

    def loss(self, batch: Mapping[str, torch.Tensor], rng: object) -> torch.Tensor:
        restored = self.network(batch["degraded"].to(self.torch_dtype), batch["task"])
        return (restored.float() - batch["clean"]).abs().mean((1, 2, 3))

    def restore(self, images: torch.Tensor, task: str, **settings: object) -> torch.Tensor:
        numbers = torch.full((len(images),), self._number(task), device=self.torch_device)
        restored = self.network(images.to(self.torch_device, self.torch_dtype), numbers)
        return restored.float().clamp(0, 1).to(images.device)

    def _number(self, task: str) -> int:
        return self.tasks.index(task) if self.tasks else 0


class NAFNet(nn.Module):
    """The network; names of modules are those of the published weights.

    Args:
        width: Channels of the first stage; each next has twice as many.
        encoders: Blocks of each stage on the way down.
        middle: Blocks at the bottom.
        decoders: Blocks of each stage on the way up.
        tasks: How many tasks it is told apart by; 0 for none.
    """

    def __init__(
        self, width: int, encoders: tuple[int, ...], middle: int, decoders: tuple[int, ...], tasks: int = 0
    ) -> None:
        super().__init__()
        self.intro = nn.Conv2d(3, width, 3, padding=1)
        self.ending = nn.Conv2d(width, 3, 3, padding=1)
        widths = [width * 2**stage for stage in range(len(encoders) + 1)]
        self.encoders = nn.ModuleList(_blocks(*stage) for stage in zip(widths, encoders, strict=False))
        self.downs = nn.ModuleList(nn.Conv2d(one, 2 * one, 2, 2) for one in widths[:-1])
        self.middle_blks = _blocks(widths[-1], middle)
        self.ups = nn.ModuleList(
            nn.Sequential(nn.Conv2d(one, 2 * one, 1, bias=False), nn.PixelShuffle(2)) for one in widths[:0:-1]
        )
        self.decoders = nn.ModuleList(_blocks(*stage) for stage in zip(widths[-2::-1], decoders, strict=True))
        self.task = nn.Embedding(tasks, 2 * widths[-1]) if tasks else None
        if self.task is not None:
            nn.init.zeros_(self.task.weight)

    def forward(self, images: torch.Tensor, task: torch.Tensor) -> torch.Tensor:
        """``[B, 3, H, W]`` of any size, and the number of each one's task ``[B]``, to ``[B, 3, H, W]``."""
        height, width = images.shape[-2:]
        step = 2 ** len(self.encoders)
        padded = functional.pad(images, (0, -width % step, 0, -height % step), mode="replicate")
        features = self.intro(padded)
        skipped = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            features = encoder(features)
            skipped.append(features)
            features = down(features)
        if self.task is not None:
            scale, shift = self.task(task)[..., None, None].chunk(2, dim=1)
            features = features * (1 + scale) + shift
        features = self.middle_blks(features)
        for decoder, up in zip(self.decoders, self.ups, strict=True):
            features = decoder(up(features) + skipped.pop())
        return (self.ending(features) + padded)[..., :height, :width]


class _Block(nn.Module):
    """A gated convolution and a gated pointwise layer, each added to its input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = _LayerNorm(channels), _LayerNorm(channels)
        self.conv1 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv2 = nn.Conv2d(2 * channels, 2 * channels, 3, padding=1, groups=2 * channels)
        self.sca = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, channels, 1))
        self.conv3 = nn.Conv2d(channels, channels, 1)
        self.conv4 = nn.Conv2d(channels, 2 * channels, 1)
        self.conv5 = nn.Conv2d(channels, channels, 1)
        self.beta = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.gamma = nn.Parameter(torch.zeros(1, channels, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = _gate(self.conv2(self.conv1(self.norm1(images))))
        images = images + self.beta * self.conv3(features * self.sca(features))
        return images + self.gamma * self.conv5(_gate(self.conv4(self.norm2(images))))


class _LayerNorm(nn.LayerNorm):
    """Over the channels of ``[B, C, H, W]``."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-6)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images.movedim(1, -1)).movedim(-1, 1)


def _gate(features: torch.Tensor) -> torch.Tensor:
    one, other = features.chunk(2, dim=1)
    return one * other


def _blocks(channels: int, count: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(channels) for _ in range(count)))
