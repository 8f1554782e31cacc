"""The contract of a backbone: a restorer that can be trained."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import PrivateAttr, model_validator
from torch import nn

from rrframe.contracts.accelerator import Accelerator
from rrframe.contracts.component import Component
from rrframe.contracts.devices import Device, check_device
from rrframe.contracts.draw import Noise
from rrframe.contracts.freezing import parameters_named
from rrframe.contracts.weights import read_weights, write_weights
from rrframe.errors import RRFrameError

DESCRIPTION = "backbone.json"
"""The file beside saved weights that tells which component they belong to, and its params."""
_NEVER_SAVED = frozenset({"allow_pickle", "device"})


@dataclass(frozen=True)
class Pairs:
    """A batch to train on.

    Args:
        degraded: ``[B, 3, H, W]`` float32 in [0, 1], encoded sRGB.
        clean: The same, what is to be restored.
        tasks: The task of each, such as ``haze``.
    """

    degraded: torch.Tensor
    clean: torch.Tensor
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Capabilities:
    """What a backbone needs and can do, for those who call it.

    Args:
        needs_prompt: It reads the task's prompt, or a free one.
        tasks: The only tasks it knows; ``None`` if it takes any.
        steps: How many steps a restoration takes by default; ``None`` for one that takes a single pass, which has no
            steps to set.
        guidance: The strength of guidance by default; ``None`` where there is none.
        largest_side: The longest side in pixels that it takes in one piece; larger pictures come in tiles.
        multiple: Tiles have sides that are multiples of this.
        trainable: It can be trained.
        deterministic_on_cpu: The same seed gives the same bytes on a CPU.
    """

    needs_prompt: bool = False
    tasks: frozenset[str] | None = None
    steps: int | None = None
    guidance: float | None = None
    largest_side: int | None = None
    multiple: int = 1
    trainable: bool = True
    deterministic_on_cpu: bool = True


class Backbone(Component):
    """A restorer.

    A subclass writes ``build``, ``loss`` and ``restore``. Saving, loading, freezing, devices, tiles, the command line
    and the conformance checks come from the host.

    Weights are made or read at first use, so that a recipe can be validated on a machine that could never run it.
    """

    kind: ClassVar[str] = "backbone"
    memory_savers: ClassVar[Mapping[str, str]] = {}
    """How to ask for ways to restore of ``rrframe.memory.ways``, by how their names begin: such as
    ``{"weights in 8 bits": "-p weights=fp8"}``.
    """
    pixels_param: ClassVar[str | None] = None
    """The param that tells the pixels it restores at, where it brings every picture to a size of its own."""
    accelerators: ClassVar[Mapping[str, Accelerator]] = {"bf16": Accelerator({"dtype": "bfloat16"})}
    """What ``rrframe bench restore`` measures besides the params as they are, by name."""

    checkpoint: Path | None = None
    """A folder that ``save`` wrote, or published weights, or the name of a card that ``rrframe assets`` has fetched;
    without it the weights are random.

    A saved folder brings the params it was saved with, as defaults.
    """
    allow_pickle: bool = False
    """Read a checkpoint that is a pickle too, of tensors only (``weights_only=True``). A saved folder never sets it."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """What the network computes in."""
    device: Device = "auto"
    """``cuda``, ``cuda:1``, ``mps``, ``cpu``; by default the first of them that is there."""
    seed: int = 0
    """Names the random weights that a network without a checkpoint begins with."""

    _network: nn.Module | None = PrivateAttr(default=None)

    # What a backbone writes
    # ----------------------------------------------------------------------------------------------------------------

    @abstractmethod
    def build(self) -> nn.Module:
        """The network that is trained, with fresh weights.

        The host seeds torch's generator before, and puts it back after. What depends on ``checkpoint`` (a layout read
        from the weights) is decided here, since weights are read into what this gives.
        """

    @abstractmethod
    def loss(self, batch: Mapping[str, torch.Tensor], rng: Noise) -> torch.Tensor:
        """What training makes small, for each pair: ``[B]`` float32.

        Args:
            batch: What ``encode`` gave, on this backbone's device.
            rng: Random numbers for each pair from its own seed, so that a pair's loss is the same in any batch.
        """

    @abstractmethod
    def restore(
        self,
        images: torch.Tensor,
        task: str,
        *,
        prompt: str | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        seed: int = 0,
    ) -> torch.Tensor:
        """The restored images. The host calls it in ``torch.inference_mode``.

        Args:
            images: ``[B, 3, H, W]`` float32 in [0, 1], encoded sRGB, of any size up to ``capabilities.largest_side``.
            task: What is to be removed, such as ``haze``.
            prompt: A prompt instead of the task's own, where ``capabilities.needs_prompt``.
            steps: How many, instead of ``capabilities.steps``.
            guidance: How strong, instead of ``capabilities.guidance``.
            seed: The same seed gives the same images, one by one or in a batch: each starts from the same noise.

        Returns:
            The same shape and range.
        """

    def encode(self, pairs: Pairs) -> dict[str, torch.Tensor]:
        """What ``loss`` reads, for a batch: the part of the work that training does not change, and so may keep.

        Returns:
            Tensors whose first dimension is the batch's. By default the two images.
        """
        return {"degraded": pairs.degraded.to(self.torch_device), "clean": pairs.clean.to(self.torch_device)}

    def companions(self) -> Mapping[str, nn.Module]:
        """The frozen networks that it needs besides the one that is trained, by name, for estimates of memory."""
        return {}

    def release_companions(self) -> None:
        """Let go of those networks: they are made or read again when they are needed. By default nothing."""

    def rehearsal(self, height: int, width: int, batch: int) -> dict[str, torch.Tensor]:
        """What ``encode`` would give for so many pictures of this size, made up. Memory is estimated with it on the
        meta device, where tensors have no content: override it where ``encode`` looks at content.
        """
        images = torch.zeros(batch, 3, height, width, device=self.torch_device)
        tasks = sorted(self.capabilities.tasks or ("noise",))
        return self.encode(Pairs(images, images, (tasks[0],) * batch))

    def rehearse_companions(self, batch: Mapping[str, torch.Tensor]) -> None:
        """Run what a restoration runs besides the network and takes much memory, such as a decoder, on what
        ``rehearsal`` gave.
        """

    @property
    def capabilities(self) -> Capabilities:
        """What it needs and can do."""
        return Capabilities()

    def open(self, checkpoint: Path) -> nn.Module:
        """The network with published weights. Override it for layouts of other people's.

        Args:
            checkpoint: A safetensors file, or a folder that holds one or several with an index.

        Raises:
            RRFrameError: They cannot be read, or are another network's, with what is missing, extra and misshapen.
        """
        network = self._fresh()
        read_weights(network, checkpoint, allow_pickle=self.allow_pickle, component=self.name, plugin=self.plugin)
        return network

    # What comes from the host
    # ----------------------------------------------------------------------------------------------------------------

    @property
    def network(self) -> nn.Module:
        """The network, made or read at first use, on its device and in its dtype, for inference: ``eval`` mode."""
        if self._network is None:
            check_device(self.torch_device, component=self.name, plugin=self.plugin)
            try:
                self._begin(self.checkpoint)
            except BaseException:
                self._network = None  # half-read weights are none
                raise
            assert self._network is not None
            self._network = self.placed(self._network).eval()
        return self._network

    def placed(self, network: nn.Module) -> nn.Module:
        """``network`` on its device and in its dtype. Override it for one that does not lie there as a whole."""
        return network.to(self.torch_device, self.torch_dtype)

    @property
    def saves_memory(self) -> str | None:
        """The key in ``memory_savers`` of what its params ask for."""
        return None

    @property
    def torch_device(self) -> torch.device:
        if self.device != "auto":
            return torch.device(self.device)
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")

    @property
    def torch_dtype(self) -> torch.dtype:
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[self.dtype]

    def trainable(self) -> nn.Module:
        """The module whose parameters training changes."""
        return self.network

    def freeze(self, patterns: Sequence[str]) -> list[str]:
        """Keep parameters as they are: they get no gradient from now on.

        Args:
            patterns: Names of modules or parameters of ``trainable()``, with ``*`` for any text, and slices of lists of
                modules by number or share: ``blocks[:2]``, ``single_transformer_blocks[:25%]``.

        Returns:
            The names of the frozen parameters.

        Raises:
            RRFrameError: A pattern matches nothing, with near names.
        """
        module = self.trainable()
        names = [name for pattern in patterns for name in parameters_named(module, pattern)]
        frozen = set(names)
        for name, parameter in module.named_parameters():
            if name in frozen:
                parameter.requires_grad_(False)
        return list(dict.fromkeys(names))

    def save(self, folder: Path | str) -> None:
        """Write the trained weights to ``folder`` as safetensors, in several files where large, with what is needed to
        make this backbone from them again.

        Where all of the network is trained, the folder stands alone; else it goes with the checkpoint that this
        backbone was made from.
        """
        folder = Path(folder)
        self.write(folder)
        whole = self.trainable() is self.network
        described = {"use": self.name, "plugin": self.plugin, "whole": whole, "params": self._base_params()}
        (folder / DESCRIPTION).write_text(json.dumps(described, indent=2) + "\n")

    def load(self, folder: Path | str) -> None:
        """Take the weights that ``save`` wrote.

        Raises:
            RRFrameError: They cannot be read, or are another network's.
        """
        folder = Path(folder)
        self.described_in(folder)
        self.read(folder)

    def write(self, folder: Path) -> None:
        """Write the weights alone: what ``save`` does besides describing them. Override it for another layout."""
        write_weights(self.trainable(), folder)

    def read(self, folder: Path) -> None:
        """Take the weights alone: what ``load`` does once it knows that they are this backbone's."""
        read_weights(self.trainable(), folder, component=self.name, plugin=self.plugin)

    def described_in(self, folder: Path) -> dict[str, Any]:
        """What ``save`` noted in ``folder``: ``use``, ``plugin``, ``whole`` and ``params``. Nothing, if nothing did.

        Raises:
            RRFrameError: It is another backbone's, or cannot be read.
        """
        described = _described(folder)
        if described.get("use") not in (None, self.name):
            raise RRFrameError(
                f"{folder} holds weights of {described['use']}",
                component=self.name,
                plugin=self.plugin,
                hint=f"use {described['use']}, or another checkpoint",
            )
        return described

    def __call__(self, image: Any, task: str, **settings: Any) -> Any:
        """``image`` restored: a Pillow image, a numpy array or a tensor of any size, given back as the same type.

        Args:
            image: As for ``Degradation.__call__``. What is larger than ``capabilities.largest_side`` comes in tiles
                that fade into each other.
            task: What is to be removed, such as ``haze``.
            **settings: ``prompt``, ``steps``, ``guidance`` and ``seed`` of ``restore``; ``tile`` (pixels, ``auto`` or
                ``off``), ``overlap`` (pixels) and ``batch``.

        Raises:
            RRFrameError: The image is of no known form, or what came out is not finite.
        """
        from rrframe.contracts.trying import restore_any

        return restore_any(self, image, task, **settings)

    # Weights
    # ----------------------------------------------------------------------------------------------------------------

    def _fresh(self) -> nn.Module:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            return self.build()

    def _begin(self, checkpoint: Path | None) -> None:
        """Make the network with the weights at ``checkpoint``, or fresh ones."""
        from rrframe.cards.cached import located

        checkpoint = checkpoint and located(checkpoint, component=self.name, plugin=self.plugin)
        if checkpoint is None:
            self._network = self._fresh()
        elif not is_saved(checkpoint):
            with torch.random.fork_rng(devices=[]):  # building a network draws weights, be it to be written over
                self._network = self.open(checkpoint)
        else:
            described = self.described_in(checkpoint)
            self._begin(None if described.get("whole") else _base(described))
            self.load(checkpoint)

    def _base_params(self) -> dict[str, Any]:
        """The params, with the checkpoint that the trained weights were added to."""
        params = self.params()
        base = self.checkpoint
        while base is not None and is_saved(base):
            described = self.described_in(base)
            if described.get("whole"):
                break
            base = _base(described)
        params["checkpoint"] = None if base is None else str(base)
        # Where it ran says nothing about where it will run, and a file may not allow itself to be a pickle.
        return {name: value for name, value in params.items() if name not in _NEVER_SAVED}

    @model_validator(mode="before")
    @classmethod
    def _saved_params_are_defaults(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or not isinstance(given.get("checkpoint"), (str, Path)):
            return given
        from rrframe.cards.cached import located

        try:
            checkpoint = located(Path(given["checkpoint"]))
            saved = _described(checkpoint).get("params", {})
        except RRFrameError:  # told at first use: a recipe is valid on a machine that has not the weights
            return given
        known = cls.model_fields.keys() - _NEVER_SAVED
        return {**{name: value for name, value in saved.items() if name in known}, **given, "checkpoint": checkpoint}


def is_saved(checkpoint: Path) -> bool:
    """Whether ``checkpoint`` is a folder that ``Backbone.save`` wrote, rather than published weights."""
    return (checkpoint / DESCRIPTION).is_file()


def saved_name(checkpoint: Path) -> str | None:
    """The name of the backbone that was saved in ``checkpoint``; ``None`` for published weights.

    Raises:
        RRFrameError: What was noted there cannot be read.
    """
    name = _described(checkpoint).get("use")
    return name if isinstance(name, str) else None


def _base(described: Mapping[str, Any]) -> Path | None:
    """The checkpoint that saved weights were added to."""
    base = described.get("params", {}).get("checkpoint")
    return Path(base) if base else None


def _described(folder: Path) -> dict[str, Any]:
    try:
        described = json.loads((folder / DESCRIPTION).read_text())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise RRFrameError(f"{folder / DESCRIPTION} cannot be read: {error}") from error
    if not isinstance(described, dict) or not isinstance(described.get("params", {}), dict):
        raise RRFrameError(f"{folder / DESCRIPTION} describes no saved weights")
    return described
