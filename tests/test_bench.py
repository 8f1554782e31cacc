"""The bench, through its real process: figures for everything, none of them asserted."""

from __future__ import annotations

import json

import pytest

from rrframe.manager import get_manager


@pytest.mark.slow
def test_the_bench_measures_every_component_and_a_real_run(rrframe_cli):
    done = rrframe_cli("bench", "synthesis", "--size", 64, "--pairs", 100, "--json", env={"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    needs_params = {"depth/file", "depth/transformers", "segments/file", "segments/sam2"}
    needs_params |= {"lowlight/learned", "reflection/learned"}
    assert set(figures["components_ms"]) == set(get_manager().table("degradation", "cue", "filter")) - needs_params
    assert all(figures["parts_ms"].values())
    assert figures["run_rate"] > 0
    assert figures["two_worker_rate"] > 0
    assert set(figures["peak_memory_bytes"]) == {"100", "all"}
