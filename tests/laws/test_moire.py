"""Laws of moire: when a screen's raster beats with a sensor's, and how patterns are laid over."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rrframe_degradations.moire.pattern import LIBRARY, library
from rrframe_degradations.moire.raster import STRIPES, table
from rrframe_degradations.moire.view import View

import rrframe
from rrframe import Cues, Draw, Draws, Key
from rrframe.imaging.filters import gaussian
from rrframe.imaging.resample import resize

SEES_BARE = {"contrast": 1.0, "cast": 0.0, "shot": 0.0, "smoothing": 0.0, "gap": 0.2}


def grey(size: int, level: float = 0.2) -> torch.Tensor:
    return torch.full((1, 3, size, size), level).contiguous(memory_format=torch.channels_last)


def chroma(pitch: float, sigma: float, *, angle: float = 5.0, seed: int = 0) -> float:
    """Deviation of red minus green on a grey screen, bands only: what is wider than about ten pixels."""
    operator = rrframe.load("moire/screen", **SEES_BARE, pitch=pitch, sigma=sigma, angle=angle, tilt=2, distortion=0.01)
    seen = operator.apply(grey(256), Draws([operator.draw(Key.of(seed))]), Cues({})) / 0.2
    bands = gaussian(seen, 3.0)[..., 12:-12, 12:-12]
    return float((bands[:, 0] - bands[:, 1]).std())


# The screen
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pitch", [1.75, 1.9, 2.0, 2.1, 2.3, 2.5, 3.75, 4.0, 4.5])
def test_bands_show_where_the_rasters_beat(pitch: float) -> None:
    assert chroma(pitch, 0.3) > 0.07


def test_contrast_has_the_published_order() -> None:
    """Most around two sensor pixels a display pixel, less around four, next to none between them and below."""
    about_two, about_four, between, below = (
        float(np.mean([chroma(pitch, 0.3) for pitch in pitches]))
        for pitches in ((1.75, 1.9, 2.1, 2.3, 2.5), (3.5, 3.75, 4.0, 4.5, 5.0), (2.9, 3.1), (0.6, 0.8, 1.0, 1.3, 1.5))
    )
    assert about_two > 1.3 * about_four > 10 * between
    assert between < 0.015
    assert below < 0.002


@settings(max_examples=15, deadline=None)
@given(pitch=st.floats(0.6, 1.5), angle=st.floats(-12, 12), seed=st.integers(0, 9))
def test_no_bands_below(pitch: float, angle: float, seed: int) -> None:
    assert chroma(pitch, 0.4, angle=angle, seed=seed) <= 0.01
    # The sharpest lens leaves a trace near 1.06, a twentieth of what it shows at 2.
    assert chroma(pitch, 0.3, angle=angle, seed=seed) <= 0.02


@pytest.mark.parametrize("pitch", [1.9, 2.0])
def test_a_lens_that_blurs_weakens_bands(pitch: float) -> None:
    strong, weak, none = (chroma(pitch, sigma) for sigma in (0.3, 0.6, 1.0))
    assert 3.0 < strong / weak < 5.0
    assert none < 0.01


def sampled(
    stripes: str, gap: float, jacobian: np.ndarray, sigma: float, samples: int, place: np.ndarray
) -> np.ndarray:
    """The raster at one place by brute force: samples of the display over a sensor pixel's square and the lens."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(15)
    square = (np.arange(samples) + 0.5) / samples - 0.5
    along = (square[:, None] + sigma * nodes).ravel()
    weight = np.tile(weights / weights.sum(), samples) / samples
    x, y = np.meshgrid(along, along)
    seen = np.einsum("ij,jhw->ihw", jacobian, np.stack([x, y])) + place[:, None, None]
    across, down = seen - np.floor(seen)
    lit = []
    for stripe in STRIPES[stripes]:
        inside = (abs(across - (stripe + 0.5) / 3) < (1 - gap) / 6) & (abs(down - 0.5) < (1 - gap) / 2)
        lit.append((inside * weight * weight[:, None]).sum() / ((1 - gap) ** 2 / 3))
    return np.array(lit)


