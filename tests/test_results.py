"""The format of results: versioned, with a published schema, refused where it is not known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rrframe.errors import RRFrameError
from rrframe.evaluation.results import Results, load_results, results_schema


def results(**changed: Any) -> Results:
    """The results of one image under one restorer."""
    row = {"image": "a", "restorer": "same", "task": "noise", "status": "scored", "scores": {"metric/psnr": 30.0}}
    mean = {"value": 30.0, "of": "images", "asked": 1, "scored": 1, "images_asked": 1, "images_scored": 1}
    mean |= {"label": "mean over 1 images", "complete": True}
    return Results.model_validate(
        {
            "name": "tiny",
            "made": {"rrframe": "0.1.0", "date": "2026-03-01T12:00:00+00:00", "seconds": 1.0},
            "benchmark": {"name": "two", "title": "Two", "tasks": ["noise"], "references": True, "images_asked": 1},
            "settings": {"kind": "evaluation"},
            "measures": [{"name": "metric/psnr", "title": "PSNR", "higher_is_better": True, "reads": "full-reference"}],
            "restorers": [{"name": "same", "kind": "identity"}],
            "groups": [{"name": "noise", "kind": "task", "images": 1}],
            "rows": [row],
            "averages": {"same": {"noise": {"metric/psnr": mean}}},
        }
        | changed
    )


def test_results_come_back_as_they_were_and_keep_to_the_published_schema(tmp_path: Path) -> None:
    made = results()
    (tmp_path / "results.json").write_text(made.text(), encoding="utf-8")
    assert load_results(tmp_path) == made == load_results(tmp_path / "results.json")
    schema = results_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(made.text()), schema)
    assert schema["properties"]["schema"]["const"] == json.loads(made.text())["schema"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON"),
        ("[]", "does not say its version"),
        ('{"schema": 2}', "version 2"),
        ('{"schema": 1}', "damaged: name"),
    ],
)
def test_what_is_no_results_of_this_version_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(RRFrameError, match=said) as caught:
        load_results(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_no_results_are_told_of(tmp_path: Path) -> None:
    with pytest.raises(RRFrameError, match="cannot be read"):
        load_results(tmp_path)
