"""The report of an evaluation: what it says of numbers, what it must not leave out, and what a reader does with it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from evaluated import HOSTILE, OURS, READY, WILD, results_of
from hypothesis import given
from hypothesis import strategies as st
from pages_read import PageContent, assert_self_contained, browse

from rrframe.cli.leaderboard import leaderboard
from rrframe.evaluation.report import write_report
from rrframe.evaluation.report_pictures import cases_of, every_image, extremes
from rrframe.evaluation.report_tables import Numbers
from rrframe.evaluation.results import Results
from rrframe.pages.pieces import Comparisons
from rrframe.pages.plots import Axis, Histograms, Whisker, Whiskers


@pytest.fixture(scope="module")
def made(tmp_path_factory, photo) -> tuple[Results, Path]:
    folder = tmp_path_factory.mktemp("evaluation")
    results = results_of(folder, photo)
    return results, write_report(results, folder)


# Numbers
# ----------------------------------------------------------------------------------------------------------------------


def _rows_of(page: str, label: str) -> list[str]:
    """The rows of the table that is called so, each as its words."""
    table = page.split(f'aria-label="{label}"', 1)[1].split("</table>", 1)[0]
    return [" ".join(PageContent.of(row).text.split()) for row in re.findall(r"<tr>.*?</tr>", table, re.DOTALL)]


def test_the_report_is_one_file_that_escapes_all_it_is_told(made):
    _, path = made
    page = assert_self_contained(path.read_text(), beside=path.parent)
    assert len(page.tags("script")) == len(page.tags("style")) == len(page.tags("title")) == 1
    assert not page.tags("b")
    assert sum(HOSTILE in words for words in page.words) >= 10


def test_a_number_stands_with_its_rank_its_count_and_its_judge(made):
    results, path = made
    head, first, second, *rest = _rows_of(path.read_text(), "Leaderboard: means over images")
    assert head == "Restorer FS higher is better, proxy judge PSNR dB, higher is better"
    assert results.standings.get("FS") is None  # so that no rank stands there
    assert first == "same does nothing 0.000 23.50 rank 3"
    assert second == "ours restores here 0.100 25.50 rank 1-2"
    assert rest[0] == "wild restores here, random weights 0.000 22.50"
    assert rest[1].endswith("ready outputs 0.000 6 of 8 images 23.86 7 of 8 images")
    assert len(rest) == 2  # what was published comes of another judge and does not stand here


def test_what_must_be_known_first_stands_first(made):
    _, path = made
    alarms = [
        PageContent.of(words).text for words in re.findall(r'<p class="alarm".*?</p>', path.read_text(), re.DOTALL)
    ]
    assert "judge/some, only stands in" in alarms[0]
    assert "wild runs on random weights" in alarms[1]
    assert "2 of 32 results could not be scored" in alarms[2]
    assert "1 problem was passed over" in alarms[3]
    assert "another scale" in alarms[4]
    assert len(alarms) == 7  # and two cards


def test_a_part_of_a_benchmark_stands_beside_no_published_number(tmp_path, photo):
    results = results_of(tmp_path, photo, each=1, proxy=False)
    part = results.model_copy(update={"settings": {"kind": "evaluation", "limit": 1, "tasks": ["noise", "haze"]}})
    text = write_report(part, tmp_path).read_text()
    assert "RealRestorer" not in " ".join(_rows_of(text, "Leaderboard: means over images"))
    words = PageContent.of(text).text
    assert "Only a part of the benchmark was scored: tasks noise, haze, the first 1 image of each task." in words
    assert "They are over the whole benchmark" in words


def test_published_numbers_stand_beside_those_of_the_same_judge_alone(tmp_path, photo):
    path = write_report(results_of(tmp_path, photo, each=1, proxy=False), tmp_path)
    text = path.read_text()
    assert _rows_of(text, "Leaderboard: means over images")[-1] == "RealRestorer published 0.146"
    assert "not comparable" not in text
    assert "proxy" not in PageContent.of(text).text
    assert PageContent.of(text).tags("circle")[-1] is not None
    hollow = [tag for tag in PageContent.of(text).tags("circle") if tag.get("class") == "hollow"]
    assert len(hollow) == 2  # the published number, and a difference inside the noise
    assert _rows_of(text, "FS by task")[-1] == "RealRestorer published 0.090 0.146"


def test_differences_are_said_from_the_better_one_and_claim_nothing_inside_the_noise(made):
    _, path = made
    text = path.read_text()
    words = PageContent.of(text).words
    assert "ours is better than same." in words
    assert "Inside the noise, so not ranked: ours and wild." in words
    assert _rows_of(text, "Differences by PSNR")[1:] == [
        "ours − same +2.00 not known 8 0.010 0.030 holds",
        "ours − wild +0.50 not known 8 0.010 0.400 inside the noise",
    ]


def test_images_of_one_photograph_count_as_one(tmp_path, photo):
    results = results_of(tmp_path, photo, each=4)
    rows = tuple(row.model_copy(update={"picture": f"photograph {int(row.image[:3]) % 4}"}) for row in results.rows)
    results = results.model_copy(update={"rows": rows})
    text = PageContent.of(write_report(results, tmp_path).read_text()).text
    assert "The 8 images were made of 4 photographs." in text
    assert "No difference can hold here, however large: 4 photographs are too few for a test." in text
    assert "no difference can hold here, however large: 4 photographs are too few for a test" in leaderboard(results)
    assert "not ranked" not in leaderboard(results)


def test_no_image_is_among_the_best_that_is_as_bad_as_the_worst(tmp_path, photo):
    results = results_of(tmp_path, photo, each=4)
    rows = tuple(
        row.model_copy(update={"scores": row.scores | {"FS": float(row.image.startswith("001"))}})
        for row in results.rows
    )
    numbers = Numbers(results.model_copy(update={"rows": rows}))
    of_fs = {
        each.side: [(case.rows[0].image[:3], value) for case, value in each.cases]
        for each in extremes(numbers, cases_of(numbers))
        if each.measure.name == "FS"
    }
    assert of_fs["best"] == [("001", 1)]
    assert len(of_fs["worst"]) == 4
    assert {value for _, value in of_fs["worst"]} == {0}


def test_tasks_and_slices_have_their_counts(made):
    _, path = made
    by_task = _rows_of(path.read_text(), "PSNR by task")
    assert by_task[0] == "Restorer noise 4 images haze 4 images mean over images 8 images"
    assert by_task[-1].endswith(
        "23.00 22.00 to 24.00 25.00 24.00 to 26.00 3 of 4 images 23.86 22.86 to 24.86 7 of 8 images"
    )
    assert _rows_of(path.read_text(), "PSNR by size")[0] == "Restorer small 4 images large 4 images"


def test_what_was_not_scored_is_told_with_its_reason(made):
    _, path = made
    text = path.read_text()
    missing, unread = _rows_of(text, "Results that could not be scored")[1:]
    assert missing == f"001 haze {READY} missing there is no such file"
    assert unread == f"002 noise {READY} failed no answer could be read"
    assert "nothing asks for" in _rows_of(text, "What was wrong with what was to be scored")[1]
    card = _rows_of(text, "Scores of 002")
    assert card[1] == "degraded 2 2 of 5"
    assert card[-2].endswith(f"22.00 {HOSTILE} ⏎ hm")


def test_the_settings_are_there(made):
    _, path = made
    text = PageContent.of(path.read_text()).text
    for words in ("torch 8.8", "abc123", "Answers from the cache", "backbone/wild: random", "kind: evaluation"):
        assert words in text


def test_results_of_nothing_are_reported(tmp_path, photo):
    results = results_of(tmp_path, photo, each=1)
    nothing = {"rows": [], "averages": {}, "differences": {}, "standings": {}, "groups": [], "judge": None}
    empty = Results.model_validate(results.model_dump(by_alias=True) | nothing)
    page = assert_self_contained(write_report(empty, tmp_path).read_text())
    assert not page.tags("img")


# Pictures
# ----------------------------------------------------------------------------------------------------------------------


def test_the_page_keeps_to_its_budget(tmp_path, photo):
    numbers = Numbers(results_of(tmp_path, photo, each=20, side=64))
    cases = cases_of(numbers)
    *said, cards = every_image(numbers, cases, tmp_path, (), budget=60_000)
    assert isinstance(cards, Comparisons)
    shown = [each for each in cards.items if each.pictures]
    assert sum(len(picture.uri) for each in shown for picture in each.pictures) <= 60_000
    assert 0 < len(shown) < len(cards.items) == 40
    assert f"{40 - len(shown)} of these have no preview" in "".join(text.words for text in said)
    assert max(int(each.caption[:3]) for each in shown) > 30  # spread, not the first ones
    assert {picture.caption for picture in shown[0].pictures} == {"degraded", OURS, WILD, READY, "clean"}


def test_reading_pictures_for_the_page_has_an_end(tmp_path, photo):
    numbers = Numbers(results_of(tmp_path, photo, each=4))
    *_, cards = every_image(numbers, cases_of(numbers), tmp_path, (), most=3 * 5 * 48 * 48)  # three cards of five
    assert isinstance(cards, Comparisons)
    assert sum(bool(each.pictures) for each in cards.items) == 3


def test_a_picture_that_cannot_be_read_costs_itself_alone(tmp_path, photo):
    results = results_of(tmp_path, photo, each=1)
    (tmp_path / "3" / "000 #.png").write_bytes(b"no picture")
    path = write_report(results, tmp_path)
    page = assert_self_contained(path.read_text(), beside=tmp_path)
    assert "000, clean" in [tag["alt"] for tag in page.tags("img")]
    assert f"000, {OURS}" not in [tag["alt"] for tag in page.tags("img")]
    assert f"cannot be read: {OURS}" in page.words


# What a reader does with the report, and what then is shown: written into the page's title for the test to see.
_READER = """
const source = document.documentElement.outerHTML;
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const shown = ".browse > .compare:not([hidden])";
const cards = () => all(`${shown} .caption`).map((caption) => caption.textContent.slice(0, 3)).join(" ");
const set = (label, value) => {
  const field = all(".browse-bar label").find((each) => each.textContent.startsWith(label)).lastChild;
  field.value = value;
  field.dispatchEvent(new Event(field.tagName === "INPUT" ? "input" : "change"));
};
if (window === top) addEventListener("load", async () => {
  const right = all(".browse-bar label").find((each) => each.textContent.startsWith("On the right")).lastChild;
  const seen = [`${cards()} ${right.value}`];
  document.querySelector(".more").click();
  seen.push(cards().length, document.querySelector(".more").hidden);
  set("Task", "haze");
  set("Order", "PSNR, highest first");
  seen.push(cards().slice(0, 11));
  set("On the right", "wild");
  seen.push([...new Set(all(`${shown} .on-right .side`).map((side) => side.textContent))].join());
  set("Name", "003");
  seen.push(cards());
  set("Status", "not all scored");
  seen.push(cards());
  const pointer = all(".pointers a[data-side=ours]").find((each) => each.querySelector("img"));
  const figure = document.getElementById(pointer.hash.slice(1));
  pointer.click();
  seen.push(figure.hidden, figure.querySelector(".on-right .side").textContent, document.activeElement === figure);
  const choice = figure.querySelector(".choose .left");
  choice.value = "clean";
  choice.dispatchEvent(new Event("change"));
  const range = figure.querySelector("input[type=range]");
  seen.push(figure.querySelector(".on-left .side").textContent, range.getAttribute("aria-valuetext"));
  for (const fold of all("details")) fold.open = true;
  seen.push(document.documentElement.scrollWidth <= innerWidth);
  const phone = document.createElement("iframe");
  phone.srcdoc = source;
  phone.width = 390;
  document.body.append(phone);
  await new Promise((loaded) => { phone.onload = loaded; });
  for (const fold of all("details", phone.contentDocument)) fold.open = true;
  seen.push(phone.contentDocument.documentElement.scrollWidth <= 390);
  document.title = JSON.stringify(seen);
});
"""


def test_a_reader_finds_images_and_compares_them(chromium, tmp_path, photo):
    results = results_of(tmp_path, photo, each=8)
    (tmp_path / "3" / "000 #.png").unlink()  # so that the first image cannot tell what stands on the right
    page = write_report(results, tmp_path).read_text()
    unguarded = re.sub(r'<meta http-equiv="Content-Security-Policy".*?>', "", page)
    (tmp_path / "page.html").write_text(unguarded.replace("</body>", f"<script>{_READER}</script></body>"))
    live, said = browse(chromium, tmp_path / "page.html", tmp_path / "profile")
    assert not said
    found = re.search(r"<title>(.*?)</title>", live)
    assert found
    seen = json.loads(found[1])
    assert seen[0] == " ".join([*(f"{number:03d}" for number in range(12)), OURS])
    assert seen[1:3] == [16 * 4 - 1, True]
    assert seen[3] == "015 013 011"
    assert seen[4:7] == [WILD, "003", ""]
    assert seen[7:10] == [False, OURS, True]
    assert seen[10:12] == ["clean", "50 % clean"]
    assert seen[12:] == [True, True]


def test_the_report_runs_under_its_own_policy(chromium, made, tmp_path):
    live, said = browse(chromium, made[1], tmp_path / "profile")
    assert not said
    page = PageContent.of(live)
    assert len([tag for tag in page.tags("div") if tag.get("class") == "stage live"]) == 8
    assert [tag for tag in page.tags("div") if tag.get("class") == "browse-bar"]


# Plots
# ----------------------------------------------------------------------------------------------------------------------

_numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)


@given(rows=st.dictionaries(st.sampled_from("abc"), _numbers, min_size=1))
def test_every_value_has_its_place_in_the_histogram(rows):
    plot = Histograms("a measure", rows)
    counts = {name: sum(height for _, _, height in plot.bars(name)) for name in rows}
    highest = max(height for name in rows for _, _, height in plot.bars(name))
    assert highest == pytest.approx(100)
    one = counts["".join(list(rows)[:1])] / len(next(iter(rows.values())))  # what a value is high
    assert all(counts[name] == pytest.approx(one * len(rows[name])) for name in rows)
    for name in rows:
        middle = plot.middle(name)
        assert middle is not None
        assert 0 <= middle <= 100
        assert all(left >= -0.01 and left + width <= 100.01 for left, width, _ in plot.bars(name))


def test_whole_numbers_have_a_bar_each():
    bars = Histograms("severity", {"a": [1, 1, 3]}).bars("a")
    assert [round(height) for _, _, height in bars] == [100, 50]
    assert bars[1][0] == pytest.approx(bars[0][0] + 2 * bars[0][1])


@given(numbers=_numbers)
def test_a_scale_holds_its_numbers_and_a_few_round_ones(numbers):
    axis = Axis.around(numbers)
    assert all(0 <= axis.place(number) <= 100 for number in numbers)
    assert 1 <= len(axis.ticks) <= 7
    assert all(-0.01 <= place <= 100.01 for place, _ in axis.ticks)


def test_whiskers_leave_room_for_all_they_draw():
    plot = Whiskers("FS", {"a": Whisker(0.1, "", (0.0, 0.2), (-1.0, 1.0)), "b": Whisker(None, "none")}, mark=3.0)
    assert plot.axis.low < -1
    assert plot.axis.high > 3


# Colours
# ----------------------------------------------------------------------------------------------------------------------


def _luminance(colour: str) -> float:
    values = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_what_is_behind_it(scheme):
    style = Path(write_report.__code__.co_filename).parents[1] / "pages" / "page.css"
    colours = dict(re.findall(r"--([\w-]+): light-dark\((.*?)\)", style.read_text()))
    tone = {name: _luminance(both.split(", ")[scheme]) for name, both in colours.items()}
    for behind in ("ground", "surface"):
        for name, least in [
            ("ink", 7),
            ("quiet", 4.5),
            ("accent", 4.5),
            ("alarm", 4.5),
            ("series-0", 3),
            ("series-1", 3),
        ]:
            high, low = sorted((tone[name], tone[behind]), reverse=True)
            assert (high + 0.05) / (low + 0.05) >= least, f"{name} on {behind}"
