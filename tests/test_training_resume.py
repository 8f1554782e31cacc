"""Training that is killed goes on as if it never had been."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest
import warm
from test_training import pairs as pairs
from test_training import stage, written


def started(recipe: Path, folder: Path) -> warm.Started:
    return warm.Started(["rrframe", "run", str(recipe), "--out", str(folder)], cwd=folder.parent, env=os.environ)


@pytest.mark.slow
def test_ten_kills_leave_no_trace(pairs: Path, tmp_path: Path) -> None:
    stages = [stage(steps=12), stage(name="two", steps=28, batch=2, schedule="cosine", freeze=["intro"])]
    settings = {"every": 7, "share": 0.2, "pairs": 2}
    recipe = written(tmp_path / "t.yaml", pairs, stages=stages, ema=0.9, validation=settings, keep={"every": 2})
    undisturbed = started(recipe, tmp_path / "undisturbed").wait()
    assert undisturbed.returncode == 0, undisturbed.stderr

    folder, generator, kills = tmp_path / "killed", random.Random(0), 0
    steps = folder / "steps.jsonl"
    while True:
        process = started(recipe, folder)
        target = _lines(steps) + generator.randint(1, 4)
        while process.poll() is None and (kills == 10 or _lines(steps) < target):
            time.sleep(0.01)
        if process.poll() is not None:
            break
        process.kill()
        kills += 1
    done = process.wait()
    assert done.returncode == 0, done.stderr
    assert kills == 10
    for name in ("steps.jsonl", "validations.jsonl", "final/model.safetensors", "best/model.safetensors"):
        assert (folder / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes(), name


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0
