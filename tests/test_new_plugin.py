"""``rrframe new plugin``: what it writes works, and what it refuses it explains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import Cli
from stranger import Environment


@pytest.mark.slow
def test_a_new_plugin_installs_is_listed_and_passes_its_checks(rrframe_cli: Cli, tmp_path: Path) -> None:
    done = rrframe_cli("new", "plugin", "rrframe-pepper", "--dir", "my plugins")
    assert done.returncode == 0, done.stderr
    project = tmp_path / "my plugins" / "rrframe-pepper"
    assert "rrframe check pepper/speckle" in done.stdout

    stranger = Environment(tmp_path / "venv")
    stranger.install(project)
    rows = json.loads(stranger.rrframe("plugins", "--json", "--check", cwd=tmp_path))
    (pepper,) = [row for row in rows if row["plugin"] == "rrframe-pepper"]
    assert (pepper["name"], pepper["version"], pepper["status"]) == ("pepper/speckle", "0.1.0", "ok")

    assert "pepper/speckle" in stranger.rrframe("check", "pepper/speckle", cwd=tmp_path)
    tests = stranger.run("-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert " passed" in tests.stdout
    assert " failed" not in tests.stdout


@pytest.mark.parametrize("name", ["rrframe-pepper", "A.name_With-every.separator"])
def test_the_code_is_clean_and_the_workflow_is_yaml(rrframe_cli: Cli, tmp_path: Path, name: str) -> None:
    assert rrframe_cli("new", "plugin", name).returncode == 0
    project = tmp_path / name
    for check in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *check, "--isolated", "--no-cache", "."],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    workflow = yaml.safe_load((project / ".github" / "workflows" / "test.yml").read_text())
    commands = [step.get("run", "") for step in workflow["jobs"]["test"]["steps"]]
    assert "pytest" in commands
    assert "{{" not in "".join(path.read_text() for path in project.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("fog bank", "cannot name a distribution"),
        ("../fog", "cannot name a distribution"),
        ("fog-", "cannot name a distribution"),
        ("brouillard-épais", "cannot name a distribution"),
        ("3d-fog", "Python cannot import"),
        ("class", "Python cannot import"),
        ("json", "there is a module called 'json' already"),
        ("torch", "there is a module called 'torch' already"),
    ],
)
def test_a_name_that_would_not_work_is_refused(rrframe_cli: Cli, tmp_path: Path, name: str, reason: str) -> None:
    done = rrframe_cli("new", "plugin", name)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "try:" in done.stderr
    assert not any(tmp_path.iterdir())


def test_an_existing_folder_is_left_alone(rrframe_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "rrframe-pepper").mkdir()
    done = rrframe_cli("new", "plugin", "rrframe-pepper")
    assert done.returncode == 2
    assert "exists already" in done.stderr
    assert not any((tmp_path / "rrframe-pepper").iterdir())


def test_a_place_that_cannot_be_written_is_an_error(rrframe_cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = rrframe_cli("new", "plugin", "rrframe-pepper", "--dir", "file/below")
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
