"""The host: plugins are found one by one, a broken one becomes a row with a reason, and every hook is called."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from conftest import Cli
from making import photographs, recipe
from plugin_on_path import write_plugin

from rrframe import Component, RRFrameError, Spec, hookspecs
from rrframe.cli.info import describe
from rrframe.cli.main import cli
from rrframe.contracts.component import create
from rrframe.manager import Entry, Manager, get_manager
from rrframe.specs import HOOKS, KINDS

OPENING = "from rrframe import Spec, hookimpl\n"
TARGET = "rrframe_degradations.haze:Scattering"

# Plugins that cannot be loaded -> a part of the reason that must be given.
BROKEN = {
    "raises at import": ("1 / 0", "ZeroDivisionError: division by zero"),
    "leaves at import": ("import sys\nsys.exit(3)", "SystemExit: 3"),
    "does not parse": ("def :", "SyntaxError: invalid syntax"),
    "lacks a dependency": ("import fog_machine", "ModuleNotFoundError: No module named 'fog_machine'"),
    "misspells a hook": (
        OPENING + "@hookimpl\ndef register_degradation(): return []",
        "there is no hook 'register_degradation'; did you mean register_degradations",
    ),
    "forgets the mark": (
        OPENING + "def register_degradations(): return []",
        "register_degradations is not marked with @rrframe.hookimpl",
    ),
    "has no hook": ("import rrframe", "it has no hook"),
    "asks for an argument that is not given": (
        OPENING + "@hookimpl\ndef register_degradations(fog): return []",
        "declared in the hookimpl but can not be found in the hookspec",
    ),
    "raises in its hook": (
        OPENING + "@hookimpl\ndef register_degradations(): raise KeyError('fog')",
        "KeyError: 'fog'",
    ),
    "raises after its first spec": (
        OPENING + f"@hookimpl\ndef register_degradations():\n    yield Spec('x/y', '{TARGET}', 'A.')\n    1 / 0",
        "ZeroDivisionError",
    ),
    "gives no spec": (
        OPENING + "@hookimpl\ndef register_degradations(): return ['haze/fog']",
        "register_degradations gave 'haze/fog', which is not a rrframe.Spec",
    ),
    "gives nothing to go through": (
        OPENING + "@hookimpl\ndef register_degradations(): return 3",
        "TypeError: 'int' object is not iterable",
    ),
    "spells a name wrongly": (
        OPENING + f"@hookimpl\ndef register_degradations(): yield Spec('Haze/Fog', '{TARGET}', 'Fog.')",
        "component name 'Haze/Fog' is not lower-case words",
    ),
    "spells a target wrongly": (
        OPENING + "@hookimpl\ndef register_degradations(): yield Spec('haze/fog', 'fog.Fog', 'Fog.')",
        "target 'fog.Fog' of haze/fog is not of the form 'package.module:Class'",
    ),
    "says nothing": (
        OPENING + f"@hookimpl\ndef register_degradations(): yield Spec('haze/fog', '{TARGET}', ' ')",
        "summary of haze/fog must be one line",
    ),
    "announces twice": (
        OPENING + f"@hookimpl\ndef register_degradations(): return [Spec('haze/fog', '{TARGET}', 'Fog.')] * 2",
        "register_degradations announces haze/fog twice",
    ),
    "takes a command of the host": (
        OPENING + "@hookimpl\ndef register_commands(cli):\n    @cli.command()\n    def run(): pass",
        "command 'run' is rrframe's own",
    ),
    "raises while adding commands": (
        OPENING + "@hookimpl\ndef register_commands(cli): cli.add_comand(None)",
        "AttributeError",
    ),
}
HEALTHY = OPENING + f"@hookimpl\ndef register_degradations(): yield Spec('haze/healthy', '{TARGET}', 'All is well.')"


def rows_of(cli: Cli, env: dict[str, str], *args: str) -> list[dict[str, str]]:
    done = cli(*args, "plugins", "--json", env=env)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, str]] = json.loads(done.stdout)
    return rows


# Broken plugins
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "reason"), BROKEN.values(), ids=BROKEN)
def test_a_broken_plugin_is_a_row_with_its_reason(rrframe_cli: Cli, tmp_path: Path, code: str, reason: str) -> None:
    write_plugin(tmp_path, "a_healthy_plugin", HEALTHY)
    env = write_plugin(tmp_path, "broken_plugin", code, version="1.2")

    rows = rows_of(rrframe_cli, env)
    (broken,) = [row for row in rows if row["status"] != "ok"]
    assert reason in broken.pop("error")
    assert broken == {
        "kind": "plugin",
        "name": "broken_plugin",
        "summary": "",
        "target": "broken_plugin",
        "plugin": "broken_plugin",
        "version": "1.2",
        "status": "broken",
    }
    assert {"haze/healthy", "haze/scattering"} <= {row["name"] for row in rows}
    assert "x/y" not in {row["name"] for row in rows}  # all of a plugin or nothing

    strict = rrframe_cli("plugins", env=env | {"RRFRAME_STRICT": "1"})
    assert strict.returncode == 2
    assert "plugin broken_plugin is broken" in strict.stderr
    assert "broken_plugin 1.2" in strict.stderr
    assert "Traceback" not in strict.stderr

    alone = rows_of(rrframe_cli, env | {"RRFRAME_STRICT": "1"}, "--no-plugins")
    assert {row["plugin"] for row in alone} == {"rrframe"}


def test_the_table_shows_what_is_broken_and_fits_the_screen(rrframe_cli: Cli, tmp_path: Path) -> None:
    env = write_plugin(tmp_path, "broken_plugin", BROKEN["misspells a hook"][0])
    done = rrframe_cli("plugins", env=env | {"COLUMNS": "80"})
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "broken: ValueError" in done.stdout
    assert re.fullmatch(r"\d+ usable, 1 broken", lines[-1])
    piped = rrframe_cli("plugins", env=env | {"COLUMNS": ""})
    row = next(line for line in piped.stdout.splitlines() if "haze/scattering" in line)
    assert get_manager().find("haze/scattering").spec.summary in row
    assert row.endswith(str(get_manager().find("haze/scattering").plugin))


def test_help_and_unknown_names_survive_a_broken_plugin(rrframe_cli: Cli, tmp_path: Path) -> None:
    env = write_plugin(tmp_path, "broken_plugin", "1 / 0")
    assert rrframe_cli("--help", env=env).returncode == 0
    for args in (("info", "haze/fog"), ("fog",)):
        done = rrframe_cli(*args, env=env)
        assert done.returncode == 2
        assert "broken plugins: broken_plugin; rrframe plugins tells why" in done.stderr


def test_a_collision_names_both_sides_and_nobody_wins(rrframe_cli: Cli, tmp_path: Path) -> None:
    code = OPENING + (
        f"@hookimpl\ndef register_degradations():\n"
        f"    yield Spec('haze/scattering', '{TARGET}', 'Mine.')\n    yield Spec('haze/mine', '{TARGET}', 'Mine too.')"
    )
    env = write_plugin(tmp_path, "second_haze", code, version="3.4")
    own = str(get_manager().find("haze/scattering").plugin)
    reason = f"haze/scattering is announced by {own} and second_haze 3.4"

    rows = {row["name"]: row for row in rows_of(rrframe_cli, env)}
    assert (rows["haze/scattering"]["status"], rows["haze/scattering"]["error"]) == ("broken", reason)
    assert rows["haze/scattering"]["kind"] == "degradation"
    assert rows["haze/mine"]["status"] == "ok"

    used = rrframe_cli("info", "haze/scattering", env=env)
    assert used.returncode == 2
    assert reason in used.stderr
    strict = rrframe_cli("plugins", env=env | {"RRFRAME_STRICT": "1"})
    assert strict.returncode == 2
    assert reason in strict.stderr
    assert rrframe_cli("--no-plugins", "info", "haze/scattering", env=env).returncode == 0

    write_plugin(tmp_path, "third_haze", code.replace("mine", "third"), version="5.6")
    rows = {row["name"]: row for row in rows_of(rrframe_cli, env)}
    assert rows["haze/scattering"]["error"] == reason + " and third_haze 5.6"


def test_check_marks_targets_that_cannot_be_used(rrframe_cli: Cli, tmp_path: Path) -> None:
    code = OPENING + (
        "from abc import abstractmethod\n"
        "@hookimpl\ndef register_degradations():\n"
        "    yield Spec('bad/missing', 'fog_machine:Fog', 'No such module.', extra='rrframe-fog[machine]')\n"
        "    yield Spec('bad/attribute', 'rrframe_degradations.haze:Fog', 'No such class.')\n"
        "    yield Spec('bad/type', 'pathlib:Path', 'No component.')\n"
        "    yield Spec('bad/kind', 'rrframe_filters.size:Resolution', 'Another kind.')\n"
        "    yield Spec('bad/abstract', 'rrframe:Degradation', 'Without apply.')\n"
    )
    env = write_plugin(tmp_path, "bad_targets", code)
    unchecked = rows_of(rrframe_cli, env)
    assert all(row["status"] == "ok" for row in unchecked)

    done = rrframe_cli("plugins", "--json", "--check", env=env)
    assert done.returncode == 1
    errors = {row["name"]: row["error"] for row in json.loads(done.stdout) if row["status"] == "broken"}
    reasons = {
        "bad/missing": ("No module named 'fog_machine'", "pip install 'rrframe-fog[machine]'"),
        "bad/attribute": ("AttributeError", "'Fog'"),
        "bad/type": ("pathlib:Path is not a class derived from rrframe.Component",),
        "bad/kind": ("is a filter, but was announced by register_degradations",),
        "bad/abstract": ("does not implement apply",),
    }
    assert errors.keys() == reasons.keys()
    assert all(part in errors[name] for name, parts in reasons.items() for part in parts)

    used = rrframe_cli("info", "bad/missing", env=env)
    assert used.returncode == 2
    assert "bad_targets 1.0" in used.stderr
    assert "pip install 'rrframe-fog[machine]'" in used.stderr


def test_commands_of_plugins(rrframe_cli: Cli, tmp_path: Path) -> None:
    def adding(*names: str) -> str:
        added = [
            f"    @cli.command()\n    def {name}():\n        'Tell {name}.'\n        print('{name}')" for name in names
        ]
        return OPENING + "\n".join(["@hookimpl", "def register_commands(cli):", *added])

    write_plugin(tmp_path, "first_weather", adding("weather", "wind"), version="1.0")
    env = write_plugin(tmp_path, "second_weather", adding("weather", "snow"), version="2.0")
    help_text = rrframe_cli("--help", env=env).stdout
    assert "Tell wind." in help_text
    assert "Tell snow." in help_text
    assert "weather" not in help_text
    assert rrframe_cli("wind", env=env).stdout == "wind\n"
    clash = rrframe_cli("weather", env=env)
    assert clash.returncode == 2
    assert "broken plugins: second_weather" in clash.stderr
    errors = [row["error"] for row in rows_of(rrframe_cli, env) if row["error"]]
    assert errors == ["ValueError: command 'weather' is added by first_weather 1.0 and second_weather 2.0"]
    assert rrframe_cli("--no-plugins", "wind", env=env).returncode == 2


def test_two_defaults_for_a_cue_are_refused_where_one_is_taken(tmp_path: Path) -> None:
    code = OPENING + (
        "@hookimpl\ndef register_cues(): yield Spec('depth/mine', 'rrframe_cues.depth:Plane', 'Mine.', default=True)"
    )
    env = write_plugin(tmp_path, "my_depth", code)
    manager = _manager_with(tmp_path, env)
    with pytest.raises(RRFrameError, match=r"depth/mine of my_depth 1.0 and depth/plane of rrframe"):
        manager.default_cue("depth")
    assert manager.default_cue("nothing") is None


def _manager_with(folder: Path, env: dict[str, str]) -> Manager:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        return Manager()


# Hooks
# ---------------------------------------------------------------------------------------------------------------------

HOOK_NAMES = sorted(name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), "rrframe_spec"))
OBSERVERS = [name for name in HOOK_NAMES if name.startswith("on_")]


def test_these_are_all_hooks() -> None:
    assert set(HOOK_NAMES) == {*HOOKS.values(), "register_commands", *OBSERVERS}
    assert set(OBSERVERS) == {"on_run_started", "on_pair_written", "on_step_ended", "on_run_finished"}


@pytest.mark.parametrize("name", HOOK_NAMES)
def test_every_hook_has_an_example_that_fits_it(name: str) -> None:
    hook = getattr(hookspecs, name)
    blocks = re.findall(r"```python\n(.*?)```", inspect.cleandoc(hook.__doc__), re.DOTALL)
    assert len(blocks) == 1
    (function,) = ast.parse(blocks[0]).body
    assert isinstance(function, ast.FunctionDef)
    assert function.name == name
    assert [ast.unparse(mark) for mark in function.decorator_list] == ["hookimpl"]
    assert {argument.arg for argument in function.args.args} <= set(inspect.signature(hook).parameters)


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_every_registering_hook_makes_a_row(tmp_path: Path, kind: str) -> None:
    hook = getattr(hookspecs, HOOKS[kind])
    (example,) = re.findall(r"```python\n(.*?)```", inspect.cleandoc(hook.__doc__), re.DOTALL)
    name = f"example_of_{kind}"
    manager = _manager_with(tmp_path, write_plugin(tmp_path, name, OPENING + example))
    assert manager.broken == []
    added = [entry for entry in manager.entries() if entry.plugin.distribution == name]
    assert [entry.kind for entry in added] == [kind]
    assert manager.find(added[0].spec.name, kind) == added[0]


@pytest.mark.parametrize("hook", OBSERVERS)
def test_an_observer_is_told_and_one_that_fails_stops_nobody(
    tmp_path: Path, hook: str, caplog: pytest.LogCaptureFixture
) -> None:
    (argument,) = inspect.signature(getattr(hookspecs, hook)).parameters
    observing = "from rrframe import hookimpl\ntold = []\n@hookimpl\ndef {}({}):\n    {}"
    write_plugin(tmp_path, f"failing_{hook}", observing.format(hook, argument, "raise OSError('no network')"))
    env = write_plugin(tmp_path, f"listening_{hook}", observing.format(hook, argument, f"told.append({argument})"))
    manager = _manager_with(tmp_path, env)
    manager.notify(hook, **{argument: "news"})
    assert importlib.import_module(f"listening_{hook}").told == ["news"]
    (record,) = [each for each in caplog.records if "rrframe 0" not in each.getMessage()]  # ours can read no such news
    assert record.getMessage() == f"plugin failing_{hook} 1.0 failed in {hook}: OSError: no network"


# Lookup
# ---------------------------------------------------------------------------------------------------------------------

IN_TREE = Manager(third_party=False).entries()


@pytest.mark.parametrize("entry", IN_TREE, ids=lambda entry: f"{entry.kind}:{entry.spec.name}")
def test_every_spec_in_the_tree_is_good(entry: Entry) -> None:
    cls = get_manager().load(entry)
    assert issubclass(cls, Component)
    assert get_manager().entry_of(cls) == entry
    assert re.fullmatch(r"[A-Z].{8,90}\.", entry.spec.summary)
    assert not entry.spec.summary.startswith(("A plugin", "This "))
    assert cls.__doc__ or entry.kind == "task"


def test_tables_are_sorted_and_listing_agrees_with_finding() -> None:
    for kind in KINDS:
        names = list(get_manager().table(kind))
        assert names == sorted(names)
        assert all(get_manager().find(name, kind).spec.name == name for name in names)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("haze/scatering", "haze/scattering"), ("scattering", "haze/scattering"), ("compresion/jpeg", "compression/jpeg")],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(RRFrameError) as caught:
        get_manager().find(name)
    assert f"did you mean {meant}" in str(caught.value)


def test_a_name_in_two_kinds_must_say_which(tmp_path: Path) -> None:
    code = OPENING + "@hookimpl\ndef register_metrics(): yield Spec('haze', 'rrframe_tasks.nine:Haze', 'As a metric.')"
    manager = _manager_with(tmp_path, write_plugin(tmp_path, "haze_metric", code))
    assert [entry.kind for entry in manager.entries() if entry.spec.name == "haze"] == ["task", "metric"]
    assert manager.find("haze", "task").plugin.distribution == "rrframe"
    with pytest.raises(RRFrameError, match=r"a task of rrframe .* and a metric of haze_metric 1\.0"):
        manager.find("haze")


@pytest.mark.parametrize(
    "spec",
    [
        ("Haze", "a:B", "x"),
        ("haze/", "a:B", "x"),
        ("a--b", "a:B", "x"),
        ("a", "a.b", "x"),
        ("a", "a:b.c", "x"),
        ("a", "a:B", "x\ny"),
    ],
)
def test_a_spec_refuses_what_is_not_of_its_form(spec: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match=r"not|must"):
        Spec(*spec)


# The commands plugins and info
# ---------------------------------------------------------------------------------------------------------------------


def test_plugins_of_one_kind(rrframe_cli: Cli) -> None:
    rows = json.loads(rrframe_cli("plugins", "--json", "--kind", "task").stdout)
    assert {row["kind"] for row in rows} == {"task"}
    assert len(rows) >= 9
    refused = rrframe_cli("plugins", "--kind", "degradatoin")
    assert refused.returncode == 2
    assert "did you mean degradation?" in refused.stderr


def test_info_tells_all_of_a_degradation(rrframe_cli: Cli) -> None:
    told = json.loads(rrframe_cli("info", "haze/scattering", "--json").stdout)
    assert (told["kind"], told["category"], told["light"], told["cues"]) == ("degradation", "haze", "linear", ["depth"])
    assert told["source"].startswith("Koschmieder 1924")
    beta = next(dial for dial in told["dials"] if dial["name"] == "beta")
    assert beta["distribution"] == {"uniform": [0.004, 0.05]}
    assert (beta["mild"], beta["severe"], beta["low"], beta["unit"]) == (0.0, 0.05, 0.0, "1/m")
    page = rrframe_cli("info", "haze/scattering", env={"COLUMNS": "120"}).stdout
    for part in ("uniform(0.004, 0.05)", "0 -> 0.05", "scattering coefficient", "Koschmieder", told["command"]):
        assert part in page
    assert max(map(len, page.splitlines())) <= 120


def test_info_tells_all_of_a_task_and_a_filter() -> None:
    haze = json.loads(CliRunner().invoke(cli, ["info", "haze", "--kind", "task", "--json"]).stdout)
    assert set(haze["prompts"]) == {"en", "zh"}
    assert len(haze["words"]) == 5
    assert "haze/scattering" in haze["degradations"]
    page = CliRunner().invoke(cli, ["info", "haze"]).stdout
    assert haze["prompts"]["zh"] in page
    assert haze["words"][0] in page
    sharpness = json.loads(CliRunner().invoke(cli, ["info", "filter/sharpness", "--json"]).stdout)
    assert sharpness["stages"] == ["screen"]
    assert sharpness["params"][0]["type"] == "number >= 0"


def test_info_answers_an_unknown_name_with_the_nearest(rrframe_cli: Cli) -> None:
    done = rrframe_cli("info", "haze/scatering")
    assert done.returncode == 2
    assert "did you mean haze/scattering" in done.stderr


@pytest.mark.parametrize("entry", IN_TREE, ids=lambda entry: f"{entry.kind}:{entry.spec.name}")
def test_what_info_shows_for_a_recipe_can_be_used(entry: Entry) -> None:
    told = describe(entry, get_manager().load(entry))
    used = list(_uses(yaml.safe_load(told["recipe"])))
    assert used
    for use in used:
        if "<" in json.dumps(use):  # what only the user can fill in
            continue
        kinds = (entry.kind,) if use["use"] == entry.spec.name else ()
        assert create(use["use"], use.get("params"), kinds=kinds).name in (
            entry.spec.name,
            *told.get("degradations", ()),
        )


def _uses(shown: Any) -> Iterator[dict[str, Any]]:
    if isinstance(shown, dict) and "use" in shown:
        yield shown
    elif isinstance(shown, (dict, list)):
        for inner in shown.values() if isinstance(shown, dict) else shown:
            yield from _uses(inner)


# A run
# ---------------------------------------------------------------------------------------------------------------------

OBSERVING = """
from pathlib import Path
from rrframe import hookimpl

