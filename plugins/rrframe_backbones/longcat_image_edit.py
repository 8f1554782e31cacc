"""LongCat-Image-Edit as a restorer."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import torch
from pydantic import Field, model_validator

from rrframe_backbones import qwen_vl
from rrframe_backbones.editing.editor import Conditioning
from rrframe_backbones.editing.latents import packed, places, unpacked
from rrframe_backbones.editing.released import ReleasedEditor
from rrframe_backbones.editing.sampling import flux_scheduler
from rrframe_backbones.step1x import sizes

SLOTS = 512
"""Tokens of a prompt, filled up with padding that is attended to."""
_BEFORE = """<|im_start|>system
As an image editing expert, first analyze the content and attributes of the input image(s). Then, based on the user's editing instructions, clearly and precisely determine how to modify the given image(s), ensuring that only the specified parts are altered and all other aspects remain consistent with the original(s).<|im_end|>
<|im_start|>user
"""  # noqa: E501, the weights know these very words
_PICTURE, _AFTER = "<|vision_start|>{}<|vision_end|>", "<|im_end|>\n<|im_start|>assistant\n"
_APOSTROPHE = re.compile(r"(?<=[a-zA-Z])'(?=[a-zA-Z])")
_QUOTED = re.compile(r"""('[^']*'|"[^"]*"|‘[^‘’]*’|“[^“”]*”)""")
_SQUARE = 28  # pixels of a side of what becomes a token
_TRANSFORMER: dict[sizes.Preset, dict[str, Any]] = {
    "full": {"num_layers": 10, "num_single_layers": 20},
    "tiny": {
        "num_layers": 1,
        "num_single_layers": 2,
        "attention_head_dim": 16,
        "num_attention_heads": 2,
        "axes_dims_rope": [4, 6, 6],
        "joint_attention_dim": 32,
        "pooled_projection_dim": 32,
    },
}


class LongCatImageEdit(ReleasedEditor):
    """LongCat-Image-Edit: a transformer of Flux's shape and half its size, told by Qwen2.5-VL, which sees the picture
    too, at half the size.

    Source: Meituan LongCat team 2025, "LongCat-Image technical report" (arXiv 2512.07584), as in
    ``LongCatImageEditPipeline`` of diffusers.
    """

    pipeline: ClassVar[str] = "LongCatImageEditPipeline"
    classes: ClassVar[dict[str, str]] = {
        "transformer": "diffusers.LongCatImageTransformer2DModel",
        "vae": "diffusers.AutoencoderKL",
        "scheduler": "diffusers.FlowMatchEulerDiscreteScheduler",
        "text_encoder": "transformers.Qwen2_5_VLModel",
        "tokenizer": "transformers.AutoTokenizer",
        "text_processor": "transformers.Qwen2VLImageProcessorPil",
    }

    steps: int = Field(50, ge=1, description="steps from noise to picture")
    guidance: float = Field(4.5, description="how many times as far as it would to follow the prompt; up to 1: off")

    @model_validator(mode="after")
    def _cache_is_known(self) -> Self:
        if self.speed.cache in ("first-block", "magcache"):
            raise ValueError(f"diffusers has no {self.speed.cache} cache for this transformer; taylorseer works")
        return self

    def fresh(self, part: str) -> Any:
        from diffusers import LongCatImageTransformer2DModel

        match part:
            case "transformer":
                return LongCatImageTransformer2DModel(**_TRANSFORMER[self.preset])
            case "vae":
                return sizes.autoencoder(self.preset)
            case "scheduler":
                return flux_scheduler()
            case "text_processor":
                return qwen_vl.fresh("processor", self.preset)
        return qwen_vl.fresh(part, self.preset)

    def size(self, height: int, width: int) -> tuple[int, int]:
        """About ``pixels``, of nearly this shape, sides up to the next multiples of 16."""
        ratio = width / height
        across = math.sqrt(self.pixels * ratio)
        down, across = (math.ceil(side / 16) * 16 for side in (across / ratio, across))
        return down, across

    def condition(self, images: torch.Tensor, prompts: list[str]) -> dict[str, torch.Tensor]:
        rows = [self._told(image, prompt) for image, prompt in zip(images, prompts, strict=True)]
        return {"hidden": torch.stack(rows)}

    def velocity(
        self, latents: torch.Tensor, sigma: torch.Tensor, references: torch.Tensor, conditioning: Conditioning
    ) -> torch.Tensor:
        height, width = latents.shape[-2:]
        tokens, hidden = packed(latents), conditioning["hidden"]
        words = torch.arange(float(hidden.shape[1]))
        start = torch.tensor([0.0, len(words), len(words)])  # pictures lie behind the text, on both axes
        ids = torch.cat([places(height, width, image) + start for image in (1.0, 2.0)])
        predicted = self.network(
            hidden_states=torch.cat([tokens, packed(references)], dim=1),
            encoder_hidden_states=hidden,
            timestep=sigma,
            img_ids=ids.to(latents.device),
            txt_ids=torch.stack([torch.zeros_like(words), words, words], dim=1).to(latents.device),
            return_dict=False,
        )[0]
        return unpacked(predicted[:, : tokens.shape[1]], height, width)

    def guided(self, told: torch.Tensor, untold: torch.Tensor, scale: float, sigma: float) -> torch.Tensor:
        return untold + scale * (told - untold)

    def rehearsed_conditioning(self, batch: int) -> dict[str, torch.Tensor]:
        squares = round(self.pixels / 4 / _SQUARE**2)
        channels = self.network.config.joint_attention_dim
        return {"hidden": torch.zeros(batch, squares + 2 + SLOTS, channels, device=self.torch_device)}

    def _told(self, image: torch.Tensor, prompt: str) -> torch.Tensor:
        """The hidden states of the picture and of the prompt, ``[L, C]``."""
        tokenizer = self.part("tokenizer")
        picture = qwen_vl.as_picture(image, image.shape[-2] // 2, image.shape[-1] // 2)
        seen, squares = qwen_vl.patches(self.part("text_processor"), picture, component=self.name, plugin=self.plugin)
        before, middle, after = (
            qwen_vl.tokens_of(tokenizer, text) for text in (_BEFORE, _PICTURE.format(qwen_vl.IMAGE * squares), _AFTER)
        )
        words = [token for text in spelt(prompt) for token in qwen_vl.tokens_of(tokenizer, text)][:SLOTS]
        empty = SLOTS - len(words)
        tokens = [*before, *middle, *words, *[tokenizer.pad_token_id] * empty, *after]
        real = [True] * (len(tokens) - empty - len(after)) + [False] * empty + [True] * len(after)
        number = tokenizer.convert_tokens_to_ids(qwen_vl.IMAGE)
        hidden = qwen_vl.hidden_states(self.part("text_encoder"), tokens, seen, number, real)
        return hidden[len(before) : len(tokens) - len(after)]


def spelt(prompt: str) -> Iterator[str]:
    """``prompt`` in pieces that become tokens on their own: what stands between quotes, letter by letter; an
    apostrophe in a word is no quote.
    """
    for place, marked in enumerate(_QUOTED.split(_APOSTROPHE.sub("\0", prompt))):
        text = marked.replace("\0", "'")
        yield from text if place % 2 else filter(None, [text])