@pytest.mark.parametrize("stripes", sorted(STRIPES))
def test_the_closed_form_is_what_many_samples_tend_to(stripes: str) -> None:
    jacobian = View(2.05, 7.0, 5.0, 40.0, 0.0, (0.0, 0.0)).jacobian()
    exact = table(stripes, 0.2, jacobian, 0.3)
    for column, row in ((0, 0), (21, 64), (100, 30)):
        place = np.array([column, row]) / 128
        many = sampled(stripes, 0.2, jacobian, 0.3, 24, place)
        assert np.abs(many - exact[:, row, column].numpy()).max() < 0.02


@pytest.mark.parametrize("pitch", [0.8, 1.0, 1.3])
def test_no_bands_are_made_by_too_few_samples(pitch: float) -> None:
    """A renderer that takes two samples a pixel and side sees a raster that pixels of this size average away."""
    view = View(pitch, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0))
    exact = table("rgb", 0.2, view.jacobian(), 0.3).std(dim=(1, 2)).max()
    corners = (np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]]) / 4) @ view.jacobian().T
    places = np.arange(64) / 64
    few = np.zeros((64, 64))
    for right, below in corners:
        across, down = (places + right) % 1.0, (places + below) % 1.0
        few += np.outer(abs(down - 0.5) < 0.4, abs(across - 1 / 6) < 0.8 / 6) / 4 / (0.8**2 / 3)
    assert exact < 0.3
    assert few.std() > 2.5 * float(exact)


def test_the_raster_has_mean_one_and_repeats() -> None:
    seen = table("rgb", 0.3, View(2.2, 3.0, 0.0, 0.0, 0.0, (0.0, 0.0)).jacobian(), 0.4)
    torch.testing.assert_close(seen[:, :-1, :-1].mean(dim=(1, 2)), torch.ones(3))
    assert torch.equal(seen[:, 0], seen[:, -1])
    assert torch.equal(seen[..., 0], seen[..., -1])


@settings(max_examples=20, deadline=None)
@given(
    pitch=st.floats(0.5, 6),
    angle=st.floats(-180, 180),
    tilt=st.floats(0, 45),
    slope=st.floats(0, 360),
    distortion=st.floats(-0.1, 0.1),
)
def test_the_view_has_its_jacobian_on_the_axis(
    pitch: float, angle: float, tilt: float, slope: float, distortion: float
) -> None:
    view = View(pitch, angle, tilt, slope, distortion, (0.25, 0.5))
    x, y = (each[0, 0].double() for each in view.places(torch.empty(1, 3, 801, 801)))
    assert float(x[400, 400]) == pytest.approx(0.25)
    assert float(y[400, 400]) == pytest.approx(0.5)
    found = np.array([[each[400, 401] - each[400, 399], each[401, 400] - each[399, 400]] for each in (x, y)]) / 2
    np.testing.assert_allclose(found, view.jacobian(), atol=2e-4 / min(pitch, 1))


def test_a_tilted_display_is_smaller_where_it_recedes() -> None:
    x, _ = View(2.0, 0.0, 10.0, 0.0, 0.0, (0.0, 0.0)).places(torch.empty(1, 3, 3, 401))
    steps = x[0, 0, 1].diff()
    assert (steps.diff() > 0).float().mean() > 0.9  # more display pixels a sensor pixel, farther to the right
    flat, _ = View(2.0, 0.0, 0.0, 0.0, 0.0, (0.0, 0.0)).places(torch.empty(1, 3, 3, 401))
    torch.testing.assert_close(flat[0, 0, 1].diff(), torch.full((400,), 0.5))


