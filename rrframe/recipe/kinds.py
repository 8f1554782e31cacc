"""The kinds of recipe."""

from __future__ import annotations

from rrframe.recipe.models import SynthesisRecipe
from rrframe.recipe.training import TrainingRecipe

Recipe = SynthesisRecipe | TrainingRecipe
RECIPES: dict[str, type[Recipe]] = {"synthesis": SynthesisRecipe, "training": TrainingRecipe}
"""The model of each kind."""
