"""A page: one file that carries its style, its script and its pictures, and reaches for nothing else."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from markupsafe import Markup

import rrframe
from rrframe.errors import RRFrameError
from rrframe.pages.pieces import Cell, Section, Value
from rrframe.pairs.files import write_whole


@dataclass(frozen=True)
class Page:
    """A title, a line about it, a few facts, and sections.

    Args:
        title: The heading, and the title of the browser's tab.
        sections: The body. More than one are listed at the top.
        intro: What the page shows, in a sentence or two.
        facts: What it was made from, by name.
    """

    title: str
    sections: Sequence[Section]
    intro: str = ""
    facts: Mapping[str, Cell] = field(default_factory=dict)

    def html(self) -> str:
        """The whole page. Its policy lets the browser load nothing and run no script but its own."""
        style, script = _asset("page.css"), _asset("page.js")
        policy = f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}"
        return (
            _templates()
            .get_template("page.html")
            .render(page=self, style=Markup(style), script=Markup(script), policy=policy, version=rrframe.__version__)
        )

    def write(self, path: Path) -> Path:
        """Write the page to ``path``, whole or not at all.

        Raises:
            RRFrameError: The system refuses.
        """
        try:
            write_whole(path, self.html().encode("utf-8", "backslashreplace"))  # file names need not be valid text
        except OSError as error:
            raise RRFrameError(
                f"{path} cannot be written: {error.strerror or error}", hint="choose another file"
            ) from error
        return path


@functools.cache
def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("rrframe", "pages"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["sort_value"] = _sort_value
    return environment


@functools.cache
def _asset(name: str) -> str:
    # This folder holds the project's own files alone, so they may stand in the page as they are.
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _number(value: Cell) -> str:
    """A cell as text: thin spaces between thousands, four digits of a fraction."""
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}".replace(",", "\u202f")
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _sort_value(cell: Cell) -> int | float | None:
    """What a column is sorted by at ``cell``, where that is a number."""
    number = cell.value if isinstance(cell, Value) else cell
    return None if isinstance(number, str) else number
