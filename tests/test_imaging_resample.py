"""The two paths of resizing agree, and do what they say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rrframe.imaging import resample
from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.testing.strategies import images

# The torch path runs on CPU tensors too, where it is not the one that is taken.
SOME = settings(max_examples=25, deadline=None)
CLOSE = 1e-5
METHODS = st.sampled_from(resample.METHODS)
SIDES = st.integers(1, 80)


@SOME
@given(images(greatest_batch=2), SIDES, SIDES, METHODS)
def test_stays_in_range_and_leaves_its_input_alone(
    batch: torch.Tensor, height: int, width: int, method: resample.Method
) -> None:
    before = batch.clone()
    resized = resample.resize(batch, height, width, method)
    assert torch.equal(batch, before)
    assert float(resized.min()) >= 0.0
    assert float(resized.max()) <= 1.0


@SOME
@given(images(), SIDES, SIDES, METHODS)
def test_eight_bits_give_the_same(batch: torch.Tensor, height: int, width: int, method: resample.Method) -> None:
    pixels = to_pixels(batch[0] / 2 + 0.25)  # so that nothing is clamped
    one = resample.resize_pixels(pixels, height, width, method).astype(int)
    other = to_pixels(resample.resize(to_batch(pixels), height, width, method)[0])
    assert one.shape == (height, width, 3)
    assert int(np.abs(one - other).max()) <= 2


@SOME
@given(SIDES, SIDES, SIDES, SIDES, METHODS, st.floats(0.0, 1.0, width=32))
def test_a_constant_image_stays_constant(
    height: int, width: int, new_height: int, new_width: int, method: resample.Method, value: float
) -> None:
    flat = torch.full((1, 3, height, width), value)
    assert resample.resize(flat, new_height, new_width, method) == pytest.approx(value, abs=CLOSE)


@pytest.mark.parametrize("method", ["area", "linear", "cubic", "lanczos"])
@pytest.mark.parametrize("size", [(24, 24), (24, 160)])
def test_shrinking_does_not_alias(method: resample.Method, size: tuple[int, int]) -> None:
    """Lines two pixels apart are grey at a size that cannot hold them."""
    lines = torch.zeros(1, 3, 97, 97)
    lines[:, :, ::2] = 1.0
    middle = resample.resize(lines, *size, method)[:, :, 4:-4]
    assert float((middle - 0.5).abs().max()) < 0.15


def test_area_is_the_mean_of_what_is_covered() -> None:
    image = torch.rand((1, 3, 6, 9), generator=torch.Generator().manual_seed(1))
    expected = image.reshape(1, 3, 2, 3, 3, 3).mean(dim=(3, 5))
    assert torch.allclose(resample.resize(image, 2, 3, "area"), expected, atol=1e-6)
    grown = resample.resize(image, 12, 27, "area")
    assert torch.allclose(grown, image.repeat_interleave(2, dim=2).repeat_interleave(3, dim=3), atol=1e-6)


def test_area_grows_to_the_mean_of_what_is_covered_at_every_size() -> None:
    """OpenCV by itself takes the pixel before at some sizes where a new pixel begins with an old one, as 21 to 138."""
    for old in range(1, 40):
        line = torch.rand((1, 1, 1, old), generator=torch.Generator().manual_seed(old))
        for new in [*range(old + 1, 3 * old, 2), 138]:
            expected = resample._torch(line, 1, new, "area")
            assert torch.allclose(resample.resize(line, 1, new, "area"), expected, atol=CLOSE), (old, new)


@pytest.mark.parametrize("method", resample.METHODS)
def test_shrinking_does_not_shift(method: resample.Method) -> None:
    ramp = torch.linspace(0.0, 1.0, 256).expand(1, 3, 64, 256).contiguous()
    shrunk = resample.resize(ramp, 16, 64, method)[0, 0, 8]
    begins = 4 * torch.arange(64) + 1.5
    # The nearest pixel to the middle of four is one of two.
    assert torch.allclose(shrunk[8:-8], (begins / 255)[8:-8], atol=0.51 / 255 if method == "nearest" else 1e-4)


def test_nearest_breaks_ties_one_way() -> None:
    """The middle of the sixth of eleven pixels is the edge between the fifth and the sixth of ten."""
    line = torch.arange(10).expand(1, 3, 1, 10) / 10
    assert torch.equal(resample.resize(line, 1, 11, "nearest"), resample._torch(line, 1, 11, "nearest"))
    assert float(resample.resize(line, 1, 11, "nearest")[0, 0, 0, 5]) == 0.5


def test_overshoot_is_clamped() -> None:
    edge = torch.zeros(1, 3, 8, 8)
    edge[..., 4:] = 1.0
    raw = resample._torch(edge, 32, 32, "cubic")
    assert float(raw.max()) > 1.01
    assert float(resample.resize(edge, 32, 32, "cubic").max()) == 1.0


def test_a_photograph_survives_growing_and_shrinking_back(photo: np.ndarray) -> None:
    image = to_batch(photo[:128, 128:256])
    back = resample.resize(resample.resize(image, 384, 384, "cubic"), 128, 128, "area")
    assert float((back - image).square().mean().sqrt()) < 0.02


def test_the_same_size_is_the_same_image(photo: np.ndarray) -> None:
    image = to_batch(photo)
    same = resample.resize(image, 512, 512, "lanczos")
    assert torch.equal(same, image)
    assert same.data_ptr() != image.data_ptr()


@pytest.mark.parametrize("size", [(8, 12), (7, 9), (1, 5), (2, 1)])
def test_halving_and_doubling_keep_means_and_agree_with_a_gpus_path(size) -> None:
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1)) * 3
    small = resample.halved(images)
    pooled = torch.nn.functional.avg_pool2d(images, 2, ceil_mode=True, count_include_pad=False)
    torch.testing.assert_close(small, pooled)
    grown = torch.nn.functional.interpolate(pooled, scale_factor=2, mode="bilinear", align_corners=False)
    torch.testing.assert_close(resample.grown(small, *size), grown[..., : size[0], : size[1]], atol=1e-5, rtol=0)
