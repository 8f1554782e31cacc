"""A picture in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Photograph:
    """A picture as read: upright, three channels, encoded sRGB.

    Args:
        pixels: ``[H, W, 3]`` uint8, or uint16 where the file had more than eight bits; the type's whole range is [0,
            1].
        sha256: Of the file's bytes, so that a record names what it was made from.
        notes: What had to be done to get here, such as ``"turned upright (EXIF 6)"``.
    """

    pixels: np.ndarray
    sha256: str
    notes: tuple[str, ...] = field(default=())

    def eight_bit(self) -> np.ndarray:
        """The pixels as uint8, rounded to the nearest where they were uint16."""
        if self.pixels.dtype == np.uint8:
            return self.pixels
        return ((self.pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
