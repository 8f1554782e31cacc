"""How much a degradation changed."""

from __future__ import annotations

import math

import cv2
import numpy as np
from pydantic import Field

from rrframe import Filter, Verdict


class VisibleChange(Filter):
    """Drops pairs from which nothing can be learnt: the degradation does not show, or nothing is left of the picture.

    The score is the PSNR between the two sides in dB, over RGB, encoded.
    """

    max_psnr: float = Field(45.0, gt=0, description="above this the two look the same")
    min_psnr: float = Field(5.0, ge=0, description="below this the picture is gone")

    def verify(self, clean: np.ndarray, degraded: np.ndarray) -> Verdict:
        score = cv2.PSNR(clean, degraded)
        if math.isinf(score) or score > self.max_psnr:
            return Verdict(
                keep=False,
                score=min(score, 100.0),
                reason=f"no visible change: {min(score, 100.0):.1f} dB, at most {self.max_psnr:g} allowed",
            )
        if score < self.min_psnr:
            return Verdict(
                keep=False,
                score=score,
                reason=f"nothing left to restore: {score:.1f} dB, at least {self.min_psnr:g} needed",
            )
        return Verdict(keep=True, score=score)