def test_the_screen_keeps_colours_on_average(photo: np.ndarray) -> None:
    operator = rrframe.load("moire/screen", cast=0.0, pitch=2.1)
    white = np.full((256, 256, 3), 255, np.uint8)
    for picture in (np.full((256, 256, 3), 90, np.uint8), white):  # white, too, though its bright bands saturate
        means = operator(picture, severity=1.0, seed=3).reshape(-1, 3).mean(axis=0)
        assert np.ptp(means) < 4
    assert 0.8 < operator(photo, severity=1.0, seed=3).mean() / photo.mean() < 1.02


def test_the_screen_without_a_raster_is_the_picture(photo: np.ndarray) -> None:
    operator = rrframe.load("moire/screen")
    assert np.array_equal(operator(photo, severity=0.0, seed=1), photo)


# Patterns
# ---------------------------------------------------------------------------------------------------------------------


def pattern_draw(seed: int, **values: float) -> tuple[rrframe.Degradation, Draw]:
    operator = rrframe.load("moire/pattern", **values)
    return operator, operator.draw(Key.of(seed))


def test_a_pattern_of_no_strength_is_identity() -> None:
    images = torch.rand(1, 3, 40, 60, generator=torch.Generator().manual_seed(1))
    operator = rrframe.load("moire/pattern")
    done = operator.apply(images, Draws([operator.draw(Key.of(2), severity=0.0)]), Cues({}))
    assert torch.equal(done, images)


@settings(max_examples=10, deadline=None)
@given(weight=st.floats(0.65, 0.75), strength=st.floats(0.0, 1.0), seed=st.integers(0, 3))
def test_fusion_follows_its_formula(weight: float, strength: float, seed: int) -> None:
    # Multiply alone, on grey, shows the pattern.
    bare, draw = pattern_draw(seed, weight=1.0, strength=0.5)
    m = 1 + strength * (bare.apply(grey(64, 0.5), Draws([draw]), Cues({})) / 0.5 - 1) / 0.5
    images = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
    operator, draw = pattern_draw(seed, weight=weight, strength=strength)
    multiply, merge = images * m, images + m / 2 - 0.5
    wanted = weight * multiply + (1 - weight) * (0.8 * merge + 0.2 * images)
    torch.testing.assert_close(operator.apply(images, Draws([draw]), Cues({})), wanted.clamp(0, 1), atol=1e-5, rtol=0)


def test_bands_scale_with_the_picture() -> None:
    operator, draw = pattern_draw(4, strength=1.0, zoom=2.0)
    small, large = (operator.apply(grey(size, 0.5), Draws([draw]), Cues({})) for size in (192, 768))
    shrunk = resize(large, 192, 192)
    apart = float((gaussian(small, 1.5) - gaussian(shrunk, 1.5)).square().mean().sqrt())
    assert apart < 0.1 * float(gaussian(small, 1.5).std())


def test_a_small_picture_does_not_beat_with_the_pattern() -> None:
    operator, draw = pattern_draw(5, strength=1.0, patterns=1, zoom=1.0)
    small, large = (operator.apply(grey(size, 0.5), Draws([draw]), Cues({})).std() for size in (24, 256))
    assert small < 0.3 * large


def test_the_library_is_named_by_number() -> None:
    first, second = library(7), library(8)
    assert torch.equal(library(7 + LIBRARY), first)
    assert not torch.equal(first, second)
    ranges = [float(each.max() - each.min()) for each in (first, second)]
    assert not math.isclose(*ranges, rel_tol=1e-3)  # stretched to a common range, they would be
    for pattern in (first, second):
        assert 0.9 < float(pattern.mean()) < 1.02


def test_as_many_patterns_as_drawn_from_all_of_the_library() -> None:
    operator = rrframe.load("moire/pattern")
    draws = [operator.draw(Key.of(seed)).values for seed in range(60)]
    assert {len(values["chosen"]) for values in draws} == {1, 2, 3}
    assert all(len(values["chosen"]) == values["patterns"] for values in draws)
    numbers = [one[0] for values in draws for one in values["chosen"]]
    assert min(numbers) < LIBRARY / 10
    assert max(numbers) > LIBRARY * 9 / 10
