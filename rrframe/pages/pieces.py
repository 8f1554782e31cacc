"""What a page is made of. Each piece holds text and pictures; the macro of its name in ``pieces.html`` shows it.

All text is plain and escaped when it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import quote

from rrframe.pages.pictures import Picture
from rrframe.pages.plots import Bars, Curve, Histograms, Whiskers


@dataclass(frozen=True)
class Value:
    """A cell with more to it than a number or a word.

    Args:
        words: What is shown.
        value: What the rows are sorted by, where that is a number.
        note: What has to stand beside it, smaller.
        link: Where a press leads: a file beside the page, by its path relative to it, or ``#`` and an anchor.
    """

    words: str
    value: float | None = None
    note: str = ""
    link: str = ""

    def __str__(self) -> str:
        return self.words

    @property
    def href(self) -> str:
        """The link with nothing in it that a browser could take for more than a path."""
        return self.link if self.link.startswith("#") else quote(self.link, errors="surrogateescape")


Cell = str | int | float | Value | None


@dataclass(frozen=True)
class Text:
    """A paragraph. ``tone`` is ``plain``, ``quiet`` or ``alarm``."""

    macro: ClassVar[str] = "text"
    words: str
    tone: str = "plain"


@dataclass(frozen=True)
class Code:
    """Text as it stands in a file, folded away under ``title``."""

    macro: ClassVar[str] = "code"
    title: str
    text: str


@dataclass(frozen=True)
class Facts:
    """A definition list, such as settings by name."""

    macro: ClassVar[str] = "facts"
    facts: Mapping[str, Cell]


@dataclass(frozen=True)
class Figures:
    """A few numbers, large, each above what it counts."""

    macro: ClassVar[str] = "figures"
    figures: Mapping[str, Cell]


@dataclass(frozen=True)
class Table:
    """Rows. A column that holds a number is set to the right; ``None`` stays empty.

    Args:
        label: What the table shows, for those who cannot see it.
        columns: The titles; of a :class:`Value` the words and the note.
        rows: As many cells each as there are columns; the first names the row.
        sortable: Whether a press on a title sorts the rows.
    """

    macro: ClassVar[str] = "table"
    label: str
    columns: Sequence[str | Value]
    rows: Sequence[Sequence[Cell]]
    sortable: bool = True

    def has_numbers(self, column: int) -> bool:
        """Whether a number stands in that column."""
        cells = (row[column] for row in self.rows)
        return any(
            cell.value is not None if isinstance(cell, Value) else isinstance(cell, (int, float)) for cell in cells
        )


@dataclass(frozen=True)
class Strip:
    """Pictures side by side; a press shows one at 100 % and the arrow keys walk to its neighbours in place."""

    macro: ClassVar[str] = "strip"
    label: str
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Comparison:
    """Pictures of one size under a slider: the first to its left, the second to its right. Where there are more, the
    reader chooses which stand on either side. Without scripts all stand side by side.

    Args:
        pictures: Two or more; fewer are shown as they are.
        caption: Shown below them, and
        detail: smaller, too.
        marks: What the reader may choose the comparison by, such as ``{"Task": "noise"}``.
        pieces: What is said of it, beside it where there is room.
        anchor: What links to it have behind the ``#``.
    """

    pictures: Sequence[Picture]
    caption: str = ""
    detail: str = ""
    marks: Mapping[str, str] = field(default_factory=dict)
    pieces: Sequence[Piece] = ()
    anchor: str = ""


@dataclass(frozen=True)
class Comparisons:
    """Sliders side by side, as many in a row as fit.

    Args:
        items: The comparisons.
        browse: For many: below one another, a few at a time, to be chosen by their marks, their caption, and what
            stands on the right, and ordered by the numbers of the first table among the pieces of each.
    """

    macro: ClassVar[str] = "comparisons"
    items: Sequence[Comparison]
    browse: bool = False


@dataclass(frozen=True)
class Pointer:
    """A link to a comparison of the page.

    Args:
        anchor: That of the comparison.
        side: The caption of the picture that is to stand on its right.
        words: What is shown, and
        detail: smaller, too.
    """

    anchor: str
    side: str
    words: str
    detail: str = ""


@dataclass(frozen=True)
class Pointers:
    """Rows of links to comparisons of the page, each row under its title; scripts set a small picture to each."""

    macro: ClassVar[str] = "pointers"
    rows: Mapping[str, Sequence[Pointer]]


@dataclass(frozen=True)
class Folded:
    """Pieces folded away under ``title``."""

    macro: ClassVar[str] = "folded"
    title: str
    pieces: Sequence[Piece]
    open: bool = False


@dataclass(frozen=True)
class Columns:
    """Pieces beside one another, as many in a row as fit."""

    macro: ClassVar[str] = "columns"
    pieces: Sequence[Piece]


@dataclass(frozen=True)
class Section:
    """Pieces under a title.

    Args:
        title: Shown as a heading, a level below that of the section around it.
        pieces: What it holds, sections included.
        tags: Short marks beside the title.
        is_name: The title is an identifier, and set as one.
    """

    macro: ClassVar[str] = "section"
    title: str
    pieces: Sequence[Piece]
    tags: Sequence[str] = ()
    is_name: bool = False

    @property
    def anchor(self) -> str:
        """The title as the part of an address behind the ``#``."""
        return re.sub(r"\W+", "-", self.title.lower()).strip("-") or "section"


Piece = (
    Text
    | Code
    | Facts
    | Figures
    | Table
    | Bars
    | Curve
    | Whiskers
    | Histograms
    | Strip
    | Comparisons
    | Pointers
    | Folded
    | Columns
    | Section
)
