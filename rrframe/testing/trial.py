"""A component under its checks: each is run once, after its premises, and its outcome kept."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rrframe.errors import RRFrameError, did_you_mean
from rrframe.testing.checks import Broken, Check, NotApplicable
from rrframe.testing.subjects import Subject
from rrframe.testing.suites import checks_for

Status = Literal["passed", "failed", "skipped", "expected failure"]


@dataclass(frozen=True)
class Outcome:
    """How a check ended.

    Args:
        subject: The component.
        check: The check.
        status: ``expected failure`` is one that was announced with a reason.
        reason: What was found wrong, why it was skipped, or why the failure is expected.
        example: The simplest example that fails, in words.
        place: Where in the component's code.
        holds: Whether checks that build on it make sense.
    """

    subject: Subject
    check: Check
    status: Status
    reason: str = ""
    example: str = ""
    place: str = ""
    holds: bool = True

    @property
    def again(self) -> str:
        """The command that runs this check again."""
        return self.subject.command(self.check.name)

    def render(self) -> str:
        """All that is known of a failure, a line each."""
        plugin = f" of {self.subject.plugin}" if self.subject.plugin else ""
        rows = {
            "component": f"{self.subject.name}{plugin}",
            "law": self.check.law,
            "found": self.reason,
            "example": self.example,
            "where": self.place,
            "again": self.again,
        }
        indent = "\n" + " " * 11
        return "\n".join(f"{label:<11}{text.replace(chr(10), indent)}" for label, text in rows.items() if text)


class Trial:
    """The checks of one component, and their outcomes.

    Args:
        subject: The component.
        expected_failures: Check to reason; added to those that the class itself has as ``expected_failures``. They are
            strict: one that passes is a failure.

    Raises:
        RRFrameError: There is no such check, or the reason is empty.
    """

    def __init__(self, subject: Subject, expected_failures: Mapping[str, str] | None = None) -> None:
        self.subject = subject
        self.checks = {check.name: check for check in checks_for(subject)}
        self._expected = {**getattr(subject.cls, "expected_failures", {}), **(expected_failures or {})}
        self._outcomes: dict[str, Outcome] = {}
        for name, reason in self._expected.items():
            self.check(name)
            if not reason.strip():
                raise RRFrameError(f"the expected failure {name!r} has no reason", component=subject.name)

    def check(self, name: str) -> Check:
        """The check called ``name``.

        Raises:
            RRFrameError: This component has none of that name.
        """
        if name not in self.checks:
            raise RRFrameError(
                f"no check is called {name!r}", component=self.subject.name, hint=did_you_mean(name, self.checks)
            )
        return self.checks[name]

    def outcomes(self) -> list[Outcome]:
        """The outcome of every check, in their order."""
        return [self.outcome(name) for name in self.checks]

    def outcome(self, name: str) -> Outcome:
        """The outcome of the check called ``name``, run at its first call."""
        if name not in self._outcomes:
            self._outcomes[name] = self._strictly(self._run(self.check(name)))
        return self._outcomes[name]

    def _run(self, check: Check) -> Outcome:
        for premise in check.premises:
            # A law of another kind's: a cue has no dials, and runs all the same.
            before = self.outcome(premise.name) if premise.name in self.checks else None
            if before and not before.holds:
                cause = before.reason if before.status == "skipped" else f"it says nothing while {premise.name} fails"
                return Outcome(self.subject, check, "skipped", cause, holds=False)
        try:
            check(self.subject)
        except NotApplicable as reason:
            return Outcome(self.subject, check, "skipped", str(reason))
        except Broken as broken:
            example = "" if broken.example is None else str(broken.example)
            return Outcome(self.subject, check, "failed", str(broken), example, self._place(broken), holds=False)
        except Exception as error:
            return Outcome(
                self.subject, check, "failed", f"{type(error).__name__}: {error}", place=self._place(error), holds=False
            )
        return Outcome(self.subject, check, "passed")

    def _strictly(self, outcome: Outcome) -> Outcome:
        reason = self._expected.get(outcome.check.name)
        if reason is None or outcome.status == "skipped":
            return outcome
        if outcome.status == "failed":
            return Outcome(self.subject, outcome.check, "expected failure", reason, holds=False)
        return Outcome(
            self.subject,
            outcome.check,
            "failed",
            f"it was expected to fail ({reason}) and passes: take it out of expected_failures",
        )

    def _place(self, error: BaseException) -> str:
        """The last line of the component's own module on the way to ``error``."""
        chained: BaseException | None = error
        while chained is not None:
            for frame, line in reversed(list(traceback.walk_tb(chained.__traceback__))):
                if self.subject.cls and frame.f_globals.get("__name__") == self.subject.cls.__module__:
                    return f"{frame.f_code.co_filename}:{line}, in {frame.f_code.co_name}"
            chained = chained.__cause__
        return ""
