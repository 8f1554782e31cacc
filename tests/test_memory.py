"""A picture of 4096 x 4096 is degraded by a process that never holds 2 GB."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

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
    process = subprocess.Popen([*map(str, [*command, *more])], env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert (tmp_path / "out.jpg").stat().st_size > 0
    assert usage.ru_maxrss < LIMIT
