"""Plots, as pieces of a page: SVG that the page draws itself, with the numbers beside or in words.

Places are in percent of the plot where its parts must keep their shape at any width.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar


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
class Whisker:
    """A row of :class:`Whiskers`.

    Args:
        value: Where the dot stands; ``None`` for a row without.
        words: The numbers, in words.
        ends: Those of the line through the dot, where there is one.
        bounds: Those of the faint band behind it, where there is one.
        hollow: Whether the dot is drawn hollow, for a number that was not measured here.
    """

    value: float | None
    words: str
    ends: tuple[float, float] | None = None
    bounds: tuple[float, float] | None = None
    hollow: bool = False


@dataclass(frozen=True)
class Whiskers:
    """A dot and a line a row, all on one scale: estimates and their intervals.

    Args:
        title: What is measured, with its unit.
        rows: By name.
        note: What has to be known of it.
        mark: A value to compare with, drawn as a dashed line, and
        mark_words: what it is.
    """

    macro: ClassVar[str] = "whiskers"
    title: str
    rows: Mapping[str, Whisker]
    note: str = ""
    mark: float | None = None
    mark_words: str = ""

    @property
    def axis(self) -> Axis:
        """The scale, with room for all that is drawn."""
        numbers = [self.mark]
        for row in self.rows.values():
            numbers += [row.value, *(row.ends or ()), *(row.bounds or ())]
        return Axis.around([number for number in numbers if number is not None])


@dataclass(frozen=True)
class Histograms:
    """How values are spread, a row of bars each, all on one scale.

    Args:
        title: What is measured, with its unit.
        rows: The finite values of each row by its name.
        form: How a number is written in words.
        note: What has to be known of it.
    """

    macro: ClassVar[str] = "histograms"
    title: str
    rows: Mapping[str, Sequence[float]]
    form: str = "{:.4g}"
    note: str = ""

    _most: ClassVar[int] = 36

    @property
    def axis(self) -> Axis:
        """The scale of the values."""
        return Axis.around(self._bins, room=0.02)

    def bars(self, name: str) -> list[tuple[float, float, float]]:
        """Left end, width and height of each bar of a row, in percent. The highest bar of all rows is 100 high."""
        axis, bins = self.axis, self._bins
        highest = max((max(self._counts(each, bins)) for each in self.rows), default=0) or 1
        places = [axis.place(edge) for edge in bins]
        counts = self._counts(name, bins)
        return [
            (left, right - left, 100 * count / highest)
            for (left, right), count in zip(pairwise(places), counts, strict=True)
            if count
        ]

    def middle(self, name: str) -> float | None:
        """Where the median of a row lies, in percent."""
        return self.axis.place(statistics.median(self.rows[name])) if self.rows[name] else None

    def said(self, name: str) -> str:
        """A row in words."""
        values = sorted(self.rows[name])
        if not values:
            return "none"
        if len(values) == 1:
            return f"one, {self.form.format(values[0])}"
        quartiles = statistics.quantiles(values, n=4, method="inclusive")
        low, middle, high = map(self.form.format, quartiles)
        return f"median {middle}, half from {low} to {high}"

    @property
    def _bins(self) -> list[float]:
        """The edges of the bars: of few whole numbers a bar each."""
        values = [value for values in self.rows.values() for value in values] or [0.0]
        low, high = min(values), max(values)
        if all(float(value).is_integer() for value in values) and high - low < self._most:
            return [low - 0.5 + step for step in range(int(high - low) + 2)]
        if low == high:
            return [low - 0.5, high + 0.5]
        return [low + (high - low) * step / self._most for step in range(self._most + 1)]

    def _counts(self, name: str, bins: Sequence[float]) -> list[int]:
        counts = [0] * (len(bins) - 1)
        for value in self.rows[name]:
            place = int((value - bins[0]) / (bins[-1] - bins[0]) * len(counts))
            counts[min(max(place, 0), len(counts) - 1)] += 1
        return counts


@dataclass(frozen=True)
class Axis:
    """A scale from ``low`` to ``high`` with round numbers along it."""

    low: float
    high: float

    @classmethod
    def around(cls, numbers: Sequence[float], room: float = 0.05) -> Axis:
        """A scale that holds ``numbers`` with some ``room`` at both ends."""
        low, high = min(numbers, default=0.0), max(numbers, default=1.0)
        spare = (high - low) * room or abs(high) * room or 0.5
        return cls(low - spare, high + spare)

    def place(self, value: float) -> float:
        """Where ``value`` lies, in percent."""
        return 100 * (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """A few round numbers on the scale: where they lie, and as text."""
        step = (self.high - self.low) / 5.5
        size = 10 ** math.floor(math.log10(step))
        step = next(size * many for many in (1, 2, 5, 10) if size * many >= step)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [(self.place(step * number), f"{step * number:.6g}") for number in range(first, last + 1)]
