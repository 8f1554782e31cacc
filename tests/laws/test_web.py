"""The laws of the web-style chain."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings

import rrframe
from rrframe import Key
from rrframe.contracts.component import create
from rrframe.imaging.layout import to_pixels
from rrframe.testing.strategies import images, seeds, severities

# Nothing but what a test turns on.
STILL: dict[str, Any] = {
    "first_blur": 0,
    "second_blur": 0,
    "first_scaling": [0, 0, 1],
    "second_scaling": [0, 0, 1],
    "first_gaussian": 0,
    "second_gaussian": 0,
    "first_poisson": 0,
    "second_poisson": 0,
    "first_quality": 100,
    "second_quality": 100,
    "chroma": "4:4:4",
    "last_sinc": 0,
}


def web(pixels: np.ndarray, seed: int = 0, **params: Any) -> np.ndarray:
    return np.asarray(create("effect/web", STILL | params)(pixels, seed=seed))


def flat(value: int, size: int = 128) -> np.ndarray:
    return np.full((size, size, 3), value, np.uint8)


@settings(max_examples=40, deadline=None)
@given(images(greatest_batch=2), severities(), seeds())
def test_stays_in_range_and_keeps_its_size(batch: torch.Tensor, severity: float | None, seed: int) -> None:
    done = rrframe.load("effect/web")(batch, severity=severity, seed=seed)
    assert done.shape == batch.shape
    assert bool(torch.isfinite(done).all())
    assert float(done.min()) >= 0.0
    assert float(done.max()) <= 1.0


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (300, 1), (5, 4)])
def test_works_on_the_smallest(size: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    operator = rrframe.load("effect/web")
    assert all(operator(pixels, seed=seed).shape == pixels.shape for seed in range(20))


def test_with_everything_off_nothing_changes(photo: np.ndarray) -> None:
    assert np.abs(web(photo).astype(int) - photo).max() <= 6  # two JPEG files of quality 100


def test_overshoot_never_makes_a_negative_rate() -> None:
    """Cubic resizing and ringing overshoot hard edges; Poisson noise of a rate below zero would raise or be NaN."""
    checks = (
        np.kron(np.indices((16, 16)).sum(axis=0) % 2, np.ones((6, 6))).astype(np.uint8)[..., None].repeat(3, 2) * 255
    )
    for seed in range(20):
        done = web(checks, seed, sinc=1, first_blur=1, second_blur=1, first_poisson=3, second_poisson=3, gaussian=0)
        assert done.dtype == np.uint8
        assert done.mean() == pytest.approx(119, abs=8)  # half, less what is clipped at white; NaN would become black


@pytest.mark.parametrize(("value", "kind"), [(255, "gaussian"), (0, "gaussian"), (255, "poisson")])
def test_noise_never_wraps_round(value: int, kind: str) -> None:
    noise = {"gaussian": 1, "first_gaussian": 20} if kind == "gaussian" else {"gaussian": 0, "first_poisson": 1.2}
    done = web(flat(value), grey=0, **noise).astype(int)
    assert np.abs(done - value).max() < 150
    assert np.abs(done - value).max() > 20


@pytest.mark.parametrize("value", [64, 128])
@pytest.mark.parametrize("strength", [0.7, 1.4, 2.1])
def test_poisson_noise_is_multiplied_and_not_its_count(value: int, strength: float) -> None:
    """Its deviation is the strength times that of 256 photons for white."""
    expected = strength * np.sqrt(value / 255 / 256) * 255
    done = web(flat(value, 256), gaussian=0, grey=0, first_poisson=strength).astype(float)
    assert done.std() == pytest.approx(expected, rel=0.04)
    assert done.mean() == pytest.approx(value, abs=0.5)


def test_poisson_noise_does_not_ask_how_many_colours_there_are() -> None:
    busy = flat(128, 256)
    busy[:128] = np.random.default_rng(1).integers(0, 256, (128, 256, 3), np.uint8)
    alone, among = (web(each, gaussian=0, first_poisson=1.0)[136:].astype(float) for each in (flat(128, 256), busy))
    assert alone.std() == pytest.approx(among.std(), rel=0.03)


@pytest.mark.parametrize("kind", ["gaussian", "poisson"])
def test_grey_noise_is_grey(kind: str) -> None:
    noise = {"gaussian": 1, "first_gaussian": 15} if kind == "gaussian" else {"gaussian": 0, "first_poisson": 1}
    grey, coloured = (web(flat(128), grey=share, **noise).astype(int) for share in (1, 0))
    assert np.abs(grey[..., 0] - grey[..., 2]).max() <= 4  # JPEG's rounding
    assert np.abs(coloured[..., 0] - coloured[..., 2]).std() > 8
    assert grey[..., 1].std() == pytest.approx(coloured[..., 1].std(), rel=0.1)


@pytest.mark.parametrize("sigma", [1.0, 2.5])
@pytest.mark.parametrize("scale", [0.4, 0.8])
def test_blurring_the_smaller_picture_comes_to_the_same(photo: np.ndarray, sigma: float, scale: float) -> None:
    """A round that shrinks blurs afterwards, its kernel shrunk too: the same within a hundredth of the range."""
    from rrframe_effects.web import _blurred, _blurred_and_resized, resize_pixels

    blur = {"shape": "elliptic", "sigma": sigma, "ratio": 0.6, "angle": 0.5, "power": 1.0}
    size = round(512 * scale), round(512 * scale)
    quick = _blurred_and_resized(photo, size, {"blur": blur, "method": "cubic"})
    slow = resize_pixels(_blurred(photo, blur, 1.0), *size, "cubic")
    assert np.sqrt(np.mean((quick.astype(float) - slow)[8:-8, 8:-8] ** 2)) < 2.55


def test_sinc_kernels_ring() -> None:
    edge = flat(60)
    edge[:, 64:] = 190
    row = web(edge, last_sinc=1, cutoff=0.4)[64, :, 0].astype(int)
    assert row.max() > 195
    assert row.min() < 55
    assert abs(int(row[:16].mean()) - 60) <= 2


def test_blur_follows_large_pictures_and_counts_pixels_in_small_ones() -> None:
    def width(size: int) -> float:
        edge = flat(40, size)
        edge[:, size // 2 :] = 210
        steps = np.diff(web(edge, first_blur=1, sinc=0, first_sigma=3.0)[size // 2, :, 1].astype(float)).clip(0)
        places = np.arange(len(steps))
        return float(np.sqrt(np.average((places - np.average(places, weights=steps)) ** 2, weights=steps)))

    small, middle, large = width(250), width(500), width(2000)
    assert small == pytest.approx(middle, rel=0.1)
    assert large == pytest.approx(2 * middle, rel=0.15)


def test_global_generators_do_not_matter(photo: np.ndarray) -> None:
    operator, part = rrframe.load("effect/web"), np.ascontiguousarray(photo[:64, :64])
    results = []
    for state in (1, 2):
        random.seed(state)
        np.random.seed(state)
        torch.manual_seed(state)
        results.append(np.asarray(operator(part, seed=5)))
    assert np.array_equal(*results)


# What is drawn
# ---------------------------------------------------------------------------------------------------------------------

DRAWN = [rrframe.load("effect/web").draw(Key.of("law", number)).values for number in range(1500)]


def share(holds: Any) -> float:
    return sum(map(holds, DRAWN)) / len(DRAWN)


def test_the_shares_are_the_published_ones() -> None:
    close = {"abs": 0.05}  # more than four deviations of a share among 1500
    ways = Counter(np.sign(values["first"]["scale"] - 1.0) for values in DRAWN)
    assert ways[-1] / len(DRAWN) == pytest.approx(0.7, **close)
    assert ways[1] / len(DRAWN) == pytest.approx(0.2, **close)
    assert share(lambda values: values["second"]["scale"] == 1.0) == pytest.approx(0.3, **close)
    assert share(lambda values: values["second"]["blur"] is not None) == pytest.approx(0.8, **close)
    assert share(lambda values: values["first"]["blur"]["shape"] == "sinc") == pytest.approx(0.1, **close)
    assert share(lambda values: values["first"]["noise"]["grey"]) == pytest.approx(0.4, **close)
    assert share(lambda values: values["last"]["cutoff"] is not None) == pytest.approx(0.8, **close)
    assert share(lambda values: values["last"]["jpeg_first"]) == pytest.approx(0.5, **close)


def test_the_ranges_are_the_published_ones() -> None:
    def spread(name: str, what: str) -> tuple[float, float]:
        numbers = [values[name][what] for values in DRAWN]
        return min(numbers), max(numbers)

    assert spread("first", "scale") == pytest.approx((0.15, 1.5), abs=0.02)
    assert spread("second", "scale") == pytest.approx((0.3, 1.2), abs=0.02)
    assert spread("first", "quality") == (30, 95)
    noise = [values["first"]["noise"] for values in DRAWN]
    assert max(each["strength"] for each in noise if each["kind"] == "gaussian") == pytest.approx(30, abs=0.5)
    assert max(each["strength"] for each in noise if each["kind"] == "poisson") == pytest.approx(3, abs=0.05)


def test_every_stage_is_recorded_and_small() -> None:
    stages = {"blur", "scale", "method", "noise", "quality", "chroma"}
    assert all(set(values["first"]) == set(values["second"]) == stages for values in DRAWN)
    assert max(len(json.dumps(values)) for values in DRAWN) < 1200


def test_severity_one_is_what_is_drawn_without() -> None:
    operator, key = rrframe.load("effect/web"), Key.of("law", 3)
    whole, none = operator.draw(key, 1.0).values, operator.draw(key, None).values
    assert whole["first"] | {"chroma": 0} == none["first"] | {"chroma": 0}
    assert operator.draw(key, 0.0).values["first"]["scale"] == 1.0


def test_both_orders_of_the_last_stages_differ(photo: np.ndarray) -> None:
    operator, part = rrframe.load("effect/web"), torch.from_numpy(photo[:96, :96].copy()).permute(2, 0, 1)[None] / 255
    draw = operator.draw(Key.of(4))
    swapped = draw.with_values(last=draw.values["last"] | {"jpeg_first": not draw.values["last"]["jpeg_first"]})
    one, other = (operator.apply(part, rrframe.Draws([each]), rrframe.Cues()) for each in (draw, swapped))
    assert not np.array_equal(to_pixels(one[0]), to_pixels(other[0]))
