"""The laws of flares: diffraction, mirror images about the centre, and light sources that stay."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rrframe_degradations.flare import diffraction
from rrframe_degradations.flare.ghosts import chain
from rrframe_degradations.flare.sources import groups

import rrframe
from rrframe.contracts.cue import Cues
from rrframe.contracts.draw import Draws
from rrframe.contracts.trying import compute_cues, image_key
from rrframe.imaging.layout import to_batch
from rrframe.imaging.scatter import scatter

SOME = settings(max_examples=10, deadline=None)
FLARES = ("flare/ghosts", "flare/lens", "flare/library", "flare/pupil", "flare/streak", "flare/veil")
AXIS = diffraction.GRID // 2


def night(*lamps: tuple[float, float], height: int = 240, width: int = 320, radius: float = 4.0) -> torch.Tensor:
    """A dark picture, linear, with a white disc at each (x, y)."""
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    image = torch.full((1, 3, height, width), 0.01)
    for x, y in lamps:
        image[..., torch.hypot(columns - float(x), rows - float(y)) <= radius] = 1.0
    return image


def both(component: rrframe.Degradation, images: torch.Tensor, *, seed: int = 0, severity: float | None = None):
    """The degraded images and their target, linear."""
    draws = Draws([component.draw(image_key(seed, index), severity) for index in range(len(images))])
    cues = compute_cues(component.needs(), images.clamp(0, 1).pow(1 / 2.4), [str(n) for n in range(len(images))])
    return component.apply(images, draws, cues), component.retarget(images, draws, cues)


# The pupil
# ---------------------------------------------------------------------------------------------------------------------


def width_of(pattern: np.ndarray, share: float) -> float:
    """The radius of the disc about the axis that holds a share of the light."""
    along = np.arange(len(pattern)) - AXIS
    radius = np.hypot(along[:, None], along[None, :]).ravel()
    order = radius.argsort()
    light = pattern.ravel()[order].cumsum()
    return float(radius[order][np.searchsorted(light, share * light[-1])])


def test_a_round_pupil_makes_the_airy_disc() -> None:
    """The first dark ring lies at 1.22 wavelengths over the diameter."""
    clean = diffraction.aperture(0, blades=0, diameter=24.0, angle=0, dust=0, scratches=0)
    pattern = diffraction.pattern(clean, 24.0, 0.0, 540)
    row = pattern[AXIS, AXIS : AXIS + 40]
    dark = int(np.flatnonzero((row[1:-1] < row[:-2]) & (row[1:-1] < row[2:]))[0]) + 1
    assert dark == pytest.approx(1.22 * diffraction.GRID / 24.0, rel=0.1)


@SOME
@given(st.integers(0, 999), st.sampled_from([0, 5, 6, 8]), st.floats(0.7, 0.98))
def test_the_pattern_scales_with_the_wavelength(seed, blades, shorter) -> None:
    dirty = diffraction.aperture(seed, blades, 60.0, 10.0, dust=10, scratches=5)
    wide, narrow = (diffraction.pattern(dirty, 60.0, 0.0, wavelength) for wavelength in (700, 700 * shorter))
    scaled = width_of(wide, 0.8) * shorter
    assert width_of(narrow, 0.8) == pytest.approx(scaled, abs=1.0, rel=0.06)


def test_red_reaches_farther_than_green_and_blue() -> None:
    channels = diffraction.spread(3, 6, 200.0, 0.0, 20, 10, 0.0).numpy()
    spreads = [width_of(np.pad(channel, ((1, 0), (1, 0))), 0.9) for channel in channels]
    assert spreads[0] > 1.05 * spreads[1] > 1.1 * spreads[2]


def test_each_channel_sees_every_wavelength_at_its_own_size() -> None:
    """Also those that another channel sees better."""
    pupil = diffraction.aperture(3, 6, 200.0, 0.0, 20, 10)
    lights = {nm: diffraction.pattern(pupil, 200.0, 0.0, nm) for nm in range(380, 741, 15)}
    away = ((np.arange(diffraction.GRID) - AXIS) / AXIS) ** 2
    fading = np.maximum(0.0, 1 - away[:, None] - away[None, :]) ** 2
    found = diffraction.spread(3, 6, 200.0, 0.0, 20, 10, 0.0).numpy()
    for channel, centre in zip(found, diffraction.CENTRES, strict=True):
        weights = {nm: math.exp(-0.5 * ((nm - centre) / 55) ** 2) for nm in lights}
        expected = (fading * sum(weights[nm] * light for nm, light in lights.items()))[1:, 1:]
        assert np.abs(channel - expected / expected.sum()).sum() < 0.01


@SOME
@given(
    st.integers(0, 999), st.sampled_from([0, 5, 9]), st.floats(100, 330), st.integers(0, 500), st.floats(-30.0, 30.0)
)
def test_the_spread_keeps_the_light(seed, blades, diameter, dirt, defocus) -> None:
    kernel = diffraction.spread(seed, blades, diameter, 20.0, dirt, dirt, defocus)
    assert kernel.shape == (3, diffraction.GRID - 1, diffraction.GRID - 1)
    assert float(kernel.min()) >= 0
    assert torch.allclose(kernel.sum(dim=(1, 2)), torch.ones(3), atol=1e-4)


@pytest.mark.parametrize(("blades", "rays"), [(5, 10), (6, 6), (7, 14), (8, 8)])
def test_an_odd_number_of_blades_gives_twice_as_many_rays(blades, rays) -> None:
    clean = diffraction.aperture(0, blades, 230.0, 7.0, dust=0, scratches=0)
    pattern = diffraction.pattern(clean, 230.0, 0.0, 540)
    turns = np.arange(0, 360) * math.pi / 180
    ring = np.zeros(360)
    for radius in np.arange(30.0, 90.0, 0.5):
        x, y = np.rint(AXIS + radius * np.cos(turns)), np.rint(AXIS + radius * np.sin(turns))
        ring += pattern[y.astype(int), x.astype(int)] * radius**2
    harmonics = np.abs(np.fft.rfft(ring))[1:40]
    assert int(harmonics.argmax()) + 1 in (rays, 2 * rays)
    assert harmonics[np.arange(1, 40) % rays != 0].max() < 0.5 * harmonics.max()


def test_the_flare_of_a_lamp_is_centred_on_it() -> None:
    component = rrframe.load("flare/pupil", strength=1.0, dust=0, scratches=0, defocus=0.0, warmth=0.0, blades=6)
    lamp = (200, 90)
    degraded, target = both(component, night(lamp))
    added = (degraded - target)[0].mean(dim=0)
    around = added[lamp[1] - 40 : lamp[1] + 41, lamp[0] - 40 : lamp[0] + 41]
    assert float(added.sum()) > 5
    assert float((around - around.flip(0, 1)).abs().mean()) < 0.1 * float(around.mean())  # a clean pupil's is symmetric


# Ghosts
# ---------------------------------------------------------------------------------------------------------------------


@SOME
@given(st.integers(0, 999), st.floats(60, 140), st.floats(40, 100))
def test_ghosts_lie_opposite_through_the_centre(seed, x, y) -> None:
    component = rrframe.load("flare/ghosts", strength=0.3, spread=1.0, warmth=0.0, angle=0)
    degraded, target = both(component, night((x, y)), seed=seed)
    added = (degraded - target)[0].mean(dim=0).double()
    rows, columns = torch.meshgrid(torch.arange(240) - 119.5, torch.arange(320) - 159.5, indexing="ij")
    down, across = float((added * rows).sum() / added.sum()), float((added * columns).sum() / added.sum())
    from_centre = x - 159.5, y - 119.5
    along = math.hypot(*from_centre)
    ahead = (across * from_centre[0] + down * from_centre[1]) / along
    aside = (across * from_centre[1] - down * from_centre[0]) / along
    assert ahead < 0
    assert abs(aside) < 3 + 0.1 * abs(ahead)


def test_the_image_of_the_light_is_turned_by_180_degrees() -> None:
    lamps = (70.0, 60.0), (100.0, 90.0)
    component = rrframe.load("flare/ghosts", strength=0.5, count=0, turned=1.0, warmth=0.0)
    degraded, target = both(component, night(*lamps, height=241, width=321))
    added = (degraded - target)[0].mean(dim=0)
    for x, y in lamps:
        assert added[240 - int(y), 320 - int(x)] > 0.2
    assert float(added.sum()) < 2 * 2 * math.pi * 5**2 * 0.5  # and nothing else


def test_a_lens_has_the_same_ghosts_whatever_the_light() -> None:
    assert chain(7, 6, 1.2) == chain(7, 6, 1.2)
    assert chain(7, 3, 1.2) == chain(7, 6, 1.2)[:3]
    assert chain(8, 6, 1.2) != chain(7, 6, 1.2)


@SOME
@given(st.floats(30, 290), st.floats(30, 210))
def test_a_light_source_is_found_where_it_is(x, y) -> None:
    (found,) = groups((night((x, y))[:, :1] > 0.5).float())
    assert found[0] == pytest.approx(x, abs=0.7)
    assert found[1] == pytest.approx(y, abs=0.7)
    assert found[2] == 1.0


def test_no_light_has_no_groups() -> None:
    assert groups(torch.zeros(1, 1, 40, 50)) == []


# Streaks and veils
# ---------------------------------------------------------------------------------------------------------------------


def test_an_anamorphic_streak_is_horizontal_and_blue() -> None:
    component = rrframe.load("flare/streak", cause="anamorphic", strength=0.05, warmth=0.0)
    degraded, target = both(component, night((160, 100)))
    added = (degraded - target)[0]
    assert added[:, 100, 230].min() > 10 * added[:, 130, 160].max()
    assert added[2, 100, 230] > 1.5 * added[1, 100, 230] > 1.5 * added[0, 100, 230]


@SOME
@given(st.integers(0, 179), st.sampled_from([2, 3, 4]))
def test_a_star_has_its_lines(angle, lines) -> None:
    component = rrframe.load(
        "flare/streak", cause="star", strength=0.03, angle=angle, lines=lines, width=1.5, warmth=0.0
    )
    degraded, target = both(component, night((160, 120)))
    added = (degraded - target)[0].mean(dim=0)

    def at(degrees: float) -> float:
        turn = math.radians(degrees)
        return float(added[round(120 + 60 * math.sin(turn)), round(160 + 60 * math.cos(turn))])

    on = [at(angle + 180 * line / lines + side) for line in range(lines) for side in (0, 180)]
    off = [at(angle + 180 * (line + 0.5) / lines + side) for line in range(lines) for side in (0, 180)]
    assert min(on) > 3 * max(off)


def test_a_veil_lifts_black_everywhere_and_most_near_the_light() -> None:
    degraded, target = both(rrframe.load("flare/veil", strength=0.2), night((280, 40)))
    added = (degraded - target)[0].mean(dim=0)
    assert float(added[target[0, 0] < 0.5].min()) > 0.005
    assert added[60, 250] > 1.5 * added[230, 10]


# Light sources
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FLARES)
def test_the_light_source_survives_in_the_target(name) -> None:
    lamp, image = (120, 60), night((120, 60))
    degraded, target = both(rrframe.load(name), image, severity=1.0)
    assert torch.equal(target, image)
    assert float(target[..., lamp[1], lamp[0]].min()) == 1.0
    assert float(degraded[..., lamp[1], lamp[0]].min()) == pytest.approx(1.0, abs=1e-5)
    assert float((degraded - target).max()) > 0.05


@pytest.mark.parametrize("name", FLARES)
def test_a_lamp_is_drawn_where_there_is_none(name) -> None:
    component = rrframe.load(name, x=0.25, y=0.75, lamp=10.0, warmth=0.0)
    image = torch.full((1, 3, 201, 301), 0.2)
    for severity in (0.0, 1.0):
        degraded, target = both(component, image, severity=severity)
        assert float(target[..., 150, 75].min()) == 1.0
        assert float(degraded[..., 150, 75].min()) == pytest.approx(1.0, abs=1e-5)
        assert float(target[..., 50, 225].max()) == pytest.approx(0.2, abs=1e-5)


@pytest.mark.parametrize("name", FLARES)
def test_a_flare_only_adds_light(name) -> None:
    images = torch.rand(2, 3, 60, 80, generator=torch.Generator().manual_seed(0))
    degraded, target = both(rrframe.load(name), images)
    assert float((degraded - target).min()) > -1e-4


@pytest.mark.parametrize("name", ["flare/pupil", "flare/streak", "flare/veil"])
def test_a_flare_is_the_same_at_every_size(name) -> None:
    """Bugs of public code: lengths in pixels, so that a setting means another thing at another size."""
    shares = []
    for scale in (1, 2):
        image = night((120 * scale, 60 * scale), height=240 * scale, width=320 * scale, radius=4.0 * scale)
        degraded, target = both(rrframe.load(name), image, severity=0.7, seed=3)
        shares.append(torch.nn.functional.adaptive_avg_pool2d(degraded - target, (24, 32)))
    assert float((shares[0] - shares[1]).abs().mean()) < 0.15 * float(shares[0].mean())


def test_a_bright_sky_is_no_lamp() -> None:
    sky = torch.full((1, 3, 200, 300), 0.3)
    sky[..., :90, :] = 1.0
    assert float(compute_cues(["highlights"], sky, ["sky"]).highlights.max()) == 0.0


@pytest.mark.parametrize("name", ["astronaut", "camera", "coffee", "motorcycle"])
def test_white_things_by_daylight_are_no_lamps(name) -> None:
    """Flares rose from a helmet, a shirt and the rim of a cup."""
    pixels = rrframe.load("images/samples").read(name).eight_bit()
    assert int((pixels.mean(axis=2) > 0.97 * 255).sum()) > 100  # they are clipped
    assert float(compute_cues(["highlights"], to_batch(pixels), [name]).highlights.max()) == 0.0


def test_the_lamps_of_a_launch_at_night_are_found() -> None:
    pixels = rrframe.load("images/samples").read("rocket").eight_bit()
    found = compute_cues(["highlights"], to_batch(pixels), ["rocket"]).highlights[0, 0]
    assert 200 < int((found > 0.5).sum()) < 500
    assert float(found[:300].max()) == 0.0  # they stand at its foot


def test_a_lamp_is_one() -> None:
    found = compute_cues(["highlights"], night((150, 100)), ["night"]).highlights
    assert float(found[..., 100, 150]) == 1.0
    assert float(found.sum()) == pytest.approx(math.pi * 4.0**2, rel=0.1)


@SOME
@given(st.integers(0, 999), st.floats(0.0, 1.0))
def test_a_lens_has_one_lamp_and_one_aperture(seed, severity) -> None:
    drawn = rrframe.load("flare/lens").draw(image_key(seed), severity)
    for part in drawn.steps:
        assert all(part.values[name] == drawn.values[name] for name in ("x", "y", "lamp", "warmth"))
    pupil, _, ghosts, _ = drawn.steps
    assert all(pupil.values[name] == ghosts.values[name] for name in ("blades", "angle"))


def test_a_lens_without_ghosts_and_streaks_has_none() -> None:
    component = rrframe.load("flare/lens", ghosts=0.0, streak=0.0)
    strengths = [part.values["strength"] for part in component.draw(image_key(0), 1.0).steps]
    assert min(strengths[:2]) > 0 == max(strengths[2:])


# Captured flares, and the primitive
# ---------------------------------------------------------------------------------------------------------------------


def test_a_captured_flare_is_laid_on_the_light_turned_about_it(tmp_path) -> None:
    layer = np.zeros((100, 140, 3), np.uint8)
    layer[48:53, 68:73] = 255  # the light, in the middle
    layer[48:53, 80:110] = 128  # and a streak to the right of it
    Image.fromarray(layer).save(tmp_path / "streak.png")
    component = rrframe.load("flare/library", path=tmp_path, strength=1.0, zoom=1.0, turn=90)
    degraded, target = both(component, night((120, 110)))
    added = (degraded - target)[0].mean(dim=0)
    above, below, beside = added[50, 120], added[170, 120], added[110, 180]
    assert max(above, below) > 0.1 > 0.02 > max(beside, min(above, below))


def test_layers_may_be_mirrored(tmp_path) -> None:
    layer = np.zeros((100, 140, 3), np.uint8)
    layer[48:53, 68:73], layer[48:53, 80:110] = 255, 128
    Image.fromarray(layer).save(tmp_path / "streak.png")
    component = rrframe.load("flare/library", path=tmp_path, strength=1.0, zoom=1.0, turn=0)
    found = set()
    for seed in range(12):
        degraded, target = both(component, night((160, 110)), seed=seed)
        added = (degraded - target)[0].mean(dim=0)
        found.add(bool(added[110, 220] > added[110, 100]))
    assert found == {True, False}


@SOME
@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.integers(0, 30),
    st.integers(0, 9),
    st.integers(0, 99),
    st.integers(0, 19),
)
def test_scattered_light_is_a_convolution_with_darkness_around(height, width, rows, columns, seed, dark) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(2, 3, height, width, generator=generator)
    images[..., :dark, :] = 0.0  # light may lie in a corner only, or nowhere
    images[..., width - dark // 2 :] = 0.0
    kernels = torch.rand(2, 3, 2 * rows + 1, 2 * columns + 1, generator=generator)
    planes = images.reshape(1, 6, height, width)
    expected = torch.nn.functional.conv2d(
        planes, kernels.flip(2, 3).reshape(6, 1, *kernels.shape[-2:]), padding=(rows, columns), groups=6
    )
    assert torch.allclose(scatter(images, kernels), expected.reshape(images.shape), atol=2e-4)


def test_a_flare_needs_its_cue() -> None:
    component = rrframe.load("flare/pupil")
    with pytest.raises(rrframe.RRFrameError, match="highlights"):
        component.apply(night(), Draws([component.draw(image_key(0))]), Cues({}))
