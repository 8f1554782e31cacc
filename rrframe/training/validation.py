"""Validation: held-out pairs restored, and how much nearer they came to the clean side."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skimage.metrics import structural_similarity

from rrframe.contracts.backbone import Backbone
from rrframe.contracts.draw import Noise
from rrframe.errors import RRFrameError
from rrframe.imaging.layout import to_pixels
from rrframe.imaging.writing import write_picture
from rrframe.run.folder import RunFailed
from rrframe.training.data import Batch, Example, TrainingData
from rrframe.training.measures import Measuring

PICTURES = "held-out"
_SHOWN = 12


@dataclass(frozen=True)
class Scored:
    """A held-out pair with its figures: ``psnr`` in dB and ``ssim`` of the restored side against the clean one,
    the same of the ``degraded_`` side, the ``loss``, and what the recipe's metrics say.
    """

    example: Example
    restored: torch.Tensor
    figures: Mapping[str, float]


def validate(backbone: Backbone, data: TrainingData, measuring: Measuring) -> tuple[list[Scored], dict[str, str]]:
    """Restore the pairs that are validated, one by one, and measure them.

    Returns:
        The pairs with their figures; and those that could not be read, with the reason, where none could stand in.

    Raises:
        RunFailed: What comes out is not finite, or no held-out pair can be read.
    """
    size = data.held_out_size
    scored: list[Scored] = []
    unread: dict[str, str] = {}
    for number in data.validated():
        try:
            example = data.held_out_example(number, size)
        except RRFrameError as error:
            unread[f"held-out pair {number} of {data.held_out[number][0]}"] = error.message
            continue
        scored.append(_scored(backbone, example, measuring))
    if not scored:
        raise RunFailed(f"no held-out pair can be read: {'; '.join(unread.values())}")
    return scored, unread


def _scored(backbone: Backbone, example: Example, measuring: Measuring) -> Scored:
    with torch.inference_mode():
        restored = backbone.restore(example.degraded, example.cell.task)
    if not bool(restored.isfinite().all()):
        raise RunFailed(
            f"the restored {example.key} is not finite", component=backbone.name, hint="a lower learning_rate may help"
        )
    with torch.no_grad():
        encoded = backbone.encode(Batch.of([example]).pairs)
        loss = float(backbone.loss(encoded, Noise([example.seed], backbone.torch_device)).mean())
    restored, clean = restored.float().cpu(), example.clean
    figures = {
        "psnr": psnr(restored, clean),
        "degraded_psnr": psnr(example.degraded, clean),
        "ssim": ssim(restored, clean),
        "degraded_ssim": ssim(example.degraded, clean),
        "loss": loss,
        **measuring.of_pair({"degraded": example.degraded, "restored": restored.clamp(0, 1), "clean": clean}),
    }
    return Scored(example, restored, figures)


def summary(scored: list[Scored]) -> dict[str, Any]:
    """Means over all pairs, and by source and task."""
    by_cell: defaultdict[str, list[Scored]] = defaultdict(list)
    for each in scored:
        by_cell[f"{each.example.cell.source}/{each.example.cell.task}"].append(each)
    return _means(scored) | {"cells": {name: _means(them) for name, them in sorted(by_cell.items())}}


def psnr(image: torch.Tensor, clean: torch.Tensor) -> float:
    """The peak signal-to-noise ratio of encoded sRGB over all channels, in dB; 100 where both are the same."""
    error = float((image.double() - clean.double()).square().mean())
    return min(100.0, -10 * float(np.log10(max(error, 1e-12))))


def ssim(image: torch.Tensor, clean: torch.Tensor) -> float:
    """The structural similarity of two ``[1, 3, H, W]`` images of encoded sRGB in [0, 1], the mean over the channels.

    Source: Wang, Bovik, Sheikh and Simoncelli 2004, "Image quality assessment: from error visibility to structural
    similarity", with its Gaussian window of 1.5 pixels.
    """
    sides = [each[0].double().numpy() for each in (image, clean)]
    window = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    return float(structural_similarity(*sides, channel_axis=0, data_range=1.0, **window))  # type: ignore[no-untyped-call]


def keep_pictures(folder: Path, scored: list[Scored]) -> list[dict[str, Any]]:
    """Write the first few pairs as pictures to ``folder`` and tell of each.

    They lie by task and side, as a recipe of evaluation reads them: ``held-out/haze/degraded/00.png``.
    """
    kept = []
    for number, each in enumerate(scored[:_SHOWN]):
        task = each.example.cell.task
        for side, images in (
            ("degraded", each.example.degraded),
            ("restored", each.restored),
            ("clean", each.example.clean),
        ):
            path = kept_picture(folder, task, side, number)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_picture(path, to_pixels(images[0]))
        cell = each.example.cell
        kept.append({"number": number, "key": each.example.key, "source": cell.source, "task": cell.task})
        kept[-1] |= each.figures
    return kept


def kept_picture(folder: Path, task: str, side: str, number: int) -> Path:
    """Where a side of a kept pair lies."""
    return folder / PICTURES / task / side / f"{number:02d}.png"


def _means(scored: Iterable[Scored]) -> dict[str, Any]:
    them = [each.figures for each in scored]
    return {"pairs": len(them)} | {name: float(np.mean([each[name] for each in them])) for name in them[0]}
