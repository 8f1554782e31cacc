"""Filters: they keep or drop a clean image before (screen) or a pair after degrading (verify), and say why."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from rrframe.contracts.component import Component
from rrframe.errors import RRFrameError

Stage = Literal["screen", "verify"]


class Verdict(BaseModel):
    """What a filter says of an image or a pair."""

    model_config = ConfigDict(frozen=True)
    keep: bool
    score: float | None = None
    """What was measured, in the filter's own unit."""
    reason: str = ""
    """Why it was dropped, with the figure and the limit: one short sentence."""


class Filter(Component):
    """A yes or no with a figure.

    A subclass overrides ``screen``, ``verify`` or both; a recipe may use it where it does.
    """

    kind: ClassVar[str] = "filter"

    def screen(self, clean: np.ndarray) -> Verdict:
        """Judge a clean image, ``[H, W, 3]`` uint8 encoded sRGB."""
        raise RRFrameError(
            "this filter judges pairs, not clean images",
            component=self.name,
            plugin=self.plugin,
            hint="put it under verify:",
        )

    def verify(self, clean: np.ndarray, degraded: np.ndarray) -> Verdict:
        """Judge a pair, both ``[H, W, 3]`` uint8 encoded sRGB."""
        raise RRFrameError(
            "this filter judges clean images, not pairs",
            component=self.name,
            plugin=self.plugin,
            hint="put it under screen:",
        )

    @classmethod
    def stages(cls) -> set[Stage]:
        """Where a recipe may use this filter."""
        stages: tuple[Stage, ...] = ("screen", "verify")
        return {stage for stage in stages if getattr(cls, stage) is not getattr(Filter, stage)}
