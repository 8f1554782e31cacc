"""Both sides of a pair as files have them, brought to one type."""

from __future__ import annotations

import numpy as np

from rrframe import Photograph, Sample


def sample_of(degraded: Photograph, clean: Photograph) -> Sample:
    """The pair, at 16 bits where a side has them: eight would lose some of it.

    Raises:
        RRFrameError: The sides differ in size.
    """
    sides = [degraded.pixels, clean.pixels]
    if sides[0].dtype != sides[1].dtype:
        sides = [side if side.dtype == np.uint16 else side.astype(np.uint16) * 257 for side in sides]
    return Sample(*sides)
