"""Runs that are killed, stopped, starved of disk, or haunted by a sample that kills its worker: nothing finished is
lost, no byte differs.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
import warm
from making import digests, photographs, recipe
from plugin_on_path import write_plugin

from rrframe.pairs.reading import PairFolder

# A degradation whose pace and temper the picture sets: slow on every one, deadly on a black one.
TEMPERAMENTAL = '''
import os, signal, time
from rrframe import Degradation, Dial, Spec, hookimpl, uniform

class Slow(Degradation):
    """Takes its time, for ever where it is held, and dies on a black picture. Source: none, it serves tests."""
    category = "noise"
    seconds: Dial = uniform(0.0, 60.0, low=0.0)
    def apply(self, images, draw, cues):
        if float(images.max()) == 0.0:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(600 if "HELD" in os.environ else float(draw.seconds.max()))
        return images * 0.5

@hookimpl
def register_degradations():
    yield Spec("noise/slow", "temperamental:Slow", "Takes its time.")
'''


class Run:
    """A run as a process of its own, in its own process group."""

    def __init__(self, folder: Path, *args: object, env: dict[str, str] | None = None, before: str = "") -> None:
        words = [sys.executable, "-m", "rrframe", "run", *map(str, args)]
        command = ["bash", "-c", f'{before} exec "$@"', "bash", *words]
        self.process: subprocess.Popen[str] | warm.Started = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def until(self, reached: Callable[[], bool], seconds: float = 240) -> bool:
        """Wait for ``reached``; False if the run ended first."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if reached():
                return True
            if self.process.poll() is not None:
                return False
            time.sleep(0.01)
        raise AssertionError("the run did not get there in time")

    def below(self) -> list[psutil.Process]:
        """All that it has started, and what these have."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def workers(self) -> list[psutil.Process]:
        """They are forked by a server that it has started."""
        return [process for process in self.below() if process.ppid() != self.process.pid]

    def end(self) -> tuple[int, str]:
        out, err = self.process.communicate(timeout=240)
        return self.process.returncode, out + err


class Forked(Run):
    """The same without its start: forked from a process that has imported what it imports."""

    def __init__(self, folder: Path, *args: object) -> None:
        self.process = warm.Started(["rrframe", "run", *map(str, args)], cwd=folder, env=os.environ)

    def end(self) -> tuple[int, str]:
        done = self.process.wait()
        return done.returncode, done.stdout + done.stderr


def _events(out: Path, what: str) -> int:
    path = out / "events.jsonl"
    if not path.exists():
        return 0
    return sum(f'"what": "{what}"' in line for line in path.read_text().splitlines())


def _until_ended(processes: list[psutil.Process]) -> None:
    """Fails if some outlive their run: but for what is left of those that nobody waits for."""
    _, left = psutil.wait_procs(processes, timeout=0)
    end = time.monotonic() + 60
    while left := [each for each in left if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]:
        assert time.monotonic() < end, left
        time.sleep(0.05)


def _finished(out: Path) -> int:
    """How many shards are."""
    return sum(1 for _ in (out / "shards").glob("0*.parquet"))


@pytest.mark.slow
def test_ten_kills_and_a_last_run_give_the_bytes_of_an_undisturbed_run(tmp_path):
    written = recipe(tmp_path / "many.yaml", photographs(tmp_path / "photos", 40, side=192), variants=8)
    code, said = Forked(tmp_path, written, "--out", "calm").end()
    assert code == 0, said
    chance = random.Random(5)
    orphans: list[psutil.Process] = []
    finished_when_killed = []
    for attempt in range(10):
        run = Forked(tmp_path, written, "--out", "killed")
        if attempt % 5 == 4:  # anywhere, most often while it starts
            time.sleep(chance.uniform(0.0, 2.0))
        else:  # while it works: some shards further than the kill before, in the middle of others
            wanted = _finished(tmp_path / "killed") + chance.randint(0, 2)
            begun = _events(tmp_path / "killed", "working")
            run.until(lambda wanted=wanted: _finished(tmp_path / "killed") >= wanted)
            run.until(lambda begun=begun: _events(tmp_path / "killed", "working") > begun)
            time.sleep(chance.uniform(0.0, 0.05))
        orphans += run.below() if run.process.poll() is None else []
        run.process.kill()
        run.end()
        finished_when_killed.append(_finished(tmp_path / "killed"))
    assert len(set(finished_when_killed)) > 3, "the kills did not fall while shards were being made"
    assert finished_when_killed[-1] < _finished(tmp_path / "calm"), "nothing was left for the last run"
    code, said = Forked(tmp_path, written, "--out", "killed").end()
    assert code == 0, said
    assert digests(tmp_path / "killed") == digests(tmp_path / "calm")
    assert not list((tmp_path / "killed" / "shards").glob(".*")), "leftovers of killed writers stay"
    _until_ended(orphans)


def test_a_killed_worker_costs_its_shard_and_changes_no_byte(tmp_path):
    written = recipe(tmp_path / "some.yaml", photographs(tmp_path / "photos", 24, side=192), variants=6)
    assert Run(tmp_path, written, "--out", "calm").end()[0] == 0
    run = Run(tmp_path, written, "--out", "out")
    assert run.until(lambda: _events(tmp_path / "out", "shard") >= 1)
    run.workers()[0].kill()
    code, said = run.end()
    assert code == 0, said
    assert "a worker was lost" in said
    assert "SIGKILL" in said
    assert digests(tmp_path / "out") == digests(tmp_path / "calm")


def test_a_sample_that_kills_its_worker_twice_is_quarantined(tmp_path):
    from PIL import Image

    env = write_plugin(tmp_path / "plugins", "temperamental", TEMPERAMENTAL)
    source = photographs(tmp_path / "photos", 10)
    Image.new("RGB", (96, 96)).save(source / "0003.png")
    chain = [{"use": "noise/slow", "params": {"seconds": 0}}]
    written = recipe(tmp_path / "deadly.yaml", source, tasks={"noise": {"chain": chain}})
    code, said = Run(tmp_path, written, "--out", "out", env=env).end()
    assert code == 0, said
    rows = {row["source"]: row for row in PairFolder(tmp_path / "out").rows()}
    assert rows["0003.png"]["status"] == "quarantined"
    assert "SIGKILL" in rows["0003.png"]["reason"]
    assert [row["status"] for key, row in rows.items() if key != "0003.png"] == ["kept"] * 9
    assert "1 pairs could not be made" in said


def test_a_sample_that_never_ends_is_given_up(tmp_path):
    env = write_plugin(tmp_path / "plugins", "temperamental", TEMPERAMENTAL)
    chain = [{"use": "noise/slow", "params": {"seconds": 60}}]
    written = recipe(
        tmp_path / "endless.yaml",
        photographs(tmp_path / "photos", 1),
        tasks={"noise": {"chain": chain}},
        engine={"use": "engine/local", "params": {"workers": 1, "patience": 4}},
    )
    code, said = Run(tmp_path, written, "--out", "out", env=env).end()
    assert code == 0, said
    (row,) = PairFolder(tmp_path / "out").rows()
    assert row["status"] == "quarantined"
    assert "took longer than 4 s" in row["reason"]


def test_a_second_run_in_the_folder_is_refused_until_the_first_is_dead(tmp_path):
    env = write_plugin(tmp_path / "plugins", "temperamental", TEMPERAMENTAL)
    chain = [{"use": "noise/slow", "params": {"seconds": 0}}]
    written = recipe(tmp_path / "slow.yaml", photographs(tmp_path / "photos", 40), tasks={"noise": {"chain": chain}})
    first = Run(tmp_path, written, "--out", "out", env=env | {"HELD": "yes"})
    assert first.until(lambda: _events(tmp_path / "out", "working") == 1)
    code, said = Run(tmp_path, written, "--out", "out", env=env).end()
    assert code == 2
    assert "another run is at work" in said
    assert f"process {first.process.pid}" in said
    first.process.kill()
    first.end()
    second = Run(tmp_path, written, "--out", "out", "--set", "engine.params.workers=4", env=env)
    code, said = second.end()
    assert code == 0, said


def test_ctrl_c_stops_cleanly_and_the_same_command_continues(tmp_path):
    env = write_plugin(tmp_path / "plugins", "temperamental", TEMPERAMENTAL)
    chain = [{"use": "noise/slow", "params": {"seconds": 0.05}}]
    written = recipe(tmp_path / "slow.yaml", photographs(tmp_path / "photos", 40), tasks={"noise": {"chain": chain}})
    run = Run(tmp_path, written, "--out", "out", env=env)
    assert run.until(lambda: _events(tmp_path / "out", "shard") >= 1)
    below = run.below()
    os.killpg(run.process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    code, said = run.end()
    assert code == 130
    assert "the same command continues" in said
    assert "Traceback" not in said
    _until_ended(below)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "stopped"
    code, said = Run(tmp_path, written, "--out", "out", env=env).end()
    assert code == 0, said
    assert len(list(PairFolder(tmp_path / "out").rows())) == 40


def test_a_full_disk_stops_the_run_and_leaves_finished_shards(tmp_path):
    from PIL import Image

    source = photographs(tmp_path / "photos", 12, side=32)
    generator = random.Random(0)
    for number in range(8, 12):  # the second shard is too large for the limit below
        Image.frombytes("RGB", (512, 512), generator.randbytes(512 * 512 * 3)).save(source / f"{number:04d}.png")
    written = recipe(tmp_path / "big.yaml", source, engine={"use": "engine/local", "params": {"workers": 1}})
    # A limit on a file's size stands in for a full disk: the write fails in the same place, with the same kind of
    # error.
    code, said = Run(tmp_path, written, "--out", "out", before="ulimit -f 600;").end()
    assert code == 1, said
    assert "is full" in said
    assert "free some space" in said
    assert "Traceback" not in said
    assert sorted(digests(tmp_path / "out")) == ["00000.parquet", "00000.tar"]
    kept = digests(tmp_path / "out")
    code, said = Run(tmp_path, written, "--out", "out").end()
    assert code == 0, said
    assert {name: digests(tmp_path / "out")[name] for name in kept} == kept
    assert len(list(PairFolder(tmp_path / "out").rows())) == 12
