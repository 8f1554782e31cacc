"""Asking a judge: what was answered is kept and never asked again, what cannot be read is asked again and counted, and
no severity is guessed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console

from rrframe import Judge, RRFrameError, Unanswered
from rrframe.evaluation.judging import Judging
from rrframe.evaluation.severities import ask_all
from rrframe.imaging.layout import to_batch
from rrframe.imaging.writing import write_picture
from rrframe.run.progress import Watch


class Scripted(Judge):
    """Answers what a test says."""

    about: str = "one"
    threads: int = 1
    batch: int = 1
    _asked: list[tuple[int, int]] = []  # the grey of each image asked about, and the attempt
    _says: list[Callable[[int, int], str]] = []

    def ask(self, images, task, attempt=0):
        greys = [int((image.mean() * 255).round()) for image in images]
        self._asked.extend((grey, attempt) for grey in greys)
        (says,) = self._says or [lambda grey, attempt: f"退化分数：{1 + grey % 5}"]
        return [says(grey, attempt) for grey in greys]

    def identity(self):
        return {"about": self.about}

    @property
    def workers(self):
        return self.threads

    @property
    def at_once(self):
        return self.batch


def scripted(says: Callable[[int, int], str] | None = None, **params: Any) -> Scripted:
    judge = Scripted(**params)
    if says:
        judge._says.append(says)
    return judge


def greys(*values: int, size: int = 4) -> list[torch.Tensor]:
    return [torch.full((3, size + value % 3, size), value / 255) for value in values]


def test_each_image_gets_its_own_judgement_in_order(tmp_path: Path) -> None:
    for threads, batch in ((1, 1), (4, 1), (1, 3), (3, 2)):
        judging = Judging(scripted(threads=threads, batch=batch), tmp_path / f"{threads}-{batch}")
        found = judging.severities(greys(*range(10)), "haze")
        assert [each.score for each in found] == [1 + grey % 5 for grey in range(10)]
        assert {each.status for each in found} == {"parsed"}
        assert found[3].answers == ("退化分数：4",)
        assert found[3].bounds == (4, 4)
        assert (judging.calls, judging.hits) == (10, 0)


def test_a_second_run_asks_nothing_and_says_the_same(tmp_path: Path) -> None:
    first = Judging(scripted(), tmp_path)
    before = first.severities(greys(1, 2, 3), "haze")
    judge = scripted()
    again = Judging(judge, tmp_path)
    after = again.severities(greys(3, 1, 2), "haze")
    assert judge._asked == []
    assert (again.calls, again.hits) == (0, 3)
    assert [each.score for each in after] == [before[2].score, before[0].score, before[1].score]
    assert [each.cached for each in before + after] == [False] * 3 + [True] * 3


def test_eight_bits_and_the_floats_made_of_them_are_one_question(tmp_path: Path) -> None:
    Judging(scripted(), tmp_path).severities(greys(3), "haze")
    again = Judging(scripted(), tmp_path)
    (found,) = again.severities([np.full((4, 4, 3), 3, np.uint8)], "haze")
    assert (again.calls, again.hits, found.score) == (0, 1, 4)


def test_each_of_many_workers_has_an_image_of_a_run_to_ask_about(tmp_path: Path) -> None:
    meeting = threading.Barrier(40, timeout=60)  # which all have to come to

    def says(grey: int, attempt: int) -> str:
        meeting.wait()
        return "退化分数：4"

    for grey in range(80):
        write_picture(tmp_path / f"{grey}.png", np.full((4, 4, 3), grey, np.uint8))
    files = [f"{grey}.png" for grey in (*range(79), "none", 79)]
    judging = Judging(scripted(says, threads=40), tmp_path / "kept")
    with Watch(Console(quiet=True), len(files), "images judged") as watch:
        asked = ask_all(judging, {"haze": files}, tmp_path, watch)
    assert asked.stopped is None
    assert [asked.of(file, "haze").status for file in files] == ["parsed"] * 79 + ["failed", "parsed"]


def test_answers_are_kept_with_all_that_they_depend_on(tmp_path: Path) -> None:
    Judging(scripted(), tmp_path).severities(greys(1), "haze")
    (file,) = tmp_path.rglob("*.json")
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert kept["answers"] == ["退化分数：2"]
    assert kept["task"] == "haze"
    assert kept["asked"]["about"] == "one"
    for judge, images, task in (
        (scripted(about="another"), greys(1), "haze"),
        (scripted(), greys(1), "rain"),
        (scripted(), greys(2), "haze"),
        (scripted(), greys(1, size=5), "haze"),
    ):
        judging = Judging(judge, tmp_path)
        judging.severities(images, task)
        assert judging.calls == 1


def test_the_judge_sees_eight_bits_and_they_alone_count(tmp_path: Path) -> None:
    judging = Judging(scripted(), tmp_path)
    fine = torch.full((3, 4, 4), 100.2 / 255)
    judging.severities([fine], "haze")
    coarse = to_batch((torch.full((4, 4, 3), 100, dtype=torch.uint8)).numpy())[0]
    judging.severities([coarse], "haze")
    assert (judging.calls, judging.hits) == (1, 1)


def test_the_same_pixels_are_asked_about_once() -> None:
    judging = Judging(scripted())
    found = judging.severities(greys(7, 8, 7, 7), "haze")
    assert (judging.calls, judging.hits) == (2, 2)
    assert [each.cached for each in found] == [False, False, True, True]
    assert len({each.score for each in (found[0], found[2], found[3])}) == 1
    judging.severities(greys(8), "haze")  # without a folder, as long as the object
    assert judging.calls == 2


def test_what_cannot_be_read_is_asked_again_and_then_counted(tmp_path: Path) -> None:
    def says(grey: int, attempt: int) -> str:
        return "3" if grey == 1 or (grey == 2 and attempt == 2) else f"I see grey ({attempt})"

    judge = scripted(says)
    judging = Judging(judge, tmp_path, retries=2)
    once, late, never = judging.severities(greys(1, 2, 3), "haze")
    assert judge._asked == [(1, 0), (2, 0), (3, 0), (2, 1), (3, 1), (2, 2), (3, 2)]
    assert judging.calls == 7
    assert (once.score, late.score, never.score) == (3, 3, None)
    assert late.answers == ("I see grey (0)", "I see grey (1)", "3")
    assert (never.status, never.bounds) == ("unparsable", (1, 5))
    assert never.reason == "the judge wrote, asked 3 times: 'I see grey (2)'"

    again = Judging(scripted(says), tmp_path, retries=2)
    assert again.severities(greys(3), "haze")[0].status == "unparsable"
    assert again.calls == 0
    more = Judging(scripted(lambda grey, attempt: str(attempt)), tmp_path, retries=3)  # goes on where it stopped
    assert more.severities(greys(3), "haze")[0].score == 3
    assert more.calls == 1


def test_one_question_without_an_answer_costs_no_other(tmp_path: Path) -> None:
    def says(grey: int, attempt: int) -> str:
        if grey == 2:
            raise ValueError("no such picture")
        if grey == 4:
            raise Unanswered("the server says 400: too wide")
        return "4"

    for batch in (1, 5):
        judging = Judging(scripted(says, batch=batch), tmp_path / str(batch))
        found = judging.severities(greys(1, 2, 3, 4, 5), "haze")
        assert [each.status for each in found] == ["parsed", "failed", "parsed", "failed", "parsed"]
        assert [each.score for each in found] == [4, None, 4, None, 4]
        assert found[1].reason == "answering failed: ValueError: no such picture"
        assert found[3].reason == "the server says 400: too wide"
        again = Judging(scripted(batch=batch), tmp_path / str(batch))
        assert again.severities(greys(1, 2, 3, 4, 5), "haze")[1].score == 3  # what failed is not kept
        assert again.calls == 2


@pytest.mark.parametrize("threads", [1, 3])
def test_a_judge_that_goes_down_loses_no_answer(tmp_path: Path, threads: int) -> None:
    def says(grey: int, attempt: int) -> str:
        if grey == 6:
            raise RRFrameError("the server is down", hint="start it")
        time.sleep(0.01)
        return "4"

    judge = scripted(says, threads=threads)
    with pytest.raises(RRFrameError, match="the server is down"):
        Judging(judge, tmp_path).severities(greys(*range(60)), "haze")
    assert len(judge._asked) < 60  # what nobody had begun is left
    again = Judging(scripted(threads=threads), tmp_path)
    found = again.severities(greys(*range(60)), "haze")
    assert [each.score for each in found[:6]] == [4] * 6
    assert again.hits == len(judge._asked) - 1
    assert again.calls == 60 - again.hits


def test_a_judge_that_never_answers_is_given_up() -> None:
    def says(grey: int, attempt: int) -> str:
        if grey < 20:
            return "4"
        raise ValueError("500")

    judge = scripted(says)
    with pytest.raises(RRFrameError, match="8 questions in a row have no answer; the last: answering failed") as caught:
        Judging(judge).severities(greys(*range(100)), "haze")
    assert len(judge._asked) == 28
    assert "is kept" in caught.value.hint


def test_as_many_are_under_way_as_the_judge_takes() -> None:
    together = threading.Barrier(4, timeout=120)

    def says(grey: int, attempt: int) -> str:
        together.wait()
        return "2"

    judging = Judging(scripted(says, threads=4))
    assert [each.score for each in judging.severities(greys(*range(8)), "haze")] == [2] * 8


def test_a_damaged_file_is_asked_again(tmp_path: Path) -> None:
    Judging(scripted(), tmp_path).severities(greys(1), "haze")
    (file,) = tmp_path.rglob("*.json")
    for damage in ("", "{", "[]", '{"answers": 3}', '{"answers": [1]}'):
        file.write_text(damage)
        judging = Judging(scripted(), tmp_path)
        assert judging.severities(greys(1), "haze")[0].score == 2
        assert judging.calls == 1


def test_answers_are_kept_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RRFRAME_CACHE", str(tmp_path / "kept"))
    Judging(scripted()).severities(greys(1), "haze")
    assert len(list((tmp_path / "kept" / "judgements").rglob("*.json"))) == 1
    monkeypatch.setenv("RRFRAME_CACHE", "off")
    Judging(scripted()).severities(greys(2), "haze")
    assert len(list(tmp_path.rglob("*.json"))) == 1


def test_a_folder_that_cannot_be_written_costs_no_answer(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    assert Judging(scripted(), tmp_path / "file").severities(greys(1), "haze")[0].score == 2
    assert "cannot keep the answer" in caplog.text


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: Judging(scripted()).severities(greys(1), "hazy"), "it cannot judge 'hazy'.*did you mean haze"),
        (lambda: scripted()(greys(1), "hazy"), "it cannot judge 'hazy'"),
        (lambda: scripted()([torch.zeros(1, 4, 4)], "haze"), r"not \(1, 4, 4\) of torch.float32"),
        (lambda: scripted()([torch.zeros(3, 4, 4).double()], "haze"), "torch.float64"),
        (lambda: scripted(lambda grey, attempt: 4)(greys(1), "haze"), r"it gave \[4\] for 1 images"),
    ],
)
def test_what_cannot_be_judged_is_told(call: Callable[[], Any], said: str) -> None:
    with pytest.raises(RRFrameError, match=f"(?s){said}"):
        call()


def test_a_severity_off_the_scale_is_an_error() -> None:
    class Generous(Scripted):
        """Gives more than there is."""

        def parse(self, text: str) -> float | None:
            return 7.0

    with pytest.raises(RRFrameError, match="as 7, and severities go from 1 to 5"):
        Judging(Generous()).severities(greys(1), "haze")
