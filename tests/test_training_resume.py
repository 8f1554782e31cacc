"""Training that is killed goes on as if it never had been."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path

import pytest
from rich.console import Console
from test_training import pairs as pairs
from test_training import stage, written

from rrframe.recipe import load_recipe
from rrframe.training.run import run_training


def train(recipe: Path, folder: Path) -> None:
    run_training(load_recipe(recipe), folder, Console(quiet=True))


@pytest.mark.slow
def test_ten_kills_leave_no_trace(pairs: Path, tmp_path: Path) -> None:
    stages = [stage(steps=12), stage(name="two", steps=28, batch=2, schedule="cosine", freeze=["intro"])]
    settings = {"every": 7, "share": 0.2, "pairs": 2}
    recipe = written(tmp_path / "t.yaml", pairs, stages=stages, ema=0.9, validation=settings, keep={"every": 2})
    # A process of its own for each try, forked from one that has imported everything.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rrframe.training.loop", "rrframe_backbones.nafnet", "rrframe_datasets.webdataset"])
    undisturbed = context.Process(target=train, args=(recipe, tmp_path / "undisturbed"))
    undisturbed.start()
    undisturbed.join(300)
    assert undisturbed.exitcode == 0

    folder, generator, kills = tmp_path / "killed", random.Random(0), 0
    steps = folder / "steps.jsonl"
    while True:
        process = context.Process(target=train, args=(recipe, folder))
        process.start()
        begun = _lines(steps)
        target = begun + generator.randint(1, 4)
        while process.is_alive() and (kills == 10 or _lines(steps) < target):
            time.sleep(0.01)
        if not process.is_alive():
            break
        process.kill()
        process.join()
        kills += 1
    process.join()
    assert process.exitcode == 0
    assert kills == 10
    for name in ("steps.jsonl", "validations.jsonl", "final/model.safetensors", "best/model.safetensors"):
        assert (folder / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes(), name


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0
