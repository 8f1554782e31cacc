"""What is built from the tree holds all that the tree has."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]


def folder_of(package: str) -> Path:
    """Where the packaging metadata says that ``package`` lies."""
    top, _, rest = package.partition(".")
    return ROOT / SETUPTOOLS["package-dir"][top] / rest.replace(".", "/")


def test_every_package_folder_is_listed() -> None:
    tops = [ROOT / "rrframe", ROOT / "plugins", ROOT / "recipes", ROOT / "registry"]
    found = {file.parent for top in tops for file in top.rglob("__init__.py") if "templates" not in file.parts}
    assert {folder_of(package) for package in SETUPTOOLS["packages"]} == found


def test_every_plugin_in_the_tree_is_declared() -> None:
    declared = set(PYPROJECT["project"]["entry-points"]["rrframe"].values())
    assert declared == {folder.name for folder in (ROOT / "plugins").iterdir() if (folder / "__init__.py").exists()}


def test_everything_that_the_package_asks_for_is_pinned() -> None:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert all(line.count("==") == 1 and line == line.lower() for line in lines)
    pinned = {line.partition("==")[0] for line in lines}
    asked = [*PYPROJECT["project"]["dependencies"]]
    for extra in PYPROJECT["project"]["optional-dependencies"].values():
        asked += [line for line in extra if not line.startswith("rrframe[")]
    assert {line.partition(">=")[0] for line in asked} <= pinned


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel that is built from an sdist of a copy: nothing left over from other builds gets in."""
    place = tmp_path_factory.mktemp("build")
    left = shutil.ignore_patterns(
        ".git", ".venv", ".*_cache", ".hypothesis", "*.egg-info", "__pycache__", "build", "dist", "site", "runs"
    )
    shutil.copytree(ROOT, place / "tree", ignore=left)
    command = [sys.executable, "-m", "build", "--outdir", str(place / "dist"), str(place / "tree")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=place, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((place / "dist").glob("rrframe-*.tar.gz"))
    (built,) = (place / "dist").glob("rrframe-*-py3-none-any.whl")
    with zipfile.ZipFile(built) as archive:
        return set(archive.namelist())


@pytest.mark.slow
def test_the_wheel_holds_every_file_of_the_packages(wheel: set[str]) -> None:
    missing = set()
    for package in SETUPTOOLS["packages"]:
        folder = folder_of(package)
        for file in folder.rglob("*"):
            inside = file.relative_to(folder).as_posix()
            if file.is_file() and "__pycache__" not in file.parts and inside != ".gitignore":
                missing |= {f"{package.replace('.', '/')}/{inside}"} - wheel
    assert not missing


@pytest.mark.slow
def test_the_wheel_holds_nothing_else(wheel: set[str]) -> None:
    tops = {package.partition(".")[0] for package in SETUPTOOLS["packages"]}
    version = PYPROJECT["project"]["version"]
    assert {name.partition("/")[0] for name in wheel} == tops | {f"rrframe-{version}.dist-info"}
    assert "rrframe/py.typed" in wheel
    assert f"rrframe-{version}.dist-info/licenses/LICENSE" in wheel
