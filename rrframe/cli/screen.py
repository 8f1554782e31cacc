"""Tables and headings for people, as text."""

from __future__ import annotations

import os
import sys

from rich.console import Console, RenderableType


def as_text(content: RenderableType, *, wide_in_pipes: bool = False) -> str:
    """``content`` as the lines that fit the screen, without blanks at their ends.

    Args:
        content: What rich can draw. Strings are taken literally: ``[1/m]`` is no markup.
        wide_in_pipes: Where the output is no screen, cut no line, so that a row of a table stays one for ``grep``.
    """
    on_screen = sys.stdout.isatty() or bool(os.environ.get("COLUMNS"))
    console = Console(width=10_000 if wide_in_pipes and not on_screen else None, markup=False, highlight=False)
    with console.capture() as captured:
        console.print(content)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())
