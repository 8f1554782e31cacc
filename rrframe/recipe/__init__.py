"""Recipes: YAML read safely, validated as a whole against the components it names, and written back resolved."""

from rrframe.recipe.loading import LoadedRecipe as LoadedRecipe
from rrframe.recipe.loading import load_recipe as load_recipe
from rrframe.recipe.loading import resolved_yaml as resolved_yaml
from rrframe.recipe.models import SynthesisRecipe as SynthesisRecipe
from rrframe.recipe.models import TaskMix as TaskMix
