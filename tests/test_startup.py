"""What answers at once: asking for help and listing plugins import nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ("cv2", "numpy", "PIL", "pyarrow", "pydantic", "skimage", "sklearn", "torch", "yaml")

# Runs the command in this process, then tells which modules it left behind.
WATCHED = """
import json, runpy, sys
sys.argv = ["rrframe", *sys.argv[1:]]
try:
    runpy.run_module("rrframe", run_name="__main__", alter_sys=True)
except SystemExit as exit:
    assert not exit.code, exit.code
print(json.dumps(sorted(sys.modules)), file=sys.stderr)
"""


def modules_after(*args: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *args], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    return set(json.loads(done.stderr))


@pytest.mark.parametrize(
    "args",
    [
        ("--help",),
        ("--version",),
        ("plugins",),
        ("plugins", "--json"),
        ("plugins", "--kind", "degradation"),
        ("plugins", "--help"),
        ("--no-plugins", "plugins"),
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported(args: tuple[str, ...]) -> None:
    assert modules_after(*args).isdisjoint(HEAVY)


def test_the_watch_sees_what_is_imported() -> None:
    assert {"torch", "pydantic", "yaml"} <= modules_after("info", "haze/scattering")


def test_importing_the_package_imports_nothing_of_it() -> None:
    code = "import sys, rrframe; print(*(name for name in sys.modules if name.startswith('rrframe.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_every_public_name_can_be_imported() -> None:
    code = "import rrframe; [getattr(rrframe, name) for name in rrframe.__all__]; from rrframe import *"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_two_ways_to_call_it_are_one() -> None:
    as_module = subprocess.run([sys.executable, "-m", "rrframe", "--help"], capture_output=True, text=True, check=True)
    script = [sys.executable.replace("python", "rrframe").rsplit("rrframe", 1)[0] + "rrframe", "--help"]
    as_script = subprocess.run(script, capture_output=True, text=True, check=True)
    assert as_module.stdout.splitlines()[1:] == as_script.stdout.splitlines()[1:]
    assert "Usage: python -m rrframe" in as_module.stdout
