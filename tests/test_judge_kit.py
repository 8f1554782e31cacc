"""The conformance kit finds what is wrong with a judge: for each careless one the check that names its fault fails, and
no other.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from pydantic import PrivateAttr
from test_testing_kit import failed, outcomes_of

from rrframe import Judge


class Plain(Judge):
    """Finds everything hazy that is bright, without a fault."""

    repeatable = True

    def ask(self, images: Sequence[torch.Tensor], task: str, attempt: int = 0) -> list[str]:
        return [f"退化分数：{5 - int(3.9 * self.measured(image, task))}" for image in images]

    def measured(self, image: torch.Tensor, task: str) -> float:
        return float(image.mean())


class Follows(Plain):
    """Finds everything bright that is not dark."""

    follows_severity = True

    def knows(self, task: str) -> bool:
        return task == "haze"

    def measured(self, image: torch.Tensor, task: str) -> float:
        return float(image.amin(0).mean())


class NotRepeatable(Plain):
    """Is moody, and does not deny it."""

    repeatable = False
    _count: Any = PrivateAttr(default_factory=itertools.count)

    def measured(self, image: torch.Tensor, task: str) -> float:
        return next(self._count) % 5 / 5


class KnowsNothing(Plain):
    """Knows no task."""

    def knows(self, task: str) -> bool:
        return False


class WorksForNobody(Plain):
    """Has no workers."""

    @property
    def workers(self) -> int:
        return 0


class AnswersOnce(Plain):
    """Answers for all at once."""

    def ask(self, images: Sequence[torch.Tensor], task: str, attempt: int = 0) -> list[str]:
        return super().ask(images, task)[:1]


class AnswersNumbers(Plain):
    """Reads its answers itself, so that what it wrote is lost."""

    def ask(self, images: Sequence[torch.Tensor], task: str, attempt: int = 0) -> list[Any]:
        return [self.parse(answer) for answer in super().ask(images, task)]


class LeavesTheScale(Plain):
    """Counts to ten."""

    def parse(self, text: str) -> float | None:
        found = super().parse(text)
        return found and 2 * found


class Guesses(Plain):
    """Takes the middle where nothing is said."""

    def parse(self, text: str) -> float | None:
        return super().parse(text) or 3


class Stumbles(Plain):
    """Expects a number."""

    def parse(self, text: str) -> float | None:
        return float(text.partition("：")[2])


class CannotBeWritten(Plain):
    """Is kept under what JSON has no word for."""

    def identity(self) -> dict[str, Any]:
        return {"tasks": {"haze"}}


class IsAlwaysAnother(Plain):
    """Is kept under an address in memory."""

    def identity(self) -> dict[str, Any]:
        return {"object": id(self)}


class TakesAnyTask(Plain):
    """Has an answer to everything."""

    def knows(self, task: str) -> bool:
        return True


class FollowsNothing(Plain):
    """Says that it follows severity."""

    follows_severity = True

    def measured(self, image: torch.Tensor, task: str) -> float:
        return 0.5


class PointsBackwards(Follows):
    """Takes 5 for the worst."""

    def measured(self, image: torch.Tensor, task: str) -> float:
        return 1 - super().measured(image, task)


class WritesIntoItsInput(Plain):
    """Works in place."""

    def measured(self, image: torch.Tensor, task: str) -> float:
        return float(image.mul_(0.5).mean())


class DrawsGlobally(Plain):
    """Draws from the generator of everybody."""

    def measured(self, image: torch.Tensor, task: str) -> float:
        torch.rand(1)
        return super().measured(image, task)


class NeverTheSame(NotRepeatable):
    """Is moody, and denies it."""

    repeatable = True


class Remembers(Plain):
    """Compares with the first that it saw."""

    _first: list[float] = []  # pydantic gives each instance its own

    def measured(self, image: torch.Tensor, task: str) -> float:
        if not self._first:
            self._first.append(super().measured(image, task))
        return 5 * super().measured(image, task) / self._first[0] % 1


class HoldsALock(Plain):
    """Cannot be sent to another process."""

    _lock: Any = PrivateAttr(default_factory=threading.Lock)


class SeesItsNeighbours(Plain):
    """Ranks the images of a call."""

    def ask(self, images: Sequence[torch.Tensor], task: str, attempt: int = 0) -> list[str]:
        return [str(5 - place) for place, _ in enumerate(images)]


class HasNoDocstring(Plain):
    proxy = True


WRONG = {
    HasNoDocstring: "is-described",
    KnowsNothing: "says-how-it-is-asked",
    WorksForNobody: "says-how-it-is-asked",
    CannotBeWritten: "identity-is-json",
    IsAlwaysAnother: "identity-is-json",
    AnswersOnce: "answers-every-image",
    AnswersNumbers: "answers-every-image",
    LeavesTheScale: "reads-answers-or-none",
    Guesses: "reads-answers-or-none",
    Stumbles: "reads-answers-or-none",
    TakesAnyTask: "refuses-unknown-tasks",
    FollowsNothing: "more-is-never-milder",
    PointsBackwards: "more-is-never-milder",
    WritesIntoItsInput: "leaves-its-input-alone",
    DrawsGlobally: "leaves-global-state-alone",
    NeverTheSame: "same-input-same-bytes",
    Remembers: "keeps-no-state",
    HoldsALock: "survives-pickling",
    SeesItsNeighbours: "batch-equals-singles",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda cls: cls.__name__)
def test_a_fault_fails_the_one_check_that_names_it(wrong: type[Judge]) -> None:
    assert failed(outcomes_of(wrong)) == [WRONG[wrong]]


def test_a_good_judge_passes_all_that_applies() -> None:
    skipped = [name for name, each in outcomes_of(Follows).items() if each.status != "passed"]
    assert skipped == ["is-announced", "same-bytes-in-another-process"]


def test_what_a_judge_does_not_claim_is_not_asked_of_it() -> None:
    outcomes = outcomes_of(NotRepeatable)
    assert failed(outcomes) == []
    assert [name for name, each in outcomes.items() if "does not say" in each.reason] == [
        "more-is-never-milder",
        "same-input-same-bytes",
        "keeps-no-state",
        "survives-pickling",
        "same-bytes-in-another-process",
        "batch-equals-singles",
    ]
