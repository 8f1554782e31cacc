"""Training runs, on pairs of real photographs and a network of some thousand parameters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from conftest import Cli
from making import photographs
from making import recipe as synthesis_recipe
from PIL import Image

import rrframe
from rrframe import Pairs, RRFrameError
from rrframe.recipe.training import Stage
from rrframe.training.schedule import learning_rate, split

TASKS = ["compression", "haze", "noise"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthesis run of 18 pairs in three tasks."""
    from rich.console import Console

    from rrframe.recipe import load_recipe
    from rrframe.synthesis.run import Options, run_synthesis

    folder = tmp_path_factory.mktemp("pairs")
    source = photographs(folder / "photographs", 18, side=64)
    path = synthesis_recipe(folder / "pairs.yaml", source, engine={"use": "engine/local", "params": {"workers": 1}})
    run_synthesis(load_recipe(path), folder / "run", Options(), Console(quiet=True))
    return folder / "run"


def stage(**changes: Any) -> dict[str, Any]:
    return {"name": "one", "steps": 3, "batch": 4, "mix": {"made": 1}, "learning_rate": 1e-3} | changes


def written(path: Path, pairs: Path, **changes: Any) -> Path:
    """A recipe of training on ``pairs`` with some top-level keys changed."""
    recipe: dict[str, Any] = {
        "kind": "training",
        "seed": 1,
        "backbone": {"use": "backbone/nafnet", "params": {"preset": "tiny", "tasks": TASKS}},
        "data": {"made": {"use": "pairs/webdataset", "params": {"path": str(pairs)}}},
        "resolution": 32,
        "stages": [stage()],
        "validation": {"every": 3, "share": 0.2, "pairs": 3},
    }
    path.write_text(yaml.safe_dump(recipe | changes))
    return path


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "steps.jsonl").read_text().splitlines()]


# Arithmetic
# ----------------------------------------------------------------------------------------------------------------------


def published(**changes: Any) -> Stage:
    return Stage.model_validate(
        {"name": "x", "steps": 1500, "batch": 32, "mix": {"a": 1}, "learning_rate": 1e-5, "warmup": 100} | changes
    )


def test_the_published_schedules() -> None:
    """Stage 1: constant after 100 steps of warm-up. Stage 2: the same, then half a cosine to 0 (arXiv 2603.25502)."""
    first = published(steps=500)
    assert [learning_rate(first, step) for step in (0, 50, 100, 499)] == pytest.approx([0, 5e-6, 1e-5, 1e-5])
    second = published(schedule="cosine")
    half = 1e-5 * 0.5 * (1 + np.cos(np.pi * 400 / 1400))
    assert [learning_rate(second, step) for step in (0, 50, 100, 500, 1500)] == pytest.approx([0, 5e-6, 1e-5, half, 0])
    line = published(schedule="linear")
    assert [learning_rate(line, step) for step in (100, 800, 1500)] == pytest.approx([1e-5, 5e-6, 0])


def test_a_batch_is_split_and_said() -> None:
    shares = split(32, ranks=4, micro=2)
    assert (shares.ranks, shares.rounds, shares.micro, shares.batch) == (4, 4, 2, 32)
    places = [place for rank in range(4) for each in shares.places(3, rank) for place in each]
    assert sorted(places) == list(range(96, 128))  # all of the step's, none twice
    assert split(12, ranks=1, micro=None).micro == 6
    with pytest.raises(RRFrameError, match="cannot be split over 3 processes") as error:
        split(32, ranks=3, micro=None)
    assert error.value.hint == "take 30 or 33"
    with pytest.raises(RRFrameError, match="which 3 at a time do not make"):
        split(8, ranks=1, micro=3)


# Runs
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_stages_leave_weights_that_restore(pairs: Path, tmp_path: Path, rrframe_here: Cli) -> None:
    stages = [stage(), stage(name="two", freeze=["encoders[:50%]"], schedule="cosine", batch=2)]
    settings = {"every": 3, "share": 0.2, "pairs": 3, "resolution": 48}
    keep = {"every": 2, "last": 1}
    path = written(tmp_path / "train.yaml", pairs, stages=stages, ema=0.5, keep=keep, validation=settings)
    done = rrframe_here("run", path, "--out", "run")
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    assert len(losses(run)) == 6
    assert [folder.name for folder in (run / "checkpoints").iterdir()] == ["step-0000006"]
    told = json.loads((run / "run.json").read_text())
    assert told["status"] == "finished"
    assert told["frozen"]["one"] == {}
    assert 0 < told["frozen"]["two"]["weights"] < told["frozen"]["two"]["of"]
    drawn = told["drawn"]
    assert sum(drawn.values()) == 3 * 4 + 3 * 2
    assert max(drawn.values()) - min(drawn.values()) <= 1  # the tasks alike
    shown = sorted((run / "held-out").rglob("restored/*.png"))
    assert {path.parts[-3] for path in shown} <= set(TASKS)
    assert all((path.parents[1] / side / path.name).exists() for path in shown for side in ("degraded", "clean"))
    with Image.open(shown[0]) as picture:
        assert picture.size == (48, 48)  # not the 32 that it is trained on
    restorer = rrframe.load("backbone/nafnet", checkpoint=str(run / "best"))
    picture = Image.fromarray(np.full((40, 50, 3), 90, np.uint8))
    assert restorer(picture, "haze").size == (50, 40)
    assert "Held-out pairs" in (run / "report.html").read_text()
    again = rrframe_here("run", path, "--out", "run")
    assert again.returncode == 0, again.stderr
    assert len(losses(run)) == 6


