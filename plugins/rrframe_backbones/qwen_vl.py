"""Qwen2.5-VL as what tells an editor what to do: a text with a picture in it, as hidden states."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from rrframe import RRFrameError
from rrframe.imaging.layout import to_pixels
from rrframe_backbones.step1x import sizes

IMAGE = "<|image_pad|>"
"""The token that stands for a square of the picture."""
_LONGEST = 200  # times as long as wide: its limit
_SEEN: dict[str, Any] = {"min_pixels": 56 * 56, "max_pixels": 3584 * 3584}  # as published


def fresh(part: str, preset: sizes.Preset) -> Any:
    """Its ``tokenizer``, with a vocabulary learnt from a fixed text alone, its ``processor`` of pictures, or its
    ``text_encoder`` with random weights.
    """
    from transformers import Qwen2VLImageProcessorPil

    if part == "processor":
        return Qwen2VLImageProcessorPil(**_SEEN)
    processor = sizes.processor()
    return processor.tokenizer if part == "tokenizer" else sizes.text_encoder(preset, processor)


def as_picture(image: torch.Tensor, height: int, width: int) -> Image.Image:
    """``image``, ``[3, H, W]`` in [0, 1], at another size, in 8 bits as the pipelines of diffusers have it."""
    return Image.fromarray(to_pixels(image.cpu())).resize((width, height), Image.Resampling.LANCZOS)


def patches(processor: Any, picture: Image.Image, **context: Any) -> tuple[dict[str, torch.Tensor], int]:
    """What the model sees of ``picture``, and how many tokens that takes.

    Raises:
        RRFrameError: It is longer than the model takes.
    """
    if max(picture.size) > _LONGEST * min(picture.size):
        raise RRFrameError(
            f"a picture of {picture.width} x {picture.height} is more than {_LONGEST} times as long as wide",
            hint="cut it into pieces",
            **context,
        )
    found = processor(images=[picture], return_tensors="pt")
    return dict(found), int(found["image_grid_thw"].prod()) // processor.merge_size**2


def tokens_of(tokenizer: Any, text: str) -> list[int]:
    """The numbers of the tokens of ``text``, in which special tokens may stand, and no others around them."""
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def hidden_states(
    model: Any, tokens: list[int], seen: dict[str, torch.Tensor], image_token: int, real: list[bool] | None = None
) -> torch.Tensor:
    """The last hidden states, ``[L, C]``.

    Args:
        model: Qwen2.5-VL without its language head.
        tokens: ``L`` of them, with as many for the picture as ``patches`` told.
        seen: What ``patches`` gave.
        image_token: The number of the token for the picture.
        real: Which are no padding; by default all.
    """
    ids = torch.tensor([tokens], device=model.device)
    mask = torch.ones_like(ids) if real is None else torch.tensor([real], device=model.device).long()
    return model(  # type: ignore[no-any-return]
        input_ids=ids,
        attention_mask=mask,
        mm_token_type_ids=(ids == image_token).int(),  # without them rows and columns are taken for a line of text
        pixel_values=seen["pixel_values"].to(model.device, model.dtype),
        image_grid_thw=seen["image_grid_thw"].to(model.device),
        use_cache=False,
    ).last_hidden_state[0]
