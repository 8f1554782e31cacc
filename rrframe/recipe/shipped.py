"""The recipes that come with rrframe."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from rrframe.errors import RRFrameError, did_you_mean
from rrframe.recipe.yaml import read_yaml


@lru_cache(maxsize=1)
def shipped_recipes() -> dict[str, Traversable]:
    """The file of each shipped recipe by name: its path below ``recipes/``, without the suffix."""
    return dict(sorted(_below(files("rrframe_recipes"), "")))


def find_shipped(name: str) -> Traversable:
    """The file of the shipped recipe ``name``.

    Raises:
        RRFrameError: There is none.
    """
    known = shipped_recipes()
    if name not in known:
        hint = did_you_mean(name, known, listing="rrframe recipes")
        raise RRFrameError(f"no file and no shipped recipe is called {name!r}", hint=hint)
    return known[name]


def about(name: str) -> dict[str, str]:
    """What a listing says of the shipped recipe ``name``: ``name``, ``kind``, ``about`` and ``file``.

    A shipped recipe opens with two comment lines: the command that runs it, and what it makes.
    """
    file = find_shipped(name)
    text = file.read_text(encoding="utf-8")
    comments = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    made = [line.removeprefix("#").strip() for line in comments][1:]
    kind = read_yaml(text, str(file)).value["kind"].value
    return {"name": name, "kind": kind, "about": " ".join(made), "file": str(file)}


def _below(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for item in folder.iterdir():
        if item.is_dir():
            yield from _below(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".yaml"):
            yield prefix + item.name.removesuffix(".yaml"), item
