"""Pages and the report of a synthesis run: what they hold, and what a browser makes of them."""

from __future__ import annotations

import base64
import json
import re
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages_read import PageContent, assert_self_contained, browse, pixels_of, psnr

from rrframe.contracts.component import create
from rrframe.errors import RRFrameError
from rrframe.pages.page import Page
from rrframe.pages.pictures import picture, shrink
from rrframe.pages.pieces import Code, Comparison, Comparisons, Facts, Figures, Section, Strip, Table, Text
from rrframe.pages.plots import Bars
from rrframe.pairs.manifest import write_manifest
from rrframe.synthesis.report import write_report

HOSTILE = "</style></script></title><script>alert(1)</script>\"'&"


def _every_piece(words: str, photo: np.ndarray) -> Page:
    small = shrink(photo, 64)
    shown = [picture(small, words, words, words), picture(255 - small, words, words, words)]
    pieces = [
        Text(words),
        Text(words, "alarm"),
        Code(words, words),
        Facts({words: words}),
        Figures({words: 1234567}),
        Table(words, ["name", "number", words], [["b", 10, words], ["a", 2, words], ["c", None, words]]),
        Bars([words, "other"], {words: [1, 2]}),
        Strip(words, shown),
        Comparisons([Comparison(shown, words, words)]),
        Section(words, [Text(words)], [words], is_name=True),
    ]
    return Page(words, [Section("One", pieces), Section("Two", [])], words, {words: words})


# Pictures
# ----------------------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    kind=st.sampled_from(["noise", "black and white", "one colour", "gradient"]),
    seed=st.integers(0, 1000),
)
def test_a_picture_keeps_what_is_seen(height, width, kind, seed):
    generator = np.random.default_rng(seed)
    pixels = {
        "noise": generator.integers(0, 256, (height, width, 3)),
        "black and white": generator.integers(0, 2, (height, width, 1)).repeat(3, axis=2) * 255,
        "one colour": np.broadcast_to(generator.integers(0, 256, 3), (height, width, 3)),
        "gradient": np.linspace(0, 255, height * width * 3).reshape(height, width, 3),
    }[kind].astype(np.uint8)
    shown = picture(pixels, "a picture")
    assert (shown.width, shown.height) == (width, height)
    assert psnr(pixels_of({"src": shown.uri}), pixels) > 41


def test_a_picture_keeps_its_colour_resolution(photo):
    data = base64.b64decode(picture(photo, "a picture").uri.split(",")[1])
    frame = data.index(b"\xff\xc0")
    assert [data[frame + 11 + 3 * part] for part in range(3)] == [0x11] * 3  # sampling factors of the three channels


@settings(max_examples=50, deadline=None)
@given(height=st.integers(1, 300), width=st.integers(1, 300), longest=st.integers(1, 200))
def test_shrinking_only_shrinks(height, width, longest):
    pixels = np.full((height, width, 3), 60000, np.uint16)
    done = shrink(pixels, longest)
    assert max(done.shape) == max(3, min(longest, max(height, width)))
    assert done.dtype == np.uint16
    assert np.abs(done.astype(int) - 60000).max() < 64  # a quarter of a level of 255: OpenCV sums in single precision
    if longest >= max(height, width):
        assert done is pixels
    else:
        assert abs(done.shape[0] - height * longest / max(height, width)) <= 1


@given(st.dictionaries(st.text(max_size=5), st.lists(st.integers(0, 10**9), min_size=3, max_size=3), min_size=1))
def test_bars_share_one_scale(rows):
    bars = Bars(["kept", "dropped", "failed"], rows)
    longest = max(sum(values) for values in rows.values())
    for name, values in rows.items():
        spans = bars.spans(name)
        assert spans[0][0] == 0
        assert all(start + length == pytest.approx(after) for (start, length), (after, _) in pairwise(spans))
        end = spans[-1][0] + spans[-1][1]
        assert end == pytest.approx(100 * sum(values) / longest if longest else 0)


# Pages
# ----------------------------------------------------------------------------------------------------------------------


def test_all_text_is_escaped(photo):
    page = assert_self_contained(_every_piece(HOSTILE, photo).html())
    assert len(page.tags("script")) == len(page.tags("style")) == len(page.tags("title")) == 1
    quoted = " ".join(HOSTILE.split())
    assert sum(words == quoted for words in page.words) >= 20
    assert "1 234 567" in page.words


