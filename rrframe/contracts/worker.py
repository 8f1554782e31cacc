"""The process of a worker: what every one does first, whoever starts it."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt's names, malloc.h
_KEPT = 64 << 20  # bytes: a dozen float pictures of a megapixel go and come with every operator
_ASIDE = 32 << 20  # the most that the C library takes: larger arrays go back to the system at once


def settle_worker() -> None:
    """Make this process a worker: one thread, for the cores go to other workers, and freed memory kept at hand."""
    import cv2
    import torch

    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    keep_freed_memory()


def keep_freed_memory() -> None:
    """Let the C library keep up to 64 MiB of what was freed, instead of giving it back to the system and asking for it
    again, page by page, a picture later: a tenth of the time of many operators. Arrays over 32 MiB still go back. Only
    where that library is glibc.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _ASIDE)
            mallopt(_TRIM_THRESHOLD, _KEPT)
