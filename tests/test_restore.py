"""Restoring photographs: what their files hold is kept, nothing finished is lost, and one bad picture costs itself."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from icc import grey_profile, rgb_profile
from pages_read import assert_self_contained, pixels_of, psnr
from PIL import ExifTags, Image, ImageCms
from plugin_on_path import write_plugin
from rich.console import Console
from torch import nn

import rrframe
from rrframe import Backbone, Capabilities, RRFrameError
from rrframe.cli.restore import command
from rrframe.imaging.matrix_profiles import MatrixProfile
from rrframe.imaging.originals import read_original
from rrframe.imaging.reading import measure, read_photograph
from rrframe.imaging.saving import encode_photograph
from rrframe.restoring.inputs import find_inputs
from rrframe.restoring.journal import Journal, Row
from rrframe.restoring.report import write_report
from rrframe.restoring.restorer import Asked, Restorer, fingerprint, make_backbone
from rrframe.restoring.run import Summary, run_restoring
from rrframe.run.folder import RunFailed

ADOBE = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
WIDE = rgb_profile(ADOBE, 563 / 256, "like Adobe RGB")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r tiff:Orientation="6" dc:title="Caf\xc3\xa9"/></x:xmpmeta>'


class Brighter(Backbone):
    """Adds a constant, and notes what it was given. It fails at pictures as it is told."""

    amount: float = 0.0
    tasks: tuple[str, ...] = ("noise",)
    side: int | None = None
    seen: list[Any] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(tasks=frozenset(self.tasks), largest_side=self.side, trainable=False)

    def build(self) -> nn.Module:
        return nn.Identity()

    def loss(self, batch, rng):
        raise NotImplementedError

    def restore(self, images, task, **settings):
        self.seen.append(tuple(images.shape))
        if len(images) > 1 and (images.amax((1, 2, 3)) == 0).any():
            raise ValueError("a batch with a black picture")
        return images + self.amount + (0 / images.amax((1, 2, 3), keepdim=True))  # NaN for a black picture


def _restore(inputs: Any, out: Path, backbone: Backbone | None = None, **given: Any) -> Summary:
    asked = {name: given.pop(name) for name in list(given) if name in Asked.__dataclass_fields__}
    words = [str(inputs)] if isinstance(inputs, Path) else [str(one) for one in inputs]
    restorer = Restorer(backbone or Brighter(), Asked(**asked))
    return run_restoring(find_inputs(words, out), out, restorer, Console(file=io.StringIO()), **given)


def _cli(*args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args])


def _open(path: Path) -> Image.Image:
    return Image.open(io.BytesIO(path.read_bytes()))


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Copyright] = "Acme", "nobody"
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.IFD.Exif] = {36867: "2020:01:02 03:04:05", 33434: 0.01, 37500: b"maker", 40962: 60, 40963: 40}
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (1.0, 2.0, 3.0)}
    return exif


# What a file holds
# ----------------------------------------------------------------------------------------------------------------------


def _file(folder: Path, kind: str, photo: np.ndarray) -> Path:
    small = np.ascontiguousarray(photo[100:140, 180:240])
    deep = (small.astype(np.uint16) * 257) ^ np.arange(small.size).reshape(small.shape).astype(np.uint16) % 200
    alpha = np.linspace(0, 255, small.shape[1]).astype(np.uint8) * np.ones((small.shape[0], 1), np.uint8)
    path = folder / kind
    stem = Path(kind).stem
    if stem == "deep" and path.suffix == ".png":
        cv2.imwrite(str(path), deep)
    elif stem == "deep-alpha" and path.suffix == ".png":
        cv2.imwrite(str(path), np.dstack([deep, alpha.astype(np.uint16) * 257]))
    elif stem == "deep-wide":
        tifffile.imwrite(path, deep, photometric="rgb", iccprofile=WIDE)
    elif stem == "deep-alpha":
        stacked = np.dstack([deep, alpha.astype(np.uint16) * 257])
        tifffile.imwrite(path, stacked, photometric="rgb", extrasamples=["unassalpha"])
    elif stem == "deep-grey":
        Image.fromarray(deep[..., 0]).save(path)
    else:
        picture = Image.fromarray(small)
        if "alpha" in stem:
            picture.putalpha(Image.fromarray(alpha))
        picture = picture.convert({"grey": "L", "grey-alpha": "LA", "grey-profile": "L"}.get(stem, picture.mode))
        profile = {"wide": WIDE, "grey-profile": grey_profile(1.8), "srgb": SRGB}.get(stem)
        said: dict[str, Any] = {"icc_profile": profile} if profile else {}
        picture.save(path, **said, **({"lossless": True, "exact": True} if path.suffix == ".webp" else {}))
    return path


KINDS = ["plain.png", "alpha.png", "grey.png", "grey-alpha.png", "wide.png", "grey-profile.png", "srgb.png"]
KINDS += ["deep.png", "deep-alpha.png", "deep-grey.png", "deep-wide.tif", "deep-alpha.tif", "deep-grey.tif"]
KINDS += ["plain.tif", "wide.tiff", "alpha.tif", "grey-alpha.tif", "plain.webp", "alpha.webp", "wide.webp"]


@pytest.mark.parametrize("kind", KINDS)
def test_where_nothing_changes_every_sample_stays(kind, tmp_path, photo):
    path = _file(tmp_path, kind, photo)
    assert _restore(path, tmp_path / "out").restored == 1
    before, after = _open(path), _open(tmp_path / "out" / kind)
    assert after.format == before.format
    assert after.mode == before.mode
    assert after.info.get("icc_profile") == before.info.get("icc_profile")
    one, other = read_original(path), read_original(tmp_path / "out" / kind)
    assert one.pixels.dtype == other.pixels.dtype == (np.uint16 if "deep" in kind else np.uint8)
    assert np.array_equal(one.pixels, other.pixels)
    assert one.grey == other.grey == ("grey" in kind)
    if "alpha" in kind:
        assert one.alpha is not None
        assert np.array_equal(one.alpha, other.alpha)


@pytest.mark.parametrize("kind", ["plain.png", "deep.png", "deep-alpha.tif", "grey.png", "deep-grey.png"])
def test_what_changes_changes_at_full_depth(kind, tmp_path, photo):
    path = _file(tmp_path, kind, photo // 2)
    _restore(path, tmp_path / "out", Brighter(amount=0.1001))
    one, other = read_original(path), read_original(tmp_path / "out" / kind)
    top = np.iinfo(one.pixels.dtype).max
    assert np.abs(other.pixels.astype(float) - one.pixels - 0.1001 * top).max() <= 1


@pytest.mark.parametrize("kind", ["wide.png", "deep-wide.tif", "grey-profile.png", "wide.webp"])
def test_colours_look_the_same_in_a_managed_viewer(kind, tmp_path, photo):
    """LittleCMS, which knows nothing of how they were restored, sees sRGB brighter by what was added."""
    path = _file(tmp_path, kind, photo // 2 + 30)
    _restore(path, tmp_path / "out", Brighter(amount=0.1))
    before, after = read_photograph(path), read_photograph(tmp_path / "out" / kind)
    inside = (before.eight_bit() > 3) & (before.eight_bit() < 225)
    assert inside.mean() > 0.8
    change = after.eight_bit().astype(int) - before.eight_bit()
    assert np.abs(change[inside] - 25.5).max() < 3


def test_colours_beyond_srgb_are_not_cut_off(tmp_path):
    saturated = np.zeros((8, 8, 3), np.uint8)
    saturated[..., 1] = 250  # a green of Adobe RGB that sRGB has not
    Image.fromarray(saturated).save(tmp_path / "in.png", icc_profile=WIDE)
    original = read_original(tmp_path / "in.png")
    assert original.space is not None
    assert original.space.to_srgb(original.pixels).min() < -0.5
    assert original.image().min() == 0
    _restore(tmp_path / "in.png", tmp_path / "out", Brighter(amount=-0.05))
    darker = np.asarray(_open(tmp_path / "out" / "in.png"))
    assert (darker[..., 0] < 10).all()  # as saturated as it was
    assert (darker[..., 1] < 245).all()


@pytest.mark.parametrize("gamma", [1.0, 1.8, 563 / 256])
def test_matrix_profiles_agree_with_littlecms(gamma):
    profile = rgb_profile(ADOBE, gamma, "test")
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    own = MatrixProfile.read(profile)
    assert own is not None
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    theirs = ImageCms.profileToProfile(Image.fromarray(pixels), opened, ImageCms.createProfile("sRGB"))
    assert np.abs(own.to_srgb(pixels).clip(0, 1) * 255 - np.asarray(theirs)).max() < 1.5
    srgb = MatrixProfile.read(SRGB)  # whose curves are parametric
    assert srgb is not None
    assert np.abs(srgb.to_srgb(pixels) * 255 - pixels).max() < 1


@pytest.mark.parametrize("profile", [b"", b"nonsense", WIDE[:200], WIDE[:-30], SRGB[:140], os.urandom(400)])
def test_broken_profiles_are_no_profiles(profile, tmp_path, photo):
    MatrixProfile.read(profile)
    Image.fromarray(photo[:20, :20]).save(tmp_path / "in.png", icc_profile=profile)
    assert _restore(tmp_path / "in.png", tmp_path / "out").restored == 1


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_what_is_said_beside_the_pixels_is_kept_and_upright(ending, tmp_path, photo):
    path = tmp_path / f"in.{ending}"
    said: dict[str, Any] = {"exif": _exif().tobytes(), "dpi": (240, 240), "icc_profile": WIDE}
    if ending in ("jpg", "webp"):
        said["xmp"] = XMP
    Image.fromarray(photo[100:140, 180:240]).save(path, **said)
    assert measure(path)[:2] == (60, 40)
    _restore(path, tmp_path / "out")
    with _open(tmp_path / "out" / path.name) as after:
        after.load()
        assert after.size == (40, 60)
        exif = after.getexif()
        assert exif.get(ExifTags.Base.Orientation, 1) == 1
        assert exif[ExifTags.Base.Make] == "Acme"
        assert exif[ExifTags.Base.Copyright] == "nobody"
        inner = exif.get_ifd(ExifTags.IFD.Exif)
        assert (inner[36867], inner[37500], inner[40962], inner[40963]) == ("2020:01:02 03:04:05", b"maker", 40, 60)
        assert float(inner[33434]) == pytest.approx(0.01)
        assert exif.get_ifd(ExifTags.IFD.GPSInfo)[2] == (1.0, 2.0, 3.0)
        assert after.info["icc_profile"] == WIDE
        if ending != "webp":
            assert after.info["dpi"][0] == pytest.approx(240, abs=0.1)
        if "xmp" in said:
            assert after.info["xmp"] == XMP.replace(b'="6"', b'="1"')
        upright = read_photograph(path).eight_bit()
        assert psnr(upright, read_photograph(tmp_path / "out" / path.name).eight_bit()) > 35
    if ending == "jpg":
        assert _open(tmp_path / "out" / path.name).layer[1][1:3] == (1, 1)  # chroma at full resolution


def test_a_thumbnail_of_the_unrestored_picture_is_left_out(tmp_path, photo):
    exif = _exif()
    exif.get_ifd(ExifTags.IFD.IFD1)[513] = 0
    Image.fromarray(photo[:40, :40]).save(tmp_path / "in.jpg", exif=exif.tobytes())
    _restore(tmp_path / "in.jpg", tmp_path / "out")
    assert not _open(tmp_path / "out" / "in.jpg").getexif().get_ifd(ExifTags.IFD.IFD1)


def test_inks_palettes_and_foreign_formats_come_out_as_what_can_be_written(tmp_path, photo):
    small = Image.fromarray(photo[:40, :60])
    small.convert("CMYK").save(tmp_path / "ink.jpg")
    small.convert("P").save(tmp_path / "palette.gif")
    small.save(tmp_path / "old.bmp")
    _restore([tmp_path / name for name in ("ink.jpg", "palette.gif", "old.bmp")], tmp_path / "out")
    rows = Journal(tmp_path / "out/.rrframe/journal.jsonl").rows
    assert _open(tmp_path / "out/ink.jpg").mode == "RGB"
    assert "CMYK to RGB without an ICC profile" in rows["ink.jpg"].notes
    assert _open(tmp_path / "out/palette.png").format == "PNG"
    assert "saved as PNG, since GIF is not written" in rows["palette.gif"].notes
    assert np.array_equal(np.asarray(_open(tmp_path / "out/old.png")), photo[:40, :60])


@pytest.mark.parametrize(("asked", "ending"), [("jpeg", ".jpg"), ("png", ".png"), ("tiff", ".tif"), ("webp", ".webp")])
def test_another_format_holds_what_it_can_and_says_what_it_cannot(asked, ending, tmp_path, photo):
    path = _file(tmp_path, "deep-alpha.png", photo)
    _restore(path, tmp_path / "out", format=asked)
    (row,) = Journal(tmp_path / "out/.rrframe/journal.jsonl").rows.values()
    assert row.output == f"deep-alpha{ending}"
    after = read_original(tmp_path / "out" / row.output)
    assert (after.pixels.dtype == np.uint16) == (asked in ("png", "tiff"))
    assert (after.alpha is None) == (asked == "jpeg")
    assert any("16 bits saved as 8" in note for note in row.notes) == (asked in ("jpeg", "webp"))
    assert any("alpha composited" in note for note in row.notes) == (asked == "jpeg")


def test_a_format_that_cannot_hold_it_says_so(tmp_path):
    samples = np.zeros((2, 20_000, 3), np.uint8)
    metadata = read_original(_file(tmp_path, "plain.png", np.zeros((200, 300, 3), np.uint8))).metadata
    with pytest.raises(RRFrameError, match="cannot be saved as WEBP"):
        encode_photograph(samples, "WEBP", metadata, [])


# Which pictures, and where to
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path):
    for name in ("a.png", "sub/a.png", "sub/b.jpg", "sub/.hidden.png", ".cache/c.png", "sub/deep/d.tif", "words.txt"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".txt":
            path.write_text("no picture")
        else:
            Image.fromarray(np.full((12, 16, 3), 90, np.uint8)).save(path)
    return tmp_path / "photos"


def _names(words, out="out") -> list[str]:
    return [str(one.name) for one in find_inputs([str(word) for word in words], Path(out))]


def test_a_folder_keeps_its_tree(tree):
    assert _names([tree]) == ["a.png", "sub/a.png", "sub/b.jpg", "sub/deep/d.tif"]
    assert _names([tree, tree / "sub", tree / "a.png"]) == [
        "photos/a.png",
        "photos/sub/a.png",
        "photos/sub/b.jpg",
        "photos/sub/deep/d.tif",
    ]
    (tree / "sub" / "loop").symlink_to(tree)
    (tree / "again.png").symlink_to(tree / "a.png")
    assert len(_names([tree])) == 4


def test_a_pattern_keeps_its_tree_from_the_first_star(tree):
    assert _names([tree / "**" / "*.png"]) == ["a.png", "sub/a.png"]
    assert _names([tree / "*" / "a.png"]) == ["sub/a.png"]
    assert _names([tree / "*"]) == ["a.png", "sub/a.png", "sub/b.jpg", "sub/deep/d.tif"]


def test_names_that_clash_are_told_apart(tree, tmp_path):
    assert _names([tree / "a.png", tree / "sub" / "a.png"]) == ["a.png", "a-2.png"]
    (tmp_path / "other" / "photos").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "other" / "photos" / "A.png")
    names = _names([tree, tmp_path / "other" / "photos"])
    assert names[0] == "photos/a.png"
    assert names[-1] == "photos/A-2.png"  # some file systems know no case


def test_endings_that_change_never_make_names_clash(tmp_path, photo):
    for name in ("a.gif", "a.bmp", "b.gif"):
        Image.fromarray(photo[:8, :8]).save(tmp_path / name)
    (tmp_path / "in").mkdir()
    _restore([tmp_path / name for name in ("a.gif", "a.bmp", "b.gif")], tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"a.gif.png", "a.bmp.png", "b.png"}


def test_results_are_no_inputs_and_inputs_never_replaced(tree):
    _restore(tree, tree / "out")
    assert len(_names([tree], tree / "out")) == len(_names([tree], tree / "elsewhere")) == 4
    with pytest.raises(RRFrameError, match="would be replaced"):
        find_inputs([str(tree)], tree)
    with pytest.raises(RRFrameError, match="would be replaced"):
        find_inputs([str(tree / "sub" / "a.png")], tree / "sub")


@pytest.mark.parametrize("word", ["nowhere", "nowhere/*.png", "photos/*.heic", "photos/words.txt/*"])
def test_nothing_found_is_said(tree, word, monkeypatch):
    monkeypatch.chdir(tree.parent)
    with pytest.raises(RRFrameError, match=r"nothing matches|there is no"):
        find_inputs([word], Path("out"))


def test_a_file_of_somebody_elses_is_not_replaced(tree, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.png").write_bytes(b"precious")
    summary = _restore(tree / "a.png", tmp_path / "out")
    assert "not from here" in summary.failed[0].reason
    assert (tmp_path / "out" / "a.png").read_bytes() == b"precious"
    assert _restore(tree / "a.png", tmp_path / "out", overwrite=True).restored == 1
    summary = _restore(tree / "sub" / "a.png", tmp_path / "out", Brighter(amount=0.0))  # the same bytes: nothing to do
    assert (summary.restored, summary.before) == (0, 1)
    Image.fromarray(np.full((12, 16, 3), 10, np.uint8)).save(tree / "sub" / "a.png")
    assert "made of" in _restore(tree / "sub" / "a.png", tmp_path / "out").failed[0].reason


# One bad picture costs itself
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path):
    """Five small pictures of one size, of which one is black, and a broken file."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for number in range(5):
        Image.fromarray(np.full((12, 16, 3), 40 * number, np.uint8)).save(folder / f"{number}.png")
    whole = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 16, 3)).astype(np.uint8)).save(whole, "PNG")
    (folder / "broken.png").write_bytes(whole.getvalue()[:300])
    return folder


