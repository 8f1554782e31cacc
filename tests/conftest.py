"""What all tests share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from skimage import data

# The machine's cores go to worker processes, not to threads fighting inside each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Nothing of a test stays behind among the user's caches, and nothing from there hides what a test is about.
os.environ["RRFRAME_CACHE"] = "off"

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def rrframe_cli(tmp_path: Path) -> Cli:
    """Runs ``python -m rrframe ARGS`` as a real process in a folder of the test's own."""

    def run(*args: object, cwd: Path = tmp_path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "rrframe", *map(str, args)]
        return subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A real photograph: ``[512, 512, 3]`` uint8, encoded sRGB."""
    return data.astronaut()
