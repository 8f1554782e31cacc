"""Recipes: what is read, what is refused and at which line, what overrides do, and the way back to YAML."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plugin_on_path import write_plugin

from rrframe import RRFrameError
from rrframe.errors import RRFrameErrors
from rrframe.manager import Manager, get_manager
from rrframe.recipe import load_recipe, resolved_yaml
from rrframe.recipe.kinds import RECIPES
from rrframe.recipe.overrides import apply_override, parse_override
from rrframe.recipe.schema import recipe_schema
from rrframe.recipe.shipped import shipped_recipes
from rrframe.recipe.yaml import read_yaml

SMALL = """\
kind: synthesis
source: {use: images/samples}
tasks:
  noise:
    chain:
      - use: noise/poisson-gaussian
"""

PLUGIN = '''
from rrframe import Chain, Degradation, Dial, Effect, Spec, hookimpl, uniform


class Twice(Effect):
    """Applies its chain two times over."""

    chain: Chain

    def passes(self, own, key, severity):
        return [self.drawn("chain", key.child(number), severity) for number in range(2)]


class Sonar(Degradation):
    """Needs what nothing provides."""

    category = "noise"
    cues = {"echo"}
    gain: Dial = uniform(0.0, 1.0, mild=0.0, low=0.0, high=1.0)

    def apply(self, images, draw, cues):
        return images


class Clumsy(Degradation):
    """Its own validation falls over."""

    category = "noise"
    size: int = 1

    def model_post_init(self, context):
        if self.size > 1:
            raise KeyError("size")

    def apply(self, images, draw, cues):
        return images


@hookimpl
def register_effects():
    yield Spec("effect/twice", "rrframe_twice:Twice", "Applies its chain two times over.")


@hookimpl
def register_degradations():
    yield Spec("noise/sonar", "rrframe_twice:Sonar", "Needs what nothing provides.")
    yield Spec("noise/clumsy", "rrframe_twice:Clumsy", "Its own validation falls over.")
    yield Spec("noise/absent", "rrframe_absent:Absent", "Is not installed.", extra="rrframe-absent")
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An effect that holds a chain, an operator whose cue nobody provides, and two that do not work."""
    folder = tmp_path / "plugin"
    write_plugin(folder, "rrframe_twice", PLUGIN)
    monkeypatch.syspath_prepend(folder)
    get_manager.cache_clear()
    yield
    get_manager.cache_clear()


def write(folder: Path, text: str, name: str = "recipe.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def errors_of(path: Path, *overrides: str) -> list[RRFrameError]:
    with pytest.raises(RRFrameError) as caught:
        load_recipe(path, overrides)
    return list(caught.value.errors) if isinstance(caught.value, RRFrameErrors) else [caught.value]


def places(path: Path, *overrides: str) -> set[tuple[str | None, str | None]]:
    """YAML path and place of each error, the file's own name left out of the place."""
    found = errors_of(path, *overrides)
    return {(error.path, (error.place or "").removeprefix(f"{path}:")) for error in found}


# YAML
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4:2:0", "4:2:0"),
        ("no", "no"),
        ("on", "on"),
        ("yes", "yes"),
        ("2026-01-01", "2026-01-01"),
        ("1_000", "1_000"),
        ("1e-5", 1e-5),
        ("1e5", 1e5),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("true", True),
        ("~", None),
        ("''", ""),
        ('"1"', "1"),
        ("|\n  text\n", "text\n"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(text: str, value: object) -> None:
    read = read_yaml(f"a: {text}", "x").plain()["a"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: !!python/object/apply:os.system [ls]\n", 2, "tag"),
        ("a: !mine 1\n", 1, "tag"),
        ("a: !!str 1\n", 1, "tag"),
        ("a: 1\nb: 2\na: 3\n", 3, "twice"),
        ("1: a\n", 1, "no string"),
        ("true: a\n", 1, "no string"),
        ("? [a, b]\n: c\n", 1, "plain word"),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", 3, "merge"),
        ("a: &x [*x]\n", 1, "part of"),
        ("a: 1\nb: *nobody\n", 2, "anchored"),
        ("a: 1\n---\nb: 2\n", 2, "second document"),
        ("a:\n\tb: 1\n", 2, "not YAML"),
        ("a: 1\nb: [1, 2\n", 3, "not YAML"),
        ("a: b: c\n", 1, "not YAML"),
        ("a: 1\nb: \x07\n", 2, "cannot stand"),
        ("a: " + "9" * 5000, 1, "digits"),
        ('a: "\\ud800"', 1, "surrogate"),
        ("a: " + "[" * 100 + "]" * 100, 1, "deep"),
    ],
)
def test_what_is_not_safe_is_refused_at_its_line(text: str, line: int, words: str) -> None:
    with pytest.raises(RRFrameError, match=words) as caught:
        read_yaml(text, "x.yaml")
    assert (caught.value.place or "").split(":")[:2] == ["x.yaml", str(line)]


def test_an_alias_bomb_is_refused_before_it_unfolds() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    with pytest.raises(RRFrameError, match="100,000 values") as caught:
        read_yaml("\n".join(lines), "bomb")
    assert caught.value.place == "bomb:5"


def test_aliases_cannot_dig_deeper_than_brackets() -> None:
    lines = ["a0: &a0 x", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 3000))]
    with pytest.raises(RRFrameError, match="deep"):
        read_yaml("\n".join(lines), "mine")


