"""The laws of blur: what a point of light becomes, and that no light is lost."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rrframe_degradations.blur.trajectory import wander

import rrframe
from rrframe.contracts.cue import Cues
from rrframe.contracts.draw import Draw, Draws
from rrframe.contracts.trying import compute_cues, image_key
from rrframe.imaging import filters, psf, warp
from rrframe.rng import Key

OPERATORS = ("blur/camera-shake", "blur/defocus", "blur/depth-of-field", "blur/gaussian", "blur/motion", "blur/sinc")
OPTICAL = tuple(name for name in OPERATORS if name != "blur/sinc")
SPREADS = ("blur/defocus", "blur/gaussian", "blur/motion")
SOME = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 2**31)


def blurred(name: str, images: torch.Tensor, *, seed: int = 0, severity: float | None = 1.0, **params: object):
    """``images``, in the operator's own light, blurred; each by a draw of its own."""
    component = rrframe.load(name, **params)
    draws = [component.draw(image_key(seed, index), severity) for index in range(len(images))]
    cues = compute_cues(component.needs(), images, [str(index) for index in range(len(images))])
    return component.apply(images, Draws(draws), cues)


def point(side: int, light: float = 0.7) -> torch.Tensor:
    image = torch.zeros(1, 3, side, side)
    image[..., side // 2, side // 2] = light
    return image


def spread(image: torch.Tensor) -> float:
    """The root mean square distance of light from its centre, in pixels."""
    light = image[0, 0].double() / image[0, 0].double().sum()
    rows, columns = (torch.arange(side, dtype=torch.float64) for side in light.shape)
    down, across = light.sum(dim=1), light.sum(dim=0)
    variance = (down * rows**2).sum() - (down * rows).sum() ** 2 + (across * columns**2).sum()
    return math.sqrt(max(float(variance - (across * columns).sum() ** 2), 0.0))


def centre(kernel: np.ndarray) -> tuple[float, float]:
    """The mean place of ``kernel``, x and y from its middle."""
    places = np.arange(len(kernel)) - len(kernel) // 2
    return float(kernel.sum(axis=0) @ places), float(kernel.sum(axis=1) @ places)


# Point-spread functions
# ---------------------------------------------------------------------------------------------------------------------


@SOME
@given(st.sampled_from(SPREADS), SEEDS, st.none() | st.floats(0.0, 1.0), st.floats(0.001, 4.0))
def test_a_psf_is_odd_positive_and_of_unit_sum(name: str, seed: int, severity: float | None, unit: float) -> None:
    component = rrframe.load(name)
    kernel = component.kernel(component.draw(image_key(seed), severity), unit)
    assert kernel.shape[0] == kernel.shape[1]
    assert kernel.shape[0] % 2 == 1
    assert kernel.min() >= 0
    assert float(kernel.sum(dtype=np.float64)) == pytest.approx(1.0, abs=1e-5)


@SOME
@given(st.floats(0.01, 10.0))
def test_a_sinc_has_unit_sum_and_negative_lobes(cutoff: float) -> None:
    kernel = psf.sinc(cutoff)
    assert float(kernel.sum(dtype=np.float64)) == pytest.approx(1.0, abs=1e-5)
    assert kernel.min() < 0


@SOME
@given(st.floats(3.0, 40.0))
def test_a_disc_has_its_radius(radius: float) -> None:
    kernel = psf.disc(radius)
    variance = 2 * float((kernel.sum(axis=0) * (np.arange(len(kernel)) - len(kernel) // 2) ** 2).sum())
    assert math.sqrt(2 * variance) == pytest.approx(radius, rel=0.05)  # the variance of a disc is half its radius^2
    assert kernel.max() == pytest.approx(1 / (math.pi * radius**2), rel=0.05)
    middle = kernel[len(kernel) // 2]
    assert (middle > 0.5 * kernel.max()).sum() == pytest.approx(2 * radius, abs=1.5)
    assert centre(kernel) == pytest.approx((0, 0), abs=1e-4)


@SOME
@given(st.floats(4.0, 40.0), st.integers(3, 9), st.floats(0.0, 6.3))
def test_a_polygon_has_the_area_of_the_disc_and_as_many_corners_as_blades(
    radius: float, blades: int, angle: float
) -> None:
    kernel = psf.polygon(radius, blades, angle)
    assert kernel.max() == pytest.approx(1 / (math.pi * radius**2), rel=0.05)
    turned = psf.polygon(radius, blades, angle + 2 * math.pi / blades)
    assert np.allclose(kernel, turned, atol=1e-6)
    assert np.abs(kernel - psf.polygon(radius, blades, angle + math.pi / blades)).sum() > 0.01


@SOME
@given(st.floats(3.0, 12.0), st.floats(0.5, 1.0), st.floats(0.0, math.pi), st.floats(0.5, 4.0))
def test_a_generalised_gaussian_has_its_deviations_whatever_its_power(
    sigma: float, ratio: float, angle: float, power: float
) -> None:
    kernel = psf.generalised_gaussian(sigma, ratio, angle, power).astype(np.float64)
    places = np.arange(len(kernel)) - len(kernel) // 2
    x, y = np.meshgrid(places, places)
    along, across = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    assert math.sqrt((kernel * along**2).sum()) == pytest.approx(sigma, rel=0.06)
    assert math.sqrt((kernel * across**2).sum()) == pytest.approx(sigma * ratio, rel=0.06)


@SOME
@given(SEEDS, st.floats(0.0, 0.1))
def test_a_path_is_one_long_and_centred_and_its_trail_too(seed: int, jerk: float) -> None:
    path = wander(Key.of(seed).random(), jerk)
    assert np.abs(path.mean(axis=0)).max() < 1e-9
    # No two points lie much farther apart than the width: 32 directions miss a half per cent at most.
    assert np.hypot(*(path[::20, None] - path[None, ::20]).reshape(-1, 2).T).max() <= 1.01
    assert centre(psf.trail(path * 20)) == pytest.approx((0, 0), abs=0.02)


def test_without_jerk_a_trail_is_a_straight_line_of_the_extent() -> None:
    kernel = psf.trail(wander(Key.of(3).random(), 0.0) * 30).astype(np.float64)
    places = np.arange(len(kernel)) - len(kernel) // 2
    x, y = np.meshgrid(places, places)
    covariance = [[(kernel * x * x).sum(), (kernel * x * y).sum()], [(kernel * x * y).sum(), (kernel * y * y).sum()]]
    across, along = np.linalg.eigvalsh(covariance)
    assert across < 0.5
    assert math.sqrt(12 * along) == pytest.approx(30, rel=0.02)


# Light
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPTICAL)
def test_blur_conserves_energy_in_linear_light(name: str) -> None:
    images = torch.zeros(2, 3, 128, 128)
    images[..., 48:80, 48:80] = 0.75 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    done = blurred(name, images, seed=4)
    assert not torch.allclose(done, images, atol=0.01)
    energy = images.sum(dim=(1, 2, 3))
    # Where layers meet, depth of field lets one hide the other.
    tolerance = 0.02 if name == "blur/depth-of-field" else 1e-4
    assert torch.allclose(done.sum(dim=(1, 2, 3)), energy, rtol=tolerance)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 3), (40, 11)])
def test_a_flat_picture_stays_flat_however_small(name: str, size: tuple[int, int]) -> None:
    flat = torch.full((1, 3, *size), 0.42)
    widest = {name: dial.high for name, dial in rrframe.load(name).dials().items() if name in ("sigma", "extent")}
    assert float((blurred(name, flat, **widest) - flat).abs().max()) < 1e-3


def test_black_and_white_mix_as_light_does() -> None:
    rows, columns = np.indices((96, 96))
    board = np.where(((rows // 2 + columns // 2) % 2)[..., None], 255, 0).astype(np.uint8).repeat(3, axis=2)
    done = rrframe.load("blur/gaussian", shape="isotropic", sigma=80, highlights=0)(board)
    assert done[32:64, 32:64].mean() == pytest.approx(188, abs=2)  # half the light, encoded; 128 is half the code


@pytest.mark.parametrize("name", ["blur/camera-shake", "blur/defocus", "blur/gaussian", "blur/motion"])
def test_clipped_highlights_were_brighter_than_white(name: str) -> None:
    lamp, lit = point(400, 1.0), {"severity": 1.0, "seed": 2}
    plain, bright = blurred(name, lamp, highlights=0, **lit), blurred(name, lamp, highlights=1.5, **lit)
    assert float(bright.sum()) == pytest.approx(2.5 * float(plain.sum()), rel=0.01)
    dim = point(400, 0.93)  # a pale sky is not clipped
    assert torch.equal(blurred(name, dim, highlights=0, **lit), blurred(name, dim, highlights=1.5, **lit))


@pytest.mark.parametrize("name", OPTICAL)
def test_a_setting_means_the_same_at_any_size(name: str) -> None:
    wide = {"blur/defocus": {"blades": 0}, "blur/depth-of-field": {"blades": 0, "radius": 40, "focus": 0}}
    settings = {"severity": 1.0, "seed": 5, **wide.get(name, {})}
    small, large = spread(blurred(name, point(301), **settings)), spread(blurred(name, point(903), **settings))
    assert large == pytest.approx(3 * small, rel=0.05)


@pytest.mark.parametrize("name", OPERATORS)
def test_the_two_paths_make_the_same_picture(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    images = torch.rand(2, 3, 60, 72, generator=torch.Generator().manual_seed(0))
    with_opencv = blurred(name, images, seed=3)
    for module, function in ((filters, "gaussian"), (filters, "convolve"), (filters, "box"), (warp, "homography")):
        monkeypatch.setattr(module, f"_{function}_opencv", getattr(module, f"_{function}_torch"))
    assert float((blurred(name, images, seed=3) - with_opencv).abs().max()) < 1e-4


# What moves, and what is out of focus
# ---------------------------------------------------------------------------------------------------------------------


def test_a_shake_without_roll_behind_a_long_lens_is_plain_motion() -> None:
    grain = torch.rand(1, 3, 120, 150, generator=torch.Generator().manual_seed(0))
    images = 0.5 + 3 * filters.gaussian(grain - 0.5, 2.0)  # smooth: resampling blurs grain by itself
    values = {"extent": 80.0, "jerk": 0.004, "highlights": 0.0}
    motion = rrframe.load("blur/motion").apply(images, Draws([Draw(seed=8, values=values)]), Cues())
    still = Draw(seed=8, values={**values, "roll": 0.0, "focal": 100.0})
    shake = rrframe.load("blur/camera-shake").apply(images, Draws([still]), Cues())
    inside = (..., slice(12, -12), slice(12, -12))
    assert float((shake - motion)[inside].abs().mean()) < 0.03 * float((images - motion)[inside].abs().mean())


def test_a_camera_that_only_rolls_leaves_the_centre_sharp() -> None:
    dots = torch.zeros(1, 3, 201, 201)
    dots[..., 100, 100] = dots[..., 20, 20] = 0.7
    done = blurred("blur/camera-shake", dots, extent=0, roll=4, jerk=0)
    assert float(done[0, 0, 100, 100]) > 0.65
    assert float(done[0, 0, 20, 20]) < 0.3
    assert spread(done[..., 5:36, 5:36]) == pytest.approx(math.radians(4) * math.hypot(80, 80) / math.sqrt(12), rel=0.1)


def layered(images: torch.Tensor, near: torch.Tensor, **params: object) -> torch.Tensor:
    """Depth of field over a subject at 2 m, where ``near``, before a background at 20 m."""
    component = rrframe.load("blur/depth-of-field", radius=60, blades=0, highlights=0, **params)
    depth = torch.where(near, 2.0, 20.0)[None, None]
    return component.apply(images, Draws([component.draw(image_key(0))]), Cues({"depth": depth}))


def test_a_sharp_subject_does_not_leak_into_a_blurred_background() -> None:
    near = torch.zeros(100, 100, dtype=torch.bool)
    near[:, 50:] = True
    images = torch.full((1, 3, 100, 100), 0.1)
    images[:, 0, :, 50:] = 0.75
    images[..., 20:22, :50] = 0.6
    done = layered(images, near, focus=1)
    assert torch.allclose(done[..., 50:], images[..., 50:], atol=1e-4)
    assert float(done[:, 0, 60:, :50].max()) < 0.101
    assert float(done[0, 1, 21, 20]) < 0.4  # and the background is blurred


def test_a_blurred_subject_is_seen_through_at_its_rim() -> None:
    near = torch.zeros(100, 100, dtype=torch.bool)
    near[:, 50:] = True
    images = torch.full((1, 3, 100, 100), 0.1)
    images[..., 50:] = 0.7
    line = layered(images, near, focus=0)[0, 0, 50]
    assert torch.allclose(line[:40], torch.tensor(0.1), atol=1e-3)
    assert torch.allclose(line[60:], torch.tensor(0.7), atol=1e-3)
    assert float(line.diff().max()) < 0.1  # no step where the subject begins
    assert float(line[49:51].mean()) == pytest.approx(0.4, abs=0.03)
