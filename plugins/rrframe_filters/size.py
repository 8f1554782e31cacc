"""Size."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from rrframe import Filter, Verdict


class Resolution(Filter):
    """Drops images that are too small, too large or too narrow. The score is the shorter side."""

    min_side: int = Field(256, ge=1, description="least shorter side, in pixels")
    max_side: int | None = Field(None, ge=1, description="greatest longer side, in pixels")
    max_aspect: float = Field(4.0, ge=1, description="greatest ratio of the longer to the shorter side")

    def screen(self, clean: np.ndarray) -> Verdict:
        short, long = sorted(clean.shape[:2])
        if short < self.min_side:
            return Verdict(keep=False, score=short, reason=f"shorter side {short} px, at least {self.min_side} needed")
        if self.max_side is not None and long > self.max_side:
            return Verdict(keep=False, score=short, reason=f"longer side {long} px, at most {self.max_side} allowed")
        if long / short > self.max_aspect:
            return Verdict(
                keep=False,
                score=short,
                reason=f"sides as {long / short:.2g} to 1, at most {self.max_aspect:g} to 1 allowed",
            )
        return Verdict(keep=True, score=short)
