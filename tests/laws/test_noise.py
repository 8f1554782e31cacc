"""The laws of noise: how much there is where, how it hangs together, and what it leaves alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rrframe_degradations.noise.sensor import SENSORS, add_noise

import rrframe
from rrframe.contracts.cue import Cues
from rrframe.contracts.draw import Draw, Draws
from rrframe.contracts.trying import image_key
from rrframe.imaging import isp
from rrframe.imaging.layout import to_batch, to_pixels

EVERY = (
    "noise/density-average",
    "noise/gaussian",
    "noise/granular",
    "noise/poisson",
    "noise/poisson-gaussian",
    "noise/salt-pepper",
    "noise/sensor",
)
PER_PIXEL = ("noise/gaussian", "noise/poisson", "noise/poisson-gaussian")
SOME = settings(max_examples=10, deadline=None)
NONE = Cues({})


def noisy(name: str, images: torch.Tensor, *, seed: int = 0, severity: float | None = None, **params: object):
    """``images``, in the operator's own light, made noisy; each by a draw of its own."""
    component = rrframe.load(name, **params)
    draws = [component.draw(image_key(seed, index), severity) for index in range(len(images))]
    return component.apply(images, Draws(draws), NONE)


def grey(value: float, side: int = 512, batch: int = 1) -> torch.Tensor:
    return torch.full((batch, 3, side, side), value).contiguous(memory_format=torch.channels_last)


def noise_of(name: str, value: float, side: int = 512, **settings: object) -> torch.Tensor:
    image = grey(value, side)
    return (noisy(name, image, **settings) - image).double()


def correlations(fields: torch.Tensor) -> np.ndarray:
    """Between the channels of one image, ``[1, 3, H, W]``."""
    return np.corrcoef(fields[0].reshape(3, -1).numpy())


# Poisson-Gaussian
# ---------------------------------------------------------------------------------------------------------------------


@SOME
@given(st.floats(5e-4, 4e-3), st.integers(0, 1000))
def test_variance_is_linear_in_the_light_with_the_two_parameters(shot, seed) -> None:
    component = rrframe.load("noise/poisson-gaussian", shot=shot)
    lights = torch.linspace(0.25, 0.75, 5)
    images = lights.view(-1, 1, 1, 1).expand(5, 3, 256, 256).contiguous(memory_format=torch.channels_last)
    # A read noise as strong as the shot noise, or a fit could not tell it: it is a value of the draw, and may be set.
    draws = [component.draw(image_key(seed, index)).with_values(read=shot / 2) for index in range(5)]
    found = (component.apply(images, Draws(draws), NONE) - images).double().reshape(5, -1)
    slope, offset = np.polyfit(lights.double().numpy(), found.var(dim=1).numpy(), 1)
    assert slope == pytest.approx(shot, rel=0.03)
    assert offset == pytest.approx(shot / 2, rel=0.03)
    assert np.allclose(found.mean(dim=1), 0, atol=5 * math.sqrt(shot / found.shape[1]))


def test_read_noise_follows_shot_noise_as_in_cameras() -> None:
    component = rrframe.load("noise/poisson-gaussian", shot=0.01)
    reads = [math.log(component.draw(image_key(seed)).values["read"]) for seed in range(400)]
    assert np.mean(reads) == pytest.approx(2.18 * math.log(0.01) + 1.20, abs=0.05)
    assert np.std(reads) == pytest.approx(0.26, rel=0.1)


def test_few_photons_are_counted() -> None:
    """Where light is dim, noise comes in whole photons."""
    component = rrframe.load("noise/poisson-gaussian", shot=0.05)
    draw = component.draw(image_key(0)).with_values(read=0.0)
    photons = 1.0625**2  # the middle of a bin of the table, where the law is exact
    counts = component.apply(grey(0.05 * photons, 128), Draws([draw]), NONE) / 0.05
    assert torch.allclose(counts, counts.round(), atol=1e-2)
    for count in range(4):
        expected = math.exp(-photons) * photons**count / math.factorial(count)
        assert float((counts.round() == count).float().mean()) == pytest.approx(expected, abs=0.01)


