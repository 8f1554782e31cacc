"""Qwen-Image-Edit as a restorer."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from pydantic import Field

from rrframe import RRFrameError
from rrframe_backbones import qwen_vl
from rrframe_backbones.editing.editor import Conditioning
from rrframe_backbones.editing.latents import packed, unpacked
from rrframe_backbones.editing.released import ReleasedEditor
from rrframe_backbones.step1x.sizes import Preset

SLOTS = 512
"""Tokens of prompt and picture, of which those that are used are attended to."""
BEFORE = """<|im_start|>system
Describe the key features of the input image (color, shape, size, texture, objects, background), then explain how the user's text instruction should alter or modify the image. Generate a new image that meets the user's requirements while maintaining consistency with the original input where appropriate.<|im_end|>
<|im_start|>user
"""  # noqa: E501, the weights know these very words
"""The hidden states of these words are dropped: 64 tokens of Qwen's vocabulary."""
_PICTURE, _AFTER = "Picture 1: <|vision_start|>{}<|vision_end|>", "<|im_end|>\n<|im_start|>assistant\n"
SEEN: dict[Preset, int] = {"full": 384 * 384, "tiny": 96 * 96}
"""How many pixels of the picture the language model sees."""
_SIDE = 32
_SCHEDULE: dict[str, Any] = {
    "use_dynamic_shifting": True,
    "base_shift": 0.5,
    "max_shift": 0.9,
    "base_image_seq_len": 256,
    "max_image_seq_len": 8192,
    "shift_terminal": 0.02,
}
_TRANSFORMER: dict[Preset, dict[str, Any]] = {
    "full": {"zero_cond_t": True},
    "tiny": {
        "zero_cond_t": True,
        "num_layers": 2,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "axes_dims_rope": (4, 6, 6),
        "joint_attention_dim": 32,
    },
}
_AUTOENCODER: dict[Preset, dict[str, Any]] = {"full": {}, "tiny": {"base_dim": 8, "num_res_blocks": 1}}


