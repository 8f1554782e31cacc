"""FLUX.1 Kontext as a restorer."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pydantic import Field

from rrframe_backbones.editing.editor import Conditioning
from rrframe_backbones.editing.latents import packed, places, unpacked
from rrframe_backbones.editing.released import ReleasedEditor
from rrframe_backbones.editing.sampling import flux_scheduler
from rrframe_backbones.step1x import sizes

_SLOTS = 512  # tokens of T5
_SIZES = ((672, 1568), (688, 1504), (720, 1456), (752, 1392), (800, 1328), (832, 1248), (880, 1184), (944, 1104))
PREFERRED = sorted({*_SIZES, (1024, 1024), *((width, height) for height, width in _SIZES)})
"""The heights and widths that it was trained at."""
_TRANSFORMER: dict[sizes.Preset, dict[str, Any]] = {
    "full": {"guidance_embeds": True},
    "tiny": {
        "guidance_embeds": True,
        "num_layers": 1,
        "num_single_layers": 2,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "axes_dims_rope": (4, 6, 6),
        "joint_attention_dim": 32,
        "pooled_projection_dim": 16,
    },
}
_CLIP: dict[sizes.Preset, dict[str, Any]] = {
    "full": {
        "vocab_size": 49408,
        "hidden_size": 768,
        "intermediate_size": 3072,
        "num_hidden_layers": 12,
        "num_attention_heads": 12,
        "projection_dim": 768,
    },
    "tiny": {
        "vocab_size": 514,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "projection_dim": 16,
    },
}
_T5: dict[sizes.Preset, dict[str, Any]] = {
    "full": {"d_model": 4096, "d_ff": 10240, "d_kv": 64, "num_layers": 24, "num_heads": 64},
    "tiny": {"d_model": 32, "d_ff": 64, "d_kv": 16, "num_layers": 2, "num_heads": 2},
}


class FluxKontext(ReleasedEditor):
    """FLUX.1 Kontext: the transformer of Flux, which reads the picture behind the noise, told by T5 and CLIP.

    It was distilled for guidance: it is told how strong it is, and compares no prompts.

    Source: Black Forest Labs 2025, "FLUX.1 Kontext: flow matching for in-context image generation and editing in
    latent space" (arXiv 2506.15742), as in ``FluxKontextPipeline`` of diffusers. There, the picture and the result may
    differ in size by some pixels, which moves things; here they never do.
    """

    pipeline: ClassVar[str] = "FluxKontextPipeline"
    classes: ClassVar[dict[str, str]] = {
        "transformer": "diffusers.FluxTransformer2DModel",
        "vae": "diffusers.AutoencoderKL",
        "scheduler": "diffusers.FlowMatchEulerDiscreteScheduler",
        "text_encoder": "transformers.CLIPTextModel",
        "tokenizer": "transformers.CLIPTokenizer",
        "text_encoder_2": "transformers.T5EncoderModel",
        "tokenizer_2": "transformers.T5TokenizerFast",
    }

    reader: ClassVar[str] = "text_encoder_2"

    guidance: float = Field(2.5, ge=0, description="the strength of guidance that it is told, in training too")

    def fresh(self, part: str) -> Any:
        from diffusers import FluxTransformer2DModel
        from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

        match part:
            case "transformer":
                return FluxTransformer2DModel(**_TRANSFORMER[self.preset])
            case "vae":
                return sizes.autoencoder(self.preset)
            case "scheduler":
                return flux_scheduler()
            case "text_encoder":
                special = {"bos_token_id": 512, "eos_token_id": 513, "pad_token_id": 513}
                return CLIPTextModel(CLIPTextConfig(**_CLIP[self.preset], **special))
            case "text_encoder_2":
                return T5EncoderModel(T5Config(**_T5[self.preset], vocab_size=32128, feed_forward_proj="gated-gelu"))
            case "tokenizer":
                return _letters_of_clip()
        return _letters_of_t5()

    def size(self, height: int, width: int) -> tuple[int, int]:
        """The size of nearly this shape that it was trained at, or one in proportion where ``pixels`` is not 1024 x
        1024.
        """
        nearest = min(PREFERRED, key=lambda size: abs(width / height - size[1] / size[0]))
        scale = math.sqrt(self.pixels) / 1024
        down, across = (max(16, round(side * scale / 16) * 16) for side in nearest)
        return down, across

    def condition(self, images: torch.Tensor, prompts: list[str]) -> dict[str, torch.Tensor]:
        clip, t5 = self.part("text_encoder"), self.part("text_encoder_2")
        short = _tokens(self.part("tokenizer"), prompts, self.part("tokenizer").model_max_length)
        long = _tokens(self.part("tokenizer_2"), prompts, _SLOTS)
        return {"hidden": t5(long.to(t5.device))[0], "pooled": clip(short.to(clip.device)).pooler_output}

    def steered(self, told: Conditioning, scale: float) -> Conditioning:
        return {**told, "guidance": told["hidden"].new_full((len(told["hidden"]),), scale, dtype=torch.float32)}

    def compares(self, scale: float) -> bool:
        return False

    def velocity(
        self, latents: torch.Tensor, sigma: torch.Tensor, references: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        network = self.network
        height, width = latents.shape[-2:]
        tokens, hidden = packed(latents), conditioning["hidden"]
        ids = torch.cat([places(height, width), places(height, width, 1.0)]).to(latents.device)
        told = conditioning if "guidance" in conditioning else self.steered(conditioning, self.guidance)
        predicted = network(
            hidden_states=torch.cat([tokens, packed(references)], dim=1),
            encoder_hidden_states=hidden,
            pooled_projections=conditioning["pooled"],
            timestep=sigma,
            guidance=told["guidance"] if network.config.guidance_embeds else None,
            img_ids=ids,
            txt_ids=ids.new_zeros(hidden.shape[1], 3),
            return_dict=False,
        )[0]
        return unpacked(predicted[:, : tokens.shape[1]], height, width)

    def rehearsed_conditioning(self, batch: int) -> dict[str, torch.Tensor]:
        config = self.network.config
        hidden = torch.zeros(batch, _SLOTS, config.joint_attention_dim, device=self.torch_device)
        return {"hidden": hidden, "pooled": hidden.new_zeros(batch, config.pooled_projection_dim)}


def _tokens(tokenizer: Any, prompts: list[str], slots: int) -> torch.Tensor:
    found = tokenizer(prompts, padding="max_length", max_length=slots, truncation=True, return_tensors="pt")
    return found["input_ids"]  # type: ignore[no-any-return]


def _letters_of_clip() -> Any:
    """A tokenizer of CLIP's kind that knows bytes alone."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    letters = sorted(ByteLevel.alphabet())
    known = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: number for number, token in enumerate(known)}, merges=[], model_max_length=77)


def _letters_of_t5() -> Any:
    """A tokenizer of T5's kind that knows letters alone."""
    from transformers import T5TokenizerFast

    letters = [(chr(number), -5.0) for number in range(33, 127)]
    return T5TokenizerFast(vocab=[("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), *letters], extra_ids=0)
