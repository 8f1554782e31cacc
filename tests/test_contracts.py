"""Laws of what everything else stands on: errors, keys, dials, draws, light, and a degradation called on an image."""

from __future__ import annotations

import copy
import json
import math
import pickle
import subprocess
import sys
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import rrframe
from rrframe import (
    Degradation,
    Dial,
    Draw,
    Draws,
    Key,
    RRFrameError,
    choice,
    fixed,
    integers,
    log_uniform,
    truncated_normal,
    uniform,
)
from rrframe.errors import RRFrameErrors, did_you_mean
from rrframe.imaging.colour import convert_light, encoded_to_linear, linear_to_encoded, pixels_to_linear
from rrframe.imaging.layout import to_batch, to_pixels

# Errors
# ---------------------------------------------------------------------------------------------------------------------

FOUR = {
    "plugin": "rrframe-fog 1.2",
    "component": "haze/fog",
    "path": "tasks.haze.chain[0].params.beta",
    "place": "nine.yaml:12",
    "hint": "use a number above 0",
}


def test_an_error_carries_four_things_and_says_them() -> None:
    error = RRFrameError("beta is below 0", **FOUR)
    assert error.render() == str(error)
    assert error.render().splitlines() == [
        "beta is below 0",
        "  where:     tasks.haze.chain[0].params.beta (nine.yaml:12)",
        "  component: haze/fog",
        "  plugin:    rrframe-fog 1.2",
        "  try:       use a number above 0",
    ]
    assert RRFrameError("only this").render() == "only this"


class FullDisk(RRFrameError):
    exit_code = 1


@pytest.mark.parametrize("through", [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))])
def test_an_error_crosses_processes_whole(through: Any) -> None:
    error = RRFrameErrors([RRFrameError("one", **FOUR), FullDisk("two", hint="make room")])
    again = through(error)
    assert type(again) is RRFrameErrors
    assert [type(inner) for inner in again.errors] == [RRFrameError, FullDisk]
    assert again.render() == error.render()
    assert again.errors[1].exit_code == 1
    assert vars(again.errors[0]) == vars(error.errors[0])


def test_several_errors_are_told_together() -> None:
    lines = RRFrameErrors([RRFrameError("one", hint="a"), RRFrameError("two")]).render().splitlines()
    assert lines == ["one", "  try:       a", "two", "2 problems found"]
    assert RRFrameErrors([RRFrameError("one")]).render().splitlines()[-1] == "1 problem found"


def test_did_you_mean() -> None:
    names = ["haze/scattering", "noise/poisson-gaussian"]
    assert did_you_mean("haze/scatering", names) == "did you mean haze/scattering?"
    assert did_you_mean("scattering", names) == "did you mean haze/scattering?"
    assert did_you_mean("xyzzy", names, listing="rrframe plugins") == "see them all with: rrframe plugins"
    assert did_you_mean("xyzzy", []) == "known here: none"


# Keys
# ---------------------------------------------------------------------------------------------------------------------

PARTS = st.lists(st.text(max_size=8), max_size=4)


@given(PARTS, PARTS)
def test_paths_that_differ_have_seeds_that_differ(first: list[str], second: list[str]) -> None:
    assert (Key.of(*first) == Key.of(*second)) == (first == second)
    assert (Key.of(*first).seed == Key.of(*second).seed) == (first == second)


@given(PARTS, PARTS)
def test_a_child_is_the_longer_path(first: list[str], second: list[str]) -> None:
    assert Key.of(*first).child(*second) == Key.of(*first, *second)
    assert 0 <= Key.of(*first).seed < 2**63


def test_where_a_name_ends_matters() -> None:
    paths = [("a", "bc"), ("ab", "c"), ("abc",), ("abc", ""), ("", "abc"), ("a", "b", "c"), ("a\x1fbc",), ()]
    assert len({Key.of(*path).seed for path in paths}) == len(paths)


def test_seeds_never_change() -> None:
    # Written down once: were they to change, no record would replay.
    assert Key().seed == 6510301506637419378
    assert Key.of(7, "photos/a.jpg", 0, "haze/scattering", "beta").seed == 6870850058331776567
    assert Key.of("é", "日本").random().random() == 0.5282456500444668


