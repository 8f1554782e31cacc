"""Cards of benchmarks and data sets: what they hold, what is printed and what it is made of, how they are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Cli

from rrframe.cards.loading import find_benchmark, load_card, shipped_cards
from rrframe.cards.models import BenchmarkCard, DatasetCard
from rrframe.errors import RRFrameError, RRFrameErrors
from rrframe.evaluation.scores import recompute
from rrframe.manager import get_manager

NINE = {"blur", "compression", "flare", "haze", "lowlight", "moire", "noise", "rain", "reflection"}


def test_realir_bench_has_the_prompts_that_our_tasks_have() -> None:
    card = find_benchmark("realir-bench")
    assert {task.name for task in card.tasks} == NINE
    assert (card.images, card.references) == (464, False)
    manager = get_manager()
    for task in card.tasks:
        ours = manager.load(manager.find(task.name, "task"))
        assert task.prompts == dict(ours.prompts)


def test_published_averages_recomputed() -> None:
    """The averages of FS in arXiv 2603.25502 are no means of the nine scores beside them: seven of eight differ by more
    than rounding. All equal 0.2 RS (1 - LPS) of the printed averages.
    """
    card = find_benchmark("realir-bench")
    fs, lps, rs = (
        next(table.scores for table in card.published if table.measure == name) for name in ("FS", "LPS", "RS")
    )
    assert all(set(row) == NINE | {"average"} for row in fs.values())
    found = recompute(
        fs,
        {model: row["average"] for model, row in rs.items()},
        {model: row["average"] for model, row in lps.items()},
    )
    assert len(found) == 8
    assert all(each.of_averages_agrees for each in found)
    assert [each.model for each in found if each.over_tasks_agrees] == ["GPT-Image-1.5"]
    differences = {each.model: round(each.published - each.over_tasks, 3) for each in found}
    assert differences == {
        "Nano Banana Pro": 0.002,
        "GPT-Image-1.5": 0.0,
        "RealRestorer": 0.002,
        "Qwen-Image-Edit-2511": 0.012,
        "Seedream 4.5": 0.004,
        "LongCat-Image-Edit": 0.007,
        "FLUX.1-Kontext-dev": 0.007,
        "Step1X-Edit": 0.002,
    }


def test_a_wrong_average_is_found() -> None:
    fs = {"model": {"rain": 0.1, "haze": 0.3, "average": 0.2}}
    right = recompute(fs, {"model": 2.0}, {"model": 0.5})[0]
    assert (right.over_tasks_agrees, right.of_averages_agrees) == (True, True)
    wrong = recompute({"model": {**fs["model"], "average": 0.202}}, {"model": 2.0}, {"model": 0.5})[0]
    assert (wrong.over_tasks_agrees, wrong.of_averages_agrees) == (False, False)


def test_foundir_has_seven_subsets_of_750_pairs() -> None:
    card = find_benchmark("foundir")
    assert len(card.tasks) == 7
    assert sum(task.images or 0 for task in card.tasks) == card.images == 750
    assert all(task.folder.endswith("/LQ") and task.clean.endswith("/GT") for task in card.tasks)


def test_every_card_of_data_says_where_it_is_from_and_what_is_not_sure() -> None:
    told = [card for card in shipped_cards().values() if isinstance(card, (BenchmarkCard, DatasetCard))]
    assert {"foundir", "flare-r", "uhdm", "sir2-plus", "lol", "lsrw", "gopro", "reds", "reside", "rain100"} <= {
        card.name for card in told
    }
    for card in told:
        if card.name != "sample-photographs":
            assert card.facts, card.name
            assert card.unverified, f"{card.name} claims that all of it is checked"
            assert card.licence is not None
            assert card.page is not None


BENCHMARK = """\
kind: benchmark
name: card
title: A benchmark
summary: Of nothing.
page: https://example.org
download: none
images: 3
references: true
layout: flat
metrics: [PSNR]
tasks: [{name: rain, images: 1}, {name: haze, images: 2}]
licence: {name: MIT}
published: [{measure: PSNR, source: a test, scores: {model: {rain: 20, average: 21}}}]
facts: [made up for a test]
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("images: 3", "images: 4", "its tasks have 3 images, and it says 4"),
        ("{rain: 20,", "{snow: 20,", "PSNR of model names snow, which is no task here"),
        ("tasks: [{name: rain, images: 1}, {name: haze, images: 2}]", "tasks: []", "at least 1"),
        ("metrics: [PSNR]", "metric: [PSNR]", "did you mean metrics?"),
    ],
)
def test_a_wrong_benchmark_is_told(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = tmp_path / "card.yaml"
    file.write_text(BENCHMARK)
    assert load_card(file).name == "card"
    file.write_text(BENCHMARK.replace(old, new))
    with pytest.raises(RRFrameErrors) as raised:
        load_card(file)
    assert message in str(raised.value)


def test_a_data_set_names_its_pictures_or_its_page(tmp_path: Path) -> None:
    file = tmp_path / "card.yaml"
    file.write_text("kind: dataset\nname: card\ntitle: t\nsummary: s\nuse: none\ndownload: none\n")
    with pytest.raises(RRFrameErrors, match="or has a page, a licence and facts"):
        load_card(file)


def test_lists_and_cards_are_shown(rrframe_here: Cli) -> None:
    benchmarks = rrframe_here("assets", "list", "--kind", "benchmarks").stdout
    assert [line.split()[0] for line in benchmarks.splitlines()[1:]] == [
        "flare-r",
        "foundir",
        "realir-bench",
        "sir2-plus",
        "uhdm",
    ]
    datasets = rrframe_here("assets", "list", "--kind", "datasets", "--json").stdout
    assert {card["kind"] for card in json.loads(datasets)} == {"dataset"}
    shown = rrframe_here("assets", "show", "realir-bench").stdout
    assert "Please dehaze the image" in shown
    assert "0.146" in shown
    assert "how many images each category has" in shown
    assert "astronaut" in rrframe_here("assets", "show", "sample-photographs").stdout
    nothing = rrframe_here("assets", "show", "realir-banch")
    assert nothing.returncode == 2
    assert "did you mean realir-bench?" in nothing.stderr
    assert "gopro is a dataset, no model" in rrframe_here("assets", "fetch", "gopro").stderr


def test_a_benchmark_is_found_by_name() -> None:
    with pytest.raises(RRFrameError, match="no benchmark is called 'foundr'"):
        find_benchmark("foundr")
