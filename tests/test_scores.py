"""The judge's answers, the scores of RealIR-Bench and the statistics on them, against tables made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rrframe.contracts.answers import parse_answer
from rrframe.evaluation.scores import (
    OVER_IMAGES,
    OVER_TASKS,
    Judged,
    averages,
    final_score,
    from_averages,
    measures,
    restoration_score,
)
from rrframe.evaluation.statistics import (
    differences,
    holm,
    interval,
    interval_over_groups,
    paired_p,
    standings,
)

# Answers: what a judge wrote, the severity that is read, and the one that the released evaluator reads
# ----------------------------------------------------------------------------------------------------------------------

ANSWERS = [
    ("退化分数：4", 4, 4),
    ("退化分数:1", 1, 1),
    ("退化分数 ： 2", 2, 2),
    ("退化分数：\n3", 3, 3),
    ("The answer is 退化分数：2.", 2, 2),
    ("退化分数：5 (none)", 5, 5),
    ("退化分数：4。", 4, 4),
    ("退化分数：2, since 9 of 10 regions", 2, 2),
    ("退化分数：2\n退化分数：4", 2, 2),
    ("3 regions are bad. 退化分数：1", 1, 1),
    ("退化分数：0", None, None),
    ("退化分数：6", None, None),
    ("退化分数：45", None, 4),
    ("退化分数：3.5", None, 3),
    ("退化分数：4/5", None, 4),
    ("退化分数：3-4", None, 3),
    ("退化分数：<3>", None, None),
    ("退化分数：three", None, None),
    ("退化分数：４", None, None),  # a digit of full width
    ("5", 5, 5),
    (" 2 \n", 2, 2),
    ("Score: 4", 4, 4),
    ("Score 3.", 3, None),
    ("3。", 3, None),
    ("No rain, so 5", 5, 5),
    ("4/5", None, 5),
    ("4 / 5", None, 5),
    ("3.5", None, 5),
    ("15", None, 5),
    ("2024", None, 4),
    ("-1", None, 1),
    ("4 out of 5", None, 5),
    ("1, 2, 3", None, 3),
    ("1-5", None, 5),
    ("0", None, None),
    ("6", None, None),
    ("five", None, None),
    ("**4**", None, None),
    ("Severity: 4 (mild)", None, None),
    ("**退化分数：4**", 4, 4),
    ("<think>2 regions of 9 are bad</think>\n退化分数：4", 4, 4),
    ("退化分数：4分", 4, 4),
    ("退化分数 4", 4, 4),
    ("退化分数﹕3", 3, 3),  # a small colon: read as a trailing digit
    ("退化分数：2\n33 regions are clear", 2, 2),
    ("退化分数：2, 9 of 10 regions", None, 2),
    ("No rain. 5", 5, 5),
    ("Rain - 4", None, 4),
    ("4\n", 4, 4),
    ("4\n\nTwo regions are clear.", None, None),
    ("四", None, None),
    ("٤", None, None),
    ("2 or 3", None, 3),
    ("between 2 and 3", None, 3),
    ("1 to 5", None, 5),
    ("", None, None),
    ("I cannot judge this image.", None, None),
]


@pytest.mark.parametrize(("text", "alone", "released"), ANSWERS)
def test_an_answer_is_read_or_is_none(text, alone, released):
    assert parse_answer(text) == alone
    assert parse_answer(text, rules="released") == released


def test_the_answers_have_every_shape():
    assert len(ANSWERS) >= 40


@given(st.text(max_size=30))
def test_any_text_is_a_severity_or_none(text):
    for rules in ("alone", "released"):
        assert parse_answer(text, rules) in (None, 1, 2, 3, 4, 5)


# Scores: degraded, restored, LPS, and by hand RS, signed RS, FS, signed FS
# ----------------------------------------------------------------------------------------------------------------------

ROWS = [
    ("rain", 1, 5, 0.0, 4, 4, 0.8, 0.8),
    ("rain", 1, 5, 0.5, 4, 4, 0.4, 0.4),
    ("rain", 1, 4, 0.1, 3, 3, 0.54, 0.54),
    ("rain", 2, 4, 0.25, 2, 2, 0.3, 0.3),
    ("rain", 2, 3, 0.3, 1, 1, 0.14, 0.14),
    ("rain", 3, 3, 0.4, 0, 0, 0.0, 0.0),
    ("rain", 3, 2, 0.2, 0, -1, 0.0, -0.16),
    ("rain", 4, 2, 0.35, 0, -2, 0.0, -0.26),
    ("haze", 5, 1, 0.75, 0, -4, 0.0, -0.2),
    ("haze", 5, 5, 0.0, 0, 0, 0.0, 0.0),
    ("haze", 4, 5, 0.445, 1, 1, 0.111, 0.111),
    ("haze", 3, 5, 0.125, 2, 2, 0.35, 0.35),
    ("haze", 2, 5, 0.6, 3, 3, 0.24, 0.24),
    ("haze", 1, 2, 1.0, 1, 1, 0.0, 0.0),
    ("haze", 2, 1, 0.05, 0, -1, 0.0, -0.19),
    ("haze", 4, 4, 0.9, 0, 0, 0.0, 0.0),
    ("blur", 3, 4, 0.01, 1, 1, 0.198, 0.198),
    ("blur", 1, 3, 0.333, 2, 2, 0.2668, 0.2668),
    ("blur", 4, 3, 0.555, 0, -1, 0.0, -0.089),
    ("blur", 2, 4, 0.15, 2, 2, 0.34, 0.34),
]
JUDGED = [Judged(str(number), *row[:4]) for number, row in enumerate(ROWS)]


def test_scores_of_images_are_those_made_by_hand():
    assert len(ROWS) == 20
    by_name = {measure.name: measure for measure in measures()}
    for row, judged in zip(ROWS, JUDGED, strict=True):
        found = [by_name[name].value(judged) for name in ("RS", "RS signed", "FS", "FS signed")]
        assert found == pytest.approx(row[4:], abs=1e-6)
        assert by_name["LPS"].value(judged) == row[3]
    assert [measure.name for measure in measures(clamp=False)] == ["RS", "LPS", "FS"]
    assert measures(clamp=False)[2].value(JUDGED[7]) == pytest.approx(-0.26, abs=1e-6)


def test_averages_are_those_made_by_hand():
    found = averages(JUDGED)
    assert {name: found["rain"][name].value for name in ("RS", "RS signed", "LPS", "FS")} == pytest.approx(
        {"RS": 1.75, "RS signed": 1.375, "LPS": 2.1 / 8, "FS": 0.2725}, abs=1e-6
    )
    assert found["haze"]["FS"].value == pytest.approx(0.701 / 8, abs=1e-6)
    assert found["blur"]["FS"].value == pytest.approx(0.8048 / 4, abs=1e-6)
    assert found[OVER_IMAGES]["FS"].value == pytest.approx(3.6858 / 20, abs=1e-6)
    assert found[OVER_TASKS]["FS"].value == pytest.approx((0.2725 + 0.087625 + 0.2012) / 3, abs=1e-6)
    assert found[OVER_IMAGES]["FS signed"].value == pytest.approx(2.7868 / 20, abs=1e-6)
    assert found[OVER_IMAGES]["FS"].label == "mean over 20 images"
    assert found[OVER_TASKS]["FS"].label == "mean over 3 tasks, 20 images"


def test_identity_scores_nothing():
    rows = [Judged(str(number), "rain", severity, severity, 0.0) for number, severity in enumerate((1, 2, 3, 4, 5))]
    for name, mean in averages(rows)[OVER_IMAGES].items():
        assert mean.value == 0, name
    assert averages([]) == {}


@pytest.mark.parametrize(("share", "bias"), [(0.05, 0.007), (0.10, 0.014), (0.20, 0.028)])
def test_the_clamp_lifts_a_restorer_that_does_nothing(share, bias):
    """Its output is judged one better on a share of the images and one worse on as many; LPS is 0.3."""
    steps = [1] * round(1000 * share) + [-1] * round(1000 * share)
    steps += [0] * (1000 - len(steps))
    rows = [Judged(str(number), "rain", 3, 3 + step, 0.3) for number, step in enumerate(steps)]
    found = averages(rows)[OVER_IMAGES]
    assert found["FS"].value == pytest.approx(bias, abs=1e-9)
    assert found["FS signed"].value == pytest.approx(0, abs=1e-9)


def test_a_mean_over_fewer_than_asked_says_so_and_bounds_the_rest():
    rows = [
        Judged("a", "rain", 1, 5, 0.5),
        Judged("b", "rain", 2, None, 0.5, "the judge wrote: I cannot"),
        Judged("c", "rain", None, None, None, "no prediction"),
        Judged("d", "haze", None, 3, 0.25, "the judge is down"),
    ]
    assert [row.status for row in rows] == ["scored", "failed", "failed", "failed"]
    found = averages(rows)
    rain = found["rain"]["FS"]
    assert (rain.value, rain.asked, rain.scored, rain.failed) == (0.4, 3, 1, 2)
    assert rain.label == "mean over 1 of 3 images asked"
    assert (rain.low, rain.high) == pytest.approx(((0.4 + 0 + 0) / 3, (0.4 + 0.3 + 0.8) / 3))
    assert found["rain"]["FS signed"].low == pytest.approx((0.4 - 0.1 - 0.8) / 3)
    assert found["rain"]["LPS"].label == "mean over 2 of 3 images asked"
    assert found["haze"]["FS"].value is None
    assert found[OVER_TASKS]["FS"].value == 0.4
    assert found[OVER_TASKS]["FS"].label == "mean over 1 of 2 tasks, 1 of 4 images asked"
    assert not found[OVER_TASKS]["FS"].complete


severities = st.sampled_from([1, 2, 3, 4, 5, None])


@given(st.lists(st.tuples(severities, severities, st.one_of(st.none(), st.floats(0, 1))), min_size=1, max_size=8))
def test_no_filling_in_of_what_is_missing_leaves_the_bounds(cells):
    rows = [Judged(str(number), "rain", *cell) for number, cell in enumerate(cells)]
    filled = [
        Judged(row.image, row.task, row.degraded or 2, row.restored or 4, 0.5 if row.lps is None else row.lps)
        for row in rows
    ]
    for name, mean in averages(rows)[OVER_IMAGES].items():
        assert mean.low - 1e-9 <= averages(filled)[OVER_IMAGES][name].value <= mean.high + 1e-9


def test_the_formulae():
    assert restoration_score(4, 2) == 0
    assert restoration_score(4, 2, clamp=False) == -2
    assert final_score(2, 0.25) == pytest.approx(0.3)
    assert from_averages(1.312, 0.445) == pytest.approx(0.145632)


# Statistics
# ----------------------------------------------------------------------------------------------------------------------


def test_intervals_hold_the_truth_as_often_as_they_say():
    generator = np.random.default_rng(0)
    held = 0
    for trial in range(200):
        found = interval(generator.exponential(1.0, 60), level=0.9, resamples=500, seed=trial)
        held += found.low <= 1 <= found.high
    assert 165 <= held <= 195  # 180 expected, 4 the deviation


def test_scores_of_one_image_are_no_new_images():
    generator = np.random.default_rng(1)
    values = np.repeat(generator.normal(0, 1, 50), 20)
    alone, clustered = interval(values), interval(values, clusters=[number // 20 for number in range(1000)])
    assert clustered.count == 50
    assert clustered.value == pytest.approx(alone.value)
    assert clustered.high - clustered.low > 3 * (alone.high - alone.low)
    assert paired_p(values, 0 * values) < paired_p(values, 0 * values, clusters=[n // 20 for n in range(1000)])


def test_too_little_gives_no_interval():
    assert (interval([0.3]).low, interval([0.3]).value) == (None, 0.3)
    assert (interval([0.3, 0.3, 0.3]).low, interval([0.3, 0.3, 0.3]).high) == (0.3, 0.3)
    assert interval_over_groups({"rain": [1.0, 2.0], "haze": [3.0]}).low is None
    for bad in ([], [float("nan")], [[1.0]]):
        with pytest.raises(ValueError, match="finite numbers"):
            interval(bad)
    with pytest.raises(ValueError, match="2 values and 1 clusters"):
        interval([1.0, 2.0], clusters=["a"])


def test_a_mean_over_tasks_weighs_tasks_alike():
    groups = {"rain": [0.0, 0.2] * 50, "haze": [0.9, 1.1] * 5}
    found = interval_over_groups(groups, resamples=999)
    assert found.value == pytest.approx(0.55)
    assert 0.45 < found.low < 0.55 < found.high < 0.65


def test_a_paired_test_is_exact_where_it_can_be():
    assert paired_p([1, 2, 3], [0, 1, 2]) == 0.25  # 2 of the 8 ways to exchange are as far out
    assert paired_p([1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5]) == 2 / 64
    assert paired_p([1, 2], [1, 2]) == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1), max_size=12))
def test_adjusted_p_values_keep_their_order_and_grow(values):
    adjusted = holm(values)
    assert all(one >= other for one, other in zip(adjusted, values, strict=True))
    assert sorted(range(len(values)), key=lambda at: (values[at], at)) == sorted(
        range(len(values)), key=lambda at: (adjusted[at], values[at], at)
    )
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_nothing_inside_the_noise_is_ranked():
    generator = np.random.default_rng(2)
    base = generator.normal(0.15, 0.16, 200)
    ahead = {"good": 0.08, "twin one": 0.0, "twin two": 0.0005, "poor": -0.08}
    scores = {
        name: {str(image): float(value) for image, value in enumerate(base + lift + generator.normal(0, 0.1, 200))}
        for name, lift in ahead.items()
    }
    scores["poor"].pop("0")  # compared on what both have
    found = differences(scores, resamples=999)
    means = {name: float(np.mean(list(values.values()))) for name, values in scores.items()}
    assert {(each.one, each.other) for each in found if not each.holds} == {("twin one", "twin two")}
    assert {each.mean.count for each in found if "poor" in (each.one, each.other)} == {199}
    ranks = {each.name: each.label for each in standings(means, found)}
    assert ranks == {"good": "1", "twin one": "2-3", "twin two": "2-3", "poor": "4"}
    turned = {each.name: each.label for each in standings(means, found, higher_is_better=False)}
    assert turned == {"good": "4", "twin one": "2-3", "twin two": "2-3", "poor": "1"}


def test_scores_of_one_picture_in_several_groups_are_no_new_pictures():
    random = np.random.default_rng(3)
    pictures = random.normal(0, 1, 12)
    once = {"a": pictures, "b": pictures + 1}
    apart = {"a": list(range(12)), "b": list(range(12, 24))}
    together = {"a": list(range(12)), "b": list(range(12))}
    settings = {"resamples": 999}
    free, bound = (interval_over_groups(once, clusters=each, **settings) for each in (apart, together))
    assert free == interval_over_groups(once, **settings)
    assert bound.value == free.value
    assert bound.count == 12
    assert bound.high - bound.low > 1.2 * (free.high - free.low), "as wide as that of one group"
    twice = {"one": {str(n): value for n, value in enumerate(np.repeat(pictures, 4))}}
    twice["other"] = {name: value - 0.5 for name, value in twice["one"].items()}
    made_of = {str(n): n // 4 for n in range(48)}
    (loose,), (tied,) = (differences(twice, clusters=each, **settings) for each in (None, made_of))
    assert tied.mean.count == 12
    assert tied.p >= loose.p
