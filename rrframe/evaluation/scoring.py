"""Images to numbers: every metric of a recipe on batches of restored images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from rrframe.contracts.metric import Metric
from rrframe.errors import RRFrameError
from rrframe.evaluation.results import MeasureFacts
from rrframe.evaluation.scores import measures
from rrframe.recipe.evaluation import EvaluationRecipe, measure_name

LPS = "LPS"
_REHEARSED = 192  # pixels a side of the image that metrics are tried with; enough for every one in the tree
_JUDGED = {
    "RS": ("RS", "the judge's severity of the restored image less that of the degraded one, negative ones lifted to 0"),
    "RS signed": ("RS, signed", "the judge's severity of the restored image less that of the degraded one"),
    "FS": ("FS", "0.2 RS (1 - LPS)"),
    "FS signed": ("FS, signed", "0.2 RS (1 - LPS), with RS as it is"),
}


@dataclass
class Scored:
    """The scores of one image.

    Args:
        scores: By measure; ``None`` where there is none.
        reasons: Why, a sentence each.
    """

    scores: dict[str, float | None] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)


class Scorer:
    """The metrics of a recipe, LPS among them where it is asked for.

    Args:
        recipe: The recipe.
        device: What to compute on, instead of what the metrics' params say.
    """

    def __init__(self, recipe: EvaluationRecipe, device: str | None = None) -> None:
        self._recipe = recipe
        self._device = device

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """Every metric by the key of its scores."""
        found = {measure_name(metric): self._placed(metric) for metric in self._recipe.metrics}
        if self._recipe.lps is not None:
            found[LPS] = self._placed(self._recipe.lps)
        return found

    def rehearse(self) -> list[RRFrameError]:
        """Score an image that is made up, and give what went wrong: weights or a package that are not there."""
        images = torch.linspace(0.1, 0.9, 3 * _REHEARSED**2).reshape(1, 3, _REHEARSED, _REHEARSED)
        images = images + 0.05 * torch.sin(torch.arange(_REHEARSED).float())
        errors = []
        for metric in self.metrics.values():
            try:
                metric(images, (images * 0.9 + 0.01) if metric.compares else None)
            except RRFrameError as error:
                errors.append(error)
        return errors

    def score(self, restored: torch.Tensor, degraded: torch.Tensor, clean: torch.Tensor | None = None) -> list[Scored]:
        """Every score of each image of a batch. A batch that a metric refuses is tried one by one.

        Args:
            restored: ``[B, 3, H, W]`` float32 in [0, 1], encoded sRGB.
            degraded: The same.
            clean: The same, of whatever size; ``None`` where there is none.
        """
        found = [Scored() for _ in restored]
        for name, metric in self.metrics.items():
            references = {"full-reference": clean, "consistency": degraded, "no-reference": None}[metric.reads]
            if metric.reads == "full-reference" and clean is None:
                for one in found:
                    one.scores[name] = None
                    one.reasons.append(f"{name}: there is no clean image")
            else:
                self._score(name, metric, restored, references, found)
        return found

    def _score(
        self, name: str, metric: Metric, images: torch.Tensor, references: torch.Tensor | None, found: list[Scored]
    ) -> None:
        try:
            values = metric(images, references).tolist()
        except (RRFrameError, MemoryError) as error:
            if len(found) > 1:
                for place, one in enumerate(found):
                    alone = slice(place, place + 1)
                    self._score(name, metric, images[alone], None if references is None else references[alone], [one])
                return
            found[0].scores[name] = None
            found[0].reasons.append(f"{name}: {told(error)}")
            return
        for one, value in zip(found, values, strict=True):
            one.scores[name] = value

    def _placed(self, metric: Metric) -> Metric:
        if self._device is None or "device" not in type(metric).model_fields:
            return metric
        return metric.model_copy(update={"device": self._device})


def told(error: Exception) -> str:
    """``error`` in a line, for a row."""
    short = isinstance(error, MemoryError) or isinstance(error.__cause__, (MemoryError, torch.OutOfMemoryError))
    if short:
        return "it needs more memory than there is"
    return error.message if isinstance(error, RRFrameError) else f"{type(error).__name__}: {error}"


def measures_of(recipe: EvaluationRecipe) -> list[MeasureFacts]:
    """Every measure that results of ``recipe`` have, in the order of tables: scores of RealIR-Bench first."""
    proxy = recipe.judge is not None and recipe.judge.proxy
    found: dict[str, MeasureFacts] = {}
    for name in judged_names(recipe):
        if name == LPS:
            continue
        title, protocol = _JUDGED[name]
        licences = [each for each in (recipe.judge, recipe.lps if name.startswith("FS") else None) if each]
        found[name] = MeasureFacts(
            name=name,
            title=title,
            higher_is_better=True,
            reads="judged",
            protocol=f"{protocol}; the judge is {recipe.judge.name if recipe.judge else ''}",
            proxy=proxy,
            licence="; ".join(filter(None, (each.licence for each in licences))),
            commercial=_commercial([each.commercial for each in licences]),
        )
    if recipe.lps is not None:
        found[LPS] = _facts(LPS, LPS, recipe.lps)
    order = [name for name in judged_names(recipe) if name in found]
    listed = [found[name] for name in order] + [facts for name, facts in found.items() if name not in order]
    return listed + [_facts(measure_name(metric), _title(metric), metric) for metric in recipe.metrics]


def judged_names(recipe: EvaluationRecipe) -> list[str]:
    """The scores of RealIR-Bench that ``recipe`` asks for, with those that stand beside."""
    parts = set()
    if {"RS", "FS"} & set(recipe.scores):
        parts |= {"degraded", "restored"}
    if {"LPS", "FS"} & set(recipe.scores):
        parts |= {"lps"}
    named = {"RS": "RS", "LPS": "LPS", "FS": ""}
    asked = [each for each in measures(clamp=recipe.clamp) if parts >= set(each.needs)]
    if "FS" not in recipe.scores:
        asked = [each for each in asked if each.name.split()[0] in {named[one] for one in recipe.scores}]
    return [each.name for each in asked]


def _facts(name: str, title: str, metric: Metric) -> MeasureFacts:
    params: dict[str, Any] = {key: value for key, value in metric.params().items() if key != "device"}
    summary = (type(metric).__doc__ or "").strip().partition("\n\n")[0]
    return MeasureFacts(
        name=name,
        title=title,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        reads=metric.reads,
        protocol=f"{metric.name}: {' '.join(summary.split())}",
        params=params,
        licence=metric.licence,
        commercial=metric.commercial,
    )


def _title(metric: Metric) -> str:
    family, _, own = metric.name.partition("/")
    title = own.upper() if family == "metric" else f"{family} of {own}"
    extra = measure_name(metric).removeprefix(metric.name)
    return title + extra


def _commercial(terms: Sequence[bool | None]) -> bool | None:
    if False in terms:
        return False
    return None if None in terms else True
