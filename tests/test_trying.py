"""Trying degradations: from the command line and from Python, with the same pixels."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import rrframe


@pytest.fixture
def picture(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "in.png")
    return tmp_path / "in.png"


def _pixels(path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_command_line_and_python_agree(picture, tmp_path, photo, rrframe_cli):
    done = rrframe_cli("degrade", picture, "out.png", "--op", "haze/scattering", "--severity", "0.5", "--seed", "7")
    assert done.returncode == 0, done.stderr
    assert "beta" in done.stdout
    hazy = rrframe.load("haze/scattering")(photo, severity=0.5, seed=7)
    assert np.array_equal(_pixels(tmp_path / "out.png"), hazy)
    assert np.abs(hazy.astype(int) - photo).mean() > 10


def test_replay_gives_equal_pixels_in_another_process(picture, tmp_path, rrframe_cli, rrframe_here):
    for name in ("noise/poisson-gaussian", "compression/jpeg", "haze/scattering"):
        done = rrframe_here("degrade", picture, "out.png", "--op", name, "--seed", "11", "--record", "record.json")
        assert done.returncode == 0, done.stderr
        assert rrframe_cli("replay", picture, "record.json", "again.png").returncode == 0
        assert np.array_equal(_pixels(tmp_path / "out.png"), _pixels(tmp_path / "again.png"))
        record = json.loads((tmp_path / "record.json").read_text())
        assert record["chain"][0]["use"] == name
        assert record["versions"] == {"rrframe": rrframe.__version__}


def test_replay_refuses_another_image(picture, tmp_path, rrframe_here):
    rrframe_here("degrade", picture, "out.png", "--op", "compression/jpeg", "--record", "record.json")
    refused = rrframe_here("replay", "out.png", "record.json", "again.png")
    assert refused.returncode == 2
    assert "in.png" in refused.stderr
    assert rrframe_here("replay", "out.png", "record.json", "again.png", "--force").returncode == 0


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '{"chain": 3}', "\x00", '{"record": {"chain": [{"use": "haze/none"}]}}']
)
def test_replay_of_no_record_says_so(picture, tmp_path, rrframe_here, text):
    (tmp_path / "record.json").write_text(text)
    done = rrframe_here("replay", picture, "record.json", "again.png")
    assert done.returncode == 2
    assert "record" in done.stderr
    assert "Traceback" not in done.stderr


def test_dials_are_set_and_checked(picture, rrframe_here):
    done = rrframe_here(
        "degrade",
        picture,
        "out.png",
        "--op",
        "haze/scattering",
        "-p",
        "beta=0.02",
        "-p",
        "airlight={uniform: [0.8, 0.9]}",
    )
    assert done.returncode == 0, done.stderr
    assert "beta 0.02" in done.stdout
    bad = rrframe_here("degrade", picture, "out.png", "--op", "haze/scattering", "-p", "beta=-2", "-p", "airlght=1")
    assert bad.returncode == 2
    assert "beta" in bad.stderr
    assert "did you mean airlight?" in bad.stderr
    assert "rrframe 0." in bad.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("in.png", "out.png", "--op", "haze/scatering"), "did you mean haze/scattering"),
        (("none.png", "out.png", "--op", "haze/scattering"), "none.png"),
        (("in.png", "out.xyz", "--op", "haze/scattering"), "picture format"),
        (("in.png", "out.png", "--op", "haze/scattering", "--severity", "1.5"), "between 0"),
        (("in.png", "out.png", "--op", "haze/scattering", "-p", "beta"), "DIAL=VALUE"),
        (("in.png", "out.png", "--op", "depth/plane"), "depth/plane"),
    ],
)
def test_mistakes_are_explained(picture, rrframe_here, arguments, said):
    done = rrframe_here("degrade", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_out_formats(picture, tmp_path, rrframe_here):
    for name in ("out.jpg", "out.webp", "deep/er/out.tif"):
        assert rrframe_here("degrade", picture, name, "--op", "noise/poisson-gaussian").returncode == 0
        with Image.open(tmp_path / name) as written:
            assert written.size == (512, 512)
