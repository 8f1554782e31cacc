"""NAFNet, a small convolutional restorer that trains from nothing, told which task to do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import torch
from pydantic import model_validator
from torch import nn
from torch.nn import functional

from rrframe import Backbone, Capabilities, Pairs, RRFrameError
from rrframe.cards.cached import is_card
from rrframe.contracts.accelerator import Accelerator
from rrframe.contracts.backbone import is_saved
from rrframe.contracts.weights import is_pickle, read_tensors
from rrframe.errors import did_you_mean


class Layout(NamedTuple):
    """Width and depth of a NAFNet.

    Args:
        width: Channels of the first stage; each next has twice as many.
        encoders: Blocks of each stage on the way down.
        middle: Blocks at the bottom.
        decoders: Blocks of each stage on the way up.
    """

    width: int
    encoders: tuple[int, ...]
    middle: int
    decoders: tuple[int, ...]


# The published layouts are those of the option files of the authors' repository.
_SIDD, _GOPRO = ((2, 2, 4, 8), 12, (2, 2, 2, 2)), ((1, 1, 1, 28), 1, (1, 1, 1, 1))
PRESETS = {
    "tiny": Layout(8, (1, 1), 1, (1, 1)),
    "small": Layout(16, (1, 1, 2), 2, (1, 1, 1)),
    "32": Layout(32, *_SIDD),
    "64": Layout(64, *_SIDD),
    "32-gopro": Layout(32, *_GOPRO),
    "64-gopro": Layout(64, *_GOPRO),
}


class NAFNetRestorer(Backbone):
    """NAFNet, a U-Net of blocks without activations, which gives the difference to the degraded image in one pass.

    Untrained, it changes nothing. It loads the published weights (NAFNet-SIDD-width32 and its like) with the layout
    that their names tell, ``preset`` aside; they come as pickles, so with ``allow_pickle``.

    Source: Chen, Chu, Zhang, Sun 2022, "Simple Baselines for Image Restoration" (arXiv 2204.04676). ``32`` and ``64``
    are the denoising networks that they trained on SIDD, ``32-gopro`` and ``64-gopro`` the deblurring ones. What tells
    the tasks apart, a scale and a shift of the features at the bottom, is not theirs.
    Cannot: average over windows, as the authors do to deblur pictures larger than those they trained on.
    """

    checked_with: ClassVar[dict[str, Any]] = {"preset": "tiny"}
    accelerators: ClassVar[Mapping[str, Accelerator]] = {
        **Backbone.accelerators,
        "compiled": Accelerator({"compile": True}),
    }

    preset: Literal["tiny", "small", "32", "64", "32-gopro", "64-gopro"] = "small"
    """Width and depth of a network that starts from nothing."""
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
    """The tasks that it is told apart by. With none it takes any and treats all alike, as published weights do."""
    minimises: Literal["l1", "psnr"] = "l1"
    """What training makes small: the mean absolute error, or the logarithm of the mean square, as the authors do. Of
    the latter a faint degradation weighs as much as a strong one: to halve its error is worth the same."""
    compile: bool = False
    """Compile the network at its first use of a size, which takes a minute or so."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(tasks=frozenset(self.tasks) or None, largest_side=1024, multiple=16)

    def build(self) -> nn.Module:
        layout = PRESETS[self.preset]
        if self.checkpoint is not None:
            tensors = read_tensors(
                self.checkpoint, allow_pickle=self.allow_pickle, component=self.name, plugin=self.plugin
            )
            layout = layout_of(tensors) or layout
        return NAFNet(layout, tasks=len(self.tasks))

    def placed(self, network: nn.Module) -> nn.Module:
        network = super().placed(network)
        if self.compile and self.torch_device.type != "meta":
            network.compile()
        return network

    def encode(self, pairs: Pairs) -> dict[str, torch.Tensor]:
        numbers = torch.tensor([self._number(task) for task in pairs.tasks])
        return super().encode(pairs) | {"task": numbers.to(self.torch_device)}

    def loss(self, batch: Mapping[str, torch.Tensor], rng: object) -> torch.Tensor:
        restored = self.network(batch["degraded"].to(self.torch_dtype), batch["task"])
        error = restored.float() - batch["clean"]
        if self.minimises == "psnr":
            return 10 * (error.square().mean((1, 2, 3)) + 1e-8).log10()
        return error.abs().mean((1, 2, 3))

    def restore(self, images: torch.Tensor, task: str, **settings: object) -> torch.Tensor:
        numbers = torch.full((len(images),), self._number(task), device=self.torch_device)
        restored = self.network(images.to(self.torch_device, self.torch_dtype), numbers)
        return restored.float().clamp(0, 1).to(images.device)

    def _number(self, task: str) -> int:
        if self.tasks and task not in self.tasks:
            raise RRFrameError(
                f"it was not made for the task {task!r}",
                component=self.name,
                plugin=self.plugin,
                hint=did_you_mean(task, self.tasks),
            )
        return self.tasks.index(task) if self.tasks else 0

    @model_validator(mode="before")
    @classmethod
    def _published_weights_know_no_tasks(cls, given: Any) -> Any:
        checkpoint = given.get("checkpoint") if isinstance(given, Mapping) else None
        published = isinstance(checkpoint, (str, Path)) and _is_published(Path(checkpoint))
        return {"tasks": (), **given} if published else given


def _is_published(checkpoint: Path) -> bool:
    """Whether it is weights alone, a file or a folder of them, and not what ``save`` wrote or will have written."""
    return (
        is_pickle(checkpoint)
        or checkpoint.suffix == ".safetensors"
        or is_card(checkpoint)
        or (checkpoint.is_dir() and not is_saved(checkpoint))
    )


def layout_of(tensors: Mapping[str, torch.Tensor]) -> Layout | None:
    """The layout of the network that ``tensors`` were saved from, as their names tell; ``None`` if that was none."""
    intro = tensors.get("intro.weight")
    if intro is None or intro.ndim != 4:
        return None
    names = [name.split(".") for name in tensors]

    def count(*prefix: str) -> int:
        numbers = (
            name[len(prefix)] for name in names if tuple(name[: len(prefix)]) == prefix and len(name) > len(prefix)
        )
        return 1 + max((int(number) for number in numbers if number.isdigit()), default=-1)

    stages = [str(stage) for stage in range(count("downs"))]
    encoders, decoders = (tuple(count(side, stage) for stage in stages) for side in ("encoders", "decoders"))
    return Layout(len(intro), encoders, count("middle_blks"), decoders)


class NAFNet(nn.Module):
    """The network; names of modules are those of the published weights.

    Args:
        layout: Its width and depth.
        tasks: How many tasks it is told apart by; 0 for none.
    """

    def __init__(self, layout: Layout, tasks: int = 0) -> None:
        super().__init__()
        width, encoders, middle, decoders = layout
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
        for parameter in (*self.ending.parameters(), *(self.task.parameters() if self.task else ())):
            nn.init.zeros_(parameter)

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