def test_an_alias_is_a_copy(tmp_path: Path) -> None:
    text = SMALL + "    weight: &w 2\n  blur: {weight: *w, chain: [{use: compression/jpeg}]}\n"
    loaded = load_recipe(write(tmp_path, text), ["tasks.noise.weight=3"])
    assert loaded.recipe.tasks["blur"].weight == 2


def test_sizes_and_encodings_that_are_refused(tmp_path: Path) -> None:
    large = write(tmp_path, "# " + "x" * 1_000_000)
    assert "larger than" in errors_of(large)[0].message
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("kind: synthesis\nname: café\n".encode("latin-1"))
    (error,) = errors_of(latin)
    assert "UTF-8" in error.message
    assert error.place == f"{latin}:2"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text() | st.text(alphabet="ab:-[]{}&*!|>'\"#%@`?,<=~ \n\t0.e\\xu") | st.binary())
def test_garbage_never_raises_anything_but_our_error(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "garbage.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
    with pytest.raises(RRFrameError):
        load_recipe(path)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["use", "params", "a", "p"]), inner),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(
        [
            "kind",
            "seed",
            "name",
            "source",
            "source.use",
            "source.params",
            "screen",
            "tasks",
            "tasks.noise",
            "cues.depth",
            "tasks.noise.chain",
            "tasks.noise.chain[0].params.shot",
            "sink.params.image",
            "engine",
            "limit",
            "verify",
        ]
    ),
    value=VALUES,
)
def test_a_wrong_value_anywhere_gives_our_error_at_its_place(tmp_path: Path, path: str, value: Any) -> None:
    override = f"{path}={json.dumps(value)}"
    file = write(tmp_path, SMALL)
    try:
        load_recipe(file, [override])
    except RRFrameError:
        assert all(error.place for error in errors_of(file, override))


# Errors of a recipe
# ----------------------------------------------------------------------------------------------------------------------

WRONG = """\
kind: synthesis
seed: -1
varients: 3
source: {use: images/foldr}
screen:
  - {use: filter/visible-change}
  - {use: filter/sharpness, params: {leest: 3}}
tasks:
  hze:
    weight: -1
    chain:
      - use: haze/scattering
        params:
          beta: -0.2
          betta: 1
      - {use: haze/scatering}
  noise: {chain: []}
  blur:
cues:
  dpth: {use: depth/plane}
sink: {use: pairs/webdataset, params: {image: {format: tiff, qualty: 3}}}
engine: {use: engine/local, params: {workers: many}}
"""


def test_all_errors_come_at_once_each_at_its_line(tmp_path: Path) -> None:
    assert places(write(tmp_path, WRONG)) == {
        ("seed", "2"),
        ("varients", "3"),
        ("source.use", "4"),
        ("screen[0]", "6"),
        ("screen[1].params.leest", "7"),
        ("tasks.hze", "9"),
        ("tasks.hze.weight", "10"),
        ("tasks.hze.chain[0].params.beta", "14"),
        ("tasks.hze.chain[0].params.betta", "15"),
        ("tasks.hze.chain[1].use", "16"),
        ("tasks.noise.chain", "17"),
        ("tasks.blur", "18"),
        ("cues.dpth", "20"),
        ("sink.params.image.format", "21"),
        ("sink.params.image.qualty", "21"),
        ("engine.params.workers", "22"),
    }