def tell(line):
    with open(Path(__file__).with_name("told.txt"), "a") as file:
        print(line, file=file)

@hookimpl
def on_run_started(run):
    tell(f"started {run.folder.name}")

@hookimpl
def on_pair_written(pair):
    tell(f"pair {pair.task}")
    raise OSError("no network")

@hookimpl
def on_step_ended(step):
    tell(f"step {step.number}")

@hookimpl
def on_run_finished(run):
    tell(f"finished {run.status}")
"""


@pytest.mark.slow
def test_observers_follow_a_run_and_cannot_stop_it(rrframe_cli: Cli, tmp_path: Path) -> None:
    env = write_plugin(tmp_path / "plugins", "diary", OBSERVING)
    path = recipe(tmp_path / "three.yaml", photographs(tmp_path / "photos", 3), engine={"use": "engine/local"})
    done = rrframe_cli("run", path, "--out", "out", env=env)
    assert done.returncode == 0, done.stderr
    told = (tmp_path / "plugins" / "told.txt").read_text().splitlines()
    assert told[0] == "started out"
    assert sorted(line for line in told if line.startswith("pair")) == ["pair compression", "pair haze", "pair noise"]
    assert "step 0" in told
    assert told[-1].startswith("finished")
    assert "plugin diary 1.0 failed in on_pair_written: OSError: no network" in done.stdout + done.stderr
