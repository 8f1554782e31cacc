"""What validations measure, and which way is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from rrframe.contracts.backbone import Backbone
from rrframe.contracts.metric import Metric
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.recipe.training import BY_EVALUATION, Validation

DEGRADED = "degraded_"
"""What the name of a figure of the degraded side begins with."""


@dataclass(frozen=True)
class Measure:
    """A figure by which validations are compared.

    Args:
        title: What people call it.
        higher: Whether higher is better.
        unit: Follows the number.
        places: Digits behind the point.
    """

    title: str
    higher: bool
    unit: str = ""
    places: int = 4

    def said(self, value: float) -> str:
        return f"{value:.{self.places}f}{self.unit}"

    def better(self, value: float, than: float) -> bool:
        """Whether a value is better than another. What is no number never is."""
        return value > than if self.higher else value < than


MEASURES = {
    "psnr": Measure("PSNR", higher=True, unit=" dB", places=2),
    "ssim": Measure("SSIM", higher=True),
    "loss": Measure("loss", higher=False),
}
"""What every validation measures."""


class Evaluation:
    """The images of a recipe of evaluation, restored and scored as far as the training has come.

    Args:
        name: Of the recipe: a file, or a shipped one.
        folder: The run's.

    Raises:
        RRFrameError: It is no recipe of evaluation, or something that it needs is missing.
    """

    def __init__(self, name: str, folder: Path) -> None:
        from rrframe.evaluation.in_memory import ScoringInMemory
        from rrframe.recipe import load_recipe
        from rrframe.recipe.evaluation import EvaluationRecipe

        recipe = load_recipe(name).recipe
        if not isinstance(recipe, EvaluationRecipe):
            raise RRFrameError(f"{name} is a recipe of {recipe.kind}, not of evaluation", path="validation.evaluation")
        self._scoring = ScoringInMemory(recipe, folder)
        self.measures = {
            f"{BY_EVALUATION}{name}": Measure(name, higher=self._scoring.higher_is_better(name))
            for name in self._scoring.names
        }

    def figures(self, backbone: Backbone) -> dict[str, float | None]:
        """The means over all images, by the names of the measures; ``None`` where an image has no score."""
        from rrframe.evaluation.averages import OVER_IMAGES
        from rrframe.restoring.restorer import Asked, Restorer

        def restore(images: torch.Tensor, task: str) -> torch.Tensor:
            with torch.inference_mode():
                return Restorer(backbone, Asked(task)).restore(images).float().cpu()

        means = self._scoring.score(restore)[OVER_IMAGES]
        return {f"{BY_EVALUATION}{name}": mean.value for name, mean in means.items()}


@dataclass(frozen=True)
class Measuring:
    """All that a run's validations measure.

    Args:
        metrics: What pairs are scored by besides, by the names of the figures.
        evaluation: What is evaluated besides, if anything is.
        decides: The name of the figure that makes one validation better than another.
    """

    metrics: Mapping[str, Metric]
    evaluation: Evaluation | None
    decides: str

    @staticmethod
    def of(validation: Validation, folder: Path) -> Measuring:
        """What ``validation`` asks for.

        Raises:
            RRFrameError: The evaluation cannot be made ready, or lacks the measure that is to decide.
        """
        evaluation = Evaluation(validation.evaluation, folder) if validation.evaluation else None
        found = Measuring(validation.scored_by, evaluation, validation.metric)
        if validation.metric not in found.measures:
            hint = did_you_mean(validation.metric, found.measures)
            raise RRFrameError(f"nothing measures {validation.metric!r}", path="validation.metric", hint=hint)
        return found

    @property
    def measures(self) -> dict[str, Measure]:
        """Every measure by the name of its figure."""
        own = {
            name: Measure(name, higher=metric.higher_is_better, unit=f" {metric.unit}" if metric.unit else "")
            for name, metric in self.metrics.items()
        }
        return {**MEASURES, **own, **(self.evaluation.measures if self.evaluation else {})}

    def is_better(self, figures: Mapping[str, Any], best: Mapping[str, Any] | None) -> bool:
        """Whether a summary is better than the ``best`` so far."""
        value = figures[self.decides]
        if best is None or value is None:
            return best is None
        return best[self.decides] is None or self.measures[self.decides].better(value, best[self.decides])

    def said(self, figures: Mapping[str, Any]) -> str:
        """A summary in words."""
        measures = self.measures
        parts = []
        for name in dict.fromkeys(["psnr", self.decides]):
            if figures[name] is None:
                parts.append(f"{measures[name].title} unknown")
                continue
            before = figures.get(DEGRADED + name)
            degraded = "" if before is None else f" (degraded {measures[name].said(before)})"
            parts.append(f"{measures[name].title} {measures[name].said(figures[name])}{degraded}")
        return f"{', '.join(parts)} over {figures['pairs']} held-out pairs"

    def told(self) -> dict[str, dict[str, Any]]:
        """The measures as JSON has them."""
        return {name: asdict(measure) for name, measure in self.measures.items()}

    def of_pair(self, sides: Mapping[str, torch.Tensor]) -> dict[str, float]:
        """The figures of a pair by the metrics.

        Args:
            sides: ``degraded``, ``restored`` and ``clean``, each ``[1, 3, H, W]`` float32 in [0, 1] on the CPU.
        """
        figures = {}
        for name, metric in self.metrics.items():
            other = {"full-reference": "clean", "consistency": "degraded"}.get(metric.reads)
            reference = sides[other] if other else None
            figures[name] = float(metric(sides["restored"], reference))
            if other != "degraded":  # against which the degraded side would be compared with itself
                figures[DEGRADED + name] = float(metric(sides["degraded"], reference))
        return figures
