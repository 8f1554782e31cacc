"""How estimates, intervals and differences are written, the same on the screen and on every page."""

from __future__ import annotations

from collections.abc import Iterable

MOST_NAMED = 6


def p_words(p: float) -> str:
    """A p-value."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def ends_words(low: float | None, high: float | None, form: str, scale: float = 1) -> str:
    """The ends of an interval, each written as ``form``, or that they are not known."""
    if low is None or high is None:
        return "not known"
    return f"{form.format(scale * low)} to {form.format(scale * high)}"


def turned(low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """The ends of the interval of a difference taken the other way round."""
    return (None if high is None else -high), (None if low is None else -low)


def verdict_words(holds: bool) -> str:
    """What a test says of a difference."""
    return "holds" if holds else "inside the noise"


def too_few_words(pictures: int, level: float) -> str:
    """That so few photographs can show no difference: the least p of a paired test by permutation is 2 ** (1 - n).
    Nothing, where they can.
    """
    if 2.0 ** (1 - pictures) <= 1 - level:
        return ""
    return f"no difference can hold here, however large: {pictures} photographs are too few for a test"


def pairs_words(pairs: Iterable[tuple[str, str]]) -> str:
    """Pairs of names, the first few of them by name."""
    pairs = list(pairs)
    named = ", ".join(f"{one} and {other}" for one, other in pairs[:MOST_NAMED])
    return named + (f" and {len(pairs) - MOST_NAMED} more" if len(pairs) > MOST_NAMED else "")