# Bugs of public code
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_overshoot_of_a_resize_is_no_error(name) -> None:
    """Below 0 there are no photons, and a Poisson law of a negative rate has no values."""
    image = torch.linspace(-0.2, 1.2, 48 * 48).view(1, 1, 48, 48).expand(1, 3, 48, 48)
    found = noisy(name, image, severity=1.0)
    assert found.isfinite().all()
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("name", ["noise/poisson", "noise/poisson-gaussian"])
def test_strength_does_not_depend_on_how_many_values_a_picture_has(name) -> None:
    few = grey(0.5, 256)
    many = few.clone()
    many[:, :, :128] = torch.rand(1, 3, 128, 256, generator=torch.Generator().manual_seed(0))
    deviations = [float((noisy(name, image, severity=0.5) - image)[:, :, 128:].std()) for image in (few, many)]
    assert deviations[0] == pytest.approx(deviations[1], rel=0.03)


def test_scale_multiplies_the_noise_and_not_the_photons() -> None:
    once, twice = (noise_of("noise/poisson", 0.5, scale=scale) for scale in (1.0, 2.0))
    assert float(once.var()) == pytest.approx(0.5 / 256, rel=0.02)
    assert torch.allclose(2 * once, twice, atol=1e-5)


@pytest.mark.parametrize("name", EVERY)
def test_global_randomness_is_not_touched(name) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    noisy(name, grey(0.5, 16))
    assert torch.equal(torch.get_rng_state(), before)


# A size means the same at every size
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PER_PIXEL)
def test_noise_of_pixels_is_the_same_at_every_size(name) -> None:
    small, large = (float(noise_of(name, 0.4, side, severity=0.7).std()) for side in (128, 512))
    assert small == pytest.approx(large, rel=0.03)


@pytest.mark.parametrize("size", [0.8, 2.0])
def test_grain_averaged_down_is_the_grain_of_the_smaller_picture(size) -> None:
    """A picture with grain, scaled down, has as much grain as the small picture is given by the same setting."""
    large = noise_of("noise/granular", 0.5, 1024, amount=0.1, size=size)
    small = noise_of("noise/granular", 0.5, 512, amount=0.1, size=size)
    averaged = torch.nn.functional.avg_pool2d(large, 2)
    assert float(averaged.std()) == pytest.approx(float(small.std()), rel=0.12)


# Film grain
# ---------------------------------------------------------------------------------------------------------------------


def test_grain_is_strongest_in_middle_tones_and_absent_in_black_and_white() -> None:
    tones = (0.1, 0.3, 0.5, 0.8)
    found = [float(noise_of("noise/granular", tone, amount=0.04, size=1.0).std()) for tone in tones]
    curve = [math.sqrt(tone * (1 - tone)) for tone in tones]
    assert np.allclose(np.array(found) / found[2], np.array(curve) / curve[2], rtol=0.03)
    assert all((noise_of("noise/granular", tone, 32, amount=0.1) == 0).all() for tone in (0.0, 1.0))


def test_amount_is_the_deviation_at_mid_grey() -> None:
    assert float(noise_of("noise/granular", 0.5, 1000, amount=0.05, size=3.0).std()) == pytest.approx(0.05, rel=0.04)


def test_grain_is_band_passed() -> None:
    found = noise_of("noise/granular", 0.5, 512, amount=0.05, size=3.0)[0].numpy()
    power = np.abs(np.fft.fft2(found)).mean(axis=0) ** 2
    frequency = np.hypot(np.fft.fftfreq(512)[:, None], np.fft.fftfreq(512)[None])
    low, middle, high = (
        power[(frequency > first) & (frequency < last)].mean()
        for first, last in ((0.0, 0.01), (0.06, 0.09), (0.4, 0.5))
    )
    assert middle > 3 * low
    assert middle > 1000 * high


@pytest.mark.parametrize("form", ["film", "luma-chroma"])
@pytest.mark.parametrize("share", [0.3, 0.891])
def test_the_grain_of_channels_is_correlated_as_asked(form, share) -> None:
    found = correlations(noise_of("noise/granular", 0.5, form=form, amount=0.05, correlation=share))
    assert np.allclose(found[np.triu_indices(3, 1)], share, atol=0.03)


