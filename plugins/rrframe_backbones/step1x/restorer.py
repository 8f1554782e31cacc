"""Step1X-Edit as a restorer, and RealRestorer, which has its shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from rrframe import RRFrameError
from rrframe_backbones.editing.editor import Conditioning, FlowEditor
from rrframe_backbones.editing.latents import packed, places, unpacked
from rrframe_backbones.editing.making import made
from rrframe_backbones.step1x import sizes
from rrframe_backbones.step1x.layouts import Parts, open_parts
from rrframe_backbones.step1x.processor import Step1XProcessor
from rrframe_backbones.step1x.prompts import SLOTS, hidden_states
from rrframe_backbones.step1x.transformer import REFERENCE_IDS, Version


class Step1XEdit(FlowEditor):
    """Step1X-Edit: a Flux transformer told by Qwen2.5-VL, which sees the picture too, what to do to it. RealRestorer is
    this network, trained to restore.

    Source: Liu et al. 2025, "Step1X-Edit: A practical framework for general image editing" (arXiv 2504.17761);
    "RealRestorer" (arXiv 2603.25502), whose prompts, steps and guidance are the defaults.
    """

    version: Version = "v1.1"
    """Which of the two published networks; RealRestorer is v1.1."""
    vae: Path | None = None
    """The autoencoder, where it does not lie with the checkpoint."""
    text_encoder: Path | None = None
    """The folder of Qwen2.5-VL, where it does not lie with the checkpoint."""

    # Parts
    # ----------------------------------------------------------------------------------------------------------------

    def build(self) -> nn.Module:
        with made(self.torch_dtype, self._birthplace()):
            return sizes.transformer(self.preset, self.version)

    def open(self, checkpoint: Path) -> nn.Module:
        with made(self.torch_dtype, "meta"):
            network = sizes.transformer(self.preset, self.version)
        self._parts_at(checkpoint).transformer.fill(network, **self._named())
        return network

    def fresh_part(self, part: str) -> Any:
        if part == "processor":
            return sizes.processor()
        if part == "vae":
            return sizes.autoencoder(self.preset)
        with made(self.torch_dtype, self._birthplace()):
            return sizes.text_encoder(self.preset, self.part("processor"))

    def open_part(self, part: str, checkpoint: Path) -> Any:
        found = self._parts_at(checkpoint)
        if part == "vae":
            vae = sizes.autoencoder(self.preset)
            self._there(found.vae, part, checkpoint).fill(vae, **self._named())
            return vae
        if part == "processor":
            return Step1XProcessor.from_pretrained(self._there(found.processor, part, checkpoint))
        from transformers import Qwen2_5_VLModel

        return Qwen2_5_VLModel.from_pretrained(
            self._there(found.text_encoder, part, checkpoint), dtype=self.torch_dtype
        )

    # What an editor does
    # ----------------------------------------------------------------------------------------------------------------

    def condition(self, images: torch.Tensor, prompts: list[str]) -> dict[str, torch.Tensor]:
        hidden, mask = hidden_states(
            self.part("processor"), self.part("text_encoder"), images, prompts, **self._named()
        )
        return {"hidden": hidden, "mask": mask}

    def rehearsed_conditioning(self, batch: int) -> dict[str, torch.Tensor]:
        channels = self.network.config.text_channels
        hidden = torch.zeros(batch, SLOTS, channels, device=self.torch_device)
        return {"hidden": hidden, "mask": hidden.new_ones(batch, SLOTS, dtype=torch.bool)}

    def velocity(
        self, latents: torch.Tensor, sigma: torch.Tensor, references: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        network = self.network
        height, width = latents.shape[-2:]
        tokens = packed(latents)
        ids = torch.cat([places(height, width), places(height, width, REFERENCE_IDS[self.version])])
        predicted = network(
            hidden_states=torch.cat([tokens, packed(references)], dim=1),
            encoder_hidden_states=conditioning["hidden"],
            encoder_attention_mask=conditioning["mask"],
            timestep=sigma,
            img_ids=ids.to(latents.device),
            txt_ids=ids.new_zeros(conditioning["hidden"].shape[1], 3).to(latents.device),
            return_dict=False,
        )[0]
        return unpacked(predicted[:, : tokens.shape[1]], height, width)

    # Where things lie
    # ----------------------------------------------------------------------------------------------------------------

    def _birthplace(self) -> torch.device:
        """Where random weights are made: the full-size ones where they will be used, since a CPU would take minutes;
        the tiny ones on the CPU, so that they are the same everywhere.
        """
        return self.torch_device if self.preset == "full" else torch.device("cpu")

    def _parts_at(self, checkpoint: Path) -> Parts:
        return open_parts(
            checkpoint,
            vae=self.vae,
            text_encoder=self.text_encoder,
            allow_pickle=self.allow_pickle,
            **self._named(),
        )

    def _there(self, found: Any, part: str, checkpoint: Path) -> Any:
        if found is None:
            raise RRFrameError(
                f"there is no {part} with {checkpoint}", hint=f"say where it lies: -p {part}=FOLDER", **self._named()
            )
        return found

    def _named(self) -> dict[str, str | None]:
        return {"component": self.name, "plugin": self.plugin}
