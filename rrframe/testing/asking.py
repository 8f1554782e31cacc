"""Examples for judges: pictures of several sizes, and a task to ask about."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from rrframe.contracts.judge import Judge
from rrframe.manager import get_manager
from rrframe.testing.calls import Call
from rrframe.testing.pictures import LAYOUTS, Picture
from rrframe.testing.subjects import Subject

_SIZES = ((48, 40, 1), (33, 64, 3), (96, 32, 2))
_PATTERNS = ("texture", "gradient", "noise")


@dataclass(frozen=True)
class Asking:
    """A judge asked about some pictures, each a column narrower than the one before."""

    picture: Picture
    task: str

    def images(self) -> list[torch.Tensor]:
        return [image[..., : self.picture.width - index] for index, image in enumerate(self.picture.tensor())]

    def calls(self, subject: Subject) -> list[Call]:
        return [Call(subject.component, "ask", (self.images(), self.task))]

    def __str__(self) -> str:
        return f"{self.picture}; asked about {self.task}"


def known_tasks(judge: Judge) -> list[str]:
    """The registered tasks that ``judge`` knows, sorted."""
    return [task for task in get_manager().table("task") if judge.knows(task)]


def asking_examples(subject: Subject) -> list[Asking]:
    """Few, since an answer may take a second; of at least 32 pixels a side."""
    assert isinstance(subject.component, Judge)
    tasks = known_tasks(subject.component)
    return [
        Asking(Picture(*size, _PATTERNS[index], LAYOUTS[index], seed=index), tasks[index % len(tasks)])
        for index, size in enumerate(_SIZES)
    ]