def test_errors_come_from_top_to_bottom_with_component_plugin_and_hint(tmp_path: Path) -> None:
    errors = errors_of(write(tmp_path, WRONG))
    lines = [int(str(error.place).rsplit(":", 1)[1]) for error in errors]
    assert lines == sorted(lines)
    by_path = {error.path: error for error in errors}
    betta = by_path["tasks.hze.chain[0].params.betta"]
    assert (betta.component, betta.hint) == ("haze/scattering", "did you mean beta?")
    assert str(betta.plugin).startswith("rrframe ")
    assert by_path["tasks.hze"].hint == "did you mean haze?"
    assert by_path["sink.params.image.qualty"].hint == "did you mean quality?"
    assert by_path["screen[0]"].hint == "put it under verify:"
    assert by_path["engine.params.workers"].message == "this must be a valid integer or 'auto', not 'many'"


def test_an_error_deep_in_a_nested_chain_has_the_whole_path(tmp_path: Path, plugin: None) -> None:
    text = SMALL.replace(
        "      - use: noise/poisson-gaussian\n",
        """\
      - use: effect/twice
        params:
          chain:
            - use: compression/jpeg
            - use: effect/twice
              params:
                chain:
                  - use: haze/scattering
                    params:
                      beta: -1
                  - use: haze/scatering
""",
    )
    path = write(tmp_path, text)
    inner = "tasks.noise.chain[0].params.chain[1].params.chain"
    assert places(path) == {(f"{inner}[0].params.beta", "15"), (f"{inner}[1].use", "16")}
    assert {error.component for error in errors_of(path)} == {"haze/scattering", "effect/twice"}


@pytest.mark.parametrize(
    ("overrides", "path", "words"),
    [
        (["kind=sythesis"], "kind", "did you mean synthesis"),
        (["kind="], "kind", "write kind: synthesis"),
        (["tasks.noise.weight=0"], "tasks", "weight 0"),
        (["tasks={}"], "tasks", "at least 1"),
        (["name=a/b"], "name", "pattern"),
        (["source="], "source", "{use: NAME"),
        (["source.use="], "source.use", "'use' is missing"),
        (["source={use: noise/poisson-gaussian}"], "source.use", "no source"),
        (["source.params=3"], "source.params", "mapping"),
        (["tasks.noise.chain[0].id=5"], "tasks.noise.chain[0].id", "word"),
        (["seed=true"], "seed", "valid integer"),
        (["verify=[{use: filter/sharpness}]"], "verify[0]", "put it under screen:"),
        (["tasks.noise.chain[0].id=a", "tasks.noise.chain[1]={use: compression/jpeg, id: a}"], None, "two steps"),
    ],
)
def test_each_thing_that_cannot_be(tmp_path: Path, overrides: list[str], path: str | None, words: str) -> None:
    (error,) = errors_of(write(tmp_path, SMALL), *overrides)
    assert words in error.render()
    assert path in (None, error.path)


def test_a_missing_parameter_says_where_to_put_it(tmp_path: Path) -> None:
    (error,) = errors_of(write(tmp_path, SMALL), "source.use=images/folder")
    assert (error.path, error.message) == ("source.params.path", "'path' is missing")
    assert error.component == "images/folder"


def test_a_plugin_that_falls_over_is_named(tmp_path: Path, plugin: None) -> None:
    step = "tasks.noise.chain[0]"
    (clumsy,) = errors_of(write(tmp_path, SMALL), f"{step}={{use: noise/clumsy, params: {{size: 2}}}}")
    assert (clumsy.component, clumsy.plugin) == ("noise/clumsy", "rrframe_twice 1.0")
    (absent,) = errors_of(write(tmp_path, SMALL), f"{step}={{use: noise/absent}}")
    assert (absent.path, absent.hint) == (f"{step}.use", "pip install 'rrframe-absent'")


def test_cues_are_filled_in_or_asked_for(tmp_path: Path, plugin: None) -> None:
    file = write(tmp_path, SMALL)
    assert load_recipe(file).resolved["cues"] == {}
    filled = load_recipe(file, ["tasks.noise.chain[0]={use: haze/scattering}"]).resolved["cues"]
    assert filled["depth"]["use"] == "depth/plane"
    assert filled["depth"]["params"]
    (error,) = errors_of(file, "tasks.noise.chain[0]={use: effect/twice, params: {chain: [{use: noise/sonar}]}}")
    assert error.path == "cues.echo"
    assert "noise/sonar at tasks.noise.chain[0] needs the cue 'echo'" in error.message
    assert "echo/..." in str(error.hint)


def test_a_wrong_cue_is_told_together_with_wrong_other_things(tmp_path: Path) -> None:
    found = places(write(tmp_path, SMALL), "cues.deep={use: depth/plane}", "seed=x")
    assert found == {("cues.deep", "--set cues.deep={use: depth/plane}"), ("seed", "--set seed=x")}


# Loading
# ----------------------------------------------------------------------------------------------------------------------


