"""A camera's processing and its undoing, and the primitives of colour and noise below them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rrframe import Draw, Draws
from rrframe.imaging import isp, noise
from rrframe.imaging.layout import to_batch
from rrframe.imaging.random import LEVELS, DeviceStream, Stream
from rrframe.testing.strategies import pictures

SOME = settings(max_examples=40, deadline=None)
LEVEL = 1 / 255
FLAT = (64, 96)


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1)


def camera(count: int = 1, red: float = 2.1, blue: float = 1.7) -> isp.Camera:
    blend = torch.tensor([[0.3, 0.1, 0.9, 0.5]]).expand(count, 4).reshape(count, 4, 1, 1)
    return isp.Camera(blend, column(*[red] * count), column(*[blue] * count))


def flat(*colour: float) -> torch.Tensor:
    return torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, *FLAT).contiguous(memory_format=torch.channels_last)


cameras = st.builds(
    lambda shares, red, blue: isp.Camera(torch.tensor(shares).view(1, 4, 1, 1), column(red), column(blue)),
    st.lists(st.floats(0.0625, 1.0), min_size=4, max_size=4),
    st.floats(1.9, 2.4),
    st.floats(1.5, 1.9),
)


# There and back
# ---------------------------------------------------------------------------------------------------------------------


@SOME
@given(pictures(), cameras)
def test_processing_what_was_unprocessed_gives_the_picture(picture, seen_by) -> None:
    images = picture.tensor()
    back = isp.process(isp.unprocess(images, seen_by), seen_by)
    assert (back - images).abs().max() <= LEVEL
    assert back.shape == images.shape
    assert back.dtype == torch.float32


def test_every_level_of_a_photograph_comes_back(photo) -> None:
    images = to_batch(photo)
    back = isp.process(isp.unprocess(images, camera()), camera())
    assert (back - images).abs().max() <= LEVEL / 4


def test_grey_is_seen_through_the_white_balance() -> None:
    raw = isp.unprocess(flat(0.5, 0.5, 0.5), camera(red=2.0, blue=1.6))
    green = 0.5**2.2  # the tone curve leaves the middle where it is
    assert torch.allclose(raw[0, :, 0, 0], torch.tensor([green / 2.0, green, green / 1.6]), atol=1e-4)


def test_highlights_are_brighter_than_white_and_keep_their_hue() -> None:
    raw = isp.unprocess(flat(1.0, 1.0, 1.0), camera(red=2.0, blue=1.6))
    assert torch.allclose(raw[0, :, 0, 0], torch.tensor([1.0, 2.0, 1.25]), atol=1e-3)
    dark = isp.process(raw / 16, camera(red=2.0, blue=1.6))
    assert dark.amax(dim=1).sub(dark.amin(dim=1)).max() < 1e-3


def test_what_is_attenuated_is_not_rounded() -> None:
    ramp = (torch.arange(256) / 255).view(1, 1, 1, 256).expand(1, 3, 1, 256)
    dark = isp.process(isp.unprocess(ramp, camera()) / 256, camera())[0, 1, 0]
    assert float(dark.max()) < 0.05
    assert (dark.diff() > 0).all()


@SOME
@given(st.integers(1, 3), st.integers(0, 1000))
def test_a_batch_is_its_images(count, seed) -> None:
    images = torch.rand(count, 3, 5, 7, generator=torch.Generator().manual_seed(seed))
    shares = torch.rand(count, 4, 1, 1, generator=torch.Generator().manual_seed(seed + 1)) + 0.05
    seen_by = isp.Camera(shares, column(*[2.0] * count), column(*[1.6] * count))
    raw = isp.unprocess(images, seen_by)
    for index in range(count):
        alone = isp.Camera(shares[index : index + 1], column(2.0), column(1.6))
        assert torch.allclose(raw[index], isp.unprocess(images[index : index + 1], alone)[0], atol=1e-6)


# The mosaic
# ---------------------------------------------------------------------------------------------------------------------


def test_the_mosaic_begins_with_red_and_has_blue_across() -> None:
    plane = isp.mosaic(flat(0.1, 0.2, 0.3))[0, 0]
    assert torch.equal(plane[:2, :2], torch.tensor([[0.1, 0.2], [0.2, 0.3]]))
    assert torch.equal(plane[2:4, 4:6], plane[:2, :2])


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (3, 5), (8, 8), (9, 33)])
def test_demosaic_keeps_every_pixel_that_the_sensor_had(size) -> None:
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(3))
    found = isp.demosaic(isp.mosaic(images))
    assert found.shape == images.shape
    assert found.isfinite().all()
    assert torch.equal(isp.mosaic(found), isp.mosaic(images))


def test_demosaic_gives_plain_colours_and_grey_slopes_back() -> None:
    assert torch.allclose(isp.demosaic(isp.mosaic(flat(0.1, 0.5, 0.9))), flat(0.1, 0.5, 0.9), atol=1e-6)
    rows, columns = torch.meshgrid(torch.arange(20.0), torch.arange(24.0), indexing="ij")
    slope = (0.01 * rows + 0.02 * columns).expand(1, 3, 20, 24)
    inside = isp.demosaic(isp.mosaic(slope))[..., 2:-2, 2:-2]
    assert torch.allclose(inside, slope[..., 2:-2, 2:-2], atol=1e-5)


def test_demosaic_is_linear() -> None:
    one, other = torch.rand(2, 1, 1, 10, 12, generator=torch.Generator().manual_seed(5))
    apart = isp.demosaic(one) + 2 * isp.demosaic(other)
    assert torch.allclose(isp.demosaic(one + 2 * other), apart, atol=1e-5)


# Two paths, one result
# ---------------------------------------------------------------------------------------------------------------------


# Noise by quantiles
# ---------------------------------------------------------------------------------------------------------------------


def levels(shape: tuple[int, ...] = (1, 1, 512, 512)) -> torch.Tensor:
    return Draws([Draw(seed=each) for each in range(shape[0])]).rng.levels(torch.empty(shape))


@pytest.mark.parametrize("stream", [Stream(3), DeviceStream(3, torch.device("cpu"))])
def test_every_level_is_as_likely_as_the_next(stream) -> None:
    found = stream.levels(1 << 20)
    assert found.dtype == torch.int32
    assert (int(found.min()), int(found.max())) == (0, LEVELS - 1)
    assert stats.kstest(found.numpy() / LEVELS, "uniform").statistic < 0.003
    assert len(found.unique()) == pytest.approx(LEVELS, rel=1e-4)
    assert abs(np.corrcoef(found[1:].numpy(), found[:-1].numpy())[0, 1]) < 0.01


@pytest.mark.parametrize("photons", [0.01, 0.3, 1.0, 4.0, 30.0, 400.0])
def test_photon_noise_has_the_moments_of_poisson(photons) -> None:
    all_levels = torch.arange(LEVELS, dtype=torch.int32).view(1, 1, 1, -1)
    root = torch.full(all_levels.shape, photons**0.5)
    values = (noise.poisson(root, all_levels) * root).double().flatten()
    assert abs(float(values.mean())) < 1e-4 * photons**0.5 + 1e-6
    assert float(values.var(correction=0)) == pytest.approx(photons, rel=1e-3)
    if 1 <= photons <= 30:
        assert stats.skew(values.numpy()) == pytest.approx(photons**-0.5, rel=0.15)


def test_no_photons_no_noise() -> None:
    root = torch.zeros(1, 3, 8, 8)
    assert (noise.poisson(root, levels((1, 3, 8, 8))) * root == 0).all()


@pytest.mark.parametrize("shape", [-0.26, -0.025, 0.102])
def test_tukey_lambda_values_follow_their_law(shape) -> None:
    values = noise.tukey_lambda(column(0.14, shape))(levels((2, 1, 256, 512)))[1].flatten().numpy()
    assert stats.kstest(values, stats.tukeylambda(shape).cdf).statistic < 0.01


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_correlated_fields_have_the_correlation_and_variance_asked_for(share) -> None:
    fields = torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(1))
    found = np.cov(noise.correlated(fields, column(share)).reshape(3, -1).numpy())
    assert np.allclose(found, np.eye(3) * (1 - share) + share, atol=0.02)
