"""The judges in the tree: a model behind a real server that misbehaves, a real tiny network, and the estimators."""

from __future__ import annotations

import json
import logging
import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_models
import torch
from judge_server import GOOD, Server, running
from PIL import Image
from rrframe_judges.question import QUESTION, SYSTEM
from rrframe_judges.sending import Pace
from skimage import data

import rrframe
from rrframe import Judge, RRFrameError
from rrframe.evaluation.judging import Judging
from rrframe.imaging.codec import encode_png
from rrframe.imaging.layout import to_batch

GREYS = [torch.full((3, 40, 56 + index), level) for index, level in enumerate((0.0, 0.25, 0.5, 0.75, 1.0))]


def write_photograph(path: Path, level: int) -> None:
    path.write_bytes(encode_png(np.full((64, 48, 3), level, np.uint8)))


def behind(server: Server, **params: Any) -> Judge:
    """A judge that asks ``server``, and waits a hundredth of what it would."""
    return rrframe.load("judge/openai", base_url=server.address, **{"first_wait": 0.01, "timeout": 5, **params})


# Behind a server
# ----------------------------------------------------------------------------------------------------------------------


def test_the_server_is_asked_the_question_of_the_protocol() -> None:
    photograph = to_batch(data.astronaut()[:200, :300])[0]
    with running() as server:
        assert behind(server, model="seer")([photograph], "haze") == ["退化分数：3"]
        (asked,) = server.asked
    system, user = asked["messages"]
    assert system == {"role": "system", "content": SYSTEM}
    picture, text = user["content"]
    assert text == {"type": "text", "text": QUESTION.replace("{task}", "haze")}
    assert (asked["model"], asked["temperature"], asked["max_tokens"]) == ("seer", 0, 32)
    shown = Image.fromarray(data.astronaut()[:200, :300]).resize((627, 418), Image.Resampling.LANCZOS)  # 512 x 512
    assert np.array_equal(server.picture(0), np.asarray(shown))
    assert picture["type"] == "image_url"


def test_params_change_what_is_asked() -> None:
    params = {"question": "Any {task}? 1 to 5.", "system": "", "pixels": 4096, "tokens": 4, "extra": {"top_p": 0.5}}
    with running() as server:
        judge = behind(server, **params)
        judge(GREYS[:1], "rain")
        judge(GREYS[:1], "rain", 2)
    asked, again = server.asked
    (message,) = asked["messages"]
    assert message["content"][1]["text"] == "Any rain? 1 to 5."
    assert server.picture(0).shape == (54, 75, 3)
    assert (asked["max_tokens"], asked["top_p"]) == (4, 0.5)
    assert "seed" not in asked
    assert (again["temperature"], again["seed"]) == (1, 2)  # the likeliest answer would be the same again


def test_what_fails_for_a_while_is_tried_again(tmp_path: Path) -> None:
    steps = [
        (429, "slow down", {"Retry-After": "0.2"}),
        (500, "out of memory"),
        b"<html>a proxy</html>",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": null}}]}',
        None,
        (503, "busy", {"Retry-After": format_datetime(datetime.now(UTC) - timedelta(hours=1))}),
    ]
    with running(*steps) as server:
        judging = Judging(behind(server, tries=8, concurrency=1), tmp_path)
        found = judging.severities(GREYS, "haze")
        assert [each.score for each in found] == [1, 2, 3, 4, 5]
        assert judging.calls == 5
        assert len(server.asked) == 5 + len(steps)
        assert server.times[1] - server.times[0] >= 0.2  # never before the server's time
        again = Judging(behind(server), tmp_path)
        assert again.severities(GREYS, "haze")[2].score == 3
        assert (again.calls, len(server.asked)) == (0, 5 + len(steps))


