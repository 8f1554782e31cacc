"""The JSON Schema of recipes, the params of every installed component included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from rrframe.contracts.filter import Filter
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.manager import Entry, get_manager
from rrframe.recipe.kinds import RECIPES

DRAFT = "https://json-schema.org/draft/2020-12/schema"


def recipe_schema(kind: str | None = None) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of recipes of ``kind``, or of every kind.

    It refuses what loading refuses, except for what one place says of another: a cue that nobody provides, a doubled
    step id.

    Raises:
        RRFrameError: There is no such kind.
    """
    if kind is not None and kind not in RECIPES:
        raise RRFrameError(f"no kind of recipe is called {kind!r}", hint=did_you_mean(kind, RECIPES))
    definitions = _Definitions()
    refs = [definitions.add_recipe(name) for name in ([kind] if kind else RECIPES)]
    title = {"$schema": DRAFT, "title": f"rrframe {kind or 'recipe'}{' recipe' if kind else ''}"}
    return title | (refs[0] if len(refs) == 1 else {"anyOf": refs}) | {"$defs": dict(sorted(definitions.made.items()))}


class _Definitions:
    """The ``$defs`` while they are made: one a recipe, one a set of kinds, one a component."""

    def __init__(self) -> None:
        self.made: dict[str, Any] = {}

    def add_recipe(self, kind: str) -> dict[str, Any]:
        name = f"recipe:{kind}"
        schema = self._hoisted(RECIPES[kind], name)
        schema["required"].remove("name")  # a file's name stands in for it
        self.made[name] = schema
        return _ref(name)

    def _hoisted(self, model: type[BaseModel], owner: str) -> dict[str, Any]:
        """The schema of ``model``, its own definitions moved here under names that cannot collide."""
        schema = model.model_json_schema()
        inner = schema.pop("$defs", {})
        refs = {f"#/$defs/{name}": _ref(f"{owner}:{name}")["$ref"] for name in inner}
        for name, definition in inner.items():
            self.made[f"{owner}:{name}"] = self._filled(definition, refs)
        filled: dict[str, Any] = self._filled(schema, refs)
        return filled

    def _filled(self, schema: Any, refs: Mapping[str, str]) -> Any:
        """``schema`` with references renamed and the places that components take filled in."""
        if isinstance(schema, list):
            return [self._filled(item, refs) for item in schema]
        if not isinstance(schema, dict):
            return schema
        filled = {key: self._filled(value, refs) for key, value in schema.items()}
        if isinstance(filled.get("$ref"), str):
            filled["$ref"] = refs.get(filled["$ref"], filled["$ref"])
        if "x-rrframe-names" in filled:
            filled["enum"] = list(get_manager().table(*filled.pop("x-rrframe-names")))
        if "x-rrframe-kinds" in filled:
            filled |= self._any_of(filled.pop("x-rrframe-kinds"), filled.pop("x-rrframe-stage", None))
        return filled

    def _any_of(self, kinds: list[str], stage: str | None) -> dict[str, Any]:
        name = "+".join(kinds) + (f":{stage}" if stage else "")
        if name not in self.made:
            self.made[name] = {}  # chains lead back here
            entries = [entry for entry in get_manager().table(*kinds).values() if not entry.error]
            choices = [self._component(entry, stage) for entry in entries]
            self.made[name] = {"anyOf": [choice for choice in choices if choice]} if any(choices) else {"not": {}}
        return _ref(name)

    def _component(self, entry: Entry, stage: str | None) -> dict[str, Any] | None:
        """A reference to the schema of one component, or ``None`` where it cannot be used at ``stage``."""
        name = entry.spec.name
        try:
            cls = get_manager().load(entry)
            if stage and issubclass(cls, Filter) and stage not in cls.stages():
                return None
            params = self._hoisted(cls, f"{entry.kind}:{name}")
        except RRFrameError as error:
            params = {"type": "object", "description": f"Not checked here: {error.message}. {error.hint or ''}".strip()}
        except Exception as error:  # a plugin's type that JSON Schema has no words for
            params = {"type": "object", "description": f"Not checked here: {error}"}
        properties: dict[str, Any] = {"use": {"const": name, "description": entry.spec.summary}, "params": params}
        if entry.kind in ("degradation", "effect"):
            about = "Keys the step's randomness. By default its name."
            properties["id"] = {"type": "string", "minLength": 1, "description": about}
        required = ["use", "params"] if params.get("required") else ["use"]
        # A name may stand in two kinds, as a sink and a dataset of one format do.
        key = f"{entry.kind}:{name}"
        self.made[key] = {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
        return _ref(key)


def _ref(name: str) -> dict[str, str]:
    return {"$ref": "#/$defs/" + name.replace("~", "~0").replace("/", "~1")}
