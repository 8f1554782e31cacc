"""What all tests share."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import pytest
import warm
from skimage import data

# The machine's cores go to worker processes, not to threads fighting inside each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Readline, which pytest's debugger loads, leaves a width in the environment of the processes that share the tests out.
os.environ.pop("COLUMNS", None)
# What a shell starts in the background ignores interrupts, and so would all that the tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)
# Nothing of a test stays behind among the user's caches, and nothing from there hides what a test is about.
os.environ["RRFRAME_CACHE"] = "off"

Cli = Callable[..., "subprocess.CompletedProcess[str]"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of quick tests come last, so that processes that share the tests out end at about the same time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def rrframe_cli(tmp_path: Path) -> Cli:
    """Runs ``rrframe ARGS`` as a process of its own in a folder of the test's own."""

    def run(*args: object, cwd: Path = tmp_path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return warm.run(["rrframe", *map(str, args)], cwd=cwd, env={**os.environ, **(env or {})})

    return run


@pytest.fixture
def rrframe_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The same in this process, in a twentieth of the time: for what a process of its own adds nothing to."""
    from rrframe.cli.main import main

    def run(*args: object) -> subprocess.CompletedProcess[str]:
        command = ["rrframe", *map(str, args)]
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", command)
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
        return subprocess.CompletedProcess(command, int(ended.value.code or 0), out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    """A real photograph: ``[512, 512, 3]`` uint8, encoded sRGB."""
    return data.astronaut()


@pytest.fixture(scope="session")
def chromium() -> str:
    """A browser to look at pages with."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None and os.environ.get("CI") == "true":
        pytest.fail("chromium is not installed, and CI has to look at the pages: install the package chromium")
    if found is None:
        pytest.skip("chromium is not installed; .ci/run installs it where it can")
    return found
