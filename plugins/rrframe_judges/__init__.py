"""The framework's own judges: a model on this machine, one behind a server, and estimates without weights."""

from __future__ import annotations

from collections.abc import Iterable

from rrframe import Spec, hookimpl


@hookimpl
def register_judges() -> Iterable[Spec]:
    yield Spec(
        "judge/estimators",
        "rrframe_judges.estimators:Estimators",
        "A proxy without weights: what the severity estimators measure. It does not look.",
    )
    yield Spec(
        "judge/openai",
        "rrframe_judges.server:Server",
        "A vision-language model behind an OpenAI-compatible server, such as vLLM.",
    )
    yield Spec(
        "judge/transformers",
        "rrframe_judges.local:Local",
        "A vision-language model of transformers on this machine, such as Qwen3-VL.",
        extra="rrframe[transformers]",
    )
