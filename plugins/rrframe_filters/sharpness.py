"""Sharpness."""

from __future__ import annotations

import cv2
import numpy as np
from pydantic import Field

from rrframe import Filter, Verdict


class Sharpness(Filter):
    """Drops images that are out of focus everywhere.

    The score is the standard deviation of the Laplacian of luma in the sharpest of 4 x 4 tiles, so that a soft
    background does not condemn a sharp subject. It is taken at a shorter side of 512 px at most, so that a limit
    means the same for every camera.

    Source: Pech-Pacheco et al. 2000, "Diatom autofocusing in brightfield microscopy"; the tiles are ours.
    """

    least: float = Field(8.0, ge=0, description="least score; sharp photographs score 15 to 90, blurred ones under 6")

    def screen(self, clean: np.ndarray) -> Verdict:
        luma = cv2.cvtColor(clean, cv2.COLOR_RGB2GRAY)
        scale = 512 / min(luma.shape)
        if scale < 1:
            luma = cv2.resize(luma, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        edges = cv2.Laplacian(luma, cv2.CV_32F)
        tiles = [tile for band in np.array_split(edges, 4) for tile in np.array_split(band, 4, axis=1) if tile.size]
        score = float(max(tile.std() for tile in tiles))
        keep = score >= self.least
        return Verdict(
            keep=keep, score=score, reason="" if keep else f"sharpness {score:.3g}, at least {self.least:g} needed"
        )
