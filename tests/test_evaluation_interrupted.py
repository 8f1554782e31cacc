"""Evaluations that are killed, and restorers that kill their worker: what was scored stays, results are the same."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from plugin_on_path import write_plugin
from scoring import benchmark, evaluated, recipe, save

from rrframe.evaluation.results import load_results

# A restorer that dies where the upper left pixel is black.
MOODY = '''
import os, signal
from torch import nn
from rrframe import Backbone, Capabilities, Spec, hookimpl

class Moody(Backbone):
    """Averages a picture with its mirror image. Source: none, it serves tests."""
    @property
    def capabilities(self):
        return Capabilities(steps=1, trainable=False)
    def build(self):
        return nn.Identity()
    def loss(self, batch, rng):
        raise NotImplementedError
    def restore(self, images, task, **settings):
        if float(images[:, :, 0, 0].max()) == 0.0:
            os.kill(os.getpid(), signal.SIGKILL)
        return (images + images.flip(3)) / 2

@hookimpl
def register_backbones():
    yield Spec("backbone/moody", "moody:Moody", "Dies of black.")
'''


@pytest.mark.slow
def test_a_killed_evaluation_goes_on_to_the_same_results(tmp_path: Path) -> None:
    images = benchmark(tmp_path / "images", 12, side=128)
    restorers = {"nothing": {"identity": True}, "means": {"backbone": {"use": "backbone/opencv-denoise"}}}
    path = recipe(tmp_path / "r.yaml", images, restorers=restorers)
    whole = evaluated(path, tmp_path / "whole").results
    words = [sys.executable, "-m", "rrframe", "run", str(path), "--out", "killed"]
    process = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL)
    journal = tmp_path / "killed" / "scores.jsonl"
    while not journal.exists() or journal.read_bytes().count(b"\n") < 2:
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = journal.read_bytes()
    journal.write_bytes(before + b'{"unit": "torn')
    killed = evaluated(path, tmp_path / "killed").results
    assert journal.read_bytes().startswith(before), "what was scored is not scored again"
    settled = [[row.model_copy(update={"seconds": 0}) for row in each.rows] for each in (whole, killed)]
    assert settled[0] == settled[1]
    assert (whole.averages, whole.differences) == (killed.averages, killed.differences)


@pytest.mark.slow
def test_an_image_that_kills_its_worker_twice_costs_its_own_row(tmp_path: Path, rrframe_cli: Cli) -> None:
    env = write_plugin(tmp_path / "plugin", "moody", MOODY)
    images = benchmark(tmp_path / "images", 2)
    save(images / "noise" / "degraded" / "1.png", np.zeros((64, 64, 3), np.uint8))
    changes = {
        "restorers": {"moody": {"backbone": {"use": "backbone/moody"}}},
        "engine": {"use": "engine/local", "params": {"workers": 1}},
    }
    done = rrframe_cli("run", recipe(tmp_path / "r.yaml", images, **changes), "--out", "run", env=env)
    assert done.returncode == 1
    assert "3 of 4" in done.stdout
    assert "a worker was lost at noise/1" in done.stdout
    rows = {row.image: row for row in load_results(tmp_path / "run").rows}
    assert rows["noise/1"].status == "failed"
    assert "its worker died 2 times" in rows["noise/1"].reason
    assert [rows[name].status for name in ("haze/0", "haze/1", "noise/0")] == ["scored"] * 3