def test_pictures_of_a_size_go_together_and_a_failing_batch_one_by_one(mixed, tmp_path):
    backbone = Brighter(seen=[])
    summary = _restore(mixed, tmp_path / "out", backbone)
    assert backbone.seen == [(5, 3, 12, 16), *[(1, 3, 12, 16)] * 5]
    assert {row.name: row.reason for row in summary.failed} == {
        "0.png": "what came out is not finite (NaN or infinite)",
        "broken.png": "is truncated: it ends before the picture does",
    }
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == [
        f"{number}.png" for number in (1, 2, 3, 4)
    ]
    backbone = Brighter(seen=[])
    _restore([mixed / f"{number}.png" for number in (1, 2, 3)], tmp_path / "two", backbone, batch=2)
    assert backbone.seen == [(2, 3, 12, 16), (1, 3, 12, 16)]


@pytest.mark.slow
def test_odd_names_are_names(tmp_path, photo, rrframe_cli):
    folder = tmp_path / "odd"
    folder.mkdir()
    whole = io.BytesIO()
    Image.fromarray(photo[:8, :8]).save(whole, "PNG")
    names = [b"\xff\xfe.png", "[bold] é\n.png".encode(), b"-p.png", b"star*.png"]
    for name in names:
        Path(os.fsdecode(bytes(folder) + b"/" + name)).write_bytes(whole.getvalue())
    Path(os.fsdecode(bytes(folder) + b"/\xfd.png")).write_bytes(b"no picture")
    options = ["--backbone", "backbone/nafnet", "-p", "preset=tiny", "--task", "noise", "--out", "out"]
    assert "5 pictures" in rrframe_cli("restore", "odd", *options, "--plan").stdout
    done = rrframe_cli("restore", "odd", *options)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "restored 4 of 5" in done.stdout
    assert r"failed: \xfd.png: is not a picture" in done.stdout
    assert set(os.listdir(bytes(tmp_path / "out"))) >= set(names)