def test_defaults_are_filled_in_and_plain(tmp_path: Path) -> None:
    loaded = load_recipe(write(tmp_path, SMALL, "my first (1).yaml"))
    assert loaded.name == loaded.recipe.name == loaded.resolved["name"] == "my-first-1-"
    assert loaded.resolved["tasks"]["noise"]["weight"] == 1.0
    assert loaded.resolved["tasks"]["noise"]["chain"][0]["params"]["shot"] == {"log_uniform": [0.0001, 0.012]}
    assert loaded.resolved["sink"]["params"]["image"]["quality"] == 95
    assert json.loads(json.dumps(loaded.resolved)) == loaded.resolved


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_shipped_recipe_loads_and_its_resolved_form_is_the_same(tmp_path: Path, name: str) -> None:
    loaded = load_recipe(name)
    text = resolved_yaml(loaded)
    assert text.startswith("# ")
    again = load_recipe(write(tmp_path, text, "other.yaml"))
    assert again.recipe == loaded.recipe
    assert again.resolved == loaded.resolved
    assert resolved_yaml(again) == text


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(st.characters(codec="utf-8"), min_size=1)
    | st.sampled_from(["no", "4:2:0", "1e5", "1e-5", "012", "~", "<<", "="])
)
def test_any_string_survives_the_resolved_yaml(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, SMALL)
    quoted = json.dumps(text)
    loaded = load_recipe(file, [f"source={{use: images/folder, params: {{path: {quoted}}}}}"])
    assert load_recipe(write(tmp_path, resolved_yaml(loaded), "again.yaml")).resolved == loaded.resolved
    path = loaded.resolved["source"]["params"]["path"]
    assert yaml.safe_load(resolved_yaml(loaded))["source"]["params"]["path"] == path  # for readers of YAML 1.1 too


def test_a_step_id_survives_the_resolved_yaml(tmp_path: Path) -> None:
    loaded = load_recipe(write(tmp_path, SMALL), ["tasks.noise.chain[0].id=grain"])
    again = load_recipe(write(tmp_path, resolved_yaml(loaded), "again.yaml"))
    assert again.recipe.tasks["noise"].chain.ids == ("grain",)
    assert again.recipe == loaded.recipe


def test_names_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart").mkdir()  # a folder does not stand in the way of a shipped name
    assert load_recipe("quickstart").name == "quickstart"
    write(tmp_path, SMALL, "synthesis")
    assert load_recipe("synthesis").origin == Path("synthesis")
    for wrong, words in [("quikstart", "quickstart"), ("haze", "synthesis/haze"), ("gone.yaml", "is not there")]:
        with pytest.raises(RRFrameError, match=words):
            load_recipe(wrong)
    with pytest.raises(RRFrameError):
        load_recipe("\0")
    with pytest.raises(RRFrameError, match="mapping"):
        load_recipe(write(tmp_path, "- a\n", "list.yaml"))


# Overrides
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a.b=c=d", {"a": {"b": "c=d"}}),
        ("a=", {"a": None}),
        ('a=""', {"a": ""}),
        ("a=1e-5", {"a": 1e-5}),
        ("a=my photos: summer #2", {"a": "my photos: summer #2"}),
        ("a=*.jpg", {"a": "*.jpg"}),
        ("a={uniform: [1, 2.5]}", {"a": {"uniform": [1, 2.5]}}),
        ("a[0].b[0]=x", {"a": [{"b": ["x"]}]}),
        ("a.b-c/d.e=no", {"a": {"b-c/d": {"e": "no"}}}),
    ],
)
def test_what_an_override_makes(text: str, value: object) -> None:
    data: dict[str, Any] = {}
    apply_override(data, parse_override(text))
    assert data == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed", "no '='"),
        ("=3", "no path"),
        ("a..b=3", "no path"),
        ("a[x]=3", "no path"),
        ("a[-1]=3", "no path"),
        ("list[3]=x", "[0] to [1]"),
        ("list.use=x", "list[0].use"),
        ("scalar.x=1", "scalar is 5"),
        ("map[0]=1", "map is a mapping"),
        ("x=[1, 2", "not YAML"),
        ("x={a: !!python/name:os.system }", "tag"),
        ("x=" + "9" * 5000, "digits"),
    ],
)
def test_an_override_that_cannot_be(text: str, words: str) -> None:
    data = {"list": [1, 2], "scalar": 5, "map": {}}
    with pytest.raises(RRFrameError) as caught:
        apply_override(data, parse_override(text))
    assert words in caught.value.render()
    assert caught.value.place == f"--set {text}"


