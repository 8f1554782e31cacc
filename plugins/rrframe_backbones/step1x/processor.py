"""What Qwen2.5-VL reads: a fixed text, the picture and the prompt."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Self

import torch
from PIL import Image
from transformers import AutoTokenizer, ProcessorMixin
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil, smart_resize

_SIDE = 28  # of the square of pixels that becomes a token
LEAST, MOST = 256 * _SIDE**2, 324 * _SIDE**2
"""How many pixels the language model sees."""

# Its last word is where the hidden states begin that are dropped: 217 tokens of Qwen's vocabulary.
DROPPED = """<|im_start|>system
You are a helpful assistant.<|im_end|>
<|im_start|>user
Given a user prompt, generate an "Enhanced prompt" that provides detailed visual descriptions suitable for image generation. Evaluate the level of detail in the user prompt:
- If the prompt is simple, focus on adding specifics about colors, shapes, sizes, textures, and spatial relationships to create vivid and concrete scenes.
- If the prompt is already detailed, refine and enhance the existing details slightly without overcomplicating.

Here are examples of how to transform or refine prompts:
- User Prompt: A cat sleeping -> Enhanced: A small, fluffy white cat curled up in a round shape, sleeping peacefully on a warm sunny windowsill, surrounded by pots of blooming red flowers.
- User Prompt: A busy city street -> Enhanced: A bustling city street scene at dusk, featuring glowing street lamps, a diverse crowd of people in colorful clothing, and a double-decker bus passing by towering glass skyscrapers.

Please generate only the enhanced description for the prompt below and avoid including any additional commentary or evaluations:
User Prompt"""  # noqa: E501, the weights know these very words
_BEFORE_IMAGE, _AFTER_PROMPT = ":Picture 1: <|vision_start|>", "<|im_end|>\n<|im_start|>assistant\n"
_IMAGE = "<|image_pad|>"
_AFTER_IMAGE = "<|vision_end|>"
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", _AFTER_IMAGE, _IMAGE, "<|video_pad|>")
"""The tokens that stand for no text."""
_QUOTED = re.compile(r'"([^"]*)"')


class Step1XProcessor(ProcessorMixin):
    """Tokens and patches for a picture with a prompt.

    The processor of transformers for Qwen2.5-VL does films too, and needs torchvision for them; this one is its
    tokenizer and its pictures.

    Args:
        tokenizer: Of Qwen2.5-VL.
        image_processor: Of Qwen2.5-VL; it is set to see 256 to 324 squares of 28 pixels.
    """

    def __init__(self, tokenizer: Any, image_processor: Any) -> None:
        self.tokenizer, self.image_processor = tokenizer, image_processor
        self.dropped = len(self._tokens(DROPPED))

    def __call__(self, image: Image.Image, prompt: str) -> dict[str, torch.Tensor]:
        """What the language model is called with. The hidden states of the first ``dropped`` tokens say nothing.

        Source: the published prompt; text in double quotes is spelt out, as there, but an apostrophe is no quote.
        """
        patches = self.image_processor(images=[_sized(image)], return_tensors="pt")
        squares = int(patches["image_grid_thw"].prod()) // self.image_processor.merge_size**2
        pad = self.tokenizer.convert_tokens_to_ids(_IMAGE)
        before, after = self._tokens(DROPPED + _BEFORE_IMAGE), self._tokens(_AFTER_IMAGE)
        ids = torch.tensor([[*before, *[pad] * squares, *after, *self._spelt(prompt)]])
        return {
            "input_ids": ids,
            "attention_mask": torch.ones_like(ids),
            "mm_token_type_ids": (ids == pad).int(),  # without them rows and columns are taken for a line of text
            "pixel_values": patches["pixel_values"],
            "image_grid_thw": patches["image_grid_thw"],
        }

    def _spelt(self, prompt: str) -> list[int]:
        """The tokens of ``prompt`` and of what comes after, with a token a letter between double quotes."""
        tokens, begin = [], ""
        for place, text in enumerate(_QUOTED.split(prompt.replace("“", '"').replace("”", '"'))):
            if place % 2 == 0:
                tokens.append(begin + text)
                continue
            tokens[-1] += '"'
            tokens += [f"“{letter}”" for letter in text]
            begin = '"'
        tokens[-1] += _AFTER_PROMPT
        return [token for text in tokens for token in self._unquoted(self._tokens(text))]

    def _unquoted(self, tokens: list[int]) -> list[int]:
        opening, closing = self._tokens("“"), self._tokens("”")
        quoted = tokens[: len(opening)] == opening and tokens[-len(closing) :] == closing
        return tokens[len(opening) : -len(closing)] if quoted else tokens

    def _tokens(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def save_pretrained(self, save_directory: str | Path, **kwargs: Any) -> None:
        """Write tokenizer and image processor to a folder, as those of transformers are."""
        self.tokenizer.save_pretrained(save_directory)
        self.image_processor.save_pretrained(save_directory)

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **kwargs: Any) -> Self:
        """The processor in a folder of Qwen2.5-VL, of a published bundle, or that ``save_pretrained`` wrote."""
        images = Qwen2VLImageProcessorPil.from_pretrained(
            pretrained_model_name_or_path, min_pixels=LEAST, max_pixels=MOST
        )
        return cls(AutoTokenizer.from_pretrained(pretrained_model_name_or_path), images)


def _sized(image: Image.Image) -> Image.Image:
    """``image`` with sides that are multiples of 28, as published code has it before its processor resizes it again."""
    height, width = smart_resize(image.height, image.width, _SIDE, 4 * _SIDE**2, 16384 * _SIDE**2)
    return image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