def test_a_page_is_written_whole_or_not_at_all(tmp_path, photo):
    with pytest.raises(RRFrameError, match="cannot be written"):
        Page("A page", []).write(tmp_path / "none" / "page.html")
    (tmp_path / "page.html").mkdir()
    with pytest.raises(RRFrameError, match="cannot be written"):
        Page("A page", []).write(tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    Page("not text: \udcff", []).write(tmp_path / "other.html")
    assert r"not text: \udcff" in (tmp_path / "other.html").read_text()


# What a reader does with a page, and what then is where: written into the page's title for the test to see.
_READER = """
const seen = [];
const press = (element, key) => element.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
addEventListener("load", () => {
  const stage = document.querySelector(".stage");
  const range = stage.querySelector("input");
  range.value = 20;
  range.dispatchEvent(new Event("input"));
  seen.push(stage.style.getPropertyValue("--at"), range.getAttribute("aria-valuetext"));
  const names = () => [...document.querySelectorAll("tbody th")].map((cell) => cell.textContent).join("");
  const [byName, byNumber] = document.querySelectorAll("thead button");
  for (const button of [byName, byName, byNumber]) { button.click(); seen.push(names()); }
  const pictures = document.querySelectorAll(".strip button");
  pictures[0].focus();
  pictures[0].click();
  const dialog = document.querySelector("dialog");
  const image = dialog.querySelector("img");
  seen.push(dialog.open, image.src === pictures[0].firstChild.src, image.getBoundingClientRect().width);
  press(dialog, "ArrowRight");
  seen.push(image.src === pictures[1].firstChild.src);
  press(dialog, "ArrowRight");
  seen.push(image.src === pictures[0].firstChild.src);
  dialog.close();
  seen.push(document.activeElement === pictures[0]);
  const background = () => getComputedStyle(document.body).backgroundColor;
  const before = background();
  document.querySelector(".theme").click();
  seen.push(background() !== before);
  seen.push(document.documentElement.scrollWidth <= innerWidth);
  document.title = JSON.stringify(seen);
});
"""


def test_a_browser_runs_the_page(chromium, tmp_path, photo):
    page = _every_piece("words", photo).write(tmp_path / "page.html")
    live, said = browse(chromium, page, tmp_path / "profile")
    assert not said
    content = PageContent.of(live)
    assert [tag["class"] for tag in content.tags("div") if "stage" in (tag.get("class") or "")] == [
        "stage live",
        "viewer-stage",
    ]
    slider = next(tag for tag in content.tags("input") if tag["type"] == "range")
    assert slider["aria-valuetext"] == "50 % words"
    assert "hidden" not in next(tag for tag in content.tags("button") if tag["class"] == "theme")


def test_a_reader_uses_the_page(chromium, tmp_path, photo):
    page = _every_piece("words", photo).html()
    unguarded = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", page)
    (tmp_path / "page.html").write_text(unguarded.replace("</body>", f"<script>{_READER}</script></body>"))
    live, said = browse(chromium, tmp_path / "page.html", tmp_path / "profile")
    assert not said
    title = re.search(r"<title>(.*?)</title>", live)
    assert title
    seen = json.loads(title[1])
    assert seen[:2] == ["20%", "20 % words"]
    assert seen[2:5] == ["abc", "cba", "cab"]
    assert seen[5:] == [True, True, 64, True, True, True, True, True]


def test_the_policy_stops_scripts_that_are_not_the_pages_own(chromium, tmp_path, photo):
    page = _every_piece("words", photo).html()
    (tmp_path / "page.html").write_text(page.replace("</body>", "<script>document.title = 'run'</script></body>"))
    live, said = browse(chromium, tmp_path / "page.html", tmp_path / "profile")
    assert "<title>run</title>" not in live
    assert any("Content Security Policy" in line for line in said)


# The report of a synthesis run
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def run_folder(tmp_path):
    (tmp_path / "run" / "shards").mkdir(parents=True)
    return tmp_path / "run"


def _write_shard(folder, rows: list[dict], *, shard: int = 0) -> None:
    """A shard as a run leaves it: kept rows get ``rows[...]["pixels"]`` as both sides, the clean one inverted."""
    sink = create("pairs/webdataset", {"image": {"format": "png"}}, kinds=("sink",))
    steps = [{"seed": 1, "values": {"beta": 0.02}}]
    record = {
        "source": {"key": "a.png", "sha256": ""},
        "task": "haze",
        "seed": 1,
        "chain": [{"use": "haze/scattering"}],
        "draw": {"seed": 1, "steps": steps},
    }
    written = []
    with sink.open(folder, shard) as writer:
        for number, given in enumerate(rows):
            key = f"{shard:04d}{number:04d}"
            row = {"index": number, "key": key, "variant": 0, "task": "haze", **given}
            pixels = row.pop("pixels", None)
            place = {} if pixels is None else writer.add(key, pixels, 255 - pixels, {"record": record})
            written.append({**row, **place})
    write_manifest(folder, shard, written, sink.places)


def _kept(source: str, level: int, *, task: str = "haze", side: int = 8) -> dict:
    return {"source": source, "task": task, "status": "kept", "pixels": np.full((side, side, 3), level, np.uint8)}


def _dropped(source: str, status: str, reason: str | None, **more: object) -> dict:
    return {"source": source, "status": status, "reason": reason, **more}


def _report(folder) -> PageContent:
    path = write_report(folder)
    assert path == folder / "report.html"
    return assert_self_contained(path.read_text())


def test_a_report_tells_what_became_of_every_pair(run_folder):
    host = {"name": "somebodys-machine", "processors": 61}
    run = {"recipe": HOSTILE, "versions": {"rrframe": "9.9"}, "host": host, "last": {"seconds": 1.5}}
    (run_folder / "run.json").write_text(json.dumps(run))
    (run_folder / "recipe.resolved.yaml").write_text(f"kind: synthesis # {HOSTILE}")
    _write_shard(run_folder, [_kept(f"{level}.png", 10 * level) for level in range(10)])
    rest = [
        _dropped("soft.png", "screened", "sharpness 3.1, at least 40 needed"),
        _dropped("softer.png", "screened", "sharpness 1.2e-05, at least 40 needed"),
        _dropped("same.png", "rejected", None, task="noise"),
        _dropped(f"{HOSTILE}.jpg", "failed", "the file is cut off"),
        _dropped(f"{HOSTILE}.jpg", "failed", "the file is cut off", task="noise"),
        _dropped("killer.png", "quarantined", "its worker died twice"),
    ]
    _write_shard(run_folder, rest, shard=1)
    page = _report(run_folder)
    assert f"Synthesis run: {HOSTILE}" in page.words
    assert "10 of 16 pairs were kept, over 2 tasks." in page.words
    assert "10 kept, 2 screened, 2 not made" in page.words
    assert "1 rejected, 1 not made" in page.words
    haze = {tag["class"]: float(tag["width"] or 0) for tag in page.tags("rect")[:4]}
    assert haze == {"series-0": 71.429, "series-1": 14.286, "series-2": 0, "series-3": 14.286}
    assert "sharpness …, at least 40 needed" in page.words
    assert "soft.png, softer.png" in page.words
    assert page.words.count(f"{HOSTILE}.jpg") == 1
    assert "its worker died twice" in page.words
    assert "rrframe 9.9" in page.text
    assert "processors 61" in page.text
    assert "somebodys-machine" not in page.text
    assert f"kind: synthesis # {HOSTILE}" in page.words
    assert "haze/scattering: beta 0.02." in page.words
    # three of ten, evenly: the middles of three thirds, degraded beside clean
    assert [round(pixels_of(image).mean()) for image in page.pictures["haze"]] == [10, 245, 50, 205, 80, 175]


def test_a_report_of_nothing_kept(run_folder):
    _write_shard(run_folder, [_dropped(f"{number}.jpg", "failed", f"torn at {number}") for number in range(450)])
    page = _report(run_folder)
    assert "No pair was kept." in page.words
    assert "0 of 450 pairs were kept, over 1 task." in page.words
    assert "and 250 more pairs; the manifests list them all" in page.words
    assert "Synthesis run: run" in page.words
    assert not page.tags("img")


def test_a_report_survives_what_a_run_can_leave(run_folder):
    (run_folder / "run.json").write_text('{"torn')
    _write_shard(run_folder, [_kept("a.png", 50), _kept("b.png", 60, side=700)])
    page = _report(run_folder)
    assert [image["width"] for image in page.pictures["haze"]] == ["8", "8", "640", "640"]
    assert "haze/scattering: beta 0.02. Shown at 91%, which hides fine detail." in page.words
    (run_folder / "shards" / "00000.tar").write_bytes(b"")
    page = _report(run_folder)
    assert not page.tags("img")
    assert "00000000 cannot be shown" in page.text


def test_no_finished_shard_is_told(tmp_path):
    with pytest.raises(RRFrameError, match="no finished shard"):
        write_report(tmp_path)


def test_reasons_without_end_are_bounded(run_folder):
    words = ["".join(letters) for letters in zip(*[iter("abcdefghijklmnopqrstuvwxyz" * 60)] * 3, strict=False)]
    reasons = [f"{one} {other}" for one in words[:20] for other in words[:20]]
    _write_shard(run_folder, [_dropped("a.png", "rejected", reason) for reason in reasons])
    page = _report(run_folder)
    assert "other reasons" in page.words
    assert len(page.tags("tr")) <= 205


@pytest.mark.slow
def test_a_long_run_takes_little_memory(run_folder):
    record = json.dumps({"filler": "x" * 2000})
    rows = [{**_dropped(f"{number}.png", "rejected", f"{number} dB"), "record": record} for number in range(20_000)]
    _write_shard(run_folder, rows)
    write_report(run_folder)  # so that imports and caches do not count
    tracemalloc.start()
    write_report(run_folder)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000
