"""The evaluation recipe and its run: what is asked is scored, what is wrong is told of together, what is done stays."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Cli
from PIL import Image
from rrframe_metrics.lpips import trunk_of
from safetensors.torch import save_file
from scoring import LAYOUT, benchmark, crops, degraded, evaluated, recipe, save

from rrframe.errors import RRFrameError, RRFrameErrors
from rrframe.evaluation.candidates import Candidate
from rrframe.evaluation.in_memory import ScoringInMemory
from rrframe.evaluation.results import Results, load_results
from rrframe.evaluation.subjects import list_subjects
from rrframe.recipe import EvaluationRecipe, load_recipe

TINY = {"use": "backbone/nafnet", "params": {"preset": "tiny", "tasks": ["haze", "noise"]}}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of two tasks with four images each, and outputs beside it."""
    return benchmark(tmp_path_factory.mktemp("evaluation") / "images")


@pytest.fixture(scope="module")
def scored(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """What a run says of nothing, of ready outputs and of a network, by three metrics."""
    folder = tmp_path_factory.mktemp("scored")
    metrics = [{"use": "metric/psnr"}, {"use": "metric/ssim"}, {"use": "severity/noise"}]
    restorers = {
        "nothing": {"identity": True},
        "half": {"folder": str(images.parent / "outputs")},
        "tiny": {"backbone": TINY},
    }
    slices = {"size": {"megapixels": [0.001, 1]}, "number": {"name": "([01])$"}}
    changes = {"metrics": metrics, "restorers": restorers, "slices": slices, "resamples": 999}
    return evaluated(recipe(folder / "all.yaml", images, **changes), folder / "run").results


# What is asked is scored
# ----------------------------------------------------------------------------------------------------------------------


def test_every_image_has_its_scores_and_they_are_those_of_the_files(images: Path, scored: Results) -> None:
    assert len(scored.rows) == 3 * 8
    assert scored.complete
    for row in scored.rows:
        if row.restorer != "half":
            continue
        name = row.image.partition("/")[2]
        clean = np.asarray(Image.open(images / row.task / "clean" / f"{name}.png"), float)
        output = np.asarray(Image.open(images.parent / "outputs" / row.task / f"{name}.png"), float)
        psnr = 10 * np.log10(255**2 / np.mean((clean - output) ** 2))
        assert row.scores["metric/psnr"] == pytest.approx(psnr, abs=1e-3)
        assert 0 < (row.scores["metric/ssim"] or 0) < 1


def test_averages_name_what_they_are_of(scored: Results) -> None:
    means = scored.averages["half"]
    by_task = {
        task: [row.scores["metric/psnr"] for row in scored.rows if row.restorer == "half" and row.task == task]
        for task in ("haze", "noise")
    }
    for task, values in by_task.items():
        assert means[task]["metric/psnr"].value == pytest.approx(np.mean(values))
    both = means["mean over images"]["metric/psnr"]
    assert both.value == pytest.approx(np.mean([*by_task["haze"], *by_task["noise"]]))
    assert means["mean over tasks"]["metric/psnr"].of == "tasks"
    assert both.complete
    assert both.label == "mean over 8 images"
    assert both.interval_low is not None
    assert both.interval_low <= both.value <= (both.interval_high or 0)
    kinds = {group.name: (group.kind, group.images) for group in scored.groups}
    assert kinds["noise"] == ("task", 4)
    assert kinds["mean over images"] == ("images", 8)
    assert kinds["size: 0.001 to 1"] == ("slice", 8)
    assert kinds["number: 0"] == ("slice", 2)
    assert kinds["number: other"] == ("slice", 4)


def test_differences_are_paired_and_rank_what_holds(scored: Results) -> None:
    (pair,) = [each for each in scored.differences["metric/psnr"] if {each.one, each.other} == {"nothing", "half"}]
    assert pair.images == 8
    assert pair.value < 0
    assert pair.holds
    (first,) = [each for each in scored.standings["metric/psnr"] if each.name == "half"]
    assert first.best == 1
    facts = {each.name: each for each in scored.restorers}
    assert facts["tiny"].untrained == ("backbone/nafnet",)
    assert facts["tiny"].kind == "backbone"
    assert facts["half"].source.endswith("outputs")
    assert facts["nothing"].kind == "identity"


def test_what_a_backbone_made_lies_in_the_run(scored: Results, images: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    restorers = {"a b+c": {"backbone": {"use": "backbone/opencv-denoise"}}}
    results = evaluated(recipe(tmp_path / "r.yaml", images, restorers=restorers, limit=1), run).results
    for row in results.rows:
        assert np.asarray(Image.open(run / str(row.restored))).shape == (64, 64, 3)
        assert (run / str(row.degraded)).exists()
        assert (run / str(row.clean)).exists()
    noise = next(row for row in results.rows if row.task == "noise")
    before = next(row for row in scored.rows if row.image == noise.image and row.restorer == "nothing")
    assert noise.scores["metric/psnr"] > (before.scores["metric/psnr"] or 0), "a denoiser removes noise"


def test_the_files_beside_the_page_say_the_same(images: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    results = evaluated(recipe(tmp_path / "r.yaml", images), run).results
    assert load_results(run) == results
    rows = list(csv.DictReader(io.StringIO((run / "results.csv").read_text())))
    assert [row["image"] for row in rows] == [row.image for row in results.rows]
    assert float(rows[0]["metric/psnr"]) == pytest.approx(results.rows[0].scores["metric/psnr"], rel=1e-6)
    latex = (run / "results.tex").read_text()
    assert r"\toprule" in latex
    assert "PSNR (dB)" in latex
    assert "half" in latex
    assert (run / "report.html").stat().st_size > 0


def test_pairs_are_scored_too_and_their_images_kept(tmp_path: Path) -> None:
    where = {"recipe": "quickstart", "overrides": ["source.params.names=[coffee]", "variants=3", "verify=[]"]}
    changes: dict[str, Any] = {
        "benchmark": {"pairs": {"use": "pairs/on-the-fly", "params": where}},
        "restorers": {"nothing": {"identity": True}},
        "slices": {"source": {"meta": "record.source.key"}},
    }
    results = evaluated(recipe(tmp_path / "r.yaml", tmp_path, **changes), tmp_path / "run").results
    assert results.complete
    assert len(results.rows) == 3
    assert results.benchmark.references
    assert all((tmp_path / "run" / str(row.degraded)).exists() for row in results.rows)
    assert [group.name for group in results.groups if group.kind == "slice"] == ["source: coffee"]
    mean = results.averages["nothing"]["mean over images"]["metric/psnr"]
    assert mean.interval_low is None, "three pairs of one picture are one picture"


# Continued, and changed
# ----------------------------------------------------------------------------------------------------------------------


def test_a_second_run_scores_nothing_again_and_a_new_restorer_alone(images: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = evaluated(recipe(tmp_path / "r.yaml", images), run).results
    journal = (run / "scores.jsonl").read_bytes()
    again = evaluated(tmp_path / "r.yaml", run).results
    assert (run / "scores.jsonl").read_bytes() == journal
    assert again.rows == first.rows
    restorers = {"nothing": {"identity": True}, "tiny": {"backbone": TINY}}
    more = evaluated(recipe(tmp_path / "r.yaml", images, restorers=restorers), run).results
    added = (run / "scores.jsonl").read_bytes().removeprefix(journal)
    assert added.count(b"\n") == 1
    assert b'"nothing"' not in added
    assert {row.restorer for row in more.rows} == {"nothing", "tiny"}


def test_an_output_that_changed_is_scored_again(images: Path, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    shutil.copytree(images.parent / "outputs", outputs)
    restorers = {"half": {"folder": str(outputs)}}
    before = evaluated(recipe(tmp_path / "r.yaml", images, restorers=restorers), tmp_path / "run").results
    shutil.copy(images / "noise" / "clean" / "0.png", outputs / "noise" / "0.png")
    after = evaluated(tmp_path / "r.yaml", tmp_path / "run").results
    changed = [new.image for old, new in zip(before.rows, after.rows, strict=True) if old != new]
    assert changed == ["noise/0"]
    assert after.rows[4].scores["metric/psnr"] == 100


def test_another_benchmark_in_the_same_folder_is_refused(images: Path, tmp_path: Path) -> None:
    evaluated(recipe(tmp_path / "r.yaml", images), tmp_path / "run")
    with pytest.raises(RRFrameError, match="another recipe"):
        evaluated(tmp_path / "r.yaml", tmp_path / "run", "limit=1")


# Bad input
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def spoilt(images: Path, tmp_path: Path) -> Path:
    """A benchmark with one of everything that can be wrong, and outputs that fit it as badly."""
    folder = tmp_path / "images"
    shutil.copytree(images, folder)
    shutil.copytree(images.parent / "outputs", tmp_path / "outputs")
    (folder / "haze" / "clean" / "0.png").unlink()
    save(folder / "haze" / "clean" / "9.png", crops(1)[0])
    (folder / "noise" / "degraded" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    save(folder / "noise" / "clean" / "2.png", crops(1, 48)[0])
    (tmp_path / "outputs" / "haze" / "1.png").unlink()
    save(tmp_path / "outputs" / "haze" / "7.png", crops(1)[0])
    save(tmp_path / "outputs" / "haze" / "2.png", crops(1, 32)[0])
    (tmp_path / "outputs" / "noise" / "0.png").write_bytes(b"")
    whole = (tmp_path / "outputs" / "noise" / "1.png").read_bytes()
    (tmp_path / "outputs" / "noise" / "1.png").write_bytes(whole[: len(whole) // 2])
    return folder


def test_all_that_is_wrong_is_told_of_together_and_nothing_is_written(spoilt: Path, tmp_path: Path) -> None:
    path = recipe(tmp_path / "r.yaml", spoilt, tasks=["haze", "noise", "rain"])
    with pytest.raises(RRFrameErrors) as caught:
        evaluated(path, tmp_path / "run")
    said = str(caught.value)
    for part in (
        "haze/degraded/0.png has no clean image",
        "clean/9.png has no degraded image",
        "noise/degraded/1.png:",
        "noise/2: degraded 64 x 64, clean 48 x 48",
        "half has no output for haze/1",
        "haze/7.png goes with no image",
        "haze/2.png is 32 x 32, and the image 64 x 64",
        "noise/0.png: is empty",
        "noise/1.png: is truncated",
        "no image of the task 'rain'",
        "--allow-partial",
    ):
        assert part in said
    assert not (tmp_path / "run").exists()


def test_a_partial_run_says_so_at_every_mean_and_bounds_the_rest(spoilt: Path, tmp_path: Path) -> None:
    results = evaluated(recipe(tmp_path / "r.yaml", spoilt), tmp_path / "run", allow_partial=True).results
    assert not results.complete
    assert {problem.kind for problem in results.problems} >= {"missing", "size", "unreadable"}
    rows = {(row.restorer, row.image): row for row in results.rows}
    assert rows["half", "haze/1"].status == "missing"
    assert rows["half", "haze/2"].status == "failed"
    assert "the output is 32 x 32" in rows["half", "haze/2"].reason
    assert "no clean image" in rows["nothing", "haze/0"].reason
    mean = results.averages["nothing"]["mean over images"]["metric/psnr"]
    assert (mean.scored, mean.asked, mean.label) == (5, 8, "mean over 5 of 8 images asked")
    assert mean.low is not None
    assert mean.high is not None
    assert mean.low < (mean.value or 0) < mean.high
    assert "5 of 8" in (tmp_path / "run" / "results.tex").read_text()
    (pair,) = results.differences["metric/psnr"]
    assert pair.images == 2, "only images that both have are compared"


def test_what_failed_is_tried_again_where_that_is_asked_for(spoilt: Path, tmp_path: Path) -> None:
    run, path = tmp_path / "run", recipe(tmp_path / "r.yaml", spoilt)
    evaluated(path, run, allow_partial=True)
    lines = (run / "scores.jsonl").read_bytes().count(b"\n")
    evaluated(path, run, allow_partial=True)
    assert (run / "scores.jsonl").read_bytes().count(b"\n") == lines
    evaluated(path, run, allow_partial=True, retry_failed=True)
    assert (run / "scores.jsonl").read_bytes().count(b"\n") > lines


def test_outputs_of_another_size_are_resized_where_that_is_asked_for(images: Path, tmp_path: Path) -> None:
    for task in ("haze", "noise"):
        for number, pixels in enumerate(crops(4)):
            small = Image.fromarray(degraded(pixels, task, 0.5)).resize((32, 32))
            save(tmp_path / "small" / task / f"{number}.png", np.asarray(small))
    restorers = {"small": {"folder": str(tmp_path / "small")}}
    path = recipe(tmp_path / "r.yaml", images, restorers=restorers, resize_outputs=True)
    results = evaluated(path, tmp_path / "run").results
    assert results.complete
    assert results.rows[0].reason == "resized from 32 x 32"


def test_a_count_that_is_not_the_cards_is_told_of(images: Path, tmp_path: Path) -> None:
    folder = tmp_path / "flare"
    for number, pixels in enumerate(crops(3)):
        save(folder / "test_data/real/input" / f"input_{number:06d}.png", degraded(pixels, "haze"))
        save(folder / "test_data/real/gt" / f"gt_{number:06d}.png", pixels)
        save(folder / "test_data/real/mask" / f"mask_{number:06d}.png", pixels)
    path = recipe(tmp_path / "r.yaml", images, benchmark={"card": "flare-r", "folder": str(folder)})
    path = recipe(
        path, images, benchmark={"card": "flare-r", "folder": str(folder)}, restorers={"n": {"identity": True}}
    )
    with pytest.raises(RRFrameErrors, match=r"the card says 100 images of flare, and .* has 3"):
        evaluated(path, tmp_path / "run")
    results = evaluated(path, tmp_path / "run", allow_partial=True).results
    assert results.benchmark.title.startswith("Flare7K++")
    assert results.benchmark.images_asked == 3
    assert results.complete, "what is there was scored; the count stands among the problems"
    assert [problem.kind for problem in results.problems] == ["count"]


def test_weights_that_are_not_there_are_told_of_before_any_work(images: Path, tmp_path: Path) -> None:
    with pytest.raises(RRFrameErrors, match="lpips-alexnet"):
        evaluated(recipe(tmp_path / "r.yaml", images, scores=["LPS"]), tmp_path / "run")


REAL_LAYOUTS = {
    "foundir": {
        "blur": ("01Blur/LQ/0001.png", "01Blur/GT/0001.png"),
        "raindrop": ("11Raindrop/LQ/9.jpg", "11Raindrop/GT/9.png"),
    },
    "flare-r": {"flare": ("test_data/real/input/input_000001.png", "test_data/real/gt/gt_000001.png")},
    "uhdm": {"moire": ("test/0001_moire.jpg", "test/0001_gt.jpg")},
    "sir2": {"reflection": ("reflection/degraded/wild/1.png", "reflection/clean/wild/1.png")},
}


@pytest.mark.parametrize("name", sorted(REAL_LAYOUTS))
def test_a_shipped_recipe_finds_the_images_where_the_benchmark_has_them(name: str, tmp_path: Path) -> None:
    pixels = crops(1)[0]
    outputs = {}
    for task, (before, after) in REAL_LAYOUTS[name].items():
        save(tmp_path / "images" / before, degraded(pixels, "noise"))
        save(tmp_path / "images" / after, pixels)
        own = Path(before)
        outputs[task] = save(tmp_path / "outputs" / own.parent.parts[0] / f"{own.stem}.png", pixels)
    loaded = load_recipe(f"evaluation/{name}", [f"benchmark.folder={tmp_path}/images", "restorers.ours.folder=x"])
    assert isinstance(loaded.recipe, EvaluationRecipe)
    subjects = list_subjects(loaded.recipe)
    assert set(subjects.tasks) == set(REAL_LAYOUTS[name])
    assert all(subject.clean is not None for subject in subjects.found)
    choice = loaded.recipe.restorers["ours"].model_copy(update={"folder": str(tmp_path / "outputs")})
    ours = Candidate("ours", choice, loaded.recipe, subjects)
    if name != "sir2":  # whose sub-folders are deeper
        assert {subject.task: ours.output(subject) for subject in subjects.found} == outputs
        assert not ours.problems(subjects.found)


# The recipe
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        ({"benchmark": {"card": "foundirr", "folder": "x"}}, "benchmark.card", "foundir"),
        ({"benchmark": {"card": "foundir"}}, "benchmark", "nothing says where the images are"),
        ({"benchmark": {"folder": "x", "same_as": {"drops": "rainn"}}}, "benchmark.same_as.drops", "rain"),
        ({"benchmark": {"card": "foundir", "folder": "x"}, "tasks": ["blurr"]}, "tasks[0]", "blur"),
        ({"restorers": {"a": {}}}, "restorers.a", "nothing says what is scored"),
        ({"restorers": {"a": {"identity": True, "folder": "x"}}}, "restorers.a", "given together"),
        ({"restorers": {"a": {"identity": True, "steps": 4}}}, "restorers.a.steps", "is for a backbone"),
        ({"restorers": {"a": {"published": "Nobody"}}}, "restorers.a.published", "without a card"),
        ({"metrics": [{"use": "metric/psnrr"}]}, "metrics[0].use", "metric/psnr"),
        ({"metrics": []}, "", "nothing says what to score by"),
        ({"metrics": [{"use": "metric/psnr"}] * 2}, "metrics", "two metrics are the same"),
        ({"scores": ["LPS"], "lps": {"use": "metric/psnr"}}, "lps", "compares with the degraded image"),
        ({"slices": {"a": {"megapixels": [2, 1]}}}, "slices.a.megapixels", "must rise"),
        ({"slices": {"a": {"name": "("}}}, "slices.a.name", "no regular expression"),
        ({"nonsense": 1}, "nonsense", "unknown"),
    ],
)
def test_a_wrong_recipe_is_refused_where_it_is_wrong(
    changes: dict[str, Any], path: str, said: str, tmp_path: Path
) -> None:
    written = recipe(tmp_path / "r.yaml", tmp_path, **changes)
    with pytest.raises(RRFrameErrors) as caught:
        load_recipe(written)
    (error,) = caught.value.errors
    assert (error.path or "") == path
    assert said in f"{error.message} {error.hint}"


def test_the_command_line_plans_runs_and_tells(images: Path, tmp_path: Path, rrframe_here: Cli) -> None:
    restorers = {"nothing": {"identity": True}, "gone": {"checkpoint": "runs/none", "if_there": True}}
    path = recipe(tmp_path / "small.yaml", images, restorers=restorers)
    valid = rrframe_here("validate", path)
    assert valid.returncode == 0
    assert "restorer: nothing: identity" in valid.stdout
    planned = rrframe_here("run", path, "--plan")
    assert planned.returncode == 0
    assert "gone is left out" in planned.stdout
    assert not (tmp_path / "runs").exists()
    ran = rrframe_here("run", path)
    assert ran.returncode == 0
    assert "PSNR dB" in ran.stdout
    assert "report: runs/small/report.html" in ran.stdout
    (images.parent / "outputs" / "noise" / "3.png").rename(tmp_path / "aside.png")
    try:
        broken = rrframe_here("run", recipe(tmp_path / "broken.yaml", images))
        part = rrframe_here("run", tmp_path / "broken.yaml", "--allow-partial")
    finally:
        (tmp_path / "aside.png").rename(images.parent / "outputs" / "noise" / "3.png")
    assert broken.returncode == 2
    assert "half has no output for noise/3" in broken.stderr
    assert part.returncode == 0
    assert "mean over 7 of 8 images asked" in part.stdout
    found = json.loads((tmp_path / "runs" / "broken" / "results.json").read_text())
    assert found["problems"][0]["kind"] == "missing"


def test_what_stands_for_a_layout_is_that_of_the_folder(images: Path, tmp_path: Path) -> None:
    assert set(LAYOUT) == {"haze", "noise"}
    for task in ("haze", "noise"):
        shutil.copytree(images / task / "degraded", tmp_path / "plain" / task)
    changes = {"benchmark": {"folder": str(tmp_path / "plain")}, "metrics": [{"use": "severity/noise"}]}
    results = evaluated(recipe(tmp_path / "r.yaml", images, **changes), tmp_path / "run").results
    assert results.complete
    assert not results.benchmark.references
    assert results.benchmark.tasks == ("haze", "noise")
    with pytest.raises(RRFrameErrors, match="the benchmark has none"):
        evaluated(recipe(tmp_path / "s.yaml", images, benchmark=changes["benchmark"]), tmp_path / "again")


# Beside a run
# ----------------------------------------------------------------------------------------------------------------------


def test_runs_are_compared_on_the_images_that_both_have(images: Path, tmp_path: Path, rrframe_here: Cli) -> None:
    for name, restorer in {"first": "half", "second": "tiny"}.items():
        chosen = {"half": {"folder": str(images.parent / "outputs")}, "tiny": {"backbone": TINY}}[restorer]
        restorers = {"nothing": {"identity": True}, restorer: chosen}
        evaluated(recipe(tmp_path / f"{name}.yaml", images, restorers=restorers), tmp_path / name)
    for name in ("first", "second"):  # they are named after their recipes, and scored on one folder
        assert load_results(tmp_path / name).benchmark.name == "images"
    compared = rrframe_here("compare", "first", "second", "--out", "both", "--resamples", "999")
    assert compared.returncode == 0
    assert all(name in compared.stdout for name in ("nothing", "half", "tiny", "report: both/report.html"))
    joined = load_results(tmp_path / "both")
    pairs = {frozenset((each.one, each.other)): each.images for each in joined.differences["metric/psnr"]}
    assert pairs[frozenset(("half", "tiny"))] == 8
    alone = rrframe_here("compare", "first", "first")
    assert alone.returncode == 2
    assert "nothing to compare with" in alone.stderr


def test_a_function_is_scored_as_a_run_scores_a_restorer(images: Path, scored: Results, tmp_path: Path) -> None:
    metrics = [{"use": "metric/psnr"}, {"use": "metric/ssim"}, {"use": "severity/noise"}]
    loaded = load_recipe(recipe(tmp_path / "r.yaml", images, metrics=metrics))
    assert isinstance(loaded.recipe, EvaluationRecipe)
    scoring = ScoringInMemory(loaded.recipe, tmp_path)
    means = scoring.score(lambda image, task: image)
    for group in ("noise", "mean over images", "mean over tasks"):
        for name in scoring.names:
            assert means[group][name].value == pytest.approx(scored.averages["nothing"][group][name].value, abs=1e-6)
    assert scoring.higher_is_better("metric/psnr")
    assert not scoring.higher_is_better("severity/noise")
    broken = scoring.score(lambda image, task: image[:, :, 1:])
    assert broken["mean over images"]["metric/psnr"].scored == 0


# The scores of RealIR-Bench
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trunk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of the trunk of LPIPS."""
    file = tmp_path_factory.mktemp("trunk") / "alex.safetensors"
    torch.manual_seed(0)
    save_file(trunk_of("alex").state_dict(), file)
    return file


def test_doing_nothing_scores_nothing_and_fs_is_made_of_its_parts(images: Path, trunk: Path, tmp_path: Path) -> None:
    lps = {"use": "metric/lpips", "params": {"against": "degraded", "weights": str(trunk)}}
    changes = {"metrics": [], "scores": ["FS"], "lps": lps}
    results = evaluated(recipe(tmp_path / "r.yaml", images, **changes), tmp_path / "run").results
    assert results.complete
    assert [measure.name for measure in results.measures] == ["RS", "RS signed", "LPS", "FS", "FS signed"]
    assert results.judge is not None
    assert results.judge.proxy
    assert {measure.name for measure in results.measures if measure.proxy} == {"RS", "RS signed", "FS", "FS signed"}
    for row in results.rows:
        assert row.severities is not None
        assert row.answers is not None
        assert row.answers.degraded
        assert row.answers.restored
        gain = (row.severities.restored or 0) - (row.severities.degraded or 0)
        assert row.scores["RS signed"] == pytest.approx(gain, abs=1e-6)
        assert row.scores["RS"] == pytest.approx(max(0, gain), abs=1e-6)
        distance = row.scores["LPS"] or 0
        assert row.scores["FS"] == pytest.approx(0.2 * max(0, gain) * (1 - distance), abs=1e-6)
        if row.restorer == "nothing":
            assert (row.scores["RS"], row.scores["LPS"], row.scores["FS"]) == (0, 0, 0)
    half = [row.scores["FS"] for row in results.rows if row.restorer == "half"]
    assert results.averages["half"]["mean over images"]["FS"].value == pytest.approx(np.mean(half))
    assert np.mean(half) > 0.01
    again = evaluated(tmp_path / "r.yaml", tmp_path / "run").results
    assert again.judge is not None
    assert again.judge.asked == 0, "answers are kept with the run where no other cache is"
    assert again.rows == results.rows


def test_a_judge_that_is_down_is_told_of_with_the_rest(images: Path, tmp_path: Path) -> None:
    judge = {"use": "judge/openai", "params": {"base_url": "http://127.0.0.1:9/v1", "tries": 1}}
    changes = {"metrics": [{"use": "metric/psnr"}], "scores": ["RS"], "judge": judge}
    outputs = tmp_path / "outputs"
    shutil.copytree(images.parent / "outputs", outputs)
    (outputs / "noise" / "3.png").unlink()
    changes["restorers"] = {"half": {"folder": str(outputs)}}
    path = recipe(tmp_path / "r.yaml", images, **changes)
    with pytest.raises(RRFrameErrors) as caught:
        evaluated(path, tmp_path / "run")
    assert "half has no output for noise/3" in str(caught.value)
    assert "judge/openai" in str(caught.value)
    results = evaluated(path, tmp_path / "run", allow_partial=True).results
    mean = results.averages["half"]["mean over images"]
    assert mean["metric/psnr"].label == "mean over 7 of 8 images asked"
    assert mean["RS"].label == "mean over 0 of 8 images asked"
    assert (mean["RS"].value, mean["RS"].low, mean["RS"].high) == (None, 0, 4)


def test_a_task_that_the_judge_does_not_know_is_told_of(images: Path, tmp_path: Path) -> None:
    shutil.copytree(images / "noise" / "degraded", tmp_path / "photographs" / "snow")
    benchmark_here = {"folder": str(tmp_path / "photographs")}
    changes = {"benchmark": benchmark_here, "restorers": {"nothing": {"identity": True}}, "metrics": []}
    with pytest.raises(RRFrameErrors, match=r"judge/estimators: .*snow"):
        evaluated(recipe(tmp_path / "r.yaml", images, scores=["RS"], **changes), tmp_path / "run")


def test_published_numbers_stand_beside_measured_ones_unless_the_judge_is_a_stand_in(tmp_path: Path) -> None:
    save(tmp_path / "images" / "01Blur/LQ/0001.png", crops(1)[0])
    save(tmp_path / "images" / "01Blur/GT/0001.png", crops(1)[0])
    restorers = {"nothing": {"identity": True}, "theirs": {"published": "RealRestorer"}}
    benchmark_here = {"card": "foundir", "folder": str(tmp_path / "images")}
    path = recipe(tmp_path / "r.yaml", tmp_path, benchmark=benchmark_here, restorers=restorers, tasks=["blur"])
    results = evaluated(path, tmp_path / "run", allow_partial=True).results
    printed = results.averages["theirs"]["mean over images"]["metric/psnr"]
    assert (printed.value, printed.label) == (21.45, "as published")
    assert [table.measure for table in results.published] == ["PSNR, dB", "SSIM"]
    save(tmp_path / "real" / "noise" / "1.png", crops(1)[0])
    benchmark_here = {"card": "realir-bench", "folder": str(tmp_path / "real")}
    changes = {"benchmark": benchmark_here, "restorers": restorers, "tasks": ["noise"], "metrics": [], "scores": ["RS"]}
    judged = evaluated(
        recipe(tmp_path / "s.yaml", tmp_path, **changes), tmp_path / "judged", allow_partial=True
    ).results
    assert judged.averages["theirs"] == {}
