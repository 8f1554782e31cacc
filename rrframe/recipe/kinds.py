"""The kinds of recipe."""

from __future__ import annotations

from rrframe.recipe.evaluation import EvaluationRecipe
from rrframe.recipe.models import SynthesisRecipe
from rrframe.recipe.training import TrainingRecipe

Recipe = SynthesisRecipe | TrainingRecipe | EvaluationRecipe
RECIPES: dict[str, type[Recipe]] = {
    "synthesis": SynthesisRecipe,
    "training": TrainingRecipe,
    "evaluation": EvaluationRecipe,
}
"""The model of each kind."""
