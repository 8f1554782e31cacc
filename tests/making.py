"""What tests of runs are made of: a folder of real photographs and recipes on it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image
from skimage import data

from rrframe.contracts.engine import Unit
from rrframe.recipe import load_recipe
from rrframe.synthesis.plan import write_listing
from rrframe.synthesis.work import SynthesisWork

CHAINS: dict[str, list[dict[str, Any]]] = {
    "haze": [{"use": "haze/scattering"}],
    "noise": [{"use": "noise/poisson-gaussian"}],
    "compression": [{"use": "compression/jpeg"}],
}


def photographs(folder: Path, count: int, side: int = 96) -> Path:
    """``count`` different crops of real photographs, as PNG files of ``side`` x ``side`` pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    sheets = [data.astronaut(), data.coffee(), data.chelsea()]
    generator = np.random.default_rng(0)
    for number in range(count):
        sheet = sheets[number % len(sheets)]
        top, left = generator.integers(0, sheet.shape[0] - side), generator.integers(0, sheet.shape[1] - side)
        Image.fromarray(sheet[top : top + side, left : left + side]).save(folder / f"{number:04d}.png")
    return folder


def recipe(path: Path, source: Path, **changes: Any) -> Path:
    """A recipe for the three first categories on the pictures in ``source``, with some top-level keys changed."""
    written: dict[str, Any] = {
        "kind": "synthesis",
        "seed": 3,
        "source": {"use": "images/folder", "params": {"path": str(source)}},
        "tasks": {task: {"chain": chain} for task, chain in CHAINS.items()},
        "sink": {"use": "pairs/webdataset", "params": {"pairs_per_shard": 8}},
        "engine": {"use": "engine/local", "params": {"workers": 2}},
    }
    path.write_text(yaml.safe_dump(written | changes))
    return path


def digests(run: Path) -> dict[str, str]:
    """The hash of every shard and manifest of a run."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((run / "shards").glob("0*"))}


def made(folder: Path, count: int = 8, **changes: Any) -> tuple[Path, Path]:
    """A recipe of synthesis on small photographs and the run that it made, in this process: ten pairs a shard."""
    source = photographs(folder / "photographs", count, side=48)
    sink = {"use": "pairs/webdataset", "params": {"pairs_per_shard": 10, "image": {"format": "webp"}}}
    path = recipe(folder / "pairs.yaml", source, **{"sink": sink, "variants": 3} | changes)
    loaded = load_recipe(path).recipe
    run = folder / "run"
    (run / "shards").mkdir(parents=True)
    write_listing(run, loaded.source.keys())
    work = SynthesisWork(loaded, run)
    for number in range(work.plan.shards):
        work(Unit(number), lambda index: None)
    return path, run