def test_a_network_can_make_its_psnr_large() -> None:
    network = rrframe.load("backbone/nafnet", preset="tiny", tasks=["haze"], minimises="psnr")
    clean = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.5
    degraded = torch.stack([clean[0] + 0.1, clean[1] + 0.01])  # untrained, it gives back what it gets
    losses = network.loss(network.encode(Pairs(degraded, clean, ("haze", "haze"))), None)
    assert losses.tolist() == pytest.approx([-20, -40], abs=1e-2)


@pytest.mark.slow
def test_frozen_parts_stay_and_the_rest_moves(pairs: Path, tmp_path: Path, rrframe_here: Cli) -> None:
    path = written(tmp_path / "train.yaml", pairs, stages=[stage(freeze=["encoders", "decoders.*.*.norm1"])])
    assert rrframe_here("run", path, "--out", "run").returncode == 0
    params = {"preset": "tiny", "tasks": TASKS}
    before = rrframe.load("backbone/nafnet", **params).network.state_dict()
    after = rrframe.load("backbone/nafnet", checkpoint=str(tmp_path / "run" / "final")).network.state_dict()
    for name, tensor in before.items():
        stays = name.startswith("encoders.") or (name.startswith("decoders.") and "norm1" in name)
        assert torch.equal(tensor, after[name]) or not stays, name
    assert not torch.equal(before["ending.weight"], after["ending.weight"])


@pytest.mark.slow
def test_two_processes_train_as_one_does(pairs: Path, tmp_path: Path, rrframe_cli: Cli) -> None:
    path = written(tmp_path / "train.yaml", pairs)
    for out, launch in (("one", ()), ("two", ("--launch", 2))):
        done = rrframe_cli("run", path, "--out", out, *launch)
        assert done.returncode == 0, done.stderr
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-5)
    assert len(losses(tmp_path / "two")) == 3


def test_the_plan_states_the_arithmetic(pairs: Path, tmp_path: Path, rrframe_here: Cli) -> None:
    path = written(tmp_path / "train.yaml", pairs, stages=[stage(steps=10)])
    said = rrframe_here("run", path, "--plan", "--launch", 2).stdout
    assert "4 pairs a step = 2 processes x 1 rounds x 2 pairs" in said
    assert "in blocks of 3: made/compression" in said
    assert not (tmp_path / "runs").exists()


# What cannot be
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"stages": [stage(mix={"mode": 1})]},
            ["stages[0].mix.mode", "no source under data: is called 'mode'", "made"],
        ),
        ({"stages": [stage(steps=0)]}, ["stages[0].steps"]),
        ({"stages": [stage(), stage()]}, ["stages[1].name", "two stages are called 'one'"]),
        ({"stages": [stage(mix={"made": 0})]}, ["stages[0].mix", "nothing to train on"]),
        (
            {"stages": [stage(freeze=["encoder"])]},
            ["stages[0].freeze[0]", "no parameter is called 'encoder'", "encoders"],
        ),
        ({"tasks": {"rain": 1}}, ["tasks.rain", "data.made has no pair of the task rain"]),
        ({"data": {"made": {"use": "pairs/webdataset", "params": {"path": "nowhere"}}}}, ["holds no finished shard"]),
        ({"micro_batch": 3}, ["which 3 at a time do not make", "set micro_batch to"]),
    ],
)
def test_what_cannot_be_is_told_before_the_first_step(
    changes: dict[str, Any], said: list[str], pairs: Path, tmp_path: Path, rrframe_here: Cli
) -> None:
    done = rrframe_here("run", written(tmp_path / "train.yaml", pairs, **changes), "--out", "run")
    assert done.returncode == 2
    for words in said:
        assert words in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_another_network_is_refused(pairs: Path, tmp_path: Path, rrframe_here: Cli) -> None:
    rrframe.load("backbone/nafnet", preset="tiny").save(tmp_path / "saved")
    described = json.loads((tmp_path / "saved" / "backbone.json").read_text()) | {"use": "backbone/other"}
    (tmp_path / "saved" / "backbone.json").write_text(json.dumps(described))
    backbone = {"use": "backbone/nafnet", "params": {"checkpoint": str(tmp_path / "saved")}}
    done = rrframe_here("run", written(tmp_path / "train.yaml", pairs, backbone=backbone), "--out", "run")
    assert done.returncode == 2
    assert "holds weights of backbone/other" in done.stderr
