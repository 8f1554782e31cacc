"""Validation: held-out pairs restored, and how much nearer they came to the clean side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rrframe.contracts.backbone import Backbone
from rrframe.errors import RRFrameError
from rrframe.imaging.layout import to_pixels
from rrframe.imaging.writing import write_picture
from rrframe.training.data import Example, TrainingData

PICTURES = "held-out"
_SHOWN = 12


@dataclass(frozen=True)
class Scored:
    """A held-out pair with the PSNR of both its degraded and its restored side against the clean one, in dB."""

    example: Example
    restored: torch.Tensor
    degraded_psnr: float
    restored_psnr: float


def validate(backbone: Backbone, data: TrainingData) -> Iterator[Scored]:
    """Restore the pairs that are validated, one by one.

    Raises:
        RRFrameError: What comes out is not finite.
    """
    size = data.size_of(0, 0)
    for number in data.validated():
        example = data.held_out_example(number, size)
        with torch.inference_mode():
            restored = backbone.restore(example.degraded, example.cell.task)
        if not bool(restored.isfinite().all()):
            raise RRFrameError(f"the restored {example.key} is not finite", component=backbone.name)
        yield Scored(example, restored, psnr(example.degraded, example.clean), psnr(restored, example.clean))


def summary(scored: list[Scored]) -> dict[str, Any]:
    """Means over all pairs and by source and task: PSNR before and after, in dB."""
    by_cell: defaultdict[str, list[Scored]] = defaultdict(list)
    for each in scored:
        by_cell[f"{each.example.cell.source}/{each.example.cell.task}"].append(each)
    return {
        "pairs": len(scored),
        "psnr": _mean(each.restored_psnr for each in scored),
        "degraded_psnr": _mean(each.degraded_psnr for each in scored),
        "cells": {
            name: {
                "pairs": len(them),
                "psnr": _mean(each.restored_psnr for each in them),
                "degraded_psnr": _mean(each.degraded_psnr for each in them),
            }
            for name, them in sorted(by_cell.items())
        },
    }


def psnr(image: torch.Tensor, clean: torch.Tensor) -> float:
    """The peak signal-to-noise ratio of encoded sRGB over all channels, in dB; 100 where both are the same."""
    error = float((image.double() - clean.double()).square().mean())
    return min(100.0, -10 * float(np.log10(max(error, 1e-12))))


def keep_pictures(folder: Path, scored: list[Scored]) -> list[dict[str, Any]]:
    """Write the first few pairs as pictures to ``folder`` and tell of each."""
    kept = []
    for number, each in enumerate(scored[:_SHOWN]):
        for side, images in (
            ("degraded", each.example.degraded),
            ("restored", each.restored),
            ("clean", each.example.clean),
        ):
            write_picture(folder / PICTURES / f"{number:02d}-{side}.png", to_pixels(images[0]))
        kept.append(
            {
                "number": number,
                "key": each.example.key,
                "source": each.example.cell.source,
                "task": each.example.cell.task,
                "degraded_psnr": each.degraded_psnr,
                "psnr": each.restored_psnr,
            }
        )
    return kept


def _mean(values: Iterator[float]) -> float:
    return float(np.mean(list(values)))
