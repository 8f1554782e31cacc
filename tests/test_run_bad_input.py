"""Bad input costs a row with a reason, never the run; a bad recipe writes nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bad_files import write_bad_files
from making import photographs, recipe
from PIL import Image

from rrframe.pairs.reading import PairFolder


@pytest.fixture
def littered(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder with good photographs among every kind of bad file, and the reason that each bad one is to get."""
    source = photographs(tmp_path / "photos with spaces and ümläuts", 4)
    reasons = write_bad_files(source)
    (source / "again").mkdir()
    shutil.copy(source / "0000.png", source / "again" / "0000.png")
    shutil.copy(source / "0001.png", source / "ein schönes Bild 写真.png")
    return source, reasons


def test_each_bad_file_is_one_row_with_its_reason(littered, tmp_path, rrframe_cli):
    source, reasons = littered
    done = rrframe_cli("run", recipe(tmp_path / "bad.yaml", source), "--out", "out")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    rows = {row["source"]: row for row in PairFolder(tmp_path / "out").rows()}
    for name, reason in reasons.items():
        assert rows[name]["status"] == "failed", name
        assert reason in rows[name]["reason"], name
    good = {"0000.png", "0001.png", "0002.png", "0003.png", "again/0000.png", "ein schönes Bild 写真.png"}
    assert {name for name, row in rows.items() if row["status"] == "kept"} >= good
    assert f"{len(reasons)} pairs could not be made" in done.stdout


def test_strict_makes_unmade_pairs_an_error(littered, tmp_path, rrframe_cli):
    done = rrframe_cli("run", recipe(tmp_path / "bad.yaml", littered[0]), "--out", "out", "--strict")
    assert done.returncode == 1
    assert "could not be made" in done.stderr
    assert list((tmp_path / "out" / "shards").glob("*.parquet")), "what could be made is there all the same"


def test_retry_failed_makes_what_can_be_made_now(tmp_path, rrframe_cli):
    source = photographs(tmp_path / "photos", 3)
    whole = (source / "0001.png").read_bytes()
    (source / "0001.png").write_bytes(whole[:200])
    written = recipe(tmp_path / "three.yaml", source)
    assert rrframe_cli("run", written, "--out", "out").returncode == 0
    (source / "0001.png").write_bytes(whole)
    assert "nothing left to do" in rrframe_cli("run", written, "--out", "out").stdout
    again = rrframe_cli("run", written, "--out", "out", "--retry-failed")
    assert again.returncode == 0, again.stderr
    assert [row["status"] for row in PairFolder(tmp_path / "out").rows()] == ["kept"] * 3
    undisturbed = rrframe_cli("run", written, "--out", "undisturbed")
    assert undisturbed.returncode == 0
    tars = [(tmp_path / name / "shards" / "00000.tar").read_bytes() for name in ("out", "undisturbed")]
    assert tars[0] == tars[1]


def test_a_one_pixel_picture_is_degraded_like_any_other(tmp_path, rrframe_cli):
    source = tmp_path / "photos"
    source.mkdir()
    for number in range(6):
        Image.new("RGB", (1, 1), (200, 30 * number, 90)).save(source / f"{number}.png")
    done = rrframe_cli("run", recipe(tmp_path / "tiny.yaml", source), "--out", "out")
    assert done.returncode == 0, done.stderr
    assert {row["status"] for row in PairFolder(tmp_path / "out").rows()} == {"kept"}


def test_filters_drop_with_a_reason(tmp_path, rrframe_cli):
    source = photographs(tmp_path / "photos", 3)
    Image.new("RGB", (96, 96), (128, 128, 128)).save(source / "0003.png")
    written = recipe(
        tmp_path / "strict.yaml",
        source,
        screen=[{"use": "filter/sharpness"}],
        tasks={"haze": {"chain": [{"use": "haze/scattering", "params": {"beta": 0.0}}]}},
        verify=[{"use": "filter/visible-change"}],
    )
    done = rrframe_cli("run", written, "--out", "out")
    assert done.returncode == 0, done.stderr
    rows = {row["source"]: row for row in PairFolder(tmp_path / "out").rows()}
    assert rows["0003.png"]["status"] == "screened"
    assert "filter/sharpness" in rows["0003.png"]["reason"]
    assert rows["0000.png"]["status"] == "rejected"
    assert "no visible change" in rows["0000.png"]["reason"]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (["source.params.path=nowhere"], "nowhere"),
        (["source.params.pth=x", "tasks.haze.chain[0].params.beta=-1", "seed=x"], "3 problems"),
        (["tasks.fog.chain=[{use: haze/scattering}]"], "fog"),
    ],
)
def test_a_bad_recipe_writes_nothing(tmp_path, rrframe_here, overrides, said):
    written = recipe(tmp_path / "bad.yaml", photographs(tmp_path / "photos", 1))
    before = sorted(tmp_path.iterdir())
    done = rrframe_here("run", written, *(word for override in overrides for word in ("--set", override)))
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_an_unwritable_folder_is_told(tmp_path, rrframe_cli):
    (tmp_path / "file").write_text("in the way")
    written = recipe(tmp_path / "one.yaml", photographs(tmp_path / "photos", 1))
    done = rrframe_cli("run", written, "--out", "file/out")
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert "file" in done.stderr
