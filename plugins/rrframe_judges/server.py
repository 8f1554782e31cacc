"""Vision-language models behind a server."""

from __future__ import annotations

import base64
import functools
import os
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch
from pydantic import Field, JsonValue, field_validator, model_validator

from rrframe.imaging.codec import encode_png
from rrframe_judges.question import Questioned
from rrframe_judges.sending import Line, Pace, is_local


class Server(Questioned):
    """Any server with the interface of OpenAI's chat completions: vLLM, SGLang, llama.cpp, or a paid service.

    Temperature 0; where an answer cannot be read and is asked for again, temperature 1 with the number of the attempt
    as its seed. What fails for a while (time-outs, 429, 5xx, what is no answer) is tried again, each time after twice
    as long, at random between half and one and a half of that, and never before the server's ``Retry-After``.

    Servers do not promise the same answer again, and the same model scores otherwise behind another one, so that
    ``backend`` counts among what answers are kept under.
    """

    licence = "that of the model and of the service"
    commercial = None

    base_url: str = "http://127.0.0.1:8000/v1"
    """The address of its interface."""
    model: str = Field("Qwen/Qwen3-VL-8B-Instruct", min_length=1)
    """Its name there."""
    backend: str | None = None
    """What is behind the address, with its version: answers are kept under it, in place of the address, so that a
    server may move."""
    key: str | None = Field(None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The name of the environment variable that holds the server's key; without one, none is sent."""
    concurrency: int = Field(8, ge=1, le=256)
    """Questions under way at once."""
    per_minute: float | None = Field(None, gt=0, allow_inf_nan=False)
    """The most questions that are sent in a minute."""
    timeout: float = Field(120.0, gt=0, allow_inf_nan=False)
    """Seconds without a byte before a question is given up and tried again."""
    tries: int = Field(5, ge=1)
    """How often a question is sent at most."""
    first_wait: float = Field(1.0, ge=0, allow_inf_nan=False)
    """Seconds before the second try."""
    extra: dict[str, JsonValue] = {}
    """More of the body of each question, such as ``{top_logprobs: 5}``; not for keys."""

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("an address begins with http:// or https:// and a host, and has no query")
        if parts.username or parts.password:
            raise ValueError("a name or password does not belong in an address; key names the variable that holds one")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _key_stays_secret(self) -> Server:
        if self.key and not self.base_url.startswith("https://") and not is_local(self.base_url):
            raise ValueError("a key is not sent in the clear to another machine: use https")
        return self

    @property
    def workers(self) -> int:
        return self.concurrency

    def identity(self) -> dict[str, JsonValue]:
        known: dict[str, JsonValue] = {"backend": self.backend or self.base_url, "model": self.model}
        return {**super().identity(), **known, "extra": self.extra}

    def ask(self, images: Sequence[torch.Tensor], task: str, attempt: int = 0) -> list[str]:
        line = Line(
            self.base_url,
            self._key(),
            self.timeout,
            self.tries,
            self.first_wait,
            _pace(self.base_url, self.per_minute),
            self._error,
            self._mending(),
        )
        drawing: dict[str, Any] = {"temperature": 1, "seed": attempt} if attempt else {"temperature": 0}
        answers = []
        for image in images:
            said = {"messages": self._messages(image, task), "model": self.model, "max_tokens": self.tokens}
            answers.append(line.ask("/chat/completions", {**said, **drawing, **self.extra}, _content))
        return answers

    def _messages(self, image: torch.Tensor, task: str) -> list[dict[str, Any]]:
        png = base64.b64encode(encode_png(np.asarray(self.shown(image)))).decode()
        content = [
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}},
            {"type": "text", "text": self.words(task)},
        ]
        told = [{"role": "system", "content": self.system}] if self.system else []
        return [*told, {"role": "user", "content": content}]

    def _mending(self) -> str:
        start = f"vllm serve {self.model} --port {urlsplit(self.base_url).port or 80}"
        starting = f"start the server ({start})" if is_local(self.base_url) else "see that the server is up"
        return f"{starting}, or name another in base_url; what was answered is kept, and the same command goes on"

    def _key(self) -> str | None:
        if self.key is None:
            return None
        if not (found := os.environ.get(self.key, "").strip()):
            raise self._error(f"the environment variable {self.key} is not set", "it holds the key of the server")
        return found


@functools.cache
def _pace(base_url: str, per_minute: float | None) -> Pace:
    """One a server, for all judges and threads of this process."""
    return Pace(per_minute)


def _content(completion: Any) -> str:
    content = completion["choices"][0]["message"]["content"]
    if not isinstance(content, str):
        raise TypeError("no text")
    return content
