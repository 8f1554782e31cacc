"""Markdown pages whose prose is people's, and whose figures are written between markers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rrframe.errors import RRFrameError


def read_page(page: Path) -> str:
    """The text of ``page``.

    Raises:
        RRFrameError: It cannot be read.
    """
    try:
        return page.read_text(encoding="utf-8")
    except OSError as error:
        raise RRFrameError(f"cannot read the page {page}: {error.strerror}", path=str(page)) from error


def filled(text: str, sections: Mapping[str, str], page: Path) -> str:
    """``text`` of ``page`` with each of ``sections`` between the markers ``<!-- bench: NAME -->`` and ``<!-- end -->``.

    Raises:
        RRFrameError: A marker is missing.
    """
    for name, written in sections.items():
        begin, end = f"<!-- bench: {name} -->", "<!-- end -->"
        before, found, rest = text.partition(begin)
        _, closed, after = rest.partition(end)
        if not found or not closed:
            raise RRFrameError(
                f"{page} has no place for {name}", path=str(page), hint=f"add two lines: {begin} and {end}"
            )
        text = f"{before}{begin}\n\n{written}\n\n{end}{after}"
    return text


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with these titles."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
