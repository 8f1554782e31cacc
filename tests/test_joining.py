"""Evaluations put side by side: what is joined, what stays apart, what is tested anew."""

from __future__ import annotations

import pytest
from evaluated import OURS, SAME, results_of
from pages_read import assert_self_contained

from rrframe.errors import RRFrameError
from rrframe.evaluation.joining import join
from rrframe.evaluation.report import write_report
from rrframe.evaluation.results import Results


def test_runs_are_joined_into_one(tmp_path, photo):
    one, other = (tmp_path / name for name in ("one", "other"))
    before = results_of(one, photo, each=8)
    after = results_of(other, photo, each=9)
    told = [
        {**row.model_dump(), "scores": {"metric/psnr": (row.scores["metric/psnr"] or 0) + 3, "FS": row.scores["FS"]}}
        for row in after.rows
    ]
    settings = {"name": "later", "rows": told, "judge": {"name": "judge/other", "proxy": False}}
    later = Results.model_validate(after.model_dump(by_alias=True) | settings)
    joined = join([(before, one), (later, other)], tmp_path, resamples=1000)
    assert [each.name for each in joined.restorers][:2] == [SAME, f"{OURS} ({before.name})"]
    assert [each.title for each in joined.measures] == ["PSNR", f"FS ({before.name})", "FS (later)"]
    gap = {(each.one, each.other): each for each in joined.differences["metric/psnr"]}
    ours = gap[f"{OURS} ({before.name})", f"{OURS} (later)"]
    assert (ours.value, ours.images, ours.holds) == (-3, 16, True)
    assert joined.standings["metric/psnr"][0].name == f"{OURS} (later)"
    assert not [each for each in joined.differences["FS (later)"] if before.name in each.one + each.other]
    said = [each.message for each in joined.problems]
    assert any("later has 2 images that not every run has (016, 017)" in words for words in said)
    assert any("so it stands apart as FS (later)" in words for words in said)
    page = assert_self_contained(write_report(joined, tmp_path).read_text(), beside=tmp_path)
    assert f"{OURS} (later)" in {str(tag.get("data-side")) for tag in page.tags("a")}
    assert Results.model_validate_json(joined.text()) == joined


def test_what_one_run_knows_of_its_photographs_counts_in_all(tmp_path, photo):
    """Else images made of few photographs would be so many draws, and claim what none of the runs can."""
    plain = results_of(tmp_path, photo, each=8)
    rows = tuple(row.model_copy(update={"picture": f"photograph {int(row.image[:3]) % 4}"}) for row in plain.rows)
    told = plain.model_copy(update={"rows": rows, "name": "told"})
    for runs in ((told, plain), (plain, told)):
        joined = join([(each, tmp_path) for each in runs], tmp_path, resamples=1000)
        assert {row.picture for row in joined.rows} == {f"photograph {number}" for number in range(4)}
        assert not [each for pairs in joined.differences.values() for each in pairs if each.holds]
    apart = join([(plain, tmp_path), (plain.model_copy(update={"name": "again"}), tmp_path)], tmp_path, resamples=1000)
    assert [each for each in apart.differences["metric/psnr"] if each.holds]


def _changed(results: Results, **benchmark: object) -> Results:
    return results.model_copy(update={"benchmark": results.benchmark.model_copy(update=benchmark)})


def test_runs_on_other_benchmarks_are_not_joined(tmp_path, photo):
    results = results_of(tmp_path, photo, each=1)
    one = (_changed(results, card="uhdm"), tmp_path)
    with pytest.raises(RRFrameError, match="was made on"):
        join([one, (_changed(results, card="sir2"), tmp_path)], tmp_path)
    for told, changed in [("no image in common", {"image": "another"}), ("another task or size", {"width": 7})]:
        rows = tuple(row.model_copy(update=changed) for row in results.rows)
        with pytest.raises(RRFrameError, match=told):
            join([(results, tmp_path), (results.model_copy(update={"rows": rows}), tmp_path)], tmp_path)


def test_folders_of_ones_own_are_one_benchmark_where_their_images_agree(tmp_path, photo):
    results = results_of(tmp_path, photo, each=2)
    again = _changed(results, name="called otherwise", title="lying elsewhere")
    joined = join(
        [(results, tmp_path), (again.model_copy(update={"name": "again"}), tmp_path)], tmp_path, resamples=100
    )
    assert f"{OURS} (again)" in {each.name for each in joined.restorers}


def test_a_run_joined_alone_stays_what_it_is(tmp_path, photo):
    results = results_of(tmp_path, photo, each=4)
    alone = join([(results, tmp_path)], tmp_path, resamples=200)
    assert alone.rows == results.rows
    assert alone.averages == results.averages
    assert alone.problems == results.problems