KEYS = st.from_regex(r"[a-z][a-z0-9/_-]{0,8}", fullmatch=True)


@given(keys=st.lists(KEYS, min_size=1, max_size=4), value=VALUES)
def test_an_override_puts_any_value_where_it_says(keys: list[str], value: Any) -> None:
    data: Any = {}
    apply_override(data, parse_override(f"{'.'.join(keys)}={json.dumps(value)}"))
    for key in keys:
        data = data[key]
    assert data == value


def test_an_error_of_an_override_names_the_override(tmp_path: Path) -> None:
    overrides = ["tasks.noise.wieght=2", "tasks.hze.weight=2", "tasks.noise.chain[1].use=compression/jpg"]
    assert places(write(tmp_path, SMALL), *overrides) == {
        ("tasks.noise.wieght", "--set tasks.noise.wieght=2"),
        ("tasks.hze", "--set tasks.hze.weight=2"),
        ("tasks.hze.chain", "--set tasks.hze.weight=2"),
        ("tasks.noise.chain[1].use", "--set tasks.noise.chain[1].use=compression/jpg"),
    }


# JSON Schema
# ----------------------------------------------------------------------------------------------------------------------


def accepts(data: Any) -> bool:
    kind = data["kind"] if data.get("kind") in RECIPES else "synthesis"
    return validator(kind, get_manager()).is_valid(data)


@functools.cache  # a schema of everything installed takes seconds to make
def validator(kind: str, plugins: Manager) -> jsonschema.Draft202012Validator:
    schema = recipe_schema(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_the_schema_accepts_a_shipped_recipe_as_written_and_as_resolved(name: str) -> None:
    assert accepts(read_yaml(shipped_recipes()[name].read_bytes(), name).plain())
    assert accepts(load_recipe(name).resolved)


@pytest.mark.parametrize(
    "override",
    [
        "sede=3",
        "kind=training",
        "seed=-1",
        "seed=many",
        "variants=0",
        "source.use=images/foldr",
        "source.use=compression/jpeg",
        "source.param={}",
        "screen=[{use: filter/visible-change}]",
        "screen=[{use: filter/sharpness, params: {leest: 1}}]",
        "tasks.hze={chain: [{use: haze/scattering}]}",
        "tasks.noise.weight=-1",
        "tasks.noise.chain=[]",
        "tasks.noise.chain[0].params={shot: 2}",
        "tasks.noise.chain[0].params={shot: {uniform: [1]}}",
        "tasks.noise.chain[0].params={shot: {unifrom: [0, 1]}}",
        "tasks.noise.chain[0].params={shot: {choice: [a]}}",
        "tasks.noise.chain[0]={use: compression/jpeg, params: {chroma: 4}}",
        "tasks.noise.chain[0]={use: effect/twice}",
        "tasks.noise.chain[0]={use: effect/twice, params: {chain: [{use: haze/scattering, params: {beta: -1}}]}}",
        "cues.depth={use: filter/sharpness}",
        "sink={use: pairs/webdataset, params: {image: {format: tiff}}}",
        "engine={use: engine/local, params: {workers: many}}",
    ],
)
def test_the_schema_refuses_what_loading_refuses(tmp_path: Path, plugin: None, override: str) -> None:
    data = read_yaml(SMALL, "x").plain()
    assert accepts(data)
    apply_override(data, parse_override(override))
    errors_of(write(tmp_path, SMALL), override)
    assert not accepts(data)


def test_the_schema_follows_nested_chains_and_spares_what_cannot_be_imported(plugin: None) -> None:
    data = read_yaml(SMALL, "x").plain()
    inner = {"use": "haze/scattering", "params": {"beta": {"uniform": [0.1, 0.2]}}, "id": "fog"}
    data["tasks"]["noise"]["chain"] = [{"use": "effect/twice", "params": {"chain": [inner]}}]
    assert accepts(data)
    data["tasks"]["noise"]["chain"] = [{"use": "noise/absent", "params": {"anything": 1}}]
    assert accepts(data)
    note = recipe_schema()["$defs"]["degradation:noise/absent"]["properties"]["params"]["description"]
    assert "pip install 'rrframe-absent'" in note


def test_every_dial_of_a_recipe_is_described() -> None:
    beta = recipe_schema()["$defs"]["degradation:haze/scattering"]["properties"]["params"]["properties"]["beta"]
    assert "scattering coefficient" in beta["description"]


def test_the_schema_of_a_kind_that_is_not_there() -> None:
    with pytest.raises(RRFrameError, match="did you mean synthesis"):
        recipe_schema("sythesis")
