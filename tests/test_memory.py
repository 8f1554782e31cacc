"""A picture of 4096 x 4096 is degraded by a process that never holds 2 GB."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

LIMIT = 2_000_000_000 // 1024  # KiB, as the system counts


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, photo: np.ndarray) -> Path:
    path = tmp_path_factory.mktemp("large") / "large.jpg"
    cv2.imwrite(str(path), cv2.resize(photo[..., ::-1], (4096, 4096), interpolation=cv2.INTER_CUBIC))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["oldphoto/fade", "reflection/glass"])  # they hold most at once
def test_a_large_picture_needs_less_than_2_gb(name: str, large: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "rrframe", "degrade", large, tmp_path / "out.jpg", "--op", name, "--severity", "1"]
    more = ["--partner", large] if name == "reflection/glass" else []
    assert peak(command + more) < LIMIT
    assert (tmp_path / "out.jpg").stat().st_size > 0


@pytest.mark.slow
def test_eleven_frames_of_a_large_clip_need_less_than_2_gb(large: Path, tmp_path: Path) -> None:
    """As floats, the neighbours alone took that much."""
    (tmp_path / "clip").mkdir()
    for number in range(11):
        os.link(large, tmp_path / "clip" / f"frame{number}.jpg")
    recipe = {
        "kind": "synthesis",
        "source": {"use": "images/clips", "params": {"path": str(tmp_path / "clip"), "margin": 5}},
        "cues": {"frames": {"use": "frames/beside", "params": {"folder": str(tmp_path / "clip"), "reach": 5}}},
        "tasks": {"blur": {"chain": [{"use": "blur/clip", "params": {"exposure": 1}}]}},
        "engine": {"use": "engine/local", "params": {"workers": 1}},
    }
    (tmp_path / "clip.yaml").write_text(yaml.safe_dump(recipe))
    assert peak([sys.executable, "-m", "rrframe", "run", tmp_path / "clip.yaml", "--out", tmp_path / "run"]) < LIMIT
    assert len(list((tmp_path / "run" / "shards").glob("*.tar"))) == 1


def peak(command: Sequence[str | Path]) -> int:
    """KiB that a program, or one that it started, held at most."""
    process = subprocess.Popen([*map(str, command)], env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss
