"""Watching a training run: what is measured and shown, what stops it, and what a broken pair or a full disk costs."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from conftest import Cli
from hypothesis import given, settings
from hypothesis import strategies as st
from making import photographs
from PIL import Image
from plugin_on_path import write_plugin
from rich.console import Console
from scoring import LAYOUT
from test_training import losses, stage, written
from test_training import pairs as pairs

from rrframe.pages.plots import Curve
from rrframe.pairs.mixing import Cell, Mixer
from rrframe.recipe import load_recipe
from rrframe.recipe.training import Validation
from rrframe.rng import Key
from rrframe.run.folder import RunFailed, RunFolder
from rrframe.training.data import Example
from rrframe.training.measures import Measuring
from rrframe.training.run import Trained, run_training
from rrframe.training.stopping import Gradients, Interrupts
from rrframe.training.validation import psnr, ssim

# A network whose loss is no number in one step of every process.
FICKLE = '''
import torch
from pydantic import PrivateAttr
from rrframe import Backbone, Spec, hookimpl

class Fickle(Backbone):
    """Trains, until a step that it cannot compute."""
    device: str = "cpu"
    at: int = 5
    _steps: int = PrivateAttr(default=0)
    def build(self):
        return torch.nn.Conv2d(3, 3, 1)
    def loss(self, batch, rng):
        self._steps += torch.is_grad_enabled()
        error = (self.network(batch["degraded"]) - batch["clean"]).square().mean((1, 2, 3))
        return error * (float("nan") if self._steps == self.at and torch.is_grad_enabled() else 1.0)
    def restore(self, images, task, **settings):
        return self.network(images).clamp(0, 1)

@hookimpl
def register_backbones():
    yield Spec("backbone/fickle", "fickle:Fickle", "Trains, until it does not.")
'''


def train(recipe: Path, folder: Path) -> Trained:
    return run_training(load_recipe(recipe), folder, Console(quiet=True))


def told(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "run.json").read_text())


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# What is measured
# ----------------------------------------------------------------------------------------------------------------------


def test_psnr_and_ssim_of_known_images() -> None:
    clean = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 0.5
    assert psnr(clean, clean) == 100
    assert psnr(clean + 0.1, clean) == pytest.approx(20, abs=1e-4)
    assert ssim(clean, clean) == pytest.approx(1)
    assert ssim(clean + 0.2, clean) < ssim(clean + 0.1, clean) < 1


def test_a_measure_knows_which_way_is_better(tmp_path: Path) -> None:
    before, after = {"psnr": 20.0, "ssim": 0.8, "loss": 2.0}, {"psnr": 21.0, "ssim": 0.7, "loss": 1.0}
    by = {name: Measuring.of(Validation(metric=name), tmp_path) for name in before}
    assert [name for name in before if by[name].is_better(after, before)] == ["psnr", "loss"]
    assert not by["psnr"].is_better({"psnr": math.nan}, before)
    assert not by["psnr"].is_better({"psnr": None}, before)
    assert by["psnr"].is_better(before, None)
    noise, image = Measuring.of(Validation(metric="severity/noise"), tmp_path), torch.rand(1, 3, 64, 64)
    found = noise.of_pair({"degraded": image, "restored": image * 0.1 + 0.4, "clean": image})
    assert noise.is_better({"severity/noise": found["severity/noise"]}, {"severity/noise": 5.0})
    assert found["severity/noise"] < found["degraded_severity/noise"]


@pytest.mark.parametrize(
    ("validation", "said"),
    [
        ({"metric": "severity/nois"}, ["validation.metric", "severity/noise"]),
        ({"metric": "evaluation/FS"}, ["validation.metric", "no evaluation"]),
        ({"evaluation": "quickstart"}, ["a recipe of synthesis, not of evaluation"]),
        ({"evaluation": "EVALUATION", "metric": "evaluation/FS"}, ["nothing measures 'evaluation/FS'"]),
    ],
)
def test_what_cannot_decide_is_told_before_the_first_step(
    validation: dict[str, Any], said: list[str], pairs: Path, evaluation: Path, tmp_path: Path, rrframe_here: Cli
) -> None:
    validation = {name: str(evaluation) if value == "EVALUATION" else value for name, value in validation.items()}
    done = rrframe_here("run", written(tmp_path / "t.yaml", pairs, validation=validation), "--out", "run")
    assert done.returncode == 2
    for words in said:
        assert words in done.stderr
    assert not (tmp_path / "run").exists()


@pytest.fixture
def evaluation(tmp_path: Path) -> Path:
    """A recipe of evaluation of one image."""
    photographs(tmp_path / "images/noise/degraded", 1, side=48)
    photographs(tmp_path / "images/noise/clean", 1, side=48)
    recipe = {
        "kind": "evaluation",
        "benchmark": {"folder": str(tmp_path / "images"), "layout": {"noise": LAYOUT["noise"]}},
        "restorers": {"nothing": {"identity": True}},
        "metrics": [{"use": "metric/psnr"}],
    }
    path = tmp_path / "evaluation.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def test_a_metric_or_an_evaluation_decides_and_observers_are_told(
    pairs: Path, evaluation: Path, tmp_path: Path, rrframe_cli: Cli
) -> None:
    """And a folder goes on with other processes, told from its checkpoint."""
    # Lower is better in the one, which alone makes "best" mean something else than by PSNR.
    settings = {
        "every": 2,
        "share": 0.2,
        "pairs": 1,
        "evaluation": str(evaluation),
        "metrics": [{"use": "severity/noise"}],
    }
    settings["metric"] = "evaluation/metric/psnr"
    recipe = written(tmp_path / "t.yaml", pairs, validation=settings, stages=[stage(steps=4)])
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "wandb.py").write_text(FAKE_WANDB)
    environment = {"PYTHONPATH": str(tmp_path / "fake"), "WANDB_PROJECT": "p", "WANDB_MODE": "offline"}
    done = rrframe_cli("run", recipe, "--out", "run", env=environment)
    assert done.returncode == 0, done.stderr
    validated = lines(tmp_path / "run" / "validations.jsonl")
    assert {"severity/noise", "degraded_severity/noise", "evaluation/metric/psnr"} <= validated[0].keys()
    best = told(tmp_path / "run")["last"]["best"]
    assert best["evaluation/metric/psnr"] == max(line["evaluation/metric/psnr"] for line in validated)
    assert "evaluation" in done.stdout or "metric/psnr" in done.stdout
    logged = lines(tmp_path / "run" / "logged.jsonl")
    assert [line["step"] for line in logged if "train/loss" in line] == [1, 2, 3, 4]
    assert [line["step"] for line in logged if "validation/psnr" in line] == [2, 4]
    assert logged[-1] == {"finished": 0}

    state = tmp_path / "run/checkpoints/step-0000004/state.json"
    state.write_text(json.dumps(json.loads(state.read_text()) | {"processes": 2}))
    train(recipe, tmp_path / "run")
    assert told(tmp_path / "run")["resumed"] == ["goes on after step 4 with 1 process, where there were 2"]
    assert "rounded in another order" in (tmp_path / "run" / "report.html").read_text()


FAKE_WANDB = """
import json, os
class Run:
    def __init__(self, dir): self.file = open(os.path.join(dir, "logged.jsonl"), "a")
    def log(self, figures, step): print(json.dumps({"step": step, **figures}), file=self.file, flush=True)
    def finish(self, exit_code): print(json.dumps({"finished": exit_code}), file=self.file, flush=True)
