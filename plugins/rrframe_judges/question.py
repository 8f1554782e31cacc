"""The question that a vision-language model is asked, and the picture that goes with it."""

from __future__ import annotations

import hashlib

import torch
from PIL import Image
from pydantic import Field, JsonValue

from rrframe import Judge
from rrframe.contracts.answers import Rules, parse_answer
from rrframe.imaging.layout import to_pixels

# The words are the protocol: scores of other words cannot be compared. Quoted from RealIR-Bench/evaluate_fs.py of
# https://github.com/yfyang007/RealRestorer (99fd2148), the evaluator that arXiv 2603.25502 released.
SYSTEM = "You are a helpful assistant."
QUESTION = (
    "Evaluate ONLY whether the image exhibits the degradation type “{task}” and how severe it is. "
    "Ignore any quality aspects unrelated to this degradation and any semantic content.\n"
    "Method: Divide the image into regions. Inspect each region for “{task}”, estimate the proportion of "
    "affected area and its severity, then aggregate to a SINGLE INTEGER score. "
    "Do NOT output your reasoning.\n"
    "Scale (integers 1-5):\n"
    "5 = No “{task}”\n"
    "4 = Mild degradation\n"
    "3 = Moderate degradation\n"
    "2 = Severe degradation\n"
    "1 = Extreme degradation\n"
    "Output: Return ONLY “退化分数：<1-5>”. Example: 退化分数：4"
)
_SIDE = 512


class Questioned(Judge):
    """What judges have in common that put the protocol's question to a model.

    Source: the protocol of RealIR-Bench, arXiv 2603.25502, with the words and the resize of its released evaluator.
    """

    question: str | None = Field(None, pattern=r"\{task\}")
    """What is asked, with ``{task}`` for the degradation; by default the words of RealIR-Bench."""
    system: str = SYSTEM
    """What the model is told before; nothing, if empty."""
    rules: Rules = "alone"
    """How an answer is read: ``released`` as the evaluator of RealIR-Bench does, which takes the 5 of "4/5" for a
    score; ``alone`` wants the digit to be a number of its own."""
    pixels: int = Field(_SIDE * _SIDE, ge=32 * 32)
    """The area at which a picture is shown."""
    tokens: int = Field(32, ge=1)
    """The longest answer."""

    def parse(self, text: str) -> float | None:
        return parse_answer(text, self.rules)

    def identity(self) -> dict[str, JsonValue]:
        words = hashlib.sha256(f"{self.system}\n\n{self.question or QUESTION}".encode()).hexdigest()
        # Not the rules: answers are kept as they stand, and can be read by others.
        return {"judge": self.name, "words": words, "pixels": self.pixels, "resize": "lanczos", "tokens": self.tokens}

    def words(self, task: str) -> str:
        """What is asked about ``task``."""
        return (self.question or QUESTION).replace("{task}", task)

    def shown(self, image: torch.Tensor) -> Image.Image:
        """``image``, ``[3, H, W]`` in [0, 1], as the model sees it: about ``pixels`` in all, in its own shape."""
        height, width = image.shape[-2:]
        size = [max(1, int((self.pixels * ratio) ** 0.5)) for ratio in (width / height, height / width)]
        return Image.fromarray(to_pixels(image)).resize((size[0], size[1]), Image.Resampling.LANCZOS)
