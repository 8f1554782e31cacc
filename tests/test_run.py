"""The synthesis run, through its real process: what it writes, and that it writes the same again."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import webdataset
import yaml
from making import digests, photographs, recipe
from PIL import Image

from rrframe.pairs.reading import PairFolder


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished run of 24 pairs in three shards."""
    folder = tmp_path_factory.mktemp("run")
    source = photographs(folder / "photos", 12)
    written = recipe(folder / "twelve.yaml", source, variants=2)
    done = _cli(folder, "run", written, "--out", folder / "out")
    assert done.returncode == 0, done.stderr
    assert "made 3 of 3 shards" in done.stdout
    assert "24 kept" in done.stdout
    return folder


def _cli(folder: Path, *args: object):
    import subprocess
    import sys

    command = [sys.executable, "-m", "rrframe", *map(str, args)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def test_folder_holds_what_the_design_says(finished):
    names = {path.name for path in (finished / "out").iterdir() if not path.name.startswith(".")}
    assert names == {"recipe.resolved.yaml", "run.json", "source.jsonl", "events.jsonl", "shards", "report.html"}
    run = json.loads((finished / "out" / "run.json").read_text())
    assert run["status"] == "finished"
    assert run["seed"] == 3
    assert run["versions"]["rrframe"]
    resolved = yaml.safe_load((finished / "out" / "recipe.resolved.yaml").read_text())
    assert resolved["cues"]["depth"] == {"use": "depth/plane", "params": {"near": 5.0, "far": 150.0}}


def test_tasks_are_dealt_evenly(finished):
    rows = list(PairFolder(finished / "out").rows())
    assert Counter(row["task"] for row in rows) == {"haze": 8, "noise": 8, "compression": 8}
    for start in range(0, 24, 3):  # every hand of three covers all three
        assert len({row["task"] for row in rows[start : start + 3]}) == 3


def test_manifest_offsets_find_every_member(finished):
    folder = PairFolder(finished / "out")
    for row in folder.rows():
        with tarfile.open(finished / "out" / "shards" / f"{row['shard']:05d}.tar") as tar:
            for part, suffix in (("degraded", "degraded.jpg"), ("clean", "clean.jpg"), ("meta", "json")):
                assert folder.member(row, part) == tar.extractfile(f"{row['key']}.{suffix}").read()
        meta = json.loads(folder.member(row, "meta"))
        assert meta["task"] == row["task"]
        assert meta["prompts"]["en"]
        assert meta["record"] == json.loads(row["record"])


def test_tar_is_plain_ustar_with_sorted_members(finished):
    for path in sorted((finished / "out" / "shards").glob("*.tar")):
        assert path.read_bytes()[257:263] == b"ustar\x00"
        with tarfile.open(path) as tar:
            members = tar.getmembers()
        assert [member.name for member in members] == sorted(member.name for member in members)
        assert {(member.mtime, member.uid, member.gid, member.uname) for member in members} == {(0, 0, 0, "")}


def test_plain_webdataset_reads_the_shards(finished):
    shards = sorted(str(path) for path in (finished / "out" / "shards").glob("*.tar"))
    samples = list(webdataset.WebDataset(shards, shardshuffle=False))
    assert len(samples) == 24
    for sample in samples:
        clean, degraded = (Image.open(io.BytesIO(sample[name])) for name in ("clean.jpg", "degraded.jpg"))
        assert clean.size == degraded.size == (96, 96)
        assert json.loads(sample["json"])["task"] in ("haze", "noise", "compression")


def test_hugging_face_datasets_reads_the_shards(finished, tmp_path):
    loaded = datasets.load_dataset(
        "webdataset",
        data_files={"train": str(finished / "out" / "shards" / "*.tar")},
        split="train",
        cache_dir=str(tmp_path / "cache"),
    )
    assert len(loaded) == 24
    assert {"clean.jpg", "degraded.jpg", "json", "__key__"} <= set(loaded.column_names)
    assert loaded[0]["clean.jpg"].size == (96, 96)


def test_running_again_does_nothing(finished):
    before = digests(finished / "out")
    times = {path: path.stat().st_mtime_ns for path in (finished / "out" / "shards").iterdir()}
    again = _cli(finished, "run", "twelve.yaml", "--out", "out")
    assert again.returncode == 0
    assert "nothing left to do" in again.stdout
    assert digests(finished / "out") == before
    assert times == {path: path.stat().st_mtime_ns for path in (finished / "out" / "shards").iterdir()}


def test_workers_and_ranges_change_no_byte(finished, tmp_path):
    for first, last in ((2, 3), (0, 2)):
        done = _cli(
            finished, "run", "twelve.yaml", "--out", tmp_path / "out", "--shards", f"{first}:{last}",
            "--set", "engine.params.workers=1",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert digests(tmp_path / "out") == digests(finished / "out")


def test_a_changed_recipe_is_refused_with_the_difference(finished):
    done = _cli(finished, "run", "twelve.yaml", "--out", "out", "--set", "seed=4")
    assert done.returncode == 2
    assert "-seed: 3" in done.stderr
    assert "+seed: 4" in done.stderr
    assert "--out" in done.stderr


def test_another_engine_is_no_other_recipe(finished):
    done = _cli(finished, "run", "twelve.yaml", "--out", "out", "--set", "engine.params.workers=1")
    assert done.returncode == 0, done.stderr


def test_a_source_that_grows_later_shifts_nothing(tmp_path):
    source = photographs(tmp_path / "photos", 10)
    recipe(tmp_path / "ten.yaml", source)
    first = _cli(tmp_path, "run", "ten.yaml", "--out", "out", "--shards", "0:1")
    assert first.returncode == 0, first.stderr
    Image.fromarray(np.zeros((96, 96, 3), np.uint8)).save(source / "0000-before-all.png")
    second = _cli(tmp_path, "run", "ten.yaml", "--out", "out")
    assert second.returncode == 0, second.stderr
    assert [row["source"] for row in PairFolder(tmp_path / "out").rows()] == [f"{n:04d}.png" for n in range(10)]


def test_inserting_a_step_leaves_the_draws_of_others_alone(tmp_path):
    source = photographs(tmp_path / "photos", 3)
    noise, jpeg = {"use": "noise/poisson-gaussian"}, {"use": "compression/jpeg"}
    records = []
    for name, chain in (("short", [noise]), ("long", [jpeg, noise])):
        recipe(tmp_path / f"{name}.yaml", source, tasks={"noise": {"chain": chain}})
        assert _cli(tmp_path, "run", f"{name}.yaml", "--out", name).returncode == 0
        records.append([json.loads(row["record"])["draw"]["steps"][-1] for row in PairFolder(tmp_path / name).rows()])
    assert records[0] == records[1]


def test_plan_writes_nothing(tmp_path):
    recipe(tmp_path / "plan.yaml", photographs(tmp_path / "photos", 5))
    done = _cli(tmp_path, "run", "plan.yaml", "--plan")
    assert done.returncode == 0, done.stderr
    assert "5 (1 a picture)" in done.stdout
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(("format_name", "suffix"), [("png", "png"), ("webp", "webp")])
def test_replay_gives_the_pixels_of_a_lossless_shard(tmp_path, format_name, suffix):
    source = photographs(tmp_path / "photos", 3)
    sink = {"use": "pairs/webdataset", "params": {"image": {"format": format_name}}}
    recipe(tmp_path / "lossless.yaml", source, sink=sink)
    assert _cli(tmp_path, "run", "lossless.yaml", "--out", "out").returncode == 0
    folder = PairFolder(tmp_path / "out")
    for row in folder.rows():
        (tmp_path / "meta.json").write_bytes(folder.member(row, "meta"))
        done = _cli(tmp_path, "replay", source / row["source"], "meta.json", "again.png")
        assert done.returncode == 0, done.stderr
        shard = np.asarray(Image.open(io.BytesIO(folder.member(row, "degraded"))))
        assert np.array_equal(np.asarray(Image.open(tmp_path / "again.png")), shard)
        clean = np.asarray(Image.open(io.BytesIO(folder.member(row, "clean"))))
        assert np.array_equal(clean, np.asarray(Image.open(source / row["source"])))
        assert folder.member(row, "clean")[:4] in (b"\x89PNG", b"RIFF")


def test_manifests_hold_no_times(finished):
    for path in (finished / "out" / "shards").glob("*.parquet"):
        names = pq.read_schema(path).names
        assert not [name for name in names if "time" in name or "second" in name]
