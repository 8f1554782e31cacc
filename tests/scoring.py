"""What tests of evaluations are made of: a small benchmark of real photographs, and recipes on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from rich.console import Console
from skimage import data

from rrframe.evaluation.run import Options, Summary, run_evaluation
from rrframe.recipe import load_recipe

TASKS = ("haze", "noise")


def crops(count: int, side: int = 64) -> list[np.ndarray]:
    """Different parts of real photographs, ``[side, side, 3]`` uint8."""
    sheets = [data.astronaut(), data.coffee(), data.chelsea()]
    generator = np.random.default_rng(0)
    found = []
    for number in range(count):
        sheet = sheets[number % len(sheets)]
        top, left = generator.integers(0, sheet.shape[0] - side), generator.integers(0, sheet.shape[1] - side)
        found.append(np.ascontiguousarray(sheet[top : top + side, left : left + side]))
    return found


def degraded(pixels: np.ndarray, task: str, strength: float = 1.0) -> np.ndarray:
    """Grey light over it for haze, Gaussian noise for anything else."""
    values = pixels.astype(np.float32)
    if task == "haze":
        values = values * (1 - 0.5 * strength) + 200 * 0.5 * strength
    else:
        values = values + np.random.default_rng(1).normal(0, 20 * strength, pixels.shape)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def save(path: Path, pixels: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def benchmark(folder: Path, count: int = 4, side: int = 64) -> Path:
    """``count`` images of each task with clean ones, as ``TASK/degraded`` and ``TASK/clean``, and beside them
    ``outputs``, as of a restorer that takes away half of what was added.
    """
    for task in TASKS:
        for number, pixels in enumerate(crops(count, side)):
            save(folder / task / "clean" / f"{number}.png", pixels)
            save(folder / task / "degraded" / f"{number}.png", degraded(pixels, task))
            save(folder.parent / "outputs" / task / f"{number}.png", degraded(pixels, task, 0.5))
    return folder


LAYOUT = {task: {"degraded": f"{task}/degraded", "clean": f"{task}/clean"} for task in TASKS}


def recipe(path: Path, folder: Path, **changes: Any) -> Path:
    """A recipe that scores doing nothing and ready outputs by PSNR, with some top-level keys changed."""
    written: dict[str, Any] = {
        "kind": "evaluation",
        "benchmark": {"folder": str(folder), "layout": LAYOUT},
        "restorers": {"nothing": {"identity": True}, "half": {"folder": str(folder.parent / "outputs")}},
        "metrics": [{"use": "metric/psnr"}],
        "resamples": 200,
    }
    path.write_text(yaml.safe_dump(written | changes, sort_keys=False))
    return path


def evaluated(path: Path, folder: Path, *overrides: str, **options: bool) -> Summary:
    """The recipe at ``path`` run in ``folder``, in this process."""
    return run_evaluation(load_recipe(path, overrides), folder, Console(quiet=True), Options(**options))
