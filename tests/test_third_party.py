"""The example plugin, installed and used as a stranger would."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stranger import Environment

EXAMPLE = Path(__file__).parents[1] / "examples" / "third_party_plugin"


@pytest.mark.slow
def test_the_example_plugin_installs_runs_and_passes_its_own_tests(tmp_path: Path, photo: np.ndarray) -> None:
    stranger = Environment(tmp_path / "venv")
    project = shutil.copytree(EXAMPLE, tmp_path / "plugin", ignore=shutil.ignore_patterns("*.egg-info", "build"))
    stranger.install(project)

    rows = json.loads(stranger.rrframe("plugins", "--json", cwd=tmp_path))
    (fog,) = [row for row in rows if row["name"] == "haze/ground-fog"]
    assert (fog["plugin"], fog["version"], fog["status"]) == ("rrframe-ground-fog", "1.0.0", "ok")
    assert all(row["status"] == "ok" for row in rows)

    page = stranger.rrframe("info", "haze/ground-fog", cwd=tmp_path)
    assert "rrframe-ground-fog 1.0.0" in page
    assert "Koschmieder" in page

    Image.fromarray(photo).save(tmp_path / "photo.png")
    options = ("--op", "haze/ground-fog", "--severity", 0.7, "--seed", 1)
    stranger.rrframe("degrade", "photo.png", "foggy.png", *options, cwd=tmp_path)
    foggy = np.asarray(Image.open(tmp_path / "foggy.png"))
    assert foggy.shape == photo.shape
    assert np.abs(foggy.astype(float) - photo).mean() > 5

    checked = stranger.rrframe("check", "haze/ground-fog", "backbone/fog-lifter", cwd=tmp_path)
    assert "haze/ground-fog" in checked
    assert "backbone/fog-lifter" in checked
    assert "  ok    loss-falls" in checked
    tests = stranger.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", cwd=project)
    assert " passed" in tests.stdout
    assert " failed" not in tests.stdout
    assert "haze/ground-fog" not in stranger.rrframe("--no-plugins", "plugins", cwd=tmp_path)
