"""The gallery: every degradation and effect on a photograph, as one page."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from pages_read import PageContent, assert_self_contained, pixels_of, psnr
from PIL import Image
from plugin_on_path import write_plugin

from rrframe.cli.gallery import command
from rrframe.manager import get_manager

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def picture(tmp_path, photo):
    Image.fromarray(photo).save(tmp_path / "in.png")
    return tmp_path / "in.png"


def _in_this_process(*args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args])


def _anchor(name: str) -> str:
    return name.replace("/", "-")


def test_a_row_for_every_degradation(picture, tmp_path, photo, rrframe_cli):
    done = rrframe_cli("gallery", picture, "out.html", "--size", 256)
    assert done.returncode == 0, done.stderr
    page = assert_self_contained((tmp_path / "out.html").read_text())
    names = list(get_manager().table("degradation", "effect"))
    assert {"blur/clip", "effect/region", "flare/lens"} <= set(names)
    waiting = {"lowlight/learned", "reflection/learned"} & set(names)  # for weights of the user's own
    shown = [name for name in names if name not in waiting]
    assert set(page.pictures) == {_anchor(name) for name in shown}
    assert all(name in page.words for name in waiting)
    for name in shown:
        clean, *rest = [pixels_of(image) for image in page.pictures[_anchor(name)]]
        degraded, targets = rest[:5], rest[5:] or [clean] * 5  # a lamp is drawn into both sides of what has none
        assert clean.shape == (256, 256, 3)
        assert len(degraded) == len(targets) == 5
        assert name in page.words
        if name == "effect/augment":  # whose libraries know no severity
            continue
        distances = [psnr(target, pixels) for target, pixels in zip(targets, degraded, strict=True)]
        assert distances[0] > 38, f"{name} at severity 0 is {distances[0]:.1f} dB from the clean picture"
        assert distances[0] > distances[2] > distances[4], f"{name} does not grow with severity: {distances}"
    assert "quality" in page.words
    assert "100 to 15" in page.words
    assert "a stand-in for the frames of a clip" in page.text
    assert {"compression/jpeg quality", "compression/jpeg#2 quality"} <= set(page.words)  # of effect/repeat
    assert "chain: [{use: blur/gaussian}]" in page.words
    assert "Koschmieder 1924" in page.text
    assert f"{len(shown)} of {len(names)} degradations" in done.stdout


def test_the_clean_side_is_shown_where_it_changes(tmp_path):
    Image.new("RGB", (96, 64), (60, 60, 70)).save(tmp_path / "dusk.png")  # no lamp: one is drawn into both sides
    out = tmp_path / "out.html"
    done = _in_this_process(tmp_path / "dusk.png", out, "--only", "flare/streak", "--only", "noise/gaussian")
    assert done.exit_code == 0, done.output
    page = assert_self_contained(out.read_text())
    assert len(page.pictures["noise-gaussian"]) == 6
    clean, *shown = [pixels_of(image) for image in page.pictures["flare-streak"]]
    degraded, targets = shown[:5], shown[5:]
    assert len(targets) == 5
    assert all(psnr(clean, target) < 45 for target in targets)
    assert psnr(degraded[0], targets[0]) > 40 > psnr(degraded[4], targets[4])
    told = page.text.partition("flare/streak")[2]
    assert "Clean side at 0.5" in told


def test_options_choose_what_is_shown(picture, tmp_path, rrframe_cli):
    options = ["--only", "noise", "--only", "*/jpeg", "--severities", "0.2,1", "--size", 64, "--seed", 5]
    done = rrframe_cli("gallery", picture, "out.html", *options)
    assert done.returncode == 0, done.stderr
    page = PageContent.of((tmp_path / "out.html").read_text())
    assert "compression-jpeg" in page.pictures
    assert "noise-poisson-gaussian" in page.pictures
    assert "haze-scattering" not in page.pictures
    assert len(page.pictures["compression-jpeg"]) == 3
    assert pixels_of(page.pictures["compression-jpeg"][0]).shape == (64, 64, 3)
    again, other = tmp_path / "again.html", tmp_path / "other.html"
    assert _in_this_process(picture, again, *options).exit_code == 0
    assert _in_this_process(picture, other, *options[:-1], 6).exit_code == 0
    assert again.read_bytes() == (tmp_path / "out.html").read_bytes() != other.read_bytes()


PLUGIN = f'''
from rrframe import Degradation, Dial, Spec, hookimpl, uniform

class Breaks(Degradation):
    category = "haze"
    amount: Dial = uniform(0, 1, mild=0.0)
    def apply(self, images, draw, cues):
        raise ValueError("{HOSTILE} [bold]")

class Shrinks(Breaks):
    def apply(self, images, draw, cues):
        return images[..., 1:]

class NotFinite(Breaks):
    def apply(self, images, draw, cues):
        return images / 0 - images / 0

class Hostile(Breaks):
    """Source: {HOSTILE}"""
    category = "{HOSTILE}"
    amount: Dial = uniform(0, 1, mild=0.0, about="{HOSTILE}", unit="{HOSTILE}")
    def apply(self, images, draw, cues):
        return images * (1 - draw.amount)

@hookimpl
def register_degradations():
    for cls in ("Breaks", "Shrinks", "NotFinite", "Hostile", "Missing"):
        yield Spec(f"trial/{{cls.lower()}}", f"trial_plugin:{{cls}}", "{HOSTILE}")
'''


@pytest.mark.slow
def test_a_broken_degradation_costs_its_row(picture, tmp_path, rrframe_cli):
    env = write_plugin(tmp_path / "plugin", "trial_plugin", PLUGIN)
    options = ["--size", 48, "--severities", "0,1", "--only", "trial", "--only", "compression/jpeg"]
    done = rrframe_cli("gallery", picture, "out.html", *options, "--strict", env=env)
    assert done.returncode == 1
    assert "4 of 6 degradations could not be shown" in done.stderr
    assert "2 of 6 degradations" in done.stdout
    page = assert_self_contained((tmp_path / "out.html").read_text())
    assert set(page.pictures) == {"compression-jpeg", "trial-hostile"}
    for reason in ("degrading failed: ValueError: <img src=x", "(1, 3, 48, 47)", "not finite", "cannot import"):
        assert reason in page.text
        assert reason in done.stdout
    assert page.words.count("broken") == 4
    assert rrframe_cli("gallery", picture, "again.html", *options, env=env).returncode == 0
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "out.html").read_bytes()


def test_text_from_elsewhere_stays_text(tmp_path, photo, rrframe_cli):
    name = "<script>alert(1)</script>".replace("/", "_") + " ' \" & é.png"
    Image.fromarray(photo[:64, :64]).save(tmp_path / name)
    env = write_plugin(tmp_path / "plugin", "trial_plugin", PLUGIN)
    done = rrframe_cli("gallery", name, "out.html", "--severities", "1", "--only", "trial/hostile", env=env)
    assert done.returncode == 0, done.stderr
    page = assert_self_contained((tmp_path / "out.html").read_text())
    assert len(page.tags("script")) == 1
    assert len(page.tags("img")) == 2
    assert name in page.words
    # the summary, the category, the docstring, the text of the dial
    assert sum(HOSTILE in words for words in page.words) == 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--severities", "0,two"], "0,two"),
        (["--severities", "0,1.5"], "severity 1.5"),
        (["--size", "0"], "'--size'"),
    ],
)
def test_wrong_options_write_nothing(picture, tmp_path, options, told):
    done = _in_this_process(picture, tmp_path / "out.html", *options)
    assert told in done.output + str(done.exception)
    assert not (tmp_path / "out.html").exists()


@pytest.mark.slow
def test_wrong_input_is_told(picture, tmp_path, rrframe_cli):
    (tmp_path / "words.jpg").write_text("no picture")
    for image, out, pattern, told in [
        (picture, "out.html", "haze/scatering", "haze/scattering"),
        ("words.jpg", "out.html", "haze", "words.jpg"),
        (picture, "none/out.html", "haze", "cannot be written"),
    ]:
        done = rrframe_cli("gallery", image, out, "--only", pattern, "--size", 32)
        assert done.returncode == 2
        assert told in done.stderr
        assert "Traceback" not in done.stderr
        assert not (tmp_path / "out.html").exists()


@pytest.mark.parametrize("shape", [(65, 3), (1, 1), (1, 90)])
def test_deep_and_odd_pictures(tmp_path, shape):
    cv2.imwrite(
        str(tmp_path / "odd.png"), np.linspace(0, 65535, np.prod(shape) * 3).reshape(*shape, 3).astype(np.uint16)
    )
    done = _in_this_process(tmp_path / "odd.png", tmp_path / "out.html", "--strict")
    assert done.exit_code == 0, done.output
    page = assert_self_contained((tmp_path / "out.html").read_text())
    assert {pixels_of(image).shape for images in page.pictures.values() for image in images} == {(*shape, 3)}
