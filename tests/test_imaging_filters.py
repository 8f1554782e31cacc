"""The two paths of the linear filters and the warps agree, and both do what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rrframe.imaging import filters, warp
from rrframe.imaging.layout import from_hwc, to_batch
from rrframe.testing.pictures import Picture
from rrframe.testing.strategies import pictures

# The torch path runs on CPU tensors too, where it is not the one that is taken.
SOME = settings(max_examples=25, deadline=None)
CLOSE = 1e-5


def point(height: int, width: int, row: int, column: int) -> torch.Tensor:
    image = torch.zeros(1, 3, height, width)
    image[..., row, column] = 1.0
    return image


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    assert one.shape == other.shape
    return float((one - other).abs().max())


@pytest.mark.parametrize("size", [(1, 1), (3, 50), (64, 40)])
@pytest.mark.parametrize("sigma", [0.3, 2.5, 9.0])
def test_a_gaussian_of_codes_is_that_of_the_values_they_stand_for(size: tuple[int, int], sigma: float) -> None:
    pixels = np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)
    done = filters.gaussian_of_codes(pixels, sigma)
    assert apart(from_hwc([done / 255.0]), filters.gaussian(to_batch(pixels), sigma)) < CLOSE


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (2, 3)])
def test_a_constant_image_smaller_than_the_kernel_stays_constant(size: tuple[int, int]) -> None:
    flat = torch.full((1, 3, *size), 0.4)
    kernel = torch.full((1, 41, 41), 1 / 41**2)
    for done in (filters.gaussian(flat, 8.0), filters.convolve(flat, kernel), filters.box(flat, 20)):
        assert apart(done, flat) < CLOSE


@SOME
@given(pictures(greatest_side=12), st.integers(0, 40), st.integers(0, 40))
def test_the_border_is_mirrored_as_numpy_mirrors_it(picture: Picture, before: int, after: int) -> None:
    expected = np.pad(np.arange(picture.width), (before, after), mode="reflect")
    assert np.array_equal(filters.mirrored(picture.width, before, after), expected)


def test_gaussian_of_a_point_has_its_variance_and_sum() -> None:
    spread = filters.gaussian(point(65, 65, 32, 32), 5.0)[0, 0].double()
    places = torch.arange(65) - 32.0
    assert float(spread.sum()) == pytest.approx(1.0, abs=1e-5)
    assert float((spread.sum(dim=0) * places**2).sum()) == pytest.approx(25.0, rel=0.01)


def test_sigma_0_is_the_image_itself_in_a_new_tensor() -> None:
    image = torch.rand(2, 3, 9, 8)
    done = filters.gaussian(image, torch.tensor([0.0, 1.0]).view(2, 1, 1, 1))
    assert torch.equal(done[0], image[0])
    assert not torch.equal(done[1], image[1])
    alone = filters.gaussian(image[:1], 0.0)
    assert alone.data_ptr() != image.data_ptr()


@pytest.mark.parametrize("size", [3, 25])
def test_a_point_becomes_the_kernel_and_not_its_mirror_image(size: int) -> None:
    kernel = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    around = slice(30 - size // 2, 30 + size // 2 + 1)
    done = filters.convolve(point(61, 61, 30, 30), kernel)
    assert apart(done[..., around, around], kernel) < CLOSE
    assert float(done.sum()) == pytest.approx(float(kernel.sum()), rel=1e-4)


@pytest.mark.parametrize("size", [(2, 3, 40, 31), (1, 1, 4, 50)])
def test_weights_down_and_across_are_a_kernel(size: tuple[int, ...]) -> None:
    images, taps = torch.rand(size), torch.tensor([0.1, 0.2, 0.5, 0.2, 0.1])
    done = filters.windowed(images, taps)
    assert apart(done, filters.convolve(images, torch.outer(taps, taps).expand(len(images), 5, 5))) < CLOSE


def test_guided_filter_smooths_what_the_guide_does_not_have() -> None:
    edge = torch.zeros(1, 3, 40, 40)
    edge[..., 20:] = 1.0
    noise = torch.randn(1, 1, 40, 40, generator=torch.Generator().manual_seed(0)) * 0.1
    smooth = filters.guided(edge, edge[:, :1] + noise, 4, 1e-3) - edge[:, :1]
    assert float(smooth.abs().mean()) < 0.25 * float(noise.abs().mean())
    assert float(smooth[..., 18:22].abs().max()) < 0.12  # the edge has not moved


def test_homography_moves_a_point_to_where_its_matrix_sends_it() -> None:
    matrix = torch.tensor([[[1.0, 0.0, 5.0], [0.0, 1.0, -3.0], [0.0, 0.0, 1.0]]])
    moved = warp.homography(point(21, 21, 10, 10), matrix)
    assert apart(moved, point(21, 21, 7, 15)) < 1e-4


def test_remap_samples_between_pixels_without_rounding_the_place() -> None:
    slope = torch.arange(20.0).expand(1, 3, 20, 20) / 20
    x, y = torch.full((1, 1, 1, 1), 7.123), torch.full((1, 1, 1, 1), 4.0)
    assert float(warp.remap(slope, x, y)[0, 0]) == pytest.approx(7.123 / 20, abs=1e-5)