def test_the_published_form_is_luma_with_a_third_of_it_as_chroma() -> None:
    luma = 0.03
    found = noise_of("noise/granular", 0.5, form="luma-chroma", amount=luma * math.hypot(1, 0.35), correlation=0.891)
    common = found.mean(dim=1, keepdim=True)
    chroma = (found - common).square().sum(dim=1).div(2).mean().sqrt()  # of three, two are free
    assert float(chroma) == pytest.approx(0.35 * luma, rel=0.03)
    assert float(common.square().mean() - chroma**2 / 3) == pytest.approx(luma**2, rel=0.03)


# Plain noises
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sigma", "share"), [(10.0, 0.0), (30.0, 1.0), (25.0, 0.4)])
def test_gaussian_noise_has_its_sigma_and_its_correlation(sigma, share) -> None:
    found = noise_of("noise/gaussian", 0.5, sigma=sigma, grey=share)
    assert float(found.std()) * 255 == pytest.approx(sigma, rel=0.02)
    assert np.allclose(correlations(found)[np.triu_indices(3, 1)], share, atol=0.01)


@pytest.mark.parametrize("coloured", [False, True])
def test_salt_and_pepper_hit_the_share_of_pixels_asked_for(coloured) -> None:
    found = noisy("noise/salt-pepper", grey(0.4), density=0.05, salt=0.3, coloured=coloured)
    white, black = float((found == 1).float().mean()), float((found == 0).float().mean())
    assert white == pytest.approx(0.015, rel=0.1)
    assert black == pytest.approx(0.035, rel=0.1)
    assert float((found == 0.4).float().mean()) == pytest.approx(0.95, abs=0.002)
    alike = bool((found[:, 0] == found[:, 1]).all())
    assert alike is not coloured


def test_averaging_leaves_plains_alone_and_smooths_what_is_busy() -> None:
    generator = torch.Generator().manual_seed(0)
    image = grey(0.5, 256)
    image[..., :128] += 0.01 * torch.randn(1, 3, 256, 128, generator=generator)  # variance 1e-4
    image[..., 128:] += 0.10 * torch.randn(1, 3, 256, 128, generator=generator)  # variance 1e-2
    found = noisy("noise/density-average", image, threshold=1e-3, weight=1.0, size=4.0)
    assert torch.equal(found[..., :120], image[..., :120])
    assert float(found[..., 140:].std()) < 0.5 * float(image[..., 140:].std())


# Pictures of eight bits
# ---------------------------------------------------------------------------------------------------------------------


CODES = {
    "noise/gaussian": ({}, {"grey": 1.0}, {"grey": 0.4}),
    "noise/granular": ({"form": "luma-chroma"},),
    "noise/poisson": ({}, {"photons": 9, "scale": 1}),
    "noise/salt-pepper": ({}, {"coloured": True}),
}


@pytest.mark.parametrize(("name", "params"), [(name, each) for name in CODES for each in CODES[name]])
@pytest.mark.parametrize("size", [(211, 333), (384, 512)])
def test_codes_get_the_noise_that_floats_get(name, params, size) -> None:
    """Beyond one strip, in sizes that fill whole rows of random numbers and that do not: hardly a code differs."""
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    component = rrframe.load(name, **params)
    draw = component.draw(image_key(4))
    found = component.apply_pixels(pixels, Draws([draw]), NONE).astype(int)
    apart = np.abs(found - to_pixels(component.apply(to_batch(pixels), Draws([draw]), NONE)[0]))
    assert apart.max() <= 1
    assert (apart > 0).mean() < 0.005


@pytest.mark.parametrize("code", [3, 30, 200])
def test_codes_are_hit_by_the_exact_law_of_photons(code) -> None:
    pixels, photons = np.full((512, 512, 3), code, np.uint8), 64
    draw = rrframe.load("noise/poisson", scale=1, photons=photons).draw(image_key(1))
    found = rrframe.load("noise/poisson").apply_pixels(pixels, Draws([draw]), NONE)
    counts = np.arange(4 * photons)
    expected = np.rint(counts * 255 / photons).clip(0, 255)
    shares = np.exp(
        counts * math.log(photons * code / 255) - photons * code / 255 - [math.lgamma(n + 1) for n in counts]
    )
    assert float(found.mean()) == pytest.approx(float((expected * shares).sum()), abs=0.3)
    assert float(found.std()) == pytest.approx(
        math.sqrt(float((expected**2 * shares).sum()) - float((expected * shares).sum()) ** 2), rel=0.03
    )


# A camera's sensor
# ---------------------------------------------------------------------------------------------------------------------