def init(name, id, resume, dir): return Run(dir)
"""


@pytest.mark.parametrize("metric", ["ssim", "loss"])
def test_the_recipe_names_what_decides_and_patience_ends_early(metric: str, pairs: Path, tmp_path: Path) -> None:
    # At a learning rate of nothing to speak of no validation is better than the first.
    validation = {"every": 2, "share": 0.2, "pairs": 2, "metric": metric, "patience": 2}
    stages = [stage(steps=30, learning_rate=1e-30), stage(name="two")]
    recipe = written(tmp_path / "t.yaml", pairs, stages=stages, validation=validation)
    ended = train(recipe, tmp_path / "run")
    assert (ended.status, ended.steps) == ("finished", 6)
    assert ended.best is not None
    assert ended.best["step"] == 2
    validated = lines(tmp_path / "run" / "validations.jsonl")
    assert [line["step"] for line in validated] == [2, 4, 6]
    assert {"psnr", "ssim", "loss", "degraded_psnr", "degraded_ssim"} <= validated[0].keys()
    assert (tmp_path / "run" / "final").is_dir()
    assert "ended early" in (tmp_path / "run" / "report.html").read_text()
    assert train(recipe, tmp_path / "run").steps == 6  # not one step more


def test_what_was_drawn_stands_beside_what_was_asked(pairs: Path, tmp_path: Path) -> None:
    data = {name: {"use": "pairs/webdataset", "params": {"path": str(pairs)}} for name in ("made", "other")}
    ramp = {"from": {"made": 1, "other": 0}, "to": {"made": 1, "other": 3}}
    recipe = written(tmp_path / "t.yaml", pairs, data=data, stages=[stage(), stage(name="two", mix=ramp, steps=6)])
    train(recipe, tmp_path / "run")
    run = told(tmp_path / "run")
    assert sum(run["drawn"].values()) == 36 == pytest.approx(sum(run["wanted"].values()))
    of = {name: sum(count for cell, count in run["wanted"].items() if cell.startswith(name)) for name in data}
    assert of["other"] == pytest.approx(24 * 3 / 8)  # half of the share at the end, over the second stage
    page = (tmp_path / "run" / "report.html").read_text()
    for words in ("Asked for", "Drawn", "Difference", "What stayed frozen", "Waiting for pairs", "Restored", "Clean"):
        assert words in page


def test_speed_is_noted_apart_from_what_is_reproducible(pairs: Path, tmp_path: Path) -> None:
    recipe = written(tmp_path / "t.yaml", pairs)
    train(recipe, tmp_path / "one")
    train(recipe, tmp_path / "two")
    assert (tmp_path / "one" / "steps.jsonl").read_bytes() == (tmp_path / "two" / "steps.jsonl").read_bytes()
    timing = lines(tmp_path / "one" / "timings.jsonl")[-1]
    assert timing["step"] == 3
    assert 0 <= timing["waited"] <= timing["seconds"]
    assert timing["pairs_per_second"] > 0 < timing["memory_gib"]
    assert any((tmp_path / "one" / "tensorboard").iterdir())


@given(
    first=st.integers(1, 9),
    last=st.integers(1, 9),
    over=st.integers(0, 3000),
    until=st.integers(0, 6000),
)
@settings(max_examples=25, deadline=None)
def test_what_is_asked_for_is_what_comes_to_within_two_blocks(first: int, last: int, over: int, until: int) -> None:
    a, b = Cell("a", "haze"), Cell("b", "haze")
    begin, end = {a: Fraction(first), b: Fraction(1)}, {a: Fraction(1), b: Fraction(last)}
    mixer = Mixer({a: 50, b: 50}, begin, end, over, key=Key.of("test"))
    wanted, counts = mixer.wanted(until), mixer.counts(0, until)
    assert sum(wanted.values()) == until
    assert all(abs(wanted[cell] - counts[cell]) <= mixer.block for cell in (a, b))


def test_a_logarithmic_curve_leaves_out_what_has_no_logarithm() -> None:
    curve = Curve("Loss", "step", {"loss": [(0, 100.0), (1, 10.0), (2, 0.0), (3, 1.0)]}, log=True)
    assert curve.path("loss") == "M0.0,0.0L200.0,90.0L600.0,180.0"  # a decade is as high as the next
    assert curve.ends()["low"] == "1"


# What stops it
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_run_and_names_its_pairs(
    pairs: Path, tmp_path: Path, rrframe_cli: Cli
) -> None:
    env = write_plugin(tmp_path / "plugin", "fickle", FICKLE)
    changes = {"backbone": {"use": "backbone/fickle"}, "keep": {"every": 2}}
    recipe = written(tmp_path / "t.yaml", pairs, stages=[stage(steps=8)], **changes)
    done = rrframe_cli("run", recipe, "--out", "run", env=env)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "the gradient of step 5 is not finite (loss nan)" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    run = tmp_path / "run"
    failed = json.loads((run / "failed-step-5-0.json").read_text())
    assert (failed["step"], failed["loss"]) == (5, "nan")
    assert len(failed["pairs"]) == 4
    assert failed["pairs"][0]["record"]["task"] == failed["pairs"][0]["task"]
    assert [each.name for each in sorted((run / "checkpoints").iterdir())] == ["step-0000002", "step-0000004"]
    assert (told(run)["status"], told(run)["last"]["steps"]) == ("failed", 4)
    assert "the gradient of step 5" in (run / "report.html").read_text()


def test_a_gradient_a_thousand_times_the_usual_is_an_explosion(tmp_path: Path) -> None:
    gradients = Gradients(RunFolder(tmp_path), 0)
    image = torch.zeros(1, 3, 1, 1)
    example = [Example(image, image, Cell("made", "haze"), "key", 1)]
    for step in range(1, 31):
        gradients.check(step, 1.0, 2.0, example, [1.0])
    with pytest.raises(RunFailed, match="the gradient of step 31 is 3000, 1500 times the usual"):
        gradients.check(31, 1.0, 3000.0, example, [1.0])
    assert json.loads((tmp_path / "failed-step-31-0.json").read_text())["pairs"][0]["key"] == "key"


def test_one_signal_asks_and_another_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    now = 100.0
    monkeypatch.setattr("rrframe.training.stopping.time.monotonic", lambda: now)
    with Interrupts(said.append) as interrupts:
        assert not interrupts.asked
        signal.raise_signal(signal.SIGTERM)  # as clusters send it
        signal.raise_signal(signal.SIGINT)  # handed on by a launcher: the same one
        assert interrupts.asked
        now += 10
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert said == ["stopping after this step; once more to stop at once"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def _process(folder: Path, *words: object, before: str = "") -> subprocess.Popen[str]:
    """``rrframe run`` in a process group of its own."""
    command = ["bash", "-c", f'{before} exec "$@"', "bash", sys.executable, "-m", "rrframe", "run", *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def _until(reached: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    while not reached():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


@pytest.mark.slow
def test_an_interrupt_saves_and_the_same_command_goes_on(pairs: Path, tmp_path: Path) -> None:
    recipe = written(tmp_path / "t.yaml", pairs, stages=[stage(steps=60, schedule="cosine")], ema=0.9)
    train(recipe, tmp_path / "undisturbed")
    run = tmp_path / "run"
    process = _process(tmp_path, recipe, "--out", "run")
    _until(lambda: len(lines(run / "steps.jsonl")) >= 3, process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 130, out + err
    assert "stopping after this step" in out
    assert "the same command goes on from here" in out
    assert "Traceback" not in out + err
    assert told(run)["status"] == "stopped"
    stopped = told(run)["last"]["steps"]
    assert 3 <= stopped < 60
    assert (run / "checkpoints" / f"step-{stopped:07d}").is_dir()
    train(recipe, run)
    for name in ("steps.jsonl", "validations.jsonl", "final/model.safetensors"):
        assert (run / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes(), name


@pytest.mark.slow
def test_a_disk_that_is_full_is_told_and_earlier_checkpoints_stay(
    pairs: Path, tmp_path: Path, rrframe_here: Cli
) -> None:
    validation = {"every": 4, "share": 0.2, "pairs": 2}
    recipe = written(tmp_path / "t.yaml", pairs, stages=[stage(steps=4)], keep={"every": 2}, validation=validation)
    assert rrframe_here("run", recipe, "--out", "run", "--set", "stages[0].steps=2").returncode == 0
    resolved = tmp_path / "run" / "recipe.resolved.yaml"
    resolved.write_text(resolved.read_text().replace("steps: 2", "steps: 4"))  # as if it had been stopped there
    # A limit on the size of files refuses as a full disk does, and lets the small ones be written.
    process = _process(tmp_path, recipe, "--out", "run", before="ulimit -f 60;")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 1, out + err
    assert "is full (File too large)" in err
    assert "free some space and run the same command again" in err
    assert "Traceback" not in out + err
    checkpoints = tmp_path / "run" / "checkpoints"
    assert [each.name for each in checkpoints.iterdir()] == ["step-0000002"]
    assert not list((tmp_path / "run").glob("*.partial"))
    again = rrframe_here("run", recipe, "--out", "run")
    assert again.returncode == 0, again.stderr
    assert len(losses(tmp_path / "run")) == 4


# Pairs that are no good
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pairs of noise in ``pairs/degraded`` and ``pairs/clean``."""
    clean = photographs(tmp_path / "pairs" / "clean" / "noise", 12, side=48)
    degraded = tmp_path / "pairs" / "degraded" / "noise"
    degraded.mkdir(parents=True)
    generator = np.random.default_rng(1)
    for path in sorted(clean.iterdir()):
        pixels = np.asarray(Image.open(path)) + generator.normal(0, 20, (48, 48, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(degraded / path.name)
    return tmp_path / "pairs"


def _from(folder: Path, path: Path, **changes: Any) -> Path:
    data = {"made": {"use": "pairs/folder", "params": {"path": str(folder)}}}
    return written(path, folder, data=data, **changes)


def test_broken_pairs_cost_themselves_and_are_shown(folder: Path, tmp_path: Path) -> None:
    files = sorted((folder / "degraded" / "noise").iterdir())
    files[0].write_bytes(files[0].read_bytes()[:200])
    Image.open(files[1]).resize((40, 40)).save(files[1])
    run = train(_from(folder, tmp_path / "t.yaml", stages=[stage(steps=6)]), tmp_path / "run")
    assert (run.status, run.steps) == ("finished", 6)
    broken = told(tmp_path / "run")["broken"]
    reasons = {name: pair["reason"] for name, pair in broken.items()}
    assert len(reasons) == 2
    assert any(
        "differ in size" in reason and "40 x 40" in reason and "48 x 48" in reason for reason in reasons.values()
    )
    assert all(pair["times"] >= 1 for pair in broken.values())
    assert sum(told(tmp_path / "run")["drawn"].values()) == 24  # others took their place
    page = (tmp_path / "run" / "report.html").read_text()
    assert "2 pairs could not be read" in page


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_pairs_none_of_which_can_be_read_end_the_run(
    workers: int, folder: Path, tmp_path: Path, rrframe_here: Cli
) -> None:
    for path in (folder / "degraded" / "noise").iterdir():
        path.write_bytes(b"no picture")
    done = rrframe_here("run", _from(folder, tmp_path / "t.yaml", workers=workers), "--out", "run")
    assert done.returncode == 1
    assert "in a row cannot be read" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_an_empty_folder_is_told_before_anything_is_written(folder: Path, tmp_path: Path, rrframe_here: Cli) -> None:
    for path in (folder / "degraded" / "noise").iterdir():
        path.unlink()
    done = rrframe_here("run", _from(folder, tmp_path / "t.yaml"), "--out", "run")
    assert done.returncode == 2
    assert "holds no pair" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_corrupt_shard_costs_its_pairs(pairs: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(pairs, copy)
    middle = sorted((copy / "shards").glob("*.tar"))[1]
    data = middle.read_bytes()
    middle.write_bytes(data[: len(data) // 3])
    run = train(written(tmp_path / "t.yaml", copy, stages=[stage(steps=9)]), tmp_path / "run")
    assert run.status == "finished"
    reasons = [pair["reason"] for pair in told(tmp_path / "run")["broken"].values()]
    assert 1 <= len(reasons) <= 8
    assert all("ends before pair" in reason for reason in reasons)


# What would be done
# ----------------------------------------------------------------------------------------------------------------------


def test_the_plan_tells_of_memory_work_and_time(pairs: Path, tmp_path: Path, rrframe_here: Cli) -> None:
    recipe = written(tmp_path / "t.yaml", pairs, stages=[stage(freeze=["encoders[:50%]"])])
    said = rrframe_here("run", recipe, "--plan", "--out", "run").stdout
    assert "encoders[:50%]" in said
    assert "weights (" in said
    assert "GiB a process, 4 at a time" in said
    assert "FLOP a pair, forward and backward" in said
    assert "unknown until measured" in said
    assert "missing" not in said
    train(recipe, tmp_path / "run")
    assert "pairs a second as measured in run" in rrframe_here("run", recipe, "--plan", "--out", "run").stdout


def test_the_plan_goes_without_pairs_and_weights_that_are_missing(tmp_path: Path, rrframe_here: Cli) -> None:
    backbone = {"use": "backbone/nafnet", "params": {"preset": "tiny", "checkpoint": "nowhere"}}
    done = rrframe_here("run", written(tmp_path / "t.yaml", Path("absent"), backbone=backbone), "--plan")
    assert done.returncode == 0, done.stderr
    assert "data.made: absent holds no finished shard" in done.stdout
    assert "weights: nowhere" in done.stdout


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_training_for_a_gpu_is_planned_on_a_machine_without_one(
    pairs: Path, tmp_path: Path, rrframe_here: Cli
) -> None:
    backbone = {"use": "backbone/nafnet", "params": {"preset": "tiny", "device": "cuda"}}
    recipe = written(tmp_path / "t.yaml", pairs, backbone=backbone)
    planned = rrframe_here("run", recipe, "--plan")
    assert planned.returncode == 0, planned.stderr
    assert "no device cuda on this machine" in planned.stdout
    refused = rrframe_here("run", recipe, "--out", "run")
    assert refused.returncode == 2
    assert "no device cuda on this machine" in refused.stderr
    assert not (tmp_path / "run" / "steps.jsonl").exists()


def test_a_device_that_is_none_is_told_where_it_stands(pairs: Path, tmp_path: Path, rrframe_here: Cli) -> None:
    backbone = {"use": "backbone/nafnet", "params": {"preset": "tiny", "device": "gpu"}}
    done = rrframe_here("run", written(tmp_path / "t.yaml", pairs, backbone=backbone), "--plan")
    assert done.returncode == 2
    assert "backbone.params.device" in done.stderr
    assert "cuda:1" in done.stderr


def test_a_frozen_pattern_without_meaning_fails_the_plan(tmp_path: Path, rrframe_here: Cli) -> None:
    recipe = written(tmp_path / "t.yaml", Path("absent"), stages=[stage(freeze=["encoder[:50%]"])])
    done = rrframe_here("run", recipe, "--plan")
    assert done.returncode == 2
    assert "stages[0].freeze[0]" in done.stderr
    assert "encoders" in done.stderr
