"""Rankings by people: simulated raters of known taste, hand-made tables, bad files, the command and its page."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from pages_read import assert_self_contained

from rrframe.errors import RRFrameError, RRFrameErrors
from rrframe.evaluation.ballots import Ballot, read_ballots
from rrframe.evaluation.ranking import (
    ELO,
    against_people,
    agreement,
    bradley_terry,
    first_places,
    kendall_w,
    krippendorff_alpha,
    side_bias,
)
from rrframe.evaluation.study import analyse

TASTE = {"model a": 0.9, "model b": 0.35, "model c": 0.3, "model d": -0.4, "model e": -1.15}  # log strengths


def simulated(images: int, raters: int, *, seed: int, tie: float = 0.0) -> list[Ballot]:
    """Full rankings whose pairs follow Bradley and Terry: strengths with Gumbel noise, sorted (Plackett and Luce)."""
    generator = np.random.default_rng(seed)
    names = list(TASTE)
    ballots = []
    for image in range(images):
        for rater in range(raters):
            felt = np.array([TASTE[name] for name in names]) + generator.gumbel(size=len(names))
            order = [names[at] for at in np.argsort(-felt)]
            groups = [order[:2], *([name] for name in order[2:])] if generator.random() < tie else [[n] for n in order]
            ballots.append(Ballot(f"{image:03d}.png", f"rater {rater}", tuple(map(tuple, groups))))
    return ballots


def pair_votes(count: int, *, left: float, tie: float, seed: int) -> list[Ballot]:
    """Votes between two, with a log bonus for the left and the ties of Davidson."""
    generator = np.random.default_rng(seed)
    ballots = []
    for number in range(count):
        one, other = (str(name) for name in generator.permutation(list(TASTE))[:2])
        first, second = np.exp(TASTE[one] + left), np.exp(TASTE[other])
        weights = np.array([first, tie * np.sqrt(first * second), second])
        vote = generator.choice(3, p=weights / weights.sum())
        groups = [((one,), (other,)), ((one, other),), ((other,), (one,))][vote]
        ballots.append(Ballot(f"{number % 300}", f"{number % 17}", groups, (one, other)))
    return ballots


# Numbers
# ----------------------------------------------------------------------------------------------------------------------


def test_strengths_are_recovered_within_their_intervals() -> None:
    found = bradley_terry(simulated(150, 4, seed=0), resamples=500)
    for name, taste in TASTE.items():
        each = found.elo[name]
        truth = ELO * (taste - np.mean(list(TASTE.values())))
        assert each.low < truth < each.high, name
        assert each.high - each.low < 60
    verdicts = {(each.one, each.other): each.holds for each in found.differences}
    assert not verdicts.pop(("model b", "model c"))  # 9 Elo apart
    assert all(verdicts.values())


@pytest.mark.slow
@pytest.mark.parametrize("images", [7, 15])
def test_a_false_difference_is_as_rare_as_said(images: int) -> None:
    """Two models of one strength, few images: what holds must hold seldom."""
    false = 0
    for seed in range(150):
        generator = np.random.default_rng(seed)
        ballots = [
            Ballot(str(image), rater, (("a",), ("b",)) if generator.random() < 0.5 else (("b",), ("a",)))
            for image in range(images)
            for rater in "xyz"
        ]
        false += bradley_terry(ballots, resamples=200).differences[0].holds
    assert false <= 15  # 7.5 expected at most, 2.7 the deviation


@pytest.mark.slow
def test_intervals_of_strengths_hold_the_truth_as_often_as_they_say() -> None:
    truth = ELO * (TASTE["model a"] - np.mean(list(TASTE.values())))
    held = 0
    for seed in range(60):
        each = bradley_terry(simulated(40, 2, seed=seed), level=0.9, resamples=200).elo["model a"]
        held += each.low < truth < each.high
    assert 46 <= held <= 60  # 54 expected, 2.3 the deviation


def test_ties_and_the_bias_to_a_side_are_recovered() -> None:
    fair = pair_votes(6000, left=0.0, tie=0.8, seed=1)
    strengths = bradley_terry(fair, resamples=200)
    assert strengths.tie == pytest.approx(0.8, abs=0.08)
    assert strengths.elo["model a"].value == pytest.approx(ELO * (0.9 - 0.0), abs=25)
    assert sum(strengths.chance("model a", "model e")) == pytest.approx(1)
    bias = side_bias(fair, strengths)
    assert bias is not None
    assert bias.p > 0.01
    leaning = pair_votes(6000, left=0.4, tie=0.8, seed=2)
    bias = side_bias(leaning, bradley_terry(leaning, resamples=200))
    assert bias is not None
    assert bias.share > bias.expected + 0.05
    assert bias.p < 1e-6
    assert side_bias(simulated(3, 1, seed=0), strengths) is None


def test_a_model_that_never_loses_stays_finite() -> None:
    ballots = [Ballot(str(image), "r", (("best",), ("rest",))) for image in range(30)]
    found = bradley_terry(ballots, resamples=200)
    assert 400 < found.elo["best"].value - found.elo["rest"].value < 4000
    assert found.tie == 0


def test_a_handful_of_images_ranks_nobody() -> None:
    study = analyse(simulated(3, 30, seed=0), resamples=200)
    assert {each.label for each in study.standings} == {"1-5"}


def test_a_published_table_comes_out_of_raw_rows(tmp_path: Path, rrframe_here: Cli) -> None:
    """First-place shares of 32.02 %, 23.83 % and 21.54 % (arXiv 2603.25502) are 391, 291 and 263 of 1,221."""
    wins = {"Nano Banana Pro": 391, "GPT-Image-1.5": 291, "RealRestorer": 263, "fourth": 150, "fifth": 126}
    generator = np.random.default_rng(3)
    firsts = generator.permutation([name for name, count in wins.items() for _ in range(count)])
    file = tmp_path / "votes.csv"
    with file.open("w", newline="") as opened:
        writer = csv.writer(opened)
        writer.writerow(["image", "rater", *wins])
        for number, first in enumerate(firsts):
            rest = iter(generator.permutation([2, 3, 4, 5]))
            row = [1 if name == first else next(rest) for name in wins]
            writer.writerow([f"{number // 3}.png", f"rater {number % 3}", *row])
    done = rrframe_here("study", file, "--resamples", 200)
    assert done.returncode == 0, done.stderr
    for name, share in {"Nano Banana Pro": "32.02 %", "GPT-Image-1.5": "23.83 %", "RealRestorer": "21.54 %"}.items():
        assert any(line.startswith(name) and share in line for line in done.stdout.splitlines())


def test_first_places_split_ties_and_count_what_was_shown() -> None:
    ballots = [
        Ballot("1", "r", (("a", "b"), ("c",))),
        Ballot("2", "r", (("a",), ("b",))),
        Ballot("3", "r", (("c",), ("a",))),
    ]
    shares = {name: each.value for name, each in first_places(ballots, resamples=100).items()}
    assert shares == pytest.approx({"a": 1.5 / 3, "b": 0.5 / 2, "c": 1 / 2})


def test_agreement_is_that_of_the_textbooks() -> None:
    assert krippendorff_alpha([[1, 1], [0, 0], [1, 1]]) == 1
    # Four units by two raters: observed disagreement 2 * 1 / 8 of all, expected 2 * 3 * 5 / 56.
    assert krippendorff_alpha([[1, 1], [0, 0], [0, 1], [0, 0]]) == pytest.approx(1 - (2 / 8) / (30 / 56))
    assert krippendorff_alpha([[1], [0]]) is None
    assert kendall_w([{"a": 1, "b": 2, "c": 3}] * 4) == 1
    assert kendall_w([{"a": 1, "b": 2, "c": 3}, {"a": 3, "b": 2, "c": 1}]) == 0
    assert kendall_w([{"a": 1.5, "b": 1.5, "c": 3}] * 2) == 1  # tied alike
    assert kendall_w([{"a": 2, "b": 2, "c": 2}] * 2) is None
    same = agreement([Ballot("1", rater, (("z",), ("a",), ("m",))) for rater in "xyz"])
    assert (same.alpha, same.pairs, same.w, same.images) == (1, 3, 1, 1)
    noise = agreement(
        [
            Ballot(
                str(image),
                rater,
                tuple((str(name),) for name in np.random.default_rng([image, ord(rater)]).permutation(4)),
            )
            for image in range(300)
            for rater in "xy"
        ]
    )
    assert noise.alpha == pytest.approx(0, abs=0.08)
    assert agreement([Ballot("1", "x", (("a",), ("b",)))]).alpha is None


def test_agreement_does_not_hang_on_names() -> None:
    ballots = simulated(60, 3, seed=4)
    renamed = {name: f"model {letter}" for name, letter in zip(TASTE, "ceabd", strict=True)}
    other = [Ballot(b.image, b.rater, tuple(tuple(renamed[m] for m in g) for g in b.groups)) for b in ballots]
    assert agreement(other).alpha == pytest.approx(agreement(ballots).alpha)


def test_a_metric_is_correlated_with_people() -> None:
    ballots = simulated(40, 4, seed=5)
    generator = np.random.default_rng(6)
    keys = sorted({(model, ballot.image) for ballot in ballots for model in ballot.models})
    telling = {key: TASTE[key[0]] + generator.normal(0, 0.3) for key in keys}
    found = {each.name: each for each in against_people(ballots, telling, resamples=100)}
    assert set(found) == {"Kendall tau-b", "SRCC", "PLCC"}
    for each in found.values():
        assert 0.3 < each.value.low < each.value.value < each.value.high < 0.95
        assert each.p < 1e-6
    turned = {key: -value for key, value in telling.items()}
    again = {e.name: e for e in against_people(ballots, turned, higher_is_better=False, resamples=100)}
    assert {name: e.value.value for name, e in again.items()} == pytest.approx(
        {name: e.value.value for name, e in found.items()}
    )
    mute = against_people(ballots, dict.fromkeys(keys, 1.0), resamples=100)
    assert mute == []
    exact = [Ballot("1", "r", (("a",), ("b",), ("c",)))]
    perfect = against_people(exact, {("a", "1"): 3.0, ("b", "1"): 2.0, ("c", "1"): 1.0}, resamples=100)
    assert [each.value.value for each in perfect] == pytest.approx([1, 1, 1])


# Files
# ----------------------------------------------------------------------------------------------------------------------


def test_every_form_of_a_row_is_the_same_ballot(tmp_path: Path) -> None:
    files = {
        "ranks.csv": "image,rater,a,b,c,d\n1.png,r,1,2,2,3\n",
        "gaps.csv": "image,rater,a,b,c,d,e\n1.png,r,1,5,5,9,\n",
        "order.csv": "image,rater,order\n1.png,r,a > b = c > d\n",
        "ranks.jsonl": '{"image": "1.png", "rater": "r", "ranks": {"a": 1, "b": 2, "c": 2, "d": 3, "e": null}}\n',
        "order.jsonl": '{"image": "1.png", "rater": "r", "order": ["a", ["b", "c"], "d"]}\n\n',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        assert read_ballots([tmp_path / name]) == [Ballot("1.png", "r", (("a",), ("b", "c"), ("d",)))], name
    (tmp_path / "pairs.csv").write_text("image,rater,left,right,vote\n1,r,a,b,left\n2,r,a,b,b\n3,r,a,b,tie\n")
    (tmp_path / "pairs.jsonl").write_text('{"image": 4, "rater": 7, "left": "a", "right": "b", "vote": "right"}\n')
    read = read_ballots([tmp_path / "pairs.csv", tmp_path / "pairs.jsonl"])
    assert [ballot.groups for ballot in read] == [(("a",), ("b",)), (("b",), ("a",)), (("a", "b"),), (("b",), ("a",))]
    assert {ballot.shown for ballot in read} == {("a", "b")}
    assert (read[3].image, read[3].rater) == ("4", "7")


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("v.csv", "image,rater,a,b\n1,r,1,2\n1,s,1,x\n", 3, "the rank of b is 'x' and must be a number"),
        ("v.csv", "image,rater,a,b\n1,r,1,0\n", 2, "the rank of b is 0 and must be 1 or more"),
        ("v.csv", "image,rater,a,b\n1,r,1,nan\n", 2, "must be a number"),
        ("v.csv", "image,rater,a,b\n1,r,1,2\n1,r,2,1\n", 3, "r has voted on the same models of 1 before, at"),
        ("v.csv", "image,rater,a,b\n,r,1,2\n", 2, "image is missing"),
        ("v.csv", "picture,rater,a,b\n1,r,1,2\n", 2, "image is missing"),
        ("v.csv", "image,rater,a,b\n1,r,1,\n", 2, "two models or more are needed, and 1 are here"),
        ("v.csv", "image,rater,a,b\n1,r,1\n", 2, "the row has not the 4 cells of the first line"),
        ("v.csv", "image,rater,a,a\n1,r,1,2\n", 1, "two have the same"),
        ("v.csv", "image,rater,left,right,vote\n1,r,a,b,both\n", 2, "the vote is 'both' and must be left, right, tie"),
        ("v.csv", "image,rater,left,right,vote\n1,r,a,a,left\n", 2, "a stands against itself"),
        ("v.csv", "image,rater,left,right,vote,c\n1,r,a,b,left,1\n", 2, "unknown column 'c'"),
        ("v.csv", "image,rater,order\n1,r,a > > b\n", 2, "a name is missing in the order"),
        ("v.csv", "image,rater,order\n1,r,a > b > a\n", 2, "a stands in the order twice"),
        ("v.csv", 'image,rater,order\n1,r,"a > b\n', 2, "no CSV"),
        ("v.jsonl", '{"image": "1"\n', 1, "no JSON"),
        ("v.jsonl", "[1]\n", 1, "a row must be an object"),
        ("v.jsonl", '{"image": "1", "rater": "r", "ranks": [1, 2]}\n', 1, "ranks must be a mapping"),
        ("v.jsonl", '{"image": "1", "rater": "r", "order": ["a", 3]}\n', 1, "a name is missing in the order"),
        ("v.jsonl", '{"image": "1", "rater": true, "order": ["a", "b"]}\n', 1, "rater must be a text"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line(
    tmp_path: Path, name: str, text: str, line: int, message: str
) -> None:
    file = tmp_path / name
    file.write_text(text)
    with pytest.raises(RRFrameError) as raised:
        read_ballots([file])
    assert message in str(raised.value)
    assert f"{file}:{line})" in str(raised.value)


def test_many_errors_are_told_together_and_not_without_end(tmp_path: Path) -> None:
    file = tmp_path / "v.csv"
    file.write_text("image,rater,a,b\n" + "".join(f"{number},r,1,x\n" for number in range(30)))
    with pytest.raises(RRFrameErrors) as raised:
        read_ballots([file])
    assert len(raised.value.errors) == 20
    assert "30 problems found, the first 20 are shown" in str(raised.value)


# The command
# ----------------------------------------------------------------------------------------------------------------------


def _write(tmp_path: Path, ballots: list[Ballot]) -> Path:
    file = tmp_path / "votes.jsonl"
    rows = [{"image": b.image, "rater": b.rater, "order": [list(group) for group in b.groups]} for b in ballots]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_the_command_writes_tables_json_and_a_page(tmp_path: Path, rrframe_cli: Cli, rrframe_here: Cli) -> None:
    ballots = simulated(40, 3, seed=7, tie=0.3)
    file = _write(tmp_path, ballots)
    scores = tmp_path / "lpips.csv"
    lines = [f"{model},{image:03d}.png,{-taste}" for model, taste in TASTE.items() for image in range(39)]
    scores.write_text("\n".join(["model,image,score", *lines, "model a,elsewhere.png,1"]))
    options = ("--metric", scores, "--lower-is-better", "--resamples", 100)
    done = rrframe_cli("study", file, *options)
    assert done.returncode == 0, done.stderr
    assert "120 ballots, 40 images, 3 raters" in done.stdout
    assert "Inside the noise, so not ranked: model b and model c." in done.stdout
    assert "The metric has a score for 195 of the 200 results that people judged." in done.stdout
    results = json.loads((tmp_path / "study" / "study.json").read_text())
    assert results["schema"] == 1
    assert results["ties"] == sum(len(ballot.groups[0]) == 2 for ballot in ballots)
    assert results["models"]["model a"]["rank"] == {"best": 1, "worst": 1}
    assert results["models"]["model c"]["rank"] == {"best": 2, "worst": 3}
    assert [each["name"] for each in results["metric"]["correlations"]] == ["Kendall tau-b", "SRCC", "PLCC"]
    assert results["metric"]["correlations"][1]["value"]["value"] > 0.3
    page = assert_self_contained((tmp_path / "study" / "study.html").read_text())
    assert "Inside the noise, so not ranked: model b and model c." in page.text
    assert "Metric against people" in page.text
    again = rrframe_here("study", file, *options, "--out", "again", "--json")
    assert json.loads(again.stdout) == results


def test_one_image_says_so_and_has_no_intervals(tmp_path: Path, rrframe_here: Cli) -> None:
    file = tmp_path / "v.csv"
    file.write_text("image,rater,left,right,vote\n1,r,a,b,left\n")
    done = rrframe_here("study", file)
    assert done.returncode == 0, done.stderr
    assert "All votes are on one image" in done.stdout
    assert "nothing is known of how far they agree" in done.stdout
    assert json.loads((tmp_path / "study" / "study.json").read_text())["models"]["a"]["elo"]["low"] is None


@pytest.mark.parametrize(
    ("files", "options", "message"),
    [
        ({"v.txt": "x"}, (), "neither CSV nor JSON Lines"),
        ({"v.csv": ""}, (), "no votes in v.csv"),
        ({"v.csv": "image,rater,a,b\n"}, (), "no votes in v.csv"),
        ({"v.csv": b"\xff\xfe"}, (), "no UTF-8 text"),
        ({"v.csv": "image,rater,a,b\n1,r,1,2\n"}, ("--lower-is-better",), "the direction of a metric"),
        (
            {"v.csv": "image,rater,a1,b1\n1,r,1,2\n", "m.csv": "model,image,score\na2,1,0.5\n"},
            ("--metric", "m.csv"),
            "nobody voted on 'a2'\n  where:     (m.csv:2)\n  try:       did you mean a1?",
        ),
        (
            {"v.csv": "image,rater,a,b\n1,r,1,2\n", "m.csv": "model,image,score\na,2,0.5\n"},
            ("--metric", "m.csv"),
            "m.csv has no score of an image that was voted on",
        ),
        (
            {"v.csv": "image,rater,a,b\n1,r,1,2\n", "m.csv": "model,image,score\na,1,0.5\na,1,high\n"},
            ("--metric", "m.csv"),
            "the score is 'high' and must be a number",
        ),
        ({"v.csv": "image,rater,a,b\n1,r,1,2\n", "study": "a file"}, (), "study"),
    ],
)
def test_bad_input_is_told_and_writes_nothing(
    tmp_path: Path, rrframe_here: Cli, files: dict[str, str | bytes], options: tuple[str, ...], message: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    done = rrframe_here("study", next(iter(files)), *options)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "study" / "study.json").exists()