def raw_noise(camera: str, shot: float, light: float, side: int = 512) -> torch.Tensor:
    """The noise on the mosaic of an evenly lit sensor, ``[H, W]``, in raw light."""
    raw = grey(light, side)
    draws = Draws([Draw(seed=3, values=SENSORS[camera].values(shot))])
    return isp.mosaic(add_noise(raw, draws) - raw)[0, 0].double()


@pytest.mark.parametrize("camera", SENSORS)
def test_raw_noise_has_the_variance_of_its_parts(camera) -> None:
    shot, light = 0.002, 0.3
    values = SENSORS[camera].values(shot)
    tail, scale = values["tail"], values["read"]
    beta = math.gamma(tail + 1) ** 2 / math.gamma(2 * tail + 2)
    tukey = 2 / tail**2 * (1 / (1 + 2 * tail) - beta)  # the variance of the lambda distribution
    expected = shot * light + tukey * scale**2 + values["row"] ** 2 + values["step"] ** 2 / 12
    assert float(raw_noise(camera, shot, light).var()) == pytest.approx(expected, rel=0.03)


def test_rows_share_noise_and_columns_do_not() -> None:
    found = raw_noise("sony-a7s2", 0.002, 0.0)
    row = SENSORS["sony-a7s2"].values(0.002)["row"]
    alone = float(found.var()) / 512  # what the mean of a row keeps of noise of single pixels
    assert float(found.mean(dim=1).var()) == pytest.approx(row**2 + alone, rel=0.25)
    assert float(found.mean(dim=0).var()) == pytest.approx(alone, rel=0.25)


def test_raw_values_are_steps_of_the_converter() -> None:
    step = SENSORS["imx686"].values(0.002)["step"]
    found = (raw_noise("imx686", 0.002, 0.3, 64) + 0.3) / step
    assert torch.allclose(found, found.round(), atol=1e-2)


def test_what_saturates_has_no_noise() -> None:
    assert raw_noise("sony-a7s2", 0.002, 1.5, 64).abs().max() < 1e-5
    assert raw_noise("sony-a7s2", 0.002, 0.9, 64).abs().max() > 1e-2


@given(st.sampled_from(sorted(SENSORS)), st.floats(1e-5, 0.02), st.floats(1.1, 4.0))
def test_more_shot_noise_never_comes_with_less_of_the_rest(camera, shot, more) -> None:
    values, noisier = (SENSORS[camera].values(each) for each in (shot, shot * more))
    assert all(noisier[name] >= values[name] * (1 - 1e-9) for name in ("read", "row", "step"))


def test_gain_goes_as_far_as_it_was_measured() -> None:
    for sensor in SENSORS.values():
        gains = [shot / sensor.values(shot)["step"] for shot in (1e-6, 1e-3, 1.0)]
        assert gains[0] == pytest.approx(math.exp(sensor.gains[0]))
        assert gains[2] == pytest.approx(math.exp(sensor.gains[1]))
        assert gains[0] <= gains[1] <= gains[2]


def test_the_demosaic_spreads_noise_over_neighbours_and_channels() -> None:
    found = noise_of("noise/sensor", 0.5, shot=0.002)
    for channel in (0, 2):
        beside = np.corrcoef(found[0, channel, :, 1:].flatten(), found[0, channel, :, :-1].flatten())[0, 1]
        assert beside > 0.2
    assert correlations(found)[0, 1] > 0.05 or correlations(found)[1, 2] > 0.05


def test_without_noise_a_camera_gives_the_picture_back(photo) -> None:
    image = torch.from_numpy(photo[:200, :200].copy()).float().div(255).permute(2, 0, 1)[None]
    assert (noisy("noise/sensor", image, shot=0.0) - image).abs().max() <= 1 / 255


def test_a_batch_may_mix_cameras() -> None:
    image = grey(0.4, 64)
    component = rrframe.load("noise/sensor", shot=0.004)
    draws = [component.draw(image_key(seed)) for seed in range(6)]
    assert len({draw.values["camera"] for draw in draws}) > 1
    together = component.apply(image.expand(6, 3, 64, 64), Draws(draws), NONE)
    for index, draw in enumerate(draws):
        alone = component.apply(image, Draws([draw]), NONE)
        assert torch.allclose(together[index], alone[0], atol=1e-5)
