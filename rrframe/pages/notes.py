"""What a class says of itself in its docstring."""

from __future__ import annotations

import inspect
import re

_NOTE = re.compile(r"([A-Z][a-z]+): (.+)")


def notes_of(cls: type) -> dict[str, str]:
    """The paragraphs of the docstring of ``cls`` that begin with one word and a colon, such as ``Source: Foi et al.
    2008.``, by that word, as plain text. One ends where the next begins, or at a blank line.
    """
    notes: dict[str, str] = {}
    current = None
    for line in (inspect.getdoc(cls) or "").replace("``", "").splitlines():
        begun = _NOTE.fullmatch(line)
        if begun:
            current = begun[1]
            notes[current] = begun[2]
        elif current and line.strip():
            notes[current] += f" {line.strip()}"
        else:
            current = None
    return notes
