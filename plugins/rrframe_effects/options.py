"""How an option of a choosing effect is written: a step, or a list of steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from rrframe import Chain, Degradation
from rrframe.contracts.chain import Step

_STEP: TypeAdapter[Degradation] = TypeAdapter(Step)


class _StepOrSteps:
    """Takes a step alone for a chain of one, its errors kept in their place."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(self._read, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"anyOf": [_STEP.json_schema(), handler(schema)]}

    def _read(self, value: Any, handler: core_schema.ValidatorFunctionWrapHandler) -> Any:
        if isinstance(value, (Mapping, Degradation)):
            return Chain((_STEP.validate_python(value),))
        return handler(value)


Option = Annotated[Chain, _StepOrSteps()]
"""A chain, which may be written as its only step."""
