"""What a judge wrote, read as a severity from 1 (extreme) to 5 (none); or not read, which is no number."""

from __future__ import annotations

import re
from typing import Literal

WORST, BEST = 1, 5
"""The ends of the scale: 1 is an extreme degradation, 5 none."""

_ASKED_FOR = re.compile(r"退化分数\s*[：:]\s*([1-5])")
_TRAILING = re.compile(r"([1-5])\s*$")
# A digit that is a part of another number, fraction or range is no score.
_ASKED_FOR_ALONE = re.compile(r"退化分数\s*[：:]\s*([1-5])(?!\d|\s*[.,/~-]\s*\d)")
_TRAILING_ALONE = re.compile(
    r"(?<![\d.,/~+-])(?<!\d[.,/~-]\s)(?<!\s[/~-]\s)(?<!\bof )(?<!\d or )(?<!\d to )(?<!\d and )([1-5])\s*[.。]?\s*$"
)

Rules = Literal["alone", "released"]


def parse_answer(text: str, rules: Rules = "alone") -> int | None:
    """The severity that an answer names in the form that the prompt asks for, or else by a digit 1-5 at its end.

    The form is "退化分数" (degree of degradation), a colon of either width, and the digit.

    Args:
        text: The judge's whole answer.
        rules: ``released`` reads as the evaluator of RealIR-Bench does (``parse_vlm_score`` in ``evaluate_fs.py``),
            which takes the 5 of "4/5", "3.5", "15" and "4 out of 5" for a score. ``alone`` wants the digit to be a
            number of its own, and forgives a full stop behind it.

    Returns:
        1 (extreme) to 5 (none), or ``None`` where the text names none.
    """
    text = text.strip()
    asked_for, trailing = (_ASKED_FOR, _TRAILING) if rules == "released" else (_ASKED_FOR_ALONE, _TRAILING_ALONE)
    found = asked_for.search(text) or trailing.search(text)
    return int(found[1]) if found else None
