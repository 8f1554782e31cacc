"""Recipes: YAML read safely, validated as a whole against the components it names, and written back resolved.

The names here are imported at first use, so that listing and copying recipes need no models.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rrframe.recipe.evaluation import EvaluationRecipe as EvaluationRecipe
    from rrframe.recipe.loading import LoadedRecipe as LoadedRecipe
    from rrframe.recipe.loading import load_recipe as load_recipe
    from rrframe.recipe.loading import resolved_yaml as resolved_yaml
    from rrframe.recipe.models import SynthesisRecipe as SynthesisRecipe
    from rrframe.recipe.models import TaskMix as TaskMix
    from rrframe.recipe.training import TrainingRecipe as TrainingRecipe

_HOMES = {
    "EvaluationRecipe": "evaluation",
    "LoadedRecipe": "loading",
    "load_recipe": "loading",
    "resolved_yaml": "loading",
    "SynthesisRecipe": "models",
    "TaskMix": "models",
    "TrainingRecipe": "training",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"rrframe.recipe.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'rrframe.recipe' has no attribute {name!r}")
