"""The bench, through its real process: figures for everything, none of them asserted."""

from __future__ import annotations

import json
import platform
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from rrframe.contracts.component import create
from rrframe.errors import RRFrameError, RRFrameErrors
from rrframe.manager import get_manager
from rrframe.synthesis.bench.beside import Others, others_in, peers
from rrframe.synthesis.bench.page import check_page

SECTIONS = ("machine", "against", "peers", "run", "components", "batches")
CHAINS = """
import numpy as np

def identity(pixels, random, depth, segments):
    assert depth.shape == segments.shape == pixels.shape[:2] and depth.dtype == np.float32
    return pixels.copy()

CHAINS = {"presets/released/haze": identity}
"""
ONE_THREAD = {"OMP_NUM_THREADS": "1"}


def page_with(tmp_path, *sections):
    page = tmp_path / "page.md"
    page.write_text("Prose.\n" + "".join(f"<!-- bench: {each} -->\nold\n<!-- end -->\nMore.\n" for each in sections))
    return page


@pytest.mark.slow
def test_the_bench_measures_components_runs_peers_others_and_batches(rrframe_cli, tmp_path):
    page, chains = page_with(tmp_path, *SECTIONS), tmp_path / "chains.py"
    chains.write_text(CHAINS)
    options = ("--peers", "--against", chains, "--device", "cpu", "--batch", 4, "--write", page, "--json")
    done = rrframe_cli("bench", "synthesis", "--size", 64, "--pairs", 100, "--draws", 1, *options, env=ONE_THREAD)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    needs_params = {"depth/file", "depth/transformers", "segments/file", "segments/sam2", "frames/beside"}
    needs_params |= {"lowlight/learned", "reflection/learned"}
    everything = set(get_manager().table("degradation", "cue", "filter")) - needs_params
    assert set(figures["components_ms"]) == everything
    assert all(figures["components_worst_ms"][name] >= mean for name, mean in figures["components_ms"].items())
    assert all(figures["parts_ms"].values())
    assert figures["run_rate"] > 0
    assert figures["two_worker_rate"] > 0
    assert set(figures["peak_memory_bytes"]) == {"100", "all"}
    assert {row["theirs"].split()[0] for row in figures["peers"]} == {"albumentations", "kornia"}
    (haze,) = figures["against"]
    assert (haze["ours"], haze["theirs"]) == ("presets/released/haze", "identity")
    assert haze["ratio"] == pytest.approx(haze["our_rate"] / haze["their_rate"])
    batches = figures["batches"]
    assert set(batches["rates"]) == set(batches["differences"]) == everything & set(get_manager().table("degradation"))
    assert max(batches["differences"].values()) < 1 / 255 / 100, batches["differences"]  # no code of 8 bits apart
    written = page.read_text()
    assert written.startswith("Prose.\n")
    assert written.count("More.\n") == len(SECTIONS)
    assert "\nold\n" not in written
    assert f"torch | {figures['machine']['torch']} |" in written
    assert platform.node() not in written
    assert "| `noise/gaussian` |" in written


def test_what_a_call_leaves_out_keeps_what_stood_there(rrframe_here, tmp_path):
    page, chains = page_with(tmp_path, *SECTIONS), tmp_path / "chains.py"
    chains.write_text(CHAINS)
    without = ("--without", "components", "--without", "run")
    options = ("--size", 64, "--draws", 1, "--against", chains, *without, "--write", page, "--json")
    done = rrframe_here("bench", "synthesis", *options)
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) == {"size", "machine", "against"}
    written = page.read_text()
    assert "| `presets/released/haze` |" in written
    assert written.count("\nold\n") == len(SECTIONS) - 1


def test_devices_that_are_not_there_are_told_before_anything_is_measured(rrframe_cli):
    done = rrframe_cli("bench", "synthesis", "--device", "cuda", env=ONE_THREAD | {"CUDA_VISIBLE_DEVICES": ""})
    assert done.returncode == 2
    assert "no device cuda on this machine" in done.stderr
    assert "what is there: cpu" in done.stderr
    assert "measuring" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("CHAIN = {}", "has no CHAINS"),
        ("1 / 0", "ZeroDivisionError"),
        ("CHAINS = {'presets/released/mist': print}", "presets/released/mist"),
    ],
)
def test_files_that_hold_no_chains_are_told(text, told, tmp_path):
    file = tmp_path / "chains.py"
    file.write_text(text)
    with pytest.raises((RRFrameError, RRFrameErrors)) as found:
        others_in(file)
    assert told in str(found.value)


def test_chains_that_fail_or_give_something_else_are_told():
    pixels = np.zeros((16, 16, 3), np.uint8)
    for wrong in (lambda *given: 1 / 0, lambda *given: None):
        with pytest.raises(RRFrameError, match="the chain for presets/released/haze"):
            Others({"presets/released/haze": wrong}).beside_ours(pixels)


def test_a_library_that_is_missing_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "albumentations", None)
    with pytest.raises(RRFrameError, match="albumentations") as found:
        peers(np.zeros((16, 16, 3), np.uint8))
    assert "rrframe[augment]" in str(found.value.hint)


def test_a_page_without_a_place_is_refused(tmp_path):
    with pytest.raises(RRFrameError, match="no place for batches"):
        check_page(page_with(tmp_path, *SECTIONS[:-1]))


def test_the_shipped_baseline_makes_pictures():
    others = others_in(Path(__file__).parents[1] / "benchmarks" / "published_baseline.py")
    pixels = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    depth, segments = np.linspace(5, 90, 64 * 96, dtype=np.float32).reshape(64, 96), np.zeros((64, 96), np.float32)
    for name, chain in others.chains.items():
        done = [chain(pixels, np.random.default_rng(seed), depth, segments) for seed in (1, 1, 2)]
        assert (done[0].shape, done[0].dtype) == (pixels.shape, np.uint8), name
        assert np.array_equal(done[0], done[1]), name
        assert not np.array_equal(done[0], done[2]), name
        assert not np.array_equal(done[0], pixels), name


def test_the_bench_of_memory_knows_what_every_operator_needs():
    settings = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "memory.py"))["SETTINGS"]
    for name in get_manager().table("degradation", "effect"):
        create(name, settings.get(name, {}))
