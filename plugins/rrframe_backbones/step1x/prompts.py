"""Prompts and pictures as the hidden states of Qwen2.5-VL."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image

from rrframe import RRFrameError
from rrframe.imaging.layout import to_pixels

SLOTS = 640
"""The transformer attends to so many text tokens, however few are used."""
_LONGEST = 200  # times as long as wide: the limit of Qwen2.5-VL


def hidden_states(
    processor: Any, text_encoder: Any, images: torch.Tensor, prompts: list[str], **context: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the language model makes of each picture with its prompt.

    Args:
        processor: A ``Step1XProcessor``.
        text_encoder: Qwen2.5-VL of transformers; with a language head or without, which is not called.
        images: ``[B, 3, H, W]`` float32 in [0, 1].
        prompts: One each.
        context: What an ``RRFrameError`` takes.

    Returns:
        The last hidden states ``[B, 640, C]``, cut or filled up with zeros, and true where there are any ``[B, 640]``.

    Raises:
        RRFrameError: A picture is longer than the language model takes.
    """
    height, width = images.shape[-2:]
    if max(height, width) > _LONGEST * min(height, width):
        raise RRFrameError(
            f"a picture of {width} x {height} is more than {_LONGEST} times as long as wide",
            hint="cut it into pieces",
            **context,
        )
    model = getattr(text_encoder, "model", text_encoder)
    rows, masks = zip(
        *(_of_one(processor, model, image, prompt) for image, prompt in zip(images, prompts, strict=True)), strict=True
    )
    return torch.stack(rows), torch.stack(masks)


def _of_one(processor: Any, model: Any, image: torch.Tensor, prompt: str) -> tuple[torch.Tensor, torch.Tensor]:
    read = processor(Image.fromarray(to_pixels(image.cpu())), prompt)
    inputs = {name: tensor.to(model.device) for name, tensor in read.items()}
    inputs["pixel_values"] = inputs["pixel_values"].to(model.dtype)
    states = model(**inputs, use_cache=False).last_hidden_state[0, processor.dropped :][:SLOTS]
    row = states.new_zeros(SLOTS, states.shape[-1])
    row[: len(states)] = states
    return row, torch.arange(SLOTS, device=states.device) < len(states)