def test_waits_grow_until_the_tries_are_used_up(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = time.sleep
    monkeypatch.setattr("rrframe_judges.sending.time.sleep", lambda seconds: (waits.append(seconds), sleep(0)))
    with running(*[(500, "no memory")] * 4) as server:
        (found,) = Judging(behind(server, tries=4, first_wait=8)).severities(GREYS[:1], "haze")
    assert found.status == "failed"
    assert found.reason == "no answer in 4 tries; the last: the server says 500: no memory"
    waits = [wait for wait in waits if wait > 0.01]
    assert all(low <= wait <= 3 * low for low, wait in zip((4, 8, 16), waits, strict=True))
    assert len({wait / low for low, wait in zip((4, 8, 16), waits, strict=True)}) == 3  # at random, not in step


def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    with running(2.0, 2.0, GOOD) as server:
        (found,) = Judging(behind(server, timeout=0.2, tries=2)).severities(GREYS[:1], "haze")
        assert found.reason == "no answer in 2 tries; the last: nothing came for 0.2 s"
        assert Judging(behind(server, timeout=60)).severities(GREYS[:1], "haze")[0].score == 1


def test_one_refused_picture_costs_no_other(tmp_path: Path) -> None:
    with running(GOOD, (400, '{"error": {"message": "picture too large"}}'), GOOD) as server:
        found = Judging(behind(server, concurrency=1), tmp_path).severities(GREYS, "haze")
        assert [each.status for each in found] == ["parsed", "failed", "parsed", "parsed", "parsed"]
        assert "the server says 400" in found[1].reason
        assert "picture too large" in found[1].reason
        assert len(server.asked) == 5  # not tried again


def test_a_server_that_goes_down_loses_no_answer(tmp_path: Path) -> None:
    with running() as server:
        judge = behind(server, tries=2)
        Judging(judge, tmp_path).severities(GREYS[:3], "haze")
    with pytest.raises(RRFrameError, match=f"cannot reach {server.address}: .*refused") as caught:
        Judging(judge, tmp_path).severities(GREYS, "haze")
    assert "start the server (vllm serve Qwen/Qwen3-VL-8B-Instruct --port " in caught.value.hint
    assert "base_url" in caught.value.hint
    assert [each.score for each in Judging(judge, tmp_path).severities(GREYS[:3], "haze")] == [1, 2, 3]


@pytest.mark.parametrize(
    ("step", "said", "hint"),
    [
        ((401, "who are you?"), "the server says 401: who are you?", "key is the name"),
        ((404, "no model seer"), "the server says 404: no model seer", "/v1/models"),
        ((308, "", {"Location": "http://127.0.0.1:9/v1"}), "sends us elsewhere", "base_url"),
        ((429, "come back", {"Retry-After": "9000"}), "asks to wait 9000 s", "run again"),
    ],
)
def test_what_no_picture_can_mend_ends_the_run(step: Any, said: str, hint: str) -> None:
    with running(step) as server, pytest.raises(RRFrameError, match=said.replace("?", r"\?")) as caught:
        Judging(behind(server)).severities(GREYS, "haze")
    assert hint in caught.value.hint
    assert caught.value.component == "judge/openai"


def test_questions_go_side_by_side() -> None:
    images = [torch.full((3, 32, 32), index / 16) for index in range(12)]
    with running(together=4) as server:
        found = Judging(behind(server, concurrency=4)).severities(images, "haze")
        assert {each.status for each in found} == {"parsed"}
        assert server.most_at_once == 4


def test_questions_keep_their_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waits = 100.0, []
    monkeypatch.setattr("rrframe_judges.sending.time.monotonic", lambda: now)
    monkeypatch.setattr("rrframe_judges.sending.time.sleep", waits.append)
    pace = Pace(per_minute=20)
    for _ in range(3):
        pace.wait()
    now += 7.5
    pace.wait()
    pace.wait()
    pace.hold(30)  # as the server asks
    pace.wait()
    assert waits == [0, 3, 6, 1.5, 4.5, 30]
    free = Pace(None)
    free.wait()
    free.wait()
    assert waits[-2:] == [0, 0]


def test_the_key_comes_from_the_environment_and_goes_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "sk-3141592653589793"
    caplog.set_level(logging.DEBUG)
    with running(GOOD, (401, f"wrong key {secret}, {secret}")) as server:
        judge = behind(server, key="SEER_KEY")
        with pytest.raises(RRFrameError, match="the environment variable SEER_KEY is not set"):
            Judging(judge, tmp_path).severities(GREYS, "haze")
        assert server.asked == []
        monkeypatch.setenv("SEER_KEY", secret)
        Judging(judge, tmp_path).severities(GREYS[:1], "haze")
        assert server.headers[0]["Authorization"] == f"Bearer {secret}"
        with pytest.raises(RRFrameError, match=r"wrong key \*\*\*, \*\*\*") as caught:
            Judging(judge, tmp_path).severities(GREYS[1:2], "haze")
    kept = "".join(file.read_text(encoding="utf-8") for file in tmp_path.rglob("*.json"))
    for text in (caught.value.render(), str(judge.params()), str(judge.identity()), kept, caplog.text, repr(judge)):
        assert secret not in text
    assert "SEER_KEY" not in str(judge.identity())


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"base_url": "http://judge.example/v1", "key": "SEER_KEY"}, "not sent in the clear"),
        ({"base_url": "https://me:secret@judge.example/v1"}, "does not belong in an address"),
        ({"base_url": "judge.example/v1"}, "begins with http"),
        ({"key": "sk-314 159"}, "key"),
        ({"question": "How bad?"}, "question"),
        ({"concurrency": 0}, "concurrency"),
    ],
)
def test_params_that_cannot_be_meant_are_refused(params: dict[str, Any], said: str) -> None:
    with pytest.raises(RRFrameError, match=said):
        rrframe.load("judge/openai", **params)


