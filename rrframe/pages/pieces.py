"""What a page is made of. Each piece holds text and pictures; the macro of its name in ``pieces.html`` shows it.

All text is plain and escaped when it is shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rrframe.pages.pictures import Picture

Cell = str | int | float | None


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
        columns: The titles.
        rows: As many cells each as there are columns; the first names the row.
        sortable: Whether a press on a title sorts the rows.
    """

    macro: ClassVar[str] = "table"
    label: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    sortable: bool = True

    def has_numbers(self, column: int) -> bool:
        """Whether a number stands in that column."""
        return any(isinstance(row[column], (int, float)) for row in self.rows)


@dataclass(frozen=True)
class Bars:
    """Stacked bars, one a row, all on one scale.

    Args:
        series: What the parts of a bar are, in order.
        rows: The numbers of each row by its name, as many as there are series; none below 0.
    """

    macro: ClassVar[str] = "bars"
    series: Sequence[str]
    rows: Mapping[str, Sequence[float]]

    def spans(self, name: str) -> list[tuple[float, float]]:
        """Where each part of a row's bar begins and how long it is, in percent of the longest bar."""
        longest = max((sum(values) for values in self.rows.values()), default=0) or 1
        spans, start = [], 0.0
        for value in self.rows[name]:
            length = 100 * value / longest
            spans.append((start, length))
            start += length
        return spans

    def said(self, name: str) -> str:
        """The numbers of a row in words."""
        parts = [f"{value:g} {series}" for series, value in zip(self.series, self.rows[name], strict=True) if value]
        return ", ".join(parts) or "none"


@dataclass(frozen=True)
class Curve:
    """Lines over a common axis; those with many points are thinned to what a screen shows.

    Args:
        title: What is measured, with its unit.
        axis: What runs from left to right.
        lines: The points of each line by its name, rising to the right. The first lies on top.
        log: Whether the vertical axis is logarithmic. What is not above 0 has no place on it and is left out.
    """

    macro: ClassVar[str] = "curve"
    title: str
    axis: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    log: bool = False

    width: ClassVar[int] = 600
    height: ClassVar[int] = 180
    _most: ClassVar[int] = 1000

    def path(self, name: str) -> str:
        """A line as SVG draws it, in a box of ``width`` x ``height``."""
        (left, right), (low, high) = self._span(0), map(self._place, self._span(1))
        points = self._points(name)
        points = points[:: -(-len(points) // self._most) or 1]
        places = [
            f"{self.width * (x - left) / (right - left):.1f},"
            f"{self.height * (1 - (self._place(y) - low) / (high - low)):.1f}"
            for x, y in points
        ]
        return "M" + "L".join(places) if places else ""

    def ends(self) -> dict[str, str]:
        """The numbers at the ends of the axes."""
        (left, right), (low, high) = self._span(0), self._span(1)
        return {"left": f"{left:g}", "right": f"{right:g}", "low": f"{low:.4g}", "high": f"{high:.4g}"}

    def said(self, name: str) -> str:
        """A line in words."""
        points = self._points(name)
        if not points:
            return f"{name}: no points"
        return f"{name} from {points[0][1]:.4g} to {points[-1][1]:.4g} over {len(points)} points"

    def _points(self, name: str) -> Sequence[tuple[float, float]]:
        points = self.lines[name]
        return [point for point in points if point[1] > 0] if self.log else points

    def _place(self, value: float) -> float:
        return math.log10(value) if self.log else value

    def _span(self, side: int) -> tuple[float, float]:
        values = [point[side] for name in self.lines for point in self._points(name)] or [1.0]
        low, high = min(values), max(values)
        if high > low:
            return low, high
        return (low / 2, high * 2) if self.log and side else (low - 0.5, high + 0.5)


@dataclass(frozen=True)
class Strip:
    """Pictures side by side; a press shows one at 100 % and the arrow keys walk to its neighbours in place."""

    macro: ClassVar[str] = "strip"
    label: str
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class Comparison:
    """Two pictures of one size under a slider. Without scripts they stand side by side."""

    before: Picture
    after: Picture
    caption: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Comparisons:
    """Sliders side by side, as many in a row as fit."""

    macro: ClassVar[str] = "comparisons"
    items: Sequence[Comparison]


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


Piece = Text | Code | Facts | Figures | Table | Bars | Curve | Strip | Comparisons | Section
