"""The sources: what they list, under which keys, and what they say when there is nothing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import yaml
from bad_files import encoded, write_bad_files, write_odd_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from rrframe import RRFrameError, Source
from rrframe.contracts.component import create
from rrframe.errors import RRFrameErrors

PIXEL = encoded(Image.new("RGB", (3, 2), (1, 2, 3)), "PNG")


def folder(path: object, **params: object) -> Source:
    made = create("images/folder", {"path": str(path), **params}, kinds=("source",))
    assert isinstance(made, Source)
    return made


def samples(**params: object) -> Source:
    made = create("images/samples", params, kinds=("source",))
    assert isinstance(made, Source)
    return made


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(PIXEL)


def failure(source: Source) -> RRFrameError:
    with pytest.raises(RRFrameError) as caught:
        source.keys()
    assert caught.value.component == "images/folder"
    assert caught.value.plugin is not None
    return caught.value


# A folder
# ----------------------------------------------------------------------------------------------------------------------


def test_keys_are_paths_below_the_folder_sorted(tmp_path):
    put(
        tmp_path,
        "b.PNG",
        "a/z.jpg",
        "a/b/c.TiFf",
        "a.webp",
        "B.bmp",
        "notes.txt",
        "raw.cr2",
        "no_extension",
        "clip.mp4",
    )
    assert folder(tmp_path).keys() == ["B.bmp", "a.webp", "a/b/c.TiFf", "a/z.jpg", "b.PNG"]
    assert folder(tmp_path, recursive=False).keys() == ["B.bmp", "a.webp", "b.PNG"]


def test_reading_by_key(tmp_path):
    put(tmp_path, "a/b c/ü.png")
    photograph = folder(tmp_path).read("a/b c/ü.png")
    assert np.array_equal(photograph.pixels, np.full((2, 3, 3), [1, 2, 3]))
    assert photograph.sha256 == hashlib.sha256(PIXEL).hexdigest()


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    put(tmp_path, "seen.png", ".hidden.png", "._seen.png", ".thumbnails/x.png", "a/.cache/y.png")
    assert folder(tmp_path).keys() == ["seen.png"]


def test_bad_and_odd_files_are_all_listed_and_each_says_what_is_wrong(tmp_path):
    reasons, odd = write_bad_files(tmp_path), write_odd_files(tmp_path)
    source = folder(tmp_path)
    assert source.keys() == sorted([*reasons, *odd])
    for key in odd:
        assert source.read(key).pixels.shape in ((260, 300, 3), (1, 1, 3))
    for key, reason in reasons.items():
        with pytest.raises(RRFrameError) as caught:
            source.read(key)
        assert reason in caught.value.message


def test_a_folder_named_like_a_picture_is_listed_and_looked_into(tmp_path):
    put(tmp_path, "album.jpg/one.png")
    source = folder(tmp_path)
    assert source.keys() == ["album.jpg", "album.jpg/one.png"]
    with pytest.raises(RRFrameError, match=r"album\.jpg is a folder"):
        source.read("album.jpg")


def test_the_limit_on_pixels_is_passed_on(tmp_path):
    put(tmp_path, "a.png")
    with pytest.raises(RRFrameError, match="6 pixels, more than the 5 allowed"):
        folder(tmp_path, max_pixels=5).read("a.png")


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0") | st.sampled_from("\\xé\udce9\udcff \n'\""), min_size=1
).map(lambda text: text[:40])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes as a name")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.sets(NAMES, min_size=1, max_size=4))
def test_any_name_is_listed_once_as_plain_text_and_found_again(tmp_path, names):
    root = Path(tempfile.mkdtemp(dir=tmp_path))
    written = {}
    for number, name in enumerate(names):
        if name.startswith(".") or len(os.fsencode(name)) > 200:
            continue
        written[name] = encoded(Image.new("RGB", (number + 1, 1)), "PNG")
        (root / f"{name}.png").write_bytes(written[name])
    if not written:
        return
    source = folder(root)
    keys = source.keys()
    assert len(set(keys)) == len(written)
    assert keys == sorted(keys) == json.loads(json.dumps(keys).encode())
    assert "".join(keys).encode()  # every key is text that UTF-8 can hold
    assert {source.read(key).sha256 for key in keys} == {hashlib.sha256(data).hexdigest() for data in written.values()}


# Links
# ----------------------------------------------------------------------------------------------------------------------


def test_links_in_a_circle_end(tmp_path):
    root = tmp_path / "photos"
    put(root, "a/one.png", "b/two.png")
    put(tmp_path, "outside.png")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "self").symlink_to(".")
    (root / "a" / "to b").symlink_to(root / "b")
    (root / "b" / "to a").symlink_to(root / "a")
    (root / "above").symlink_to(tmp_path)  # would lead to everything beside the folder
    assert folder(root).keys() == ["a/one.png", "b/two.png"]


def test_a_folder_elsewhere_is_reached_through_a_link(tmp_path):
    put(tmp_path / "disk", "one.png", "below/two.png")
    put(tmp_path / "photos", "three.png")
    for name in ("again", "disk"):  # two links to the same folder give it once
        (tmp_path / "photos" / name).symlink_to(tmp_path / "disk")
    assert folder(tmp_path / "photos").keys() == ["again/below/two.png", "again/one.png", "three.png"]
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    assert folder(tmp_path / "link").keys() == folder(tmp_path / "photos").keys()


# Nothing to list
# ----------------------------------------------------------------------------------------------------------------------


def test_a_missing_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = failure(folder("photos"))
    assert error.message == "there is no folder photos"
    assert str(tmp_path) in (error.hint or "")


def test_a_file_given_as_folder(tmp_path):
    put(tmp_path, "a.png")
    error = failure(folder(tmp_path / "a.png"))
    assert error.message.endswith("a.png is a file, not a folder")
    assert str(tmp_path) in (error.hint or "")


@pytest.mark.parametrize(
    ("names", "recursive", "hint"),
    [
        ([], True, "it holds nothing that is not hidden"),
        (
            ["a.heic", "b.HEIC", "c/d.txt"],
            True,
            "it holds 3 files, none with the extension of pictures (2 .heic, 1 .txt)",
        ),
        (["readme"], True, "it holds 1 file, none with the extension of pictures (1 without any)"),
        (["a/b.png", "c/d.png"], False, "it holds 2 folders that recursive: true would look into"),
    ],
)
def test_a_folder_without_pictures_tells_what_it_holds(tmp_path, names, recursive, hint):
    put(tmp_path, *names)
    error = failure(folder(tmp_path, recursive=recursive))
    assert error.message == f"{tmp_path} holds no pictures"
    assert error.hint == hint


def test_home_and_the_current_folder(tmp_path, monkeypatch):
    put(tmp_path, "photos/a.png")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert folder("photos").keys() == folder("~/photos").keys() == ["a.png"]
    assert folder("~/photos").read("a.png").pixels.shape == (2, 3, 3)


def test_an_empty_path_is_not_the_current_folder():
    with pytest.raises(RRFrameErrors, match="at least 1 character"):
        folder("")


@pytest.mark.skipif(os.name != "posix", reason="modes and users of POSIX")
def test_folders_that_may_not_be_listed():
    """As root, whom no mode stops, the attempt is made by a process that gave root up."""
    code = (
        "import os, json, tempfile, pathlib\n"
        "from PIL import Image\n"
        "from rrframe import RRFrameError\n"
        "from rrframe.contracts.component import create\n"
        "root = pathlib.Path(tempfile.mkdtemp()); root.chmod(0o755)\n"
        "for name in ('open', 'shut'):\n"
        "    (root / name).mkdir(); Image.new('RGB', (4, 4)).save(root / name / 'a.png')\n"
        "source = create('images/folder', {'path': str(root)})\n"
        "[source.read(key) for key in source.keys()]\n"
        "said = []\n"
        "def attempt(function, *arguments):\n"
        "    try: said.append(function(*arguments))\n"
        "    except RRFrameError as error: said.append(error.message.replace(str(root), 'ROOT'))\n"
        "(root / 'shut').chmod(0)\n"
        "if os.geteuid() == 0: os.seteuid(65534)\n"
        "attempt(source.keys)\n"
        "attempt(source.read, 'shut')\n"
        "attempt(create('images/folder', {'path': str(root / 'shut')}).keys)\n"
        "attempt(create('images/folder', {'path': str(root / 'shut' / 'deeper')}).keys)\n"
        "os.seteuid(os.getuid()); (root / 'shut').chmod(0o755)\n"
        "import shutil; shutil.rmtree(root)\n"
        "print(json.dumps(said))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [
        ["open/a.png", "shut"],
        "shut is a folder that cannot be listed: Permission denied",
        "ROOT/shut cannot be listed: Permission denied",
        "ROOT/shut/deeper cannot be reached: Permission denied",
    ]


# The samples
# ----------------------------------------------------------------------------------------------------------------------


def test_the_samples_are_what_their_card_says():
    card = yaml.safe_load((files("rrframe_registry") / "datasets" / "sample-photographs.yaml").read_text("utf-8"))
    source = samples()
    assert card["used_by"] == [source.name]
    assert source.keys() == [picture["name"] for picture in card["pictures"]]
    assert len(source.keys()) >= 9  # one for each task
    for picture in card["pictures"]:
        photograph = source.read(picture["name"])
        width, height = picture["size"]
        assert photograph.pixels.shape == (height, width, 3)
        assert photograph.sha256 == picture["sha256"]
        assert ("grey to RGB" in photograph.notes) == (picture["channels"] == "grey")
        assert picture["licence"]
        assert picture["from"]


def test_samples_by_name():
    assert samples(names=["rocket", "coffee", "rocket"]).keys() == ["coffee", "rocket"]
    with pytest.raises(RRFrameErrors, match=r"no sample is called 'chelsae'.*did you mean chelsea"):
        samples(names=["chelsae"])
    with pytest.raises(RRFrameErrors, match="at least one name"):
        samples(names=[])
    with pytest.raises(RRFrameError, match="no sample is called 'lenna'"):
        samples().read("lenna")


def test_the_rocket_leaves_adobe_rgb():
    assert samples().read("rocket").notes == ("ICC profile 'Adobe RGB (1998)' to sRGB",)


def test_samples_import_neither_package():
    code = (
        "import sys\n"
        "from rrframe.contracts.component import create\n"
        "create('images/samples').read('china'), create('images/samples').read('coffee')\n"
        "print({'skimage', 'sklearn', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