def test_answers_are_kept_under_what_they_depend_on() -> None:
    def kept_under(**params: Any) -> Any:
        return rrframe.load("judge/openai", **params).identity()

    plain = kept_under()
    for changes in ({"model": "b"}, {"question": "{task}?"}, {"system": "b"}, {"pixels": 4096}, {"tokens": 9}):
        assert kept_under(**changes) != plain, changes
    assert kept_under(extra={"seed": 1}) != plain
    assert kept_under(base_url="http://127.0.0.1:9/v1") != plain
    for changes in ({"timeout": 9}, {"tries": 9}, {"concurrency": 9}, {"per_minute": 9}, {"rules": "released"}):
        assert kept_under(**changes) == plain, changes
    named = kept_under(backend="vllm 0.20")
    assert kept_under(backend="vllm 0.20", base_url="http://127.0.0.1:9/v1") == named


def test_kept_answers_can_be_read_by_other_rules(tmp_path: Path) -> None:
    body = b'{"choices": [{"message": {"content": "4/5"}}]}'
    with running(*[body] * 4) as server:
        (strict,) = Judging(behind(server), tmp_path).severities(GREYS[:1], "haze")
        assert (strict.status, strict.answers) == ("unparsable", ("4/5",) * 4)
        again = Judging(behind(server, rules="released"), tmp_path)
        assert again.severities(GREYS[:1], "haze")[0].score == 5  # the denominator, as the released evaluator has it
        assert again.calls == 0


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with running() as server:
            assert behind(server)(GREYS[:1], "haze") == ["退化分数：1"]


