"""What it costs to find a judge's answers again: milliseconds of processor time an image, by the side of the image.

python benchmarks/judge_cache.py
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import rrframe
from rrframe.evaluation.judging import Judging

_IMAGES = 40
_ROUNDS = 9


def cost_of_a_hit(side: int) -> float:
    """Milliseconds an image: hashing its pixels, reading the file of the answer; the least of some rounds."""
    images = list(np.random.default_rng(0).integers(0, 256, (_IMAGES, side, side, 3), np.uint8))  # as files hold them
    with tempfile.TemporaryDirectory() as folder:
        Judging(rrframe.load("judge/estimators"), Path(folder)).severities(images, "lowlight")
        costs = []
        for _ in range(_ROUNDS):
            judging = Judging(rrframe.load("judge/estimators"), Path(folder))  # it has nothing in memory
            start = time.process_time()
            judging.severities(images, "lowlight")
            costs.append((time.process_time() - start) / _IMAGES)
            assert (judging.calls, judging.hits) == (0, _IMAGES)
    return 1000 * min(costs)


if __name__ == "__main__":
    torch.set_num_threads(1)
    for side in (256, 512, 1024):
        print(f"{side} x {side}: {cost_of_a_hit(side):.2f} ms")
