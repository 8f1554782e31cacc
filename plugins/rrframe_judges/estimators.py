"""A stand-in for a judge where there is none: what the severity estimators measure."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from pydantic import JsonValue

from rrframe import Judge, Metric, RRFrameError, Unanswered
from rrframe.contracts.answers import BEST, WORST
from rrframe.contracts.component import create
from rrframe.manager import get_manager

_ESTIMATOR = "severity/"


class Estimators(Judge):
    """The metric ``severity/TASK``, put on the scale of a judge: 5 where it measures nothing, towards 1.

    A proxy. It measures what a degradation does to pixels, and takes whatever else does the same for it: a picture of
    pale things for haze. It follows one photograph before and after; between photographs, and beside scores of a judge
    that looks, its numbers mean little.
    It needs no weights, and knows every task that a metric of that name is registered for.
    """

    proxy = True
    repeatable = True
    follows_severity = True

    def ask(self, images: Sequence[torch.Tensor], task: str, attempt: int = 0) -> list[str]:
        metric = create(_ESTIMATOR + task, kinds=("metric",))
        assert isinstance(metric, Metric)
        try:
            severities = [float(metric(image.unsqueeze(0))) for image in images]
        except RRFrameError as error:  # too small to measure
            raise Unanswered(error.message, component=error.component, plugin=error.plugin) from error
        return [f"{BEST - (BEST - WORST) * severity:.4f}" for severity in severities]

    def parse(self, text: str) -> float | None:
        try:
            score = float(text)
        except ValueError:
            return None
        return score if WORST <= score <= BEST else None

    def identity(self) -> dict[str, JsonValue]:
        return {**super().identity(), "estimators": {name: str(entry.plugin) for name, entry in _estimators()}}

    def knows(self, task: str) -> bool:
        return _ESTIMATOR + task in dict(_estimators())

    def refuse_unknown(self, task: str) -> None:
        if task in get_manager().table("task") and not self.knows(task):
            raise RRFrameError(
                f"no estimator measures {task!r}",
                component=self.name,
                plugin=self.plugin,
                hint=f"ask a judge that looks (judge/transformers, judge/openai), or register a metric severity/{task}",
            )
        super().refuse_unknown(task)


def _estimators() -> list[tuple[str, object]]:
    table = get_manager().table("metric")
    return [(name, entry) for name, entry in table.items() if name.startswith(_ESTIMATOR)]
