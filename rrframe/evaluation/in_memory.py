"""Scoring a restorer that is a function, on the images of an evaluation recipe: how a training sees what it has come
to.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from rrframe.errors import RRFrameError
from rrframe.evaluation.averages import Mean, by_task
from rrframe.evaluation.checks import find_problems, refuse
from rrframe.evaluation.judging import Judgement, Judging
from rrframe.evaluation.scores import Judged, measures
from rrframe.evaluation.scoring import LPS, Scorer, judged_names
from rrframe.evaluation.subjects import Reader, Subject, list_subjects
from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.recipe.evaluation import EvaluationRecipe

Restore = Callable[[torch.Tensor, str], torch.Tensor]
"""From ``[1, 3, H, W]`` float32 in [0, 1], encoded sRGB, and a task to the restored image, the same shape and range."""


class ScoringInMemory:
    """The benchmark, metrics and judge of a recipe, to score functions with; its restorers are not used.

    The images are listed and checked once. What is scored is what an 8-bit file would hold.

    Args:
        recipe: The recipe.
        folder: Where images that are no files are kept.
        device: What metrics compute on, instead of what their params say.

    Raises:
        RRFrameErrors: Something is missing or wrong, and the recipe does not allow a part.
    """

    def __init__(self, recipe: EvaluationRecipe, folder: Path, device: str | None = None) -> None:
        self.recipe = recipe
        self.subjects = list_subjects(recipe)
        self._scorer = Scorer(recipe, device)
        refuse(find_problems(recipe, self.subjects, (), self._scorer), allow_partial=recipe.allow_partial)
        self._reader = Reader(recipe, folder)
        self._judging = Judging(recipe.judge) if recipe.judge is not None else None
        self._measures = [each for each in measures(clamp=recipe.clamp) if each.name in judged_names(recipe)]

    @property
    def names(self) -> list[str]:
        """The measures, as keys of what ``score`` gives."""
        judged = [measure.name for measure in self._measures]
        return [*judged, *(name for name in self._scorer.metrics if name not in judged)]

    def higher_is_better(self, name: str) -> bool:
        """The direction of a measure."""
        judged = {measure.name: measure.higher_is_better for measure in self._measures}
        return judged[name] if name in judged else self._scorer.metrics[name].higher_is_better

    def score(self, restore: Restore) -> dict[str, dict[str, Mean]]:
        """Every average by group, each task and the two means of all, and measure.

        An image that cannot be read or restored counts as asked and not as scored.
        """
        tasks: dict[str, list[int]] = {}
        rows: list[dict[str, float | None]] = []
        for place, subject in enumerate(self.subjects.found):
            tasks.setdefault(subject.task, []).append(place)
            try:
                rows.append(self._scores(subject, restore))
            except (RRFrameError, MemoryError):
                rows.append(dict.fromkeys(self.names))
        found: dict[str, dict[str, Mean]] = {}
        for name in self.names:
            values = [row[name] for row in rows]
            for group, mean in by_task(tasks, values, [(value, value) for value in values]).items():
                found.setdefault(group, {})[name] = mean
        return found

    def _scores(self, subject: Subject, restore: Restore) -> dict[str, float | None]:
        loaded = self._reader.read(subject)
        task = self.subjects.told(subject.task)
        degraded = to_batch(loaded.degraded)
        restored = to_batch(to_pixels(restore(degraded, task)[0], loaded.degraded.dtype))
        clean = None if loaded.clean is None else to_batch(loaded.clean)
        (scored,) = self._scorer.score(restored, degraded, clean)
        before = after = None
        if self._judging is not None:
            before, after = map(_severity, self._judging.severities([degraded[0], restored[0]], task))
        judged = Judged(subject.name, task, before, after, scored.scores.get(LPS))
        return scored.scores | {measure.name: measure.value(judged) for measure in self._measures}


def _severity(judgement: Judgement) -> float | None:
    return judgement.score
