"""Recipe files to validated models, with every error at its place, and back to canonical YAML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from rrframe.contracts.problems import Location, path_text, translate
from rrframe.errors import RRFrameError, RRFrameErrors, did_you_mean
from rrframe.recipe.kinds import RECIPES, Recipe
from rrframe.recipe.overrides import Override, apply_override, parse_override
from rrframe.recipe.shipped import find_shipped
from rrframe.recipe.yaml import FLOAT, MOST_BYTES, Node, read_yaml


@dataclass(frozen=True)
class LoadedRecipe:
    """A recipe that holds together.

    Args:
        recipe: The validated model, its components made.
        resolved: The same as plain JSON values, every default filled in.
        name: The recipe's name.
        origin: The file it came from.
    """

    recipe: Recipe
    resolved: dict[str, Any]
    name: str
    origin: Path


def load_recipe(path_or_name: str | Path, overrides: Sequence[str] = ()) -> LoadedRecipe:
    """The recipe in a file, or the shipped one of that name, validated as a whole.

    Args:
        path_or_name: A file, or a name such as ``synthesis/haze`` as ``rrframe recipes`` lists them.
        overrides: Values to set, such as ``"source.params.path=photos"``.

    Raises:
        RRFrameErrors: Everything that is wrong with it, each with file, line and YAML path.
        RRFrameError: The file or an override cannot be read at all.
    """
    origin, text = _read(path_or_name)
    return _Loading(read_yaml(text, str(origin)), origin, [parse_override(each) for each in overrides]).done()


class _Loading:
    """One recipe on its way: what the file says, what the overrides changed, and where each part came from."""

    def __init__(self, root: Node, origin: Path, overrides: Sequence[Override]) -> None:
        self._root = root
        self._origin = origin
        self._set: list[tuple[Location, Override]] = []
        self._data: Any = {} if root.value is None else root.plain()
        if not isinstance(self._data, dict):
            raise RRFrameError("a recipe is a mapping of names to values", place=self._place(()))
        for override in overrides:
            self._set.append((apply_override(self._data, override), override))

    def done(self) -> LoadedRecipe:
        model = self._model()
        if self._data.get("name") is None:
            self._data["name"] = _safe_name(self._origin.stem)
        try:
            recipe = model.model_validate(self._data)
        except ValidationError as error:
            found = translate(error, model=model, given=self._data)
            found.sort(key=lambda pair: self._root.line_of(pair[0]))  # top to bottom, as people mend them
            raise RRFrameErrors([self._placed(location, each) for location, each in found]) from None
        return LoadedRecipe(recipe, recipe.model_dump(mode="json"), recipe.name, self._origin)

    def _model(self) -> type[Recipe]:
        kind = self._data.get("kind")
        if isinstance(kind, str) and kind in RECIPES:
            return RECIPES[kind]
        known = " or ".join(f"kind: {name}" for name in RECIPES)
        if kind is None:
            error = RRFrameError("'kind' is missing: it says what the recipe makes", hint=f"write {known}")
        else:
            error = RRFrameError(f"no kind of recipe is called {kind!r}", hint=did_you_mean(str(kind), RECIPES))
        raise RRFrameErrors([self._placed(("kind",), error)])

    def _placed(self, location: Location, error: RRFrameError) -> RRFrameError:
        error.path = path_text(location) or None
        error.place = self._place(location)
        return error

    def _place(self, location: Location) -> str:
        for own, override in reversed(self._set):
            if location[: len(own)] == own:
                return override.place
        return f"{self._origin}:{self._root.line_of(location)}"


def resolved_yaml(loaded: LoadedRecipe) -> str:
    """The recipe as YAML with every default filled in; it loads back to an equal recipe."""
    from rrframe import __version__

    text = yaml.dump(loaded.resolved, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return f"# The recipe {loaded.name} as rrframe {__version__} ran it: every default is filled in.\n{text}"


class _Dumper(yaml.SafeDumper):
    """Quotes whatever a reader of YAML 1.1 or 1.2 might take for something other than a string."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, data: str) -> yaml.ScalarNode:
        # Escaped, since line ends such as U+0085 do not survive PyYAML's other styles.
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if data.isprintable() else '"')


_Dumper.add_representer(str, _Dumper.text)
_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(rf"(?:{FLOAT.pattern})$"), list("-+.0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"0o[0-7]+$|[-+]?[0-9]+$"), list("-+0123456789"))


def _read(path_or_name: str | Path) -> tuple[Path, bytes]:
    path = Path(path_or_name)
    try:
        if path.is_file():
            with path.open("rb") as file:
                return path, file.read(MOST_BYTES + 1)  # enough to be found too large
    except (OSError, ValueError) as error:
        raise RRFrameError(f"cannot read {path_or_name}: {error}") from None
    if path.suffix in (".yaml", ".yml") or path.is_absolute():
        what = "is a folder" if path.is_dir() else "is not there"
        raise RRFrameError(f"the recipe {path} {what}", hint="rrframe recipes lists those that are shipped")
    shipped = find_shipped(str(path_or_name))
    return Path(str(shipped)), shipped.read_bytes()


def _safe_name(stem: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).lstrip("._-")[:100] or "recipe"
