"""What image editors that match flows have in common, as restorers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field, PrivateAttr, model_validator
from torch import nn

from rrframe import Backbone, Capabilities, Pairs, RRFrameError
from rrframe.cards.cached import located
from rrframe.contracts.accelerator import Accelerator
from rrframe.contracts.backbone import is_saved
from rrframe.contracts.component import create
from rrframe.contracts.draw import Noise
from rrframe_backbones.editing import latents as latent
from rrframe_backbones.editing import sampling
from rrframe_backbones.editing.making import quietly
from rrframe_backbones.editing.sizes import fitted, resized
from rrframe_backbones.editing.speed import ACCELERATORS, Speed, apply, cached, stream

Conditioning = Mapping[str, torch.Tensor]
"""What a prompt and a picture tell the transformer; the first dimension of each tensor is the batch's."""


class FlowEditor(Backbone):
    """A transformer that turns noise into a restored picture, beside the latents of the degraded one and told by a
    prompt what to do.

    A subclass gives the transformer (``build``, ``open``), the frozen parts (``fresh_part``, ``open_part``),
    ``condition`` and ``velocity``. Sizes, latents, the loss, the sampler and guidance are here.

    Each frozen part is made or read when it is first needed, so that training from a cache of ``encode`` never loads
    one.
    """

    tiny: ClassVar[Mapping[str, Any]] = {"dtype": "float32", "pixels": 64 * 64, "steps": 2}
    """The params that the preset ``tiny`` changes where they are not given."""
    checked_with: ClassVar[Mapping[str, Any]] = {"preset": "tiny"}
    reader: ClassVar[str] = "text_encoder"
    """The large one among the frozen parts, which reads prompts."""
    memory_savers: ClassVar[Mapping[str, str]] = {
        "frozen networks on the CPU": "-p 'speed={offload: idle}'",
        "weights in 8 bits": "-p 'speed={fp8: true, offload: idle}'",
        "weights streamed": "-p 'speed={offload: group}'",
    }
    pixels_param: ClassVar[str | None] = "pixels"
    accelerators: ClassVar[Mapping[str, Accelerator]] = ACCELERATORS

    preset: Literal["full", "tiny"] = "full"
    """``full`` has the published sizes; ``tiny`` is never trained and has the same parts, small enough for a test."""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """What the transformer and the text encoder compute in. Latents, noise levels and the autoencoder are float32."""
    language: Literal["en", "zh"] = "en"
    """Which of a task's prompts it is told."""
    pixels: int = Field(1024 * 1024, ge=1024, description="pixels that a picture has about in all while it is restored")
    steps: int = Field(28, ge=1, description="steps from noise to picture")
    guidance: float = Field(3.0, description="how many times as far as it would to follow the prompt; up to 1: off")
    timesteps: Literal["logit-normal", "uniform"] = "logit-normal"
    """How training draws noise levels, before the shift that sampling makes too."""
    speed: Speed = Speed()
    """Faster or smaller at a price, while restoring."""

    _parts: dict[str, Any] = PrivateAttr(default_factory=dict)
    _held: set[str] = PrivateAttr(default_factory=set)

    # What an editor writes, besides ``build`` and ``open``
    # ----------------------------------------------------------------------------------------------------------------

    @abstractmethod
    def fresh_part(self, part: str) -> Any:
        """The frozen part called ``part``, such as ``vae``, with random weights; the generator is seeded."""

    @abstractmethod
    def open_part(self, part: str, checkpoint: Path) -> Any:
        """The frozen part called ``part`` from the published weights at ``checkpoint``."""

    @abstractmethod
    def condition(self, images: torch.Tensor, prompts: list[str]) -> dict[str, torch.Tensor]:
        """What the transformer is told.

        Args:
            images: The degraded pictures, ``[B, 3, H, W]`` float32 in [0, 1], as ``shown`` gave them.
            prompts: One each.
        """

    @abstractmethod
    def velocity(
        self, latents: torch.Tensor, sigma: torch.Tensor, references: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        """Noise less picture, as the transformer sees it: ``[B, C, h, w]``.

        Args:
            latents: ``[B, C, h, w]`` in the transformer's dtype, part noise.
            sigma: ``[B]`` float32 in [0, 1], how much.
            references: ``[B, C, h, w]``, the latents of the degraded pictures.
            conditioning: What ``condition`` gave, floats in the transformer's dtype.
        """

    # What an editor may write otherwise
    # ----------------------------------------------------------------------------------------------------------------

    def scheduler(self) -> Any:
        """A fresh scheduler of diffusers, which tells how noise levels shift."""
        return sampling.flux_scheduler()

    def to_latents(self, images: torch.Tensor) -> torch.Tensor:
        """``[B, 3, H, W]`` in [0, 1] as ``[B, C, H/8, W/8]`` float32."""
        return latent.encoded(self.part("vae"), images)

    def to_images(self, latents: torch.Tensor) -> torch.Tensor:
        """``[B, C, h, w]`` as ``[B, 3, 8 h, 8 w]`` float32 in [0, 1]."""
        return latent.decoded(self.part("vae"), latents)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width that a picture of this size is restored at, multiples of 16."""
        return fitted(height, width, self.pixels)

    def shown(self, images: torch.Tensor, degraded: torch.Tensor) -> torch.Tensor:
        """What ``condition`` is given of the degraded pictures: ``images`` as they came, or ``degraded``, the same at
        the size they are restored at.
        """
        return degraded

    def steered(self, told: Conditioning, scale: float) -> Conditioning:
        """``told`` with the strength of guidance, for a transformer that reads it."""
        return told

    def compares(self, scale: float) -> bool:
        """Whether guidance of this strength compares two prompts, the second one empty."""
        return scale > 1.0

    def guided(self, told: torch.Tensor, untold: torch.Tensor, scale: float, sigma: float) -> torch.Tensor:
        """The velocity made of the one with the prompt and the one without, ``[B, C, h, w]`` float32."""
        return sampling.guided(told, untold, scale, sigma)

    # The contract
    # ----------------------------------------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(needs_prompt=True, steps=self.steps, guidance=self.guidance)

    @property
    def saves_memory(self) -> str | None:
        if self.speed.offload == "group":
            return "weights streamed"
        if self.speed.offload == "idle":
            return "weights in 8 bits" if self.speed.fp8 else "frozen networks on the CPU"
        return None

    def encode(self, pairs: Pairs) -> dict[str, torch.Tensor]:
        size = self.size(*pairs.degraded.shape[-2:])
        with torch.no_grad():
            degraded = resized(pairs.degraded.to(self.torch_device), *size)
            clean = resized(pairs.clean.to(self.torch_device), *size)
            told = self.condition(self.shown(pairs.degraded, degraded), [self.prompt(task) for task in pairs.tasks])
            return {"latents": self.to_latents(clean), "references": self.to_latents(degraded), **told}

    def loss(self, batch: Mapping[str, torch.Tensor], rng: Noise) -> torch.Tensor:
        """The mean square of what the predicted velocity lacks, at a noise level drawn for each pair.

        Raises:
            RRFrameError: ``speed`` says something that keeps the transformer from being trained.
        """
        if self.speed.restores_only:
            raise RRFrameError(
                "a transformer that is compiled, in 8 bits or offloaded cannot be trained",
                component=self.name,
                plugin=self.plugin,
                hint="leave speed.compile, speed.fp8 and speed.offload as they are by default",
            )
        clean = batch["latents"]
        sigma = self._drawn_levels(clean, rng)
        noise = rng.normal(clean)
        noisy = torch.lerp(clean, noise, sigma.view(-1, 1, 1, 1))
        told = {name: tensor for name, tensor in batch.items() if name not in ("latents", "references")}
        predicted = self._velocity(noisy, sigma, batch["references"], told)
        return (predicted - (noise - clean)).square().mean((1, 2, 3))

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
        height, width = images.shape[-2:]
        scale = self.guidance if guidance is None else guidance
        text = self.prompt(task) if prompt is None else prompt
        with torch.no_grad():
            degraded = resized(images.to(self.torch_device), *self.size(height, width))
            shown = self.shown(images, degraded)
            self._bring(self.reader)
            told = self.steered(self.condition(shown, [text] * len(images)), scale)
            untold = self.condition(shown, [""] * len(images)) if self.compares(scale) else None
            references = self.to_latents(degraded)
            self._bring("network")
            clean = self._sampled(references, told, untold, scale, steps or self.steps, seed)
            return resized(self.to_images(clean), height, width).to(images.device)

    def companions(self) -> dict[str, nn.Module]:
        return {part: self.part(part) for part in ("vae", "text_encoder")}

    def release_companions(self) -> None:
        for part, found in list(self._parts.items()):
            if isinstance(found, nn.Module) and part not in self._held:
                del self._parts[part]

    def rehearsal(self, height: int, width: int, batch: int) -> dict[str, torch.Tensor]:
        size = self.size(height, width)
        latents = self.to_latents(torch.zeros(batch, 3, *size, device=self.torch_device))
        return {"latents": latents, "references": latents, **self.rehearsed_conditioning(batch)}

    def rehearse_companions(self, batch: Mapping[str, torch.Tensor]) -> None:
        self.to_images(batch["latents"])

    def rehearsed_conditioning(self, batch: int) -> dict[str, torch.Tensor]:
        """What ``condition`` would give, made up, for estimates of memory; without it there are none."""
        raise RRFrameError("it does not say how much its prompts take up", component=self.name, plugin=self.plugin)

    # How it works
    # ----------------------------------------------------------------------------------------------------------------

    @property
    def network(self) -> nn.Module:
        if self._network is None:
            with quietly(), torch.inference_mode(False):  # what is made in inference mode can never be trained
                self._speed_up(super().network)
        return super().network

    def part(self, part: str) -> Any:
        """The frozen part called ``part``, made or read at first use."""
        if part not in self._parts:
            published = self.published()
            with quietly(), torch.inference_mode(False), torch.random.fork_rng(devices=[]):
                torch.manual_seed(self.seed)
                found = self.fresh_part(part) if published is None else self.open_part(part, published)
            if isinstance(found, nn.Module):
                found = found.eval().requires_grad_(False)
                if part == self.reader and self.speed.offload == "group":
                    stream(found, self.torch_device)
                else:
                    found.to(self.torch_device)
            self._parts[part] = found
        return self._parts[part]

    def hold(self, network: nn.Module, **parts: Any) -> None:
        """Restore with ``network`` and these frozen parts, instead of making or reading any."""
        self._network = network
        self._speed_up(network)
        self._parts.update(parts)
        self._held.update(parts)

    def published(self) -> Path | None:
        """The checkpoint that the frozen parts come from: behind weights that were trained here, what they began
        with.
        """
        checkpoint = self.checkpoint and located(self.checkpoint, component=self.name, plugin=self.plugin)
        while checkpoint is not None and is_saved(checkpoint):
            began = self.described_in(checkpoint).get("params", {}).get("checkpoint")
            checkpoint = located(Path(began), component=self.name, plugin=self.plugin) if began else None
        return checkpoint

    def prompt(self, task: str) -> str:
        """The prompt of ``task``.

        Raises:
            RRFrameError: There is no such task, or it has none in this language.
        """
        prompts: dict[str, str] = create(task, kinds=("task",)).prompts  # type: ignore[attr-defined]
        if self.language not in prompts:
            raise RRFrameError(
                f"the task {task} has no prompt in {self.language!r}",
                component=self.name,
                plugin=self.plugin,
                hint=f"set language to one of {', '.join(sorted(prompts))}, or give a prompt",
            )
        return prompts[self.language]

    def _sampled(
        self,
        references: torch.Tensor,
        told: Conditioning,
        untold: Conditioning | None,
        scale: float,
        steps: int,
        seed: int,
    ) -> torch.Tensor:
        scheduler = self.scheduler()
        latents = _noise(references, seed)
        with cached(self.network, self.speed, steps):
            for sigma in sampling.levels(scheduler, steps, _tokens(latents), torch.device("cpu")):
                velocity = self._step(latents, float(sigma), references, told, untold, scale)
                latents = scheduler.step(velocity, sigma * 1000, latents, return_dict=False)[0]
        return latents

    def _step(
        self,
        latents: torch.Tensor,
        sigma: float,
        references: torch.Tensor,
        told: Conditioning,
        untold: Conditioning | None,
        scale: float,
    ) -> torch.Tensor:
        """The velocity at one noise level, with and without the prompt in one batch."""
        if untold is not None:
            told = {name: torch.cat([tensor, untold[name]]) for name, tensor in told.items()}
            latents, references = torch.cat([latents, latents]), torch.cat([references, references])
        velocity = self._velocity(latents, latents.new_full((len(latents),), sigma), references, told)
        return velocity if untold is None else self.guided(*velocity.chunk(2), scale, sigma)

    def _velocity(
        self, latents: torch.Tensor, sigma: torch.Tensor, references: torch.Tensor, told: Conditioning
    ) -> torch.Tensor:
        """``velocity`` of float32 tensors, as float32."""
        dtype = self.torch_dtype
        told = {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in told.items()}
        return self.velocity(latents.to(dtype), sigma, references.to(dtype), told).float()

    def placed(self, network: nn.Module) -> nn.Module:
        return super().placed(network) if self.speed.offload == "none" else network.to("cpu", self.torch_dtype)

    def _bring(self, wanted: str) -> None:
        """Where only one of the large networks is to lie on the device: put the one that is ``wanted`` there, and the
        other into main memory.
        """
        if self.speed.offload != "idle":
            return
        large = {"network": self._network, self.reader: self._parts.get(self.reader)}
        for name, network in large.items():
            if network is not None and name != wanted:
                network.to("cpu")
        found = self.network if wanted == "network" else self.part(wanted)
        found.to(self.torch_device)

    def _speed_up(self, network: nn.Module) -> None:
        try:
            apply(network, self.speed, self.torch_dtype, self.torch_device)
        except (ValueError, RuntimeError, ImportError) as error:
            self._network = None
            raise RRFrameError(
                f"speed cannot be set so here: {error}", component=self.name, plugin=self.plugin, hint="leave it out"
            ) from error

    def _drawn_levels(self, latents: torch.Tensor, rng: Noise) -> torch.Tensor:
        each = latents.new_empty(len(latents))
        shares = rng.uniform(each) if self.timesteps == "uniform" else rng.normal(each).sigmoid()
        return sampling.shifted(self.scheduler(), shares.clamp(min=1e-4), _tokens(latents))

    @model_validator(mode="before")
    @classmethod
    def _preset_changes_defaults(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        if given.get("device") == "meta":  # what has no content computes as it would without a speed
            given = {**given, "speed": {}}
        return {**cls.tiny, **given} if given.get("preset") == "tiny" else given


def _tokens(latents: torch.Tensor) -> int:
    return latents.shape[-2] * latents.shape[-1] // 4


def _noise(like: torch.Tensor, seed: int) -> torch.Tensor:
    """The same noise for each image of a batch, and on every device."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(like.shape[1:], generator=generator, dtype=torch.float32)
    return noise.to(like.device).expand(like.shape).contiguous()