def test_an_evaluation_asks_a_server_once(rrframe_here: Any, tmp_path: Path) -> None:
    for number, level in enumerate((40, 90)):
        (tmp_path / "in" / "haze" / "degraded").mkdir(parents=True, exist_ok=True)
        write_photograph(tmp_path / "in" / "haze" / "degraded" / f"{number}.png", level)
        (tmp_path / "out" / "haze" / "degraded").mkdir(parents=True, exist_ok=True)
        write_photograph(tmp_path / "out" / "haze" / "degraded" / f"{number}.png", level + 130)
    recipe = "{kind: evaluation, benchmark: {folder: in}, restorers: {ours: {folder: out}}, scores: [RS], judge: {use: "
    with running() as server:
        params = f"{{base_url: '{server.address}', first_wait: 0.01, tries: 2, backend: the tests' own}}"
        (tmp_path / "recipe.yaml").write_text(f"{recipe} judge/openai, params: {params}}}}}")
        done = rrframe_here("run", "recipe.yaml", "--out", "scored")
        assert done.returncode == 0, done.stderr
        assert len(server.asked) == 4
    results = json.loads((tmp_path / "scored" / "results.json").read_text())
    assert results["judge"]["identity"]["backend"] == "the tests' own"
    assert [row["scores"]["RS"] for row in results["rows"]] == [2, 2]
    down = rrframe_here("run", "recipe.yaml", "--out", "elsewhere")  # nothing is kept between runs in tests
    assert down.returncode != 0
    assert "vllm serve" in down.stderr


# On this machine
# ----------------------------------------------------------------------------------------------------------------------

PICTURES = [
    torch.zeros(3, 40, 90),
    torch.rand(3, 49, 70, generator=torch.Generator().manual_seed(1)),
    torch.ones(3, 58, 50),
]


def local(make: Any, **params: Any) -> Judge:
    folder = str(tiny_models.kept(make))
    return rrframe.load("judge/transformers", model=folder, **{"pixels": 4096, "tokens": 6, **params})


def test_qwen3_vl_is_asked_as_by_hand() -> None:
    """The picture's tokens, their kinds and their places, made here without the processor of transformers."""
    from transformers import AutoModelForImageTextToText, AutoTokenizer, Qwen2VLImageProcessorPil

    folder = tiny_models.kept(tiny_models.qwen3_vl)
    judge = local(tiny_models.qwen3_vl)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForImageTextToText.from_pretrained(folder)
    prepare = Qwen2VLImageProcessorPil(patch_size=16, min_pixels=1024, max_pixels=2**24)
    written = []
    for image in PICTURES:
        seen = prepare(images=[judge.shown(image)], return_tensors="pt")
        pads = "<|image_pad|>" * (int(seen["image_grid_thw"].prod()) // 4)
        text = (
            f"<|im_start|>system\n{SYSTEM}<|im_end|>\n<|im_start|>user\n<|vision_start|>{pads}<|vision_end|>"
            f"{QUESTION.replace('{task}', 'haze')}<|im_end|>\n<|im_start|>assistant\n"
        )
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        kinds = (ids == tokenizer.convert_tokens_to_ids("<|image_pad|>")).int()
        told = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), mm_token_type_ids=kinds, **seen,
            do_sample=False, max_new_tokens=6,
        )  # fmt: skip
        written.append(tokenizer.decode(told[0, ids.shape[1] :], skip_special_tokens=True))
    assert judge(PICTURES, "haze") == written
    assert len(set(written)) > 1  # the picture matters


@pytest.mark.parametrize("make", [tiny_models.qwen3_vl, tiny_models.llava])
def test_a_local_model_answers_alike_alone_and_in_a_batch_and_draws_when_asked_again(make: Any) -> None:
    judge = local(make)
    answers = judge(PICTURES, "haze")
    assert judge(PICTURES, "haze") == answers
    assert [judge([image], "haze")[0] for image in PICTURES] == answers
    drawn = judge(PICTURES, "haze", 1)
    assert drawn == judge(PICTURES, "haze", 1) == [judge([image], "haze", 1)[0] for image in PICTURES]
    assert drawn != answers
    assert drawn != judge(PICTURES, "haze", 2)


