"""``rrframe validate``, ``schema``, ``recipes`` and ``cp``."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import yaml
from conftest import Cli
from test_recipe import SMALL, WRONG

from rrframe.recipe.schema import recipe_schema
from rrframe.recipe.shipped import shipped_recipes


def test_validate_says_what_a_recipe_does(rrframe_cli: Cli) -> None:
    done = rrframe_cli("validate", "quickstart", "--set", "tasks.haze.weight=2")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words in ["valid", "images/samples", "haze, weight 2 (50%): haze/scattering", "depth by depth/plane"]:
        assert words in done.stdout


def test_validate_tells_every_error_and_writes_nothing(rrframe_here: Cli, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    done = rrframe_here("validate", "wrong.yaml", "--set", "limit=0")
    assert done.returncode == 2
    assert done.stdout == ""
    for words in ["tasks.hze.chain[0].params.beta (wrong.yaml:14)", "limit (--set limit=0)", "17 problems found"]:
        assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.yaml"]


def test_run_refuses_a_wrong_recipe_before_anything_is_written(rrframe_here: Cli, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(WRONG)
    done = rrframe_here("run", "wrong.yaml", "--out", "runs/wrong")
    assert done.returncode == 2
    assert "16 problems found" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["wrong.yaml"]


def test_a_file_that_is_no_yaml(rrframe_here: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [1\nb: 2\n")
    done = rrframe_here("validate", "bad.yaml")
    assert done.returncode == 2
    assert "bad.yaml:2:" in done.stderr
    assert "Traceback" not in done.stderr


def test_schema_is_one_that_accepts_a_recipe_and_refuses_a_wrong_one(rrframe_here: Cli) -> None:
    done = rrframe_here("schema")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == recipe_schema()
    validator = jsonschema.Draft202012Validator(json.loads(done.stdout))
    assert validator.is_valid(yaml.safe_load(SMALL))
    assert not validator.is_valid(yaml.safe_load(WRONG))


def test_recipes_are_listed_with_what_they_make(rrframe_cli: Cli) -> None:
    rows = json.loads(rrframe_cli("recipes", "--json").stdout)
    assert [row["name"] for row in rows] == sorted(shipped_recipes())
    assert {row["kind"] for row in rows} == {"evaluation", "synthesis", "training"}
    plain = rrframe_cli("recipes").stdout.splitlines()
    for row, line in zip(rows, plain, strict=True):
        assert row["about"]
        assert all(row[column] in line for column in ("name", "kind", "about"))


def test_every_shipped_recipe_opens_with_the_command_that_runs_it() -> None:
    for name, file in shipped_recipes().items():
        assert file.read_text().startswith(f"# rrframe run {name}")


def test_cp_copies_and_does_not_overwrite(rrframe_here: Cli, tmp_path: Path) -> None:
    mine = tmp_path / "deep" / "mine.yaml"
    assert rrframe_here("cp", "synthesis/haze", mine).returncode == 0
    original = shipped_recipes()["synthesis/haze"].read_bytes()
    assert mine.read_bytes() == original
    mine.write_text("changed")
    refused = rrframe_here("cp", "synthesis/haze", mine)
    assert (refused.returncode, mine.read_text()) == (2, "changed")
    assert "--force" in refused.stderr
    assert rrframe_here("cp", "synthesis/haze", mine, "--force").returncode == 0
    assert mine.read_bytes() == original
    assert rrframe_here("cp", "synthesis/haze", tmp_path).returncode == 0
    assert (tmp_path / "haze.yaml").read_bytes() == original
    assert rrframe_here("cp", "synthesis/haz", tmp_path / "x.yaml").returncode == 2
    assert rrframe_here("cp", "quickstart", mine / "below-a-file.yaml").returncode == 2
