"""Tasks: the categories of degradation, each with its prompts and its severity words."""

from __future__ import annotations

from typing import ClassVar

from rrframe.contracts.component import Component


class Task(Component):
    """A category that a restorer is trained for and scored on. A subclass fills in the class attributes."""

    kind: ClassVar[str] = "task"
    prompts: ClassVar[dict[str, str]]
    """The fixed prompt by language: ``en``, ``zh``."""
    words: ClassVar[tuple[str, str, str, str, str]]
    """What a severity of 1 (extreme) to 5 (none) looks like, for judges and people."""
