"""What image editors have in common: sizes, latents, noise levels and guidance, against re-derivations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rrframe_backbones.editing.latents import decoded, encoded, packed, places, unpacked
from rrframe_backbones.editing.sampling import flux_scheduler, guided, levels, shift, shifted
from rrframe_backbones.editing.sizes import fitted, resized
from rrframe_backbones.step1x import sizes
from skimage import data

from rrframe.imaging.layout import to_batch

CPU = torch.device("cpu")


# Sizes
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1024, 1024), (1024, 1024)),
        ((3000, 4000), (880, 1168)),  # 1024 * sqrt(4 / 3) = 1182.4, up to 1183, and 1183 * 3 / 4 = 887.25, up to 888
        ((4000, 3000), (1168, 880)),
        ((1, 1), (1024, 1024)),
        ((480, 853), (768, 1360)),
    ],
)
def test_sizes_are_those_of_the_published_rule(size, expected):
    assert fitted(*size, 1024 * 1024) == expected


@given(st.integers(1, 9000), st.integers(1, 9000), st.sampled_from([64 * 64, 1024 * 1024]))
def test_sizes_are_multiples_of_16_of_nearly_the_area(height, width, pixels):
    rows, columns = fitted(height, width, pixels)
    assert rows % 16 == columns % 16 == 0
    assert min(rows, columns) >= 16
    if max(height, width) < 3 * min(height, width) and pixels > 64 * 64:
        assert 0.95 * pixels < rows * columns <= 1.01 * pixels


@pytest.mark.parametrize("size", [(301, 455), (640, 427), (333, 1000)])
def test_the_way_there_and_back_neither_zooms_nor_shifts(size):
    """A plane of sines comes back in place: the offset and the scale that fit best are 0 and 1 to a hundredth of a
    pixel. A resize that loses the rounded-off pixels, or one with corners aligned, is off by far more at the borders.
    """
    height, width = size
    rows, columns = torch.arange(height).view(-1, 1) + 0.5, torch.arange(width).view(1, -1) + 0.5
    wave = 0.5 + 0.2 * torch.sin(rows / 9) + 0.2 * torch.sin(columns / 11)
    images = wave.expand(1, 3, -1, -1).float()
    back = resized(resized(images, *fitted(height, width, 256 * 256)), height, width)
    inside = (slice(None), slice(None), slice(12, -12), slice(12, -12))
    slopes = torch.stack([torch.cos(rows / 9).expand(size) / 9, torch.cos(columns / 11).expand(size) / 11]) * 0.2
    difference = (back - images)[inside][0, 0].double().flatten()
    axes = torch.stack([(rows / height - 0.5).expand(size), (columns / width - 0.5).expand(size)])
    basis = torch.stack([slopes[0], slopes[1], slopes[0] * axes[0] * height, slopes[1] * axes[1] * width])
    fit = torch.linalg.lstsq(basis[:, 12:-12, 12:-12].flatten(1).T.double(), difference[:, None]).solution.flatten()
    assert fit[:2].abs().max() < 0.01  # pixels
    assert fit[2:].abs().max() * max(size) < 0.05  # pixels at the borders


def test_a_picture_of_the_size_is_not_resampled():
    images = torch.rand(2, 3, 32, 48)
    assert resized(images, 32, 48) is images


def test_resizing_is_pillows_without_the_rounding():
    from PIL import Image

    picture = data.astronaut()[:200, :301]
    expected = np.asarray(Image.fromarray(picture).resize((176, 112), Image.Resampling.LANCZOS)) / 255.0
    found = resized(to_batch(picture), 112, 176)[0].permute(1, 2, 0).numpy()
    apart = np.abs(found - expected) * 255
    assert apart.mean() < 0.4
    assert np.quantile(apart, 0.999) < 3  # the 8 bits clip overshoot twice, after lines and after columns


# Latents
# ---------------------------------------------------------------------------------------------------------------------


def test_a_token_is_a_square_of_four():
    """Against the published rearrangement, b c (h ph) (w pw) -> b (h w) (c ph pw), spelt out."""
    latents = torch.rand(2, 16, 6, 4)
    tokens = packed(latents)
    assert tokens.shape == (2, 6, 64)
    for row, column in np.ndindex(3, 2):
        for channel, down, across in np.ndindex(16, 2, 2):
            found = tokens[:, row * 2 + column, channel * 4 + down * 2 + across]
            assert torch.equal(found, latents[:, channel, 2 * row + down, 2 * column + across])
    assert torch.equal(unpacked(tokens, 6, 4), latents)


def test_places_go_by_rows_and_name_the_image():
    assert places(4, 6, 1.0).tolist() == [[1.0, row, column] for row in range(2) for column in range(3)]


def test_latents_are_the_mode_of_the_posterior_whatever_the_global_generator_holds():
    torch.manual_seed(0)
    vae = sizes.autoencoder("tiny").eval().requires_grad_(False)
    images = torch.rand(2, 3, 32, 48)
    torch.manual_seed(1)
    first = encoded(vae, images)
    torch.manual_seed(2)
    assert torch.equal(encoded(vae, images), first)
    with torch.no_grad():
        mean = vae.encode(images * 2 - 1).latent_dist.parameters.chunk(2, dim=1)[0]
    assert first.shape == (2, 16, 4, 6)
    torch.testing.assert_close(first, (mean - 0.1159) * 0.3611, atol=1e-6, rtol=0)


def test_decoding_undoes_shift_and_scale():
    torch.manual_seed(0)
    vae = sizes.autoencoder("tiny").eval().requires_grad_(False)
    latents = torch.randn(1, 16, 4, 4)
    expected = vae.decode(latents / 0.3611 + 0.1159).sample / 2 + 0.5
    torch.testing.assert_close(decoded(vae, latents), expected.clamp(0, 1), atol=1e-6, rtol=0)


# Noise levels
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 4, 28])
@pytest.mark.parametrize("tokens", [16, 256, 3600, 4096])
def test_levels_are_those_of_the_published_schedule(steps, tokens):
    """linspace(1, 0, N + 1), shifted by exp(mu) / (exp(mu) + 1 / t - 1), in float64."""
    mu = 0.5 + (tokens - 256) / (4096 - 256) * (1.15 - 0.5)
    times = [1 - step / steps for step in range(steps)]
    expected = [math.exp(mu) / (math.exp(mu) + (1 / time - 1)) for time in times]
    scheduler = flux_scheduler()
    assert levels(scheduler, steps, tokens, CPU).tolist() == pytest.approx(expected, abs=3e-7)
    assert float(scheduler.sigmas[-1]) == 0.0


def test_the_scheduler_makes_euler_steps_in_float32():
    scheduler = flux_scheduler()
    latents, velocity = torch.randn(1, 16, 4, 4), torch.randn(1, 16, 4, 4)
    found, expected = latents, latents.double()
    sigmas = [*levels(scheduler, 5, 4, CPU).tolist(), 0.0]
    for index in range(5):
        found = scheduler.step(velocity, scheduler.timesteps[index], found, return_dict=False)[0]
        expected = expected + (sigmas[index + 1] - sigmas[index]) * velocity.double()
    assert (found - expected).abs().max() < 1e-6


def test_training_shifts_levels_as_sampling_does():
    assert shift(flux_scheduler(), 4096) == pytest.approx(1.15)
    halfway = float(shifted(flux_scheduler(), torch.tensor([0.5]), 4096))
    assert halfway / (1 - halfway) == pytest.approx(3.158, abs=1e-3)
    sampled = levels(flux_scheduler(), 4, 1024, CPU)
    evenly = torch.tensor([1.0, 0.75, 0.5, 0.25])
    torch.testing.assert_close(shifted(flux_scheduler(), evenly, 1024), sampled)


# Guidance
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sigma", [1.0, 0.94, 0.93, 0.2])
def test_guidance_is_held_back_token_by_token_above_a_level(sigma):
    told, untold = torch.randn(2, 2, 16, 4, 6, dtype=torch.float64)
    told[:, :, :2] = untold[:, :, :2] + 0.01 * torch.randn(2, 16, 2, 6)  # tokens that differ by less than 1
    found = guided(told, untold, 3.0, sigma)
    lengths = []
    for image, row, column in np.ndindex(2, 2, 3):
        square = (image, slice(None), slice(2 * row, 2 * row + 2), slice(2 * column, 2 * column + 2))
        difference = told[square] - untold[square]
        length = math.sqrt(float((difference**2).sum()))
        lengths.append(length)
        divisor = length**0.4 if sigma > 0.93 and length > 1 else 1.0
        torch.testing.assert_close(found[square], untold[square] + 3.0 * difference / divisor)
    assert min(lengths) < 1 < max(lengths)  # both cases were seen
