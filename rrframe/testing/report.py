"""The report of a checking: how many checks ran, how they ended, and whether that is good enough."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rrframe.testing.trial import Outcome

_MARKS = {"passed": "ok", "failed": "FAIL", "skipped": "skip", "expected failure": "xfail"}


@dataclass(frozen=True)
class Report:
    """The outcomes of the checks of some components."""

    outcomes: Sequence[Outcome]

    @property
    def counts(self) -> dict[str, int]:
        """How many checks there were, how many of them ran, and how many ended in each way."""
        found = Counter(outcome.status for outcome in self.outcomes)
        ran = len(self.outcomes) - found["skipped"]
        return {"checks": len(self.outcomes), "ran": ran, **{status: found[status] for status in _MARKS}}  # type: ignore[index]

    @property
    def problems(self) -> list[str]:
        """Why this report is a failure: failed checks, and components of which nothing ran. Empty if it is none."""
        if not self.outcomes:
            return ["no check ran: there was nothing to check"]
        ran = {outcome.subject.name for outcome in self.outcomes if outcome.status != "skipped"}
        idle = sorted({outcome.subject.name for outcome in self.outcomes} - ran)
        failed = self.counts["failed"]
        problems = [f"{failed} check{'s' if failed > 1 else ''} failed"] if failed else []
        return problems + [f"no check of {name} ran" for name in idle]

    def as_json(self) -> dict[str, Any]:
        """The whole report as plain JSON values."""
        rows = [
            {
                "component": outcome.subject.name,
                "kind": outcome.subject.kind,
                "plugin": outcome.subject.plugin,
                "check": outcome.check.name,
                "law": outcome.check.law,
                "status": outcome.status,
                "reason": outcome.reason,
                "example": outcome.example,
                "place": outcome.place,
                "again": outcome.again,
            }
            for outcome in self.outcomes
        ]
        return {"ok": not self.problems, "problems": self.problems, "counts": self.counts, "checks": rows}

    def summary(self) -> str:
        """The counts in a line."""
        counts = self.counts
        text = f"{counts['ran']} of {counts['checks']} checks ran: {counts['passed']} passed, {counts['failed']} failed"
        text += f", {counts['expected failure']} failed as expected" if counts["expected failure"] else ""
        return f"{text}; {counts['skipped']} skipped"


def told(outcome: Outcome) -> str:
    """One outcome for a terminal: a line, and below it what a failure needs."""
    line = f"  {_MARKS[outcome.status]:<6}{outcome.check.name}"
    if outcome.status == "failed":
        return line + "".join(f"\n        {row}" for row in outcome.render().splitlines())
    return f"{line}: {outcome.reason}" if outcome.reason else line