class QwenImageEdit(ReleasedEditor):
    """Qwen-Image-Edit in its version with several pictures (2509, 2511), here with one: told by Qwen2.5-VL, which sees
    the picture too, small.

    Source: Qwen team 2025, "Qwen-Image technical report" (arXiv 2508.02324), as in ``QwenImageEditPlusPipeline`` of
    diffusers; steps and guidance are those of the released example.
    """

    pipeline: ClassVar[str] = "QwenImageEditPlusPipeline"
    classes: ClassVar[dict[str, str]] = {
        "transformer": "diffusers.QwenImageTransformer2DModel",
        "vae": "diffusers.AutoencoderKLQwenImage",
        "scheduler": "diffusers.FlowMatchEulerDiscreteScheduler",
        "text_encoder": "transformers.Qwen2_5_VLModel",
        "tokenizer": "transformers.AutoTokenizer",
        "processor": "transformers.Qwen2VLImageProcessorPil",
    }

    steps: int = Field(40, ge=1, description="steps from noise to picture")
    guidance: float = Field(4.0, description="how many times as far as it would to follow the prompt; up to 1: off")

    def fresh(self, part: str) -> Any:
        from diffusers import AutoencoderKLQwenImage, FlowMatchEulerDiscreteScheduler, QwenImageTransformer2DModel

        match part:
            case "transformer":
                return QwenImageTransformer2DModel(**_TRANSFORMER[self.preset])
            case "vae":
                return AutoencoderKLQwenImage(**_AUTOENCODER[self.preset])
            case "scheduler":
                return FlowMatchEulerDiscreteScheduler(**_SCHEDULE)
        return qwen_vl.fresh(part, self.preset)

    def size(self, height: int, width: int) -> tuple[int, int]:
        return _sized(self.pixels, height, width)

    def shown(self, images: torch.Tensor, degraded: torch.Tensor) -> torch.Tensor:
        return images

    def condition(self, images: torch.Tensor, prompts: list[str]) -> dict[str, torch.Tensor]:
        rows = [self._told(image, prompt) for image, prompt in zip(images, prompts, strict=True)]
        hidden = torch.stack([torch.cat([row, row.new_zeros(SLOTS - len(row), row.shape[1])]) for row in rows])
        used = torch.tensor([len(row) for row in rows], device=hidden.device)
        return {"hidden": hidden, "mask": torch.arange(SLOTS, device=hidden.device) < used[:, None]}

    def velocity(
        self, latents: torch.Tensor, sigma: torch.Tensor, references: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        count, _, height, width = latents.shape
        tokens = packed(latents)
        predicted = self.network(
            hidden_states=torch.cat([tokens, packed(references)], dim=1),
            encoder_hidden_states=conditioning["hidden"],
            encoder_hidden_states_mask=conditioning["mask"],
            timestep=sigma,
            img_shapes=[[(1, height // 2, width // 2)] * 2] * count,
            return_dict=False,
        )[0]
        return unpacked(predicted[:, : tokens.shape[1]], height, width)

    def guided(self, told: torch.Tensor, untold: torch.Tensor, scale: float, sigma: float) -> torch.Tensor:
        """The guided velocity, made as long as the one with the prompt is, token by token."""
        follows, alone = packed(told), packed(untold)
        guided = alone + scale * (follows - alone)
        length = follows.norm(dim=2, keepdim=True) / guided.norm(dim=2, keepdim=True).clamp(min=1e-12)
        return unpacked(guided * length, *told.shape[-2:])

    def to_latents(self, images: torch.Tensor) -> torch.Tensor:
        vae = self.part("vae")
        mean, deviation = self._statistics()
        films = (images.to(vae.device, vae.dtype) * 2 - 1).unsqueeze(2)  # of a single picture each
        return (torch.cat([vae.encode(film).latent_dist.mode() for film in films.split(1)])[:, :, 0] - mean) / deviation

    def to_images(self, latents: torch.Tensor) -> torch.Tensor:
        vae = self.part("vae")
        mean, deviation = self._statistics()
        films = (latents.to(vae.device, vae.dtype) * deviation + mean).unsqueeze(2)
        images = torch.cat([vae.decode(film).sample[:, :, 0] for film in films.split(1)])
        return images.float().mul(0.5).add(0.5).clamp(0, 1)

    def rehearsed_conditioning(self, batch: int) -> dict[str, torch.Tensor]:
        hidden = torch.zeros(batch, SLOTS, self.network.config.joint_attention_dim, device=self.torch_device)
        return {"hidden": hidden, "mask": hidden.new_ones(batch, SLOTS, dtype=torch.bool)}

    def _told(self, image: torch.Tensor, prompt: str) -> torch.Tensor:
        context = {"component": self.name, "plugin": self.plugin}
        tokenizer = self.part("tokenizer")
        picture = qwen_vl.as_picture(image, *_sized(SEEN[self.preset], *image.shape[-2:]))
        seen, squares = qwen_vl.patches(self.part("processor"), picture, **context)
        dropped = len(qwen_vl.tokens_of(tokenizer, BEFORE))
        text = BEFORE + _PICTURE.format(qwen_vl.IMAGE * squares) + (prompt or " ") + _AFTER  # as the released example
        tokens = qwen_vl.tokens_of(tokenizer, text)
        if len(tokens) - dropped > SLOTS:
            raise RRFrameError(
                f"the prompt takes {len(tokens) - dropped - squares} tokens, more than {SLOTS - squares}",
                hint="shorten it",
                **context,
            )
        number = tokenizer.convert_tokens_to_ids(qwen_vl.IMAGE)
        return qwen_vl.hidden_states(self.part("text_encoder"), tokens, seen, number)[dropped:]

    def _statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The mean and the deviation of each channel of the latents, ``[1, C, 1, 1]``."""
        vae = self.part("vae")
        mean, deviation = (
            torch.tensor(values, dtype=torch.float32, device=vae.device).view(1, -1, 1, 1)
            for values in (vae.config.latents_mean, vae.config.latents_std)
        )
        return mean, deviation


def _sized(pixels: int, height: int, width: int) -> tuple[int, int]:
    """The size of about ``pixels`` and nearly this shape, to the nearest multiples of 32."""
    ratio = width / height
    across = math.sqrt(pixels * ratio)
    down, across = (max(_SIDE, round(side / _SIDE) * _SIDE) for side in (across / ratio, across))
    return down, across