def test_strict_stops_at_the_first(mixed, tmp_path):
    with pytest.raises(RunFailed, match=r"broken\.png cannot be restored: is truncated"):
        _restore(mixed, tmp_path / "out", strict=True)
    page = assert_self_contained(
        write_report(tmp_path / "out", Journal(tmp_path / "out/.rrframe/journal.jsonl")).read_text()
    )
    assert "Could not be restored" in page.words


def test_a_backbone_that_raises_is_named(mixed, tmp_path):
    class Raises(Brighter):
        def restore(self, images, task, **settings):
            raise KeyError("no such layer")

    summary = _restore(mixed / "1.png", tmp_path / "out", Raises())
    assert "restoring failed: KeyError: 'no such layer'" in summary.failed[0].reason


def test_too_little_memory_says_what_to_set(mixed, tmp_path):
    class Large(Brighter):
        def restore(self, images, task, **settings):
            import torch

            raise torch.OutOfMemoryError("out of memory")

    assert "--tile 512" in _restore(mixed / "1.png", tmp_path / "out", Large()).failed[0].reason


# Continuing
# ----------------------------------------------------------------------------------------------------------------------


def test_what_is_done_stays_and_what_changed_is_done_again(mixed, tmp_path):
    (mixed / "0.png").unlink()
    (mixed / "broken.png").unlink()
    out = tmp_path / "out"
    assert _restore(mixed, out).restored == 4
    kept = (out / "2.png").stat().st_mtime_ns
    assert (_restore(mixed, out).restored, _restore(mixed, out).before) == (0, 4)
    assert (out / "2.png").stat().st_mtime_ns == kept
    (out / "1.png").unlink()
    Image.fromarray(np.full((12, 16, 3), 7, np.uint8)).save(mixed / "3.png")
    with open(out / ".rrframe/journal.jsonl", "ab") as file:
        file.write(b'{"name": "4.png", "sta')  # killed while it wrote
    assert _restore(mixed, out).restored == 2
    assert np.asarray(_open(out / "3.png"))[0, 0, 0] == 7
    assert _restore(mixed, out).restored == 0