def test_a_name_that_is_not_utf8_has_a_seed_too() -> None:
    names = [b"caf\xe9.jpg".decode("utf-8", "surrogateescape"), b"caf\xe8.jpg".decode("utf-8", "surrogateescape")]
    assert Key.of(names[0]).seed != Key.of(names[1]).seed


def test_seeds_agree_in_another_process() -> None:
    code = "from rrframe import Key; key = Key.of(7, 'a', 1); print(key.seed, key.random().random())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(Key.of(7, "a", 1).seed), str(Key.of(7, "a", 1).random().random())]


# Dials
# ---------------------------------------------------------------------------------------------------------------------

NUMBERS = st.floats(-1e6, 1e6, allow_subnormal=False)
POSITIVE = st.floats(1e-6, 1e6)
SEVERITIES = st.floats(0, 1)
OPTIONS = ("4:4:4", "4:2:2", "4:2:0")


def _ordered(numbers: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    return st.tuples(numbers, numbers).map(lambda pair: (min(pair), max(pair)))


@st.composite
def dials(draw: st.DrawFn, *, mild: bool = False) -> Dial:
    """A dial of any law; with ``mild``, one that follows severity."""
    law = draw(st.sampled_from(["uniform", "log_uniform", "integers", "truncated_normal", "choice"]))
    if law == "choice":
        return choice(*OPTIONS, mild=draw(st.sampled_from([OPTIONS[0], OPTIONS[-1]])) if mild else None)
    settings: dict[str, Any] = {"power": draw(st.floats(0.25, 4))}
    if mild:
        settings["mild"] = draw(st.integers(-1000, 1000) if law == "integers" else NUMBERS)
    if law == "integers":
        return integers(*draw(_ordered(st.integers(-1000, 1000))), **settings)
    if law == "truncated_normal":
        return truncated_normal(draw(NUMBERS), draw(POSITIVE), *draw(_ordered(NUMBERS)), **settings)
    ends = draw(_ordered(POSITIVE if law == "log_uniform" else NUMBERS))
    return {"uniform": uniform, "log_uniform": log_uniform}[law](*ends, **settings)


@given(dials(), st.integers(0, 2**63))
def test_values_lie_between_the_ends(dial: Dial, seed: int) -> None:
    value = dial.take(Key.of(seed).random())
    if dial.options:
        assert value in dial.options
    else:
        first, last = dial.law.ends
        assert first <= value <= last
        assert isinstance(value, int) == dial.whole


@given(dials(mild=True))
def test_severity_goes_from_mild_to_severe(dial: Dial) -> None:
    generator = Key().random()
    assert dial.take(generator, 0.0) == dial.mild
    assert dial.take(generator, 1.0) == dial.severe
    assert dial.severe in dial.law.ends


@given(dials(mild=True), SEVERITIES, SEVERITIES)
def test_more_severity_is_farther_from_mild(dial: Dial, one: float, other: float) -> None:
    less, more = (dial.take(Key().random(), severity) for severity in sorted((one, other)))
    if dial.options:
        walk = dial.options if dial.mild == dial.options[0] else dial.options[::-1]
        assert walk.index(less) <= walk.index(more)
    else:
        scale = max(abs(dial.mild), abs(dial.severe), 1e-300)
        assert abs(less - dial.mild) <= abs(more - dial.mild) + 1e-12 * scale
        low, high = sorted((dial.mild, dial.severe))
        assert low <= less <= high


@given(dials(), SEVERITIES, st.integers(0, 2**63))
def test_without_a_mild_end_severity_changes_nothing(dial: Dial, severity: float, seed: int) -> None:
    assert dial.take(Key.of(seed).random(), severity) == dial.take(Key.of(seed).random())


@given(NUMBERS, st.none() | SEVERITIES)
def test_what_is_fixed_stays(number: float, severity: float | None) -> None:
    assert fixed(number).take(Key().random(), severity) == number
    assert uniform(0, 1, mild=0.0).with_value(number).take(Key().random(), severity) == number


@given(dials())
def test_what_is_written_is_read_back(dial: Dial) -> None:
    assert dial.with_value(json.loads(json.dumps(dial.law.written()))) == dial
    assert dial.with_value(dial) == dial


BOUNDED = uniform(0.2, 0.5, mild=0.0, low=0.0, high=1.0)
WHOLE = integers(30, 95, mild=100, low=1, high=100)
NAMED = choice(*OPTIONS, mild="4:4:4")

# A dial -> what may be written for it and what may not.
ACCEPTED: list[tuple[Dial, Any]] = [
    (BOUNDED, 0),
    (BOUNDED, 1),
    (BOUNDED, 0.25),
    (BOUNDED, {"fixed": 0.25}),
    (BOUNDED, {"uniform": [0, 1]}),
    (BOUNDED, {"log_uniform": [0.001, 1]}),
    (BOUNDED, {"integers": [0, 1]}),
    (BOUNDED, {"truncated_normal": [-3, 0.5, 0.0, 1.0]}),
    (BOUNDED, {"choice": [0.1, 0.9, 0.1]}),
    (WHOLE, 40),
    (WHOLE, 40.0),
    (WHOLE, {"integers": [1, 100]}),
    (WHOLE, {"uniform": [40, 60]}),
    (WHOLE, {"truncated_normal": [50.5, 1.5, 40, 60]}),
    (WHOLE, {"choice": [75, 90]}),
    (NAMED, "4:2:0"),
    (NAMED, {"fixed": "4:2:0"}),
    (NAMED, {"choice": ["4:2:0", "4:4:4"]}),
]
REFUSED: list[tuple[Dial, Any]] = [
    (BOUNDED, -0.1),
    (BOUNDED, 1.5),
    (BOUNDED, True),
    (BOUNDED, None),
    (BOUNDED, "much"),
    (BOUNDED, [0.1, 0.2]),
    (BOUNDED, {}),
    (BOUNDED, {"uniform": [0, 1], "choice": [1]}),
    (BOUNDED, {"gaussian": [0, 1]}),
    (BOUNDED, {"fixed": {"fixed": 0.5}}),
    (BOUNDED, {"uniform": 0.5}),
    (BOUNDED, {"uniform": [0.1]}),
    (BOUNDED, {"uniform": [0.1, 0.2, 0.3]}),
    (BOUNDED, {"uniform": [0.1, 1.2]}),
    (BOUNDED, {"uniform": [False, True]}),
    (BOUNDED, {"log_uniform": [0, 1]}),
    (BOUNDED, {"integers": [0.5, 1]}),
    (BOUNDED, {"truncated_normal": [0.5, 0, 0, 1]}),
    (BOUNDED, {"truncated_normal": [0.5, 0.1, -1, 1]}),
    (BOUNDED, {"choice": []}),
    (BOUNDED, {"choice": [0.5, 2]}),
    (BOUNDED, {"choice": ["a"]}),
    (WHOLE, 40.5),
    (WHOLE, {"uniform": [30.5, 60]}),
    (WHOLE, {"truncated_normal": [50, 1, 40.5, 60]}),
    (WHOLE, {"choice": [75.5]}),
    (NAMED, "4:1:1"),
    (NAMED, 3),
    (NAMED, {"choice": ["4:1:1"]}),
    (NAMED, {"uniform": [0, 1]}),
]


@pytest.mark.parametrize(("dial", "value"), ACCEPTED)
def test_a_dial_accepts(dial: Dial, value: Any) -> None:
    given_value = dial.with_value(value)
    for seed in range(20):
        taken = given_value.take(Key.of(seed).random())
        assert not dial.whole or isinstance(taken, int)
        assert taken in OPTIONS if dial.options else dial.low <= taken <= dial.high


@pytest.mark.parametrize(("dial", "value"), REFUSED)
def test_a_dial_refuses(dial: Dial, value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        dial.with_value(value)


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, 10**400, "nan", "1e999", {"uniform": [0, math.inf]}, {"uniform": [1.0, 0.0]}],
)
def test_a_dial_refuses_what_json_cannot_even_say(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        uniform(0, 1).with_value(value)


@pytest.mark.parametrize(("text", "number"), [("0.5", 0.5), ("1e-3", 0.001), ("1", 1), (".25", 0.25)])
def test_a_number_may_come_as_text(text: str, number: float) -> None:
    assert BOUNDED.with_value(text).law.arguments == (number,)


def test_the_schema_says_what_is_accepted() -> None:
    for dial, value in ACCEPTED:
        jsonschema.Draft202012Validator(dial.json_schema()).validate(value)
    for dial, value in REFUSED:
        assert not jsonschema.Draft202012Validator(dial.json_schema()).is_valid(value), value


def test_severity_walks_options_as_declared_however_they_are_listed() -> None:
    dial = NAMED.with_value({"choice": ["4:2:0", "4:4:4"]})
    assert [dial.take(Key().random(), severity) for severity in (0, 1)] == ["4:4:4", "4:2:0"]


def test_severity_0_is_the_mild_option_where_that_is_never_drawn() -> None:
    dial = NAMED.with_value({"choice": ["4:2:0", "4:2:2"]})
    assert [dial.take(Key().random(), severity) for severity in (0, 0.5, 1)] == list(OPTIONS)
    assert {dial.take(Key.of(seed).random()) for seed in range(30)} == {"4:2:2", "4:2:0"}


@pytest.mark.parametrize(
    "declare",
    [
        lambda: uniform(0, 1, high=0.5),
        lambda: uniform(0.1, 0.5, mild=-1, low=0),
        lambda: uniform(1, 0),
        lambda: uniform(0, 1, power=0),
        lambda: log_uniform(0, 1),
        lambda: integers(1, 2.5),  # type: ignore[arg-type]
        lambda: truncated_normal(0, 0, -1, 1),
        choice,
        lambda: choice("a", "b", "c", mild="b"),
        lambda: fixed(math.nan),
        lambda: fixed(2, high=1),
    ],
)
def test_a_dial_that_contradicts_itself_cannot_be_declared(declare: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        declare()


def test_a_window_far_from_the_mean_gives_its_nearer_end() -> None:
    assert truncated_normal(0, 1, 50, 60).take(Key().random()) == 50


# Draws
# ---------------------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
DRAWS = st.recursive(
    st.builds(Draw, seed=st.integers(0, 2**63 - 1), values=st.dictionaries(st.text(), JSON, max_size=3)),
    lambda inner: st.builds(Draw, seed=st.integers(0, 2**63 - 1), steps=st.lists(inner, max_size=2).map(tuple)),
    max_leaves=4,
)


@given(DRAWS)
def test_a_draw_survives_json_exactly(draw: Draw) -> None:
    again = Draw.model_validate_json(draw.model_dump_json())
    assert again == draw
    assert repr(again) == repr(draw)  # 1 and 1.0, 0.0 and -0.0
    assert Draw.model_validate(json.loads(json.dumps(draw.model_dump(mode="json")))) == draw


@pytest.mark.parametrize("value", [math.nan, math.inf, [math.nan], np.float32(1), torch.tensor(1.0), (1, 2)])
def test_a_draw_refuses_what_json_cannot_hold(value: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        Draw(seed=1).with_values(x=value)


def test_drawn_values_as_apply_sees_them() -> None:
    draws = Draws([Draw(seed=n, values={"a": n, "list": [n, 2.0], "word": "x", "flag": True}) for n in (1, 2)])
    assert draws.a.shape == (2, 1, 1, 1)
    assert draws.a.dtype == torch.float32
    assert draws.list.shape == (2, 2, 1, 1)
    assert draws.word == ("x", "x")
    assert draws.flag == (True, True)
    assert draws.each("a") == (1, 2)
    assert draws.select([1]).each("a") == (2,)
    with pytest.raises(RRFrameError, match="nothing called 'b' was drawn"):
        _ = draws.b


def test_noise_belongs_to_the_image_not_to_the_batch() -> None:
    both, like = [Draw(seed=1), Draw(seed=2)], torch.empty(2, 3, 5, 7)
    together = Draws(both).rng
    for law in ("normal", "uniform", "normal"):  # successive fields, in step
        fields = getattr(together, law)(like)
        assert fields.shape == like.shape
    alone = Draws(both[1:]).rng
    for law in ("normal", "uniform"):
        getattr(alone, law)(like[1:])
    assert torch.equal(alone.normal(like[1:])[0], fields[1])
    assert not torch.equal(fields[0], fields[1])
    assert Draws(both).rng.normal(like, channels=1).shape == (2, 1, 5, 7)


# Light
# ---------------------------------------------------------------------------------------------------------------------


def srgb_to_linear(value: float) -> float:
    """IEC 61966-2-1, in double precision."""
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


@given(st.floats(0, 1, width=32))
def test_light_follows_the_standard_and_comes_back(value: float) -> None:
    image = torch.full((1, 3, 2, 2), value)
    linear = encoded_to_linear(image)
    assert linear.flatten()[0].item() == pytest.approx(srgb_to_linear(value), abs=2e-6)
    assert (linear_to_encoded(linear) - image).abs().max().item() < 1 / 255 / 100


def test_light_of_all_levels() -> None:
    levels = torch.arange(65536, dtype=torch.float32).div(65535).view(1, 1, 256, 256)
    linear = encoded_to_linear(levels)
    exact = torch.tensor([srgb_to_linear(level / 65535) for level in range(65536)], dtype=torch.float64)
    assert (linear.flatten().double() - exact).abs().max() < 2e-6
    assert (linear.flatten().diff() >= 0).all()
    assert (linear_to_encoded(linear) - levels).abs().max() < 1 / 255 / 100
    assert convert_light(levels, "linear", "linear") is levels


def test_pictures_become_a_batch_that_opencv_can_view() -> None:
    """A batch joined of pictures as files have them lies as they do: OpenCV then works without a copy of it."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    for made in (to_batch, pixels_to_linear):
        for count in (1, 2):
            batch = torch.cat([made(pixels)] * count)
            assert batch.stride() == torch.empty(batch.shape).contiguous(memory_format=torch.channels_last).stride()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_looked_up_light_is_computed_light(dtype: type) -> None:
    codes = np.linspace(0, np.iinfo(dtype).max, 3 * 64 * 64).astype(dtype).reshape(64, 64, 3)
    assert torch.equal(pixels_to_linear(codes), encoded_to_linear(to_batch(codes)))


@given(st.floats(-2, 3, width=32))
def test_pixels_are_clamped_then_rounded(value: float) -> None:
    for dtype, top in ((np.uint8, 255), (np.uint16, 65535)):
        pixel = to_pixels(torch.full((3, 1, 1), value), dtype)
        assert pixel.dtype == dtype
        exact = min(max(value, 0.0), 1.0) * top
        assert abs(int(pixel[0, 0, 0]) - exact) <= 0.5 + 1e-6 * top


# A degradation called on an image
# ---------------------------------------------------------------------------------------------------------------------


def _images(photo: np.ndarray) -> dict[str, Any]:
    small = photo[100:140, 200:264]
    rgba = np.dstack([small, np.tile(np.arange(64, dtype=np.uint8), (40, 1))])
    tensor = torch.from_numpy(small.copy()).permute(2, 0, 1).float() / 255
    return {
        "uint8": small,
        "uint16": small.astype(np.uint16) * 257,
        "float32": small.astype(np.float32) / 255,
        "float64": small.astype(np.float64) / 255,
        "grey": small[..., 0],
        "grey uint16": small[..., 0].astype(np.uint16) * 257,
        "grey float": small[..., 0].astype(np.float32) / 255,
        "batch": np.stack([small, small]),
        "not contiguous": small[::-1, ::2],
        "read only": np.asarray(Image.fromarray(small)),
        "RGB": Image.fromarray(small),
        "L": Image.fromarray(small[..., 0]),
        "RGBA": Image.fromarray(rgba),
        "LA": Image.fromarray(rgba).convert("LA"),
        "tensor 3d": tensor,
        "tensor 4d": torch.stack([tensor, tensor]),
        "half": tensor.to(torch.float16),
        "double": tensor.to(torch.float64),
    }


def _values(image: Any) -> np.ndarray:
    if isinstance(image, torch.Tensor):
        return image.double().numpy()
    array = np.asarray(image)
    return array / (1.0 if np.issubdtype(array.dtype, np.floating) else np.iinfo(array.dtype).max)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("form", list(_images(np.zeros((512, 512, 3), np.uint8))))
@pytest.mark.parametrize("name", ["haze/scattering", "noise/poisson-gaussian", "compression/jpeg"])
def test_an_image_is_given_back_as_what_it_was(photo: np.ndarray, name: str, form: str) -> None:
    image = _images(photo)[form]
    before = _values(image).copy()
    degraded = rrframe.load(name)(image, severity=0.5, seed=3)
    assert type(degraded) is type(image)
    if isinstance(image, Image.Image):
        assert (degraded.mode, degraded.size) == (image.mode, image.size)
        if "A" in image.mode:
            assert degraded.getchannel("A").tobytes() == image.getchannel("A").tobytes()
    else:
        assert (degraded.shape, degraded.dtype) == (image.shape, image.dtype)
    after = _values(degraded)
    assert after.min() >= 0
    assert after.max() <= 1
    assert after.std() > 0.02  # a picture still, on the scale it came in
    assert not np.array_equal(after, before)
    assert np.array_equal(_values(image), before)
    assert np.array_equal(_values(rrframe.load(name)(image, severity=0.5, seed=3)), after)


@pytest.mark.parametrize("form", ["uint8", "grey", "uint16", "grey uint16", "L", "LA", "RGBA", "tensor 3d"])
def test_what_changes_nothing_gives_the_same_picture(photo: np.ndarray, form: str) -> None:
    image = _images(photo)[form]
    again = rrframe.load("haze/scattering")(image, severity=0.0)
    step = 1.01 / 65535 if form.endswith("uint16") else 1e-6
    assert np.abs(_values(again) - _values(image)).max() <= step


def test_grey_is_rounded_not_cut_off(photo: np.ndarray) -> None:
    noise, grey = rrframe.load("noise/poisson-gaussian"), photo[:200, :200, 0]
    exact = noise(grey.astype(np.float32) / 255, severity=0.5, seed=1) * 255
    assert abs((noise(grey, severity=0.5, seed=1) - exact).mean()) < 0.02


def test_a_seed_is_a_result_and_images_of_a_batch_differ(photo: np.ndarray) -> None:
    noise, image = rrframe.load("noise/poisson-gaussian"), photo[:32, :32]
    assert not np.array_equal(noise(image, seed=1), noise(image, seed=2))
    first, second = noise(np.stack([image, image]), seed=1)
    assert np.array_equal(first, noise(image, seed=1))
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("severity", [-0.001, 1.001, math.nan, math.inf])
def test_severity_outside_0_to_1_is_refused(photo: np.ndarray, severity: float) -> None:
    with pytest.raises(RRFrameError, match="is not between 0"):
        rrframe.load("haze/scattering")(photo, severity=severity)


@pytest.mark.parametrize(
    "image",
    [
        "photo.jpg",
        None,
        [[0, 1]],
        np.zeros((8, 8, 4), np.uint8),
        np.zeros((3, 8, 8), np.uint8),
        np.zeros((8, 8, 3), np.int64),
        np.zeros((8, 8, 3), bool),
        torch.zeros(8, 8, 3),
        torch.zeros(3, 8, 8, dtype=torch.uint8),
        torch.zeros(1, 1, 3, 8, 8),
    ],
    ids=lambda image: f"{type(image).__name__} {getattr(image, 'shape', '')} {getattr(image, 'dtype', '')}",
)
def test_what_is_no_image_is_refused_with_what_would_be(image: Any) -> None:
    with pytest.raises(RRFrameError, match=r"(image|tensor|array) (is|holds) .*not"):
        rrframe.load("haze/scattering")(image)


def test_params_that_do_not_fit_are_told_together() -> None:
    with pytest.raises(RRFrameErrors) as caught:
        rrframe.load("haze/scattering", beta=-1, airlight={"uniform": [0.5, 2]}, fog=1)
    told = {error.path: error for error in caught.value.errors}
    assert set(told) == {"beta", "airlight", "fog"}
    assert all(error.component == "haze/scattering" for error in told.values())
    assert all(error.plugin and error.plugin.startswith("rrframe ") for error in told.values())


def test_a_dial_without_a_default_is_a_mistake_told_at_once() -> None:
    with pytest.raises(TypeError, match="is a Dial and needs a default"):

        class Careless(Degradation):
            beta: Dial


@pytest.mark.filterwarnings("ignore:Field name")  # pydantic's own warning comes before
@pytest.mark.parametrize("name", ["kind", "name", "params", "cues", "draw", "entry", "category", "copy", "rng", "each"])
def test_a_dial_that_would_hide_something_is_a_mistake_told_at_once(name: str) -> None:
    with pytest.raises(TypeError, match=rf"Hiding\.{name} (hides|could not be read)"):
        type("Hiding", (Degradation,), {"__annotations__": {name: Dial}, name: uniform(0, 1)})


def test_a_dial_may_be_declared_anew_by_a_subclass() -> None:
    near = type("Near", (Degradation,), {"__annotations__": {"depth": Dial}, "depth": uniform(0, 1)})
    far = type("Far", (near,), {"__annotations__": {"depth": Dial}, "depth": uniform(5, 9)})
    assert far.declared_dials()["depth"].law.ends == (5, 9)