def test_random_weights_are_counted_as_unparsable_and_kept(tmp_path: Path) -> None:
    judging = Judging(local(tiny_models.qwen3_vl), tmp_path, retries=1)
    found = judging.severities(PICTURES, "haze")
    assert {each.status for each in found} == {"unparsable"}
    assert judging.calls == 6
    again = Judging(local(tiny_models.qwen3_vl), tmp_path, retries=1)
    assert [each.answers for each in again.severities(PICTURES, "haze")] == [each.answers for each in found]
    assert again.calls == 0


def test_weights_count_among_what_answers_are_kept_under(tmp_path: Path) -> None:
    plain = local(tiny_models.qwen3_vl).identity()
    assert local(tiny_models.qwen3_vl, batch=3, rules="released").identity() == plain
    assert local(tiny_models.qwen3_vl, dtype="bfloat16").identity() != plain
    assert "/" not in str(plain["model"])
    folder = tiny_models.qwen3_vl(tmp_path / "other")
    assert rrframe.load("judge/transformers", model=str(folder)).identity()["revision"] != plain["revision"]


def test_a_picture_that_no_model_takes_costs_no_other() -> None:
    thread = torch.rand(3, 2, 900)
    found = Judging(local(tiny_models.qwen3_vl), retries=0).severities([PICTURES[0], thread, PICTURES[1]], "haze")
    assert [each.status for each in found] == ["unparsable", "failed", "unparsable"]
    assert "aspect ratio" in found[1].reason


def test_missing_weights_are_told_with_the_command_that_fetches_them(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(RRFrameError, match="the weights of qwen3-vl-8b are not on this machine") as caught:
        Judging(rrframe.load("judge/transformers")).severities(PICTURES, "haze")
    assert caught.value.hint == "rrframe assets fetch qwen3-vl-8b"
    (tmp_path / "empty").mkdir()
    with pytest.raises(RRFrameError, match="cannot load"):
        Judging(rrframe.load("judge/transformers", model=str(tmp_path / "empty"))).severities(PICTURES, "haze")


# Estimates
# ----------------------------------------------------------------------------------------------------------------------


def test_the_estimators_are_put_on_the_scale() -> None:
    judge = rrframe.load("judge/estimators")
    photograph = to_batch(data.astronaut())[0]
    noise = photograph + 0.3 * torch.randn(photograph.shape, generator=torch.Generator().manual_seed(0))
    clean, noisy = Judging(judge).severities([photograph, noise], "noise")
    severity = float(rrframe.load("severity/noise")(photograph[None]))
    assert clean.score == pytest.approx(5 - 4 * severity, abs=1e-2)  # it sees 8 bits
    assert clean.score > 4 > 2.5 > noisy.score >= 1
    assert judge.proxy
    assert not rrframe.load("judge/openai").proxy


@pytest.mark.parametrize(
    "task", ["blur", "compression", "flare", "haze", "lowlight", "moire", "noise", "rain", "reflection"]
)
def test_every_category_has_an_estimate(task: str) -> None:
    assert (
        1 <= Judging(rrframe.load("judge/estimators")).severities([to_batch(data.astronaut())[0]], task)[0].score <= 5
    )


def test_what_no_estimator_measures_is_refused_with_a_way_out() -> None:
    judging = Judging(rrframe.load("judge/estimators"))
    with pytest.raises(RRFrameError, match="no estimator measures 'snow'") as caught:
        judging.severities(PICTURES, "snow")
    assert "judge/transformers" in caught.value.hint
    assert "severity/snow" in caught.value.hint
    with pytest.raises(RRFrameError, match="did you mean haze"):
        judging.severities(PICTURES, "hazy")


def test_a_picture_too_small_to_measure_costs_no_other() -> None:
    found = Judging(rrframe.load("judge/estimators")).severities([torch.rand(3, 4, 4), PICTURES[0]], "haze")
    assert [each.status for each in found] == ["failed", "parsed"]
    assert "16 pixels" in found[0].reason