def test_other_settings_are_refused_with_the_difference(mixed, tmp_path):
    _restore(mixed / "1.png", tmp_path / "out")
    with pytest.raises(RRFrameError, match=r"-seed: 0\n.*\+seed: 3") as caught:
        _restore(mixed / "2.png", tmp_path / "out", seed=3)
    assert "--overwrite" in str(caught.value)
    assert _restore(mixed / "1.png", tmp_path / "out", seed=3, overwrite=True).restored == 1
    assert _restore(mixed / "1.png", tmp_path / "out", seed=3, batch=2).before == 1  # changes no result


def test_weights_that_were_trained_on_are_other_settings(tmp_path):
    restorer = rrframe.load("backbone/nafnet", preset="tiny", tasks=["noise"])
    restorer.save(tmp_path / "best")
    before = fingerprint(tmp_path / "best")
    assert fingerprint(tmp_path / "best") == before
    nn.init.ones_(next(restorer.network.parameters()))
    restorer.save(tmp_path / "best")
    assert fingerprint(tmp_path / "best") != before
    assert fingerprint(None) is None


PLUGIN = '''
import os, time
from pathlib import Path
from torch import nn
from rrframe import Backbone, Capabilities, Spec, hookimpl

class Slow(Backbone):
    """Half as bright; where it is held, one picture alone is."""
    @property
    def capabilities(self):
        return Capabilities(tasks=frozenset({"noise"}), trainable=False)
    def build(self):
        return nn.Identity()
    def loss(self, batch, rng):
        raise NotImplementedError
    def restore(self, images, task, **settings):
        if "HELD" in os.environ and any(Path("restored-noise").glob("*.png")):
            time.sleep(600)
        return images / 2 / (images.amax((1, 2, 3), keepdim=True) > 0)

@hookimpl
def register_backbones():
    yield Spec("trial/slow", "slow_plugin:Slow", "Slow.")
'''


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_was_stopped_continues_to_the_same_bytes(how, mixed, tmp_path):
    (mixed / "0.png").unlink()
    env = {**os.environ, **write_plugin(tmp_path / "plugin", "slow_plugin", PLUGIN)}
    words = [sys.executable, "-m", "rrframe", "restore", mixed, "--backbone", "trial/slow", "--batch", "1"]
    out = tmp_path / "restored-noise"
    slow = subprocess.Popen(
        [*map(str, words)],
        cwd=tmp_path,
        env=env | {"HELD": "yes"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not list(out.glob("*.png")) and slow.poll() is None:
        time.sleep(0.02)
    slow.send_signal(how)
    told, _ = slow.communicate(timeout=240)
    if how == signal.SIGINT:
        assert slow.returncode == 130
        assert "the same command continues" in told
    finished = {path.name: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert 1 <= len(finished) < 4
    for name in finished:
        _open(out / name).load()
    done = subprocess.run([*map(str, words)], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1  # for the broken one
    assert f"{len(finished)} were done before" in done.stdout or len(finished) == 1
    for name in finished:
        assert np.asarray(_open(out / name))[0, 0, 0] == 40 * int(name[0]) // 2
    assert sorted(path.name for path in out.glob("*.png")) == ["1.png", "2.png", "3.png", "4.png"]
    assert not list(out.glob(".*.tmp"))


# The command
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_from_folder_to_page(mixed, tmp_path, rrframe_cli):
    env = write_plugin(tmp_path / "plugin", "slow_plugin", PLUGIN)
    done = rrframe_cli("restore", "mixed", "--backbone", "trial/slow", env=env)
    assert done.returncode == 1
    assert "the task is noise, the only one that trial/slow knows" in done.stdout
    assert "restored 4 of 6 pictures" in done.stdout
    assert "2 of 6 pictures could not be restored" in done.stderr
    table = done.stdout.partition("could not be restored:\n")[2].splitlines()
    assert [line.split()[0] for line in table] == ["broken.png", "0.png"]
    assert "not finite" in table[1]
    page = assert_self_contained((tmp_path / "restored-noise" / "report.html").read_text())
    assert len(page.pictures["before-and-after"]) == 8
    assert "4 of 6 pictures restored by trial/slow." in page.words
    before, after = map(pixels_of, page.pictures["before-and-after"][:2])
    assert abs(int(before[0, 0, 0]) - 2 * int(after[0, 0, 0])) <= 4


@pytest.mark.slow
def test_a_checkpoint_says_whose_it_is(mixed, tmp_path, rrframe_cli):
    rrframe.load("backbone/nafnet", preset="tiny", tasks=["noise", "haze"]).save(tmp_path / "best")
    done = rrframe_cli("restore", "mixed/1.png", "--checkpoint", "best", "--task", "haze", "--tile", "32")
    assert done.returncode == 0, done.stderr
    assert "random" not in done.stdout
    assert (tmp_path / "restored-haze" / "1.png").exists()
    settings = (tmp_path / "restored-haze/.rrframe/recipe.resolved.yaml").read_text()
    assert "use: backbone/nafnet" in settings
    assert fingerprint(tmp_path / "best") in settings


def test_random_weights_are_called_that(mixed, tmp_path):
    done = _cli(
        mixed / "1.png",
        "--backbone",
        "backbone/nafnet",
        "-p",
        "preset=tiny",
        "--task",
        "noise",
        "--out",
        tmp_path / "out",
    )
    assert done.exit_code == 0, done.output
    assert "random" in done.output
    page = assert_self_contained((tmp_path / "out" / "report.html").read_text())
    assert any("random" in words for words in page.words)


def test_a_plan_says_sizes_tiles_and_places_and_does_nothing(mixed, tmp_path, photo):
    Image.fromarray(np.tile(photo, (1, 3, 1))).save(mixed / "long.jpg")
    (mixed / "empty.png").touch()
    options = ["--backbone", "backbone/nafnet", "--task", "noise", "--out", tmp_path / "out", "--tile", 512, "--plan"]
    done = _cli(mixed, *options, "--format", "png")
    assert done.exit_code == 0, done.output
    assert f"long.jpg: 1536 x 512, 4 tiles -> {tmp_path / 'out' / 'long.png'}" in done.output
    assert "empty.png: cannot be restored: empty.png is empty" in done.output
    assert "8 pictures" in done.output
    assert not (tmp_path / "out").exists()
    _restore(mixed / "1.png", tmp_path / "out")
    assert isinstance(_cli(mixed, *options).exception, RRFrameError)  # other settings were run there
    assert "1.png: 16 x 12 -> " in _cli(mixed, *options, "--overwrite").output


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "--backbone"),
        (("--backbone", "backbone/nafne", "--task", "noise"), "did you mean backbone/nafnet"),
        (("--backbone", "backbone/nafnet"), "--task"),
        (("--backbone", "backbone/nafnet", "--task", "nois"), "did you mean noise"),
        (("--backbone", "backbone/nafnet", "--prompt", "make it nice"), "no prompt"),
        (("--backbone", "backbone/nafnet", "--task", "noise", "--steps", "3"), "no steps"),
        (("--backbone", "backbone/nafnet", "--task", "noise", "--guidance", "3"), "no guidance"),
        (("--backbone", "backbone/nafnet", "--task", "noise", "--tile", "9999"), "at most"),
        (("--backbone", "backbone/nafnet", "--task", "noise", "--tile", "many"), "auto, off"),
        (("--backbone", "backbone/nafnet", "--task", "noise", "--tile", "64", "--overlap", "60"), "at most half"),
        (("--backbone", "backbone/nafnet", "--task", "noise", "-p", "preset"), "PARAM=VALUE"),
        (("--backbone", "backbone/nafnet", "--task", "noise", "-p", "presett=tiny"), "did you mean preset"),
        (("--checkpoint", "nowhere"), "no checkpoint"),
        (("--backbone", "haze/scattering", "--task", "haze"), "backbone"),
    ],
)
def test_mistakes_are_explained_and_write_nothing(mixed, tmp_path, options, told):
    out = tmp_path / "out"
    done = _cli(mixed, "--out", out, *options)
    assert done.exit_code != 0
    assert told in done.output + str(done.exception)
    assert isinstance(done.exception, (RRFrameError, SystemExit))
    assert not out.exists()


def test_weights_that_do_not_fit_are_told_once_before_any_picture(mixed, tmp_path):
    rrframe.load("backbone/nafnet", preset="tiny").save(tmp_path / "best")
    (tmp_path / "best" / "model.safetensors").write_bytes(b"torn")
    done = _cli(mixed, "--checkpoint", tmp_path / "best", "--task", "noise", "--out", tmp_path / "out")
    assert isinstance(done.exception, RRFrameError)
    assert "safetensors" in str(done.exception)
    assert not list((tmp_path / "out").glob("*.png"))


def test_a_chain_is_as_random_as_its_parts(tmp_path):
    rrframe.load("backbone/nafnet", preset="tiny", tasks=["noise"]).save(tmp_path / "best")
    trained = {"use": "backbone/nafnet", "params": {"checkpoint": str(tmp_path / "best")}}
    fresh = {"use": "backbone/nafnet", "params": {"preset": "tiny"}}
    for parts, untrained in [({"noise": trained}, []), ({"noise": trained, "haze": fresh}, ["backbone/nafnet"])]:
        chain = make_backbone("backbone/chain", None, {"tasks": parts})
        assert Restorer(chain, Asked(task="noise")).untrained() == untrained


def test_the_page_stays_small(tmp_path):
    out = tmp_path / "out"
    (out / ".rrframe").mkdir(parents=True)
    Image.fromarray(np.full((12, 16, 3), 90, np.uint8)).save(out / "one.png")
    journal = Journal(out / ".rrframe/journal.jsonl")
    for number in range(1000):
        row = Row(f"{number:04}.png", str(out / "one.png"), "done", output="one.png", height=12, width=16)
        journal.rows[row.name] = row
    (out / ".rrframe/run.json").write_text(json.dumps({"backbone": "trial/slow"}))
    (out / ".rrframe/recipe.resolved.yaml").write_text("task: noise\n")
    path = write_report(out, journal)
    page = assert_self_contained(path.read_text())
    assert path.stat().st_size < 300_000
    assert len(page.pictures["before-and-after"]) == 20
    assert "10 of 1000 pictures are shown, spread evenly; all lie beside this page." in page.words
    assert "and 700 more; .rrframe/journal.jsonl lists them all" in page.words
