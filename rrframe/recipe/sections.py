"""What recipes of every kind are made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

from rrframe.contracts.problems import from_error
from rrframe.errors import RRFrameError
from rrframe.manager import get_manager


class Section(BaseModel):
    """A mapping in a recipe: unknown keys are refused, docstrings of fields are their descriptions."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def _registered_task(name: str) -> str:
    try:
        get_manager().find(name, "task")
    except RRFrameError as error:
        raise from_error(error) from None
    return name


# What rrframe.recipe.schema puts in place of this depends on the plugins installed.
_TASK = WithJsonSchema({"type": "string", "x-rrframe-names": ["task"]})

TaskName = Annotated[str, AfterValidator(_registered_task), _TASK]
RecipeName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
