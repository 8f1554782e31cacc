"""Vision-language models of transformers, on this machine."""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
from collections.abc import Sequence
from typing import Any, Literal

import torch
from pydantic import Field, JsonValue

from rrframe.contracts.pretrained import Pretrained, loading
from rrframe.run.versions import installed_version
from rrframe_judges.question import Questioned


class Local(Pretrained, Questioned):
    """Qwen3-VL, or any other model of transformers that reads a picture and a text and writes a text.

    The likeliest word is taken each time, so that an answer is the same again; where one cannot be read and is asked
    for again, words are drawn as the model's own settings say, from a seed that is the number of the attempt. Answers
    of a batch may differ from those of single pictures in rare near ties, since sums are rounded in another order.
    The default is the judge of RealIR-Bench, 17.5 GB in bfloat16.

    Needs no torchvision. One thing differs from the released evaluator, which resizes a picture three times on its way
    to the model, to 512 x 512 in area, to multiples of 28 and to multiples of 32 pixels: the second is left out.
    """

    licence = "that of the model"
    commercial = None

    model: str = Field(
        "qwen3-vl-8b", min_length=1, description="its id on the Hugging Face hub, a folder, or the name of a card"
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    """Of the weights: ``auto`` is bfloat16 on a GPU and float32 on a CPU."""
    batch: int = Field(8, ge=1)
    """Pictures that are looked at together."""

    @property
    def at_once(self) -> int:
        return self.batch

    def identity(self) -> dict[str, JsonValue]:
        files = self.files()
        told = hashlib.sha256(json.dumps(files).encode()).hexdigest() if files else self.loaded(_commit)
        versions: dict[str, JsonValue] = {name: installed_version(name) for name in self.relies_on()}
        device, _, _ = self.place().partition(":")
        return {
            **super().identity(),
            "backend": versions,
            "model": self.model.rstrip("/").rpartition("/")[2],
            "revision": told,
            "dtype": self._dtype(),
            "device": device,
        }

    def ask(self, images: Sequence[torch.Tensor], task: str, attempt: int = 0) -> list[str]:
        model, processor = self.loaded(_network, self.place(), self._dtype())
        if attempt == 0:
            return self._answers(model, processor, images, task, do_sample=False)
        answers = []
        for image in images:  # one by one: what is drawn would depend on the neighbours
            with torch.random.fork_rng(devices=[model.device] if model.device.type == "cuda" else []):
                torch.manual_seed(attempt)
                answers += self._answers(model, processor, [image], task, do_sample=True)
        return answers

    def _answers(
        self, model: Any, processor: Any, images: Sequence[torch.Tensor], task: str, *, do_sample: bool
    ) -> list[str]:
        told = [{"role": "system", "content": self.system}] if self.system else []
        text = {"type": "text", "text": self.words(task)}
        inputs = processor.apply_chat_template(
            [
                [*told, {"role": "user", "content": [{"type": "image", "image": self.shown(image)}, text]}]
                for image in images
            ],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        ).to(model.device, model.dtype)
        written = model.generate(**inputs, do_sample=do_sample, max_new_tokens=self.tokens)
        answers: list[str] = processor.batch_decode(
            written[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return answers

    def _dtype(self) -> str:
        if self.dtype == "auto":
            return "float32" if self.place() == "cpu" else "bfloat16"
        return self.dtype


def _commit(model: str, revision: str | None) -> str:
    from transformers import AutoConfig

    return str(AutoConfig.from_pretrained(model, revision=revision)._commit_hash)


@functools.lru_cache(maxsize=1)
def _network(model: str, revision: str | None, device: str, dtype: str) -> tuple[Any, Any]:
    """The model and what prepares its pictures and texts."""
    import transformers

    with loading(transformers):
        network = transformers.AutoModelForImageTextToText.from_pretrained(
            model, revision=revision, dtype=getattr(torch, dtype)
        )
        cls = _without_films(transformers.PROCESSOR_MAPPING[type(network.config)])
        # Pillow's, where there is torchvision too: answers are not to depend on what else is installed.
        processor = cls.from_pretrained(model, revision=revision, backend="pil")
    processor.tokenizer.padding_side = "left"
    return network.eval().requires_grad_(False).to(device), processor


def _without_films(processor: Any) -> Any:
    """The same class of processors without the part for films, which needs torchvision."""
    if "video_processor" not in inspect.signature(processor.__init__).parameters:
        return processor

    class WithoutFilms(processor):  # type: ignore[misc]
        def __init__(
            self, image_processor: Any = None, tokenizer: Any = None, chat_template: Any = None, **settings: Any
        ) -> None:
            super().__init__(image_processor, tokenizer, video_processor=None, chat_template=chat_template, **settings)

    return WithoutFilms
