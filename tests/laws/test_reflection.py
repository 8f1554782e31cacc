"""The laws of glass: Fresnel's reflectance, the double image, which picture is the target."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import save_mixer
from rrframe_degradations.reflection.optics import double_image, incidence, reflectance

import rrframe
from rrframe.contracts.chain import Chain
from rrframe.contracts.cue import Cues
from rrframe.contracts.draw import Draws
from rrframe.contracts.trying import image_key
from rrframe.imaging.colour import encoded_to_linear, linear_to_encoded

SOME = settings(max_examples=12, deadline=None)
SHARP = {"defocus": 0.0, "patchiness": 0.0, "vignette": 0.0}


def each(value: float) -> torch.Tensor:
    return torch.full((1, 1, 1, 1), float(value))


def pane(**params: object) -> rrframe.Degradation:
    return rrframe.load("reflection/glass", **{**SHARP, **params})


def seen(component: rrframe.Degradation, images: torch.Tensor, partner: torch.Tensor, *, seed: int = 0, severity=None):
    """Linear images through glass that reflects ``partner``, linear too; and the target."""
    draws = Draws([component.draw(image_key(seed, index), severity) for index in range(len(images))])
    cues = Cues({"partner": linear_to_encoded(partner)})
    return component.apply(images, draws, cues), component.retarget(images, draws, cues)


def picture(seed: int, level: float = 0.5, height: int = 60, width: int = 80) -> torch.Tensor:
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))
    return noise * level


def points(height: int = 200, width: int = 200) -> torch.Tensor:
    image = torch.zeros(1, 3, height, width)
    image[..., 100, 100] = 1.0
    return image


# Optics
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("degrees", "share"), [(0, 0.0426), (10, 0.043), (45, 0.053), (60, 0.093), (90, 1.0)])
def test_glass_reflects_what_fresnel_says(degrees, share) -> None:
    cosine = torch.cos(torch.deg2rad(torch.tensor(float(degrees), dtype=torch.float64)))
    assert float(reflectance(cosine)) == pytest.approx(share, abs=6e-4)


@pytest.mark.parametrize(("degrees", "shift"), [(0, 0.0), (10, 0.23), (45, 0.74)])
def test_the_double_image_lies_as_far_apart_as_a_plate_sends_it(degrees, shift) -> None:
    assert float(double_image(each(degrees), each(6.0))) == pytest.approx(6.0 * shift, abs=0.05)


def test_glass_is_met_more_flatly_on_the_side_it_turns_to() -> None:
    cosines = incidence(90, 120, each(30), each(0), each(1.2))[0, 0]
    assert float(cosines[45, 60]) == pytest.approx(0.866, abs=0.01)
    assert (cosines[45].diff() < 0).all()
    assert torch.allclose(cosines[:45], cosines[45:].flip(0), atol=1e-5)


# Reflections
# ---------------------------------------------------------------------------------------------------------------------


@SOME
@given(st.floats(4.0, 20.0), st.floats(10.0, 50.0), st.sampled_from([0, 90, 180, 270]))
def test_the_ghost_shift_follows_the_thickness(thickness, angle, turn) -> None:
    behind = torch.full((1, 3, 200, 200), 0.3)
    component = pane(thickness=thickness, angle=angle, turn=turn, distance=0.5, brightness=50.0, haze=0.0, focal=1.0)
    added = (seen(component, behind, points())[0] - behind)[0, 0].double().clamp(min=0.0)
    mirrored = 99.0  # the column 100 of 200 seen in a mirror
    line = added.sum(dim=0) if turn in (0, 180) else added.sum(dim=1)
    first = mirrored if turn in (0, 180) else 100.0
    mean = float((line * torch.arange(200)).sum() / line.sum()) - first
    ratio = float(1 - reflectance(torch.cos(torch.deg2rad(each(angle))))) ** 2
    apart = float(double_image(each(angle), each(thickness))) / 1000 / 0.5 * 200
    sign = 1 if turn in (0, 90) else -1
    assert mean == pytest.approx(sign * apart * ratio / (1 + ratio), rel=0.05, abs=0.05)


def test_a_millimetre_more_is_a_pixel_more_where_it_should_be() -> None:
    """6 mm of glass, 2 m, a focal length of 3000 px: 2 to 7 px, not a share of the picture."""
    for angle, low, high in ((10.0, 2.0, 2.1), (48.0, 6.6, 6.9)):
        apart = float(double_image(each(angle), each(6.0))) / 2000 * 3000
        assert low < apart < high


def test_a_scene_is_seen_mirrored() -> None:
    behind, partner = torch.full((1, 3, 40, 60), 0.2), torch.zeros(1, 3, 40, 60)
    partner[..., :30] = 0.8
    added = (seen(pane(thickness=0.0, angle=0.0), behind, partner)[0] - behind)[0, 0]
    assert float(added[:, 32:].min()) > 0.002
    assert float(added[:, :28].max()) < 1e-5


def test_what_is_out_of_focus_is_blurred_and_what_is_behind_the_glass_is_not() -> None:
    behind = picture(0, 0.3, 200, 200)
    sharp, blurred = (
        (
            seen(pane(defocus=defocus, brightness=3.0, haze=0.0, thickness=0.0), behind, picture(1, 0.5, 200, 200))[0]
            - behind
        )
        for defocus in (0.0, 15.0)
    )
    assert float(blurred.std()) < 0.3 * float(sharp.std())
    assert float(blurred.mean()) == pytest.approx(float(sharp.mean()), rel=0.03)


def test_the_defocus_is_the_same_at_every_size() -> None:
    spreads = []
    for side in (200, 400):
        behind, partner = torch.full((1, 3, side, side), 0.3), torch.zeros(1, 3, side, side)
        partner[..., side // 2 - side // 100 : side // 2 + side // 100, :] = 1.0
        component = pane(defocus=20.0, thickness=0.0, angle=0.0, brightness=5.0, haze=0.0)
        line = (seen(component, behind, partner)[0] - behind)[0, 0, :, side // 2].double()
        places = torch.arange(side) - (side - 1) / 2
        spreads.append(float((line * places**2).sum() / line.sum()) ** 0.5 / side)
    assert spreads[0] == pytest.approx(spreads[1], rel=0.03)
    assert spreads[0] == pytest.approx(0.02, rel=0.1)


@SOME
@given(st.integers(0, 999), st.floats(0.01, 1.0), st.floats(0.01, 1.0), st.floats(0.0, 100.0))
def test_no_pair_is_bad(seed, level, other, brightness) -> None:
    """Bugs of public code: pairs are thrown away, or kept though the reflection is all one sees."""
    behind, partner = picture(seed, level), picture(seed + 1, other)
    mixed, target = seen(pane(brightness=brightness, haze=0.0), behind, partner, seed=seed)
    assert torch.equal(target, behind)
    assert float((mixed - behind).mean()) <= 0.5 * max(float(behind.mean()), 0.01) + 1e-5


def test_the_reflection_is_as_bright_as_asked() -> None:
    behind, partner = picture(0, 0.4), picture(1, 0.9)
    mixed, _ = seen(pane(brightness=2.0, haze=0.0, angle=0.0, focal=20.0, thickness=0.0), behind, partner)
    assert float((mixed - behind).mean()) == pytest.approx(2.0 * 2 * 0.0426 * float(behind.mean()), rel=0.02)


def test_a_reflection_is_stronger_where_the_glass_is_met_flatly() -> None:
    behind = torch.full((1, 3, 60, 80), 0.2)
    component = pane(angle=55.0, turn=0, brightness=1.5, haze=0.0, thickness=0.0)
    added = (seen(component, behind, torch.full_like(behind, 0.5))[0] - behind)[0, 0]
    assert float(added[:, -4:].mean()) > 2 * float(added[:, :4].mean())


def test_overflow_takes_the_dim_parts_of_a_reflection() -> None:
    behind = torch.full((1, 3, 60, 80), 0.9)
    partner = torch.full((1, 3, 60, 80), 0.1)
    partner[..., 20:40, :] = 1.0
    with_haze, without = (
        seen(pane(brightness=4.0, thickness=0.0, haze=haze), behind, partner)[0][..., 10, 40].mean() - 0.9
        for haze in (0.0, 1.13)
    )
    assert float(without) < float(with_haze)


# The target
# ---------------------------------------------------------------------------------------------------------------------


def test_pairs_are_swapped_as_often_as_asked() -> None:
    behind, partner = picture(0), encoded_to_linear(linear_to_encoded(picture(1)))
    component = pane(swap=0.5)
    assert component.retargets()
    targets = [seen(component, behind, partner, seed=seed)[1] for seed in range(40)]
    swapped = sum(torch.allclose(target, partner, atol=1e-4) for target in targets)
    assert 10 <= swapped <= 30
    assert all(torch.equal(target, behind) or torch.allclose(target, partner, atol=1e-4) for target in targets)


def test_a_swapped_pair_is_the_other_way_round() -> None:
    behind, partner = picture(0), encoded_to_linear(linear_to_encoded(picture(1)))
    mixed, _ = seen(pane(swap=1.0), behind, partner)
    other, _ = seen(pane(swap=0.0), partner, behind)
    assert torch.allclose(mixed, other, atol=1e-4)


def test_without_swapping_the_target_is_left_alone() -> None:
    chain = Chain((pane(),))
    assert not chain.retargets()
    image = picture(0)
    assert chain.retarget(image, [chain.draw(image_key(0))], Cues({"partner": image})) is image


# A learnt mixing
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return save_mixer(tmp_path_factory.mktemp("weights") / "mixer.safetensors")


def test_a_network_mixes_between_the_two_scenes(weights) -> None:
    behind, partner = picture(0, 0.2, 300, 400), 0.5 + picture(1, 0.4, 300, 400)
    component = rrframe.load("reflection/learned", weights=weights, strength=1.0, defocus=0.0, thickness=0.0)
    mixed, target = seen(component, behind, partner)
    mirrored = partner.flip(3)
    share = (mixed - behind) / (mirrored - behind)
    assert torch.equal(target, behind)
    assert float(share.min()) > -0.01
    assert float(share.max()) < 1.01
    assert float(share.std()) > 0.01  # its weights differ from place to place


def test_no_strength_is_the_picture(weights) -> None:
    component = rrframe.load("reflection/learned", weights=weights, strength=0.0)
    image = picture(0)
    assert torch.equal(seen(component, image, picture(1))[0], image)


def test_weights_are_read_once(weights, monkeypatch, tmp_path) -> None:
    """Bugs of public code: a model that is built again for every picture."""
    path, reads = tmp_path / "again.safetensors", []
    path.write_bytes(weights.read_bytes())
    load_file = safetensors.torch.load_file
    monkeypatch.setattr(safetensors.torch, "load_file", lambda name: reads.append(name) or load_file(name))
    for seed in range(3):
        seen(rrframe.load("reflection/learned", weights=path), picture(0), picture(1), seed=seed)
    assert len(reads) == 1


def test_weights_of_something_else_are_refused(tmp_path) -> None:
    path = tmp_path / "odd.safetensors"
    safetensors.torch.save_file({"head.weight": torch.zeros(3)}, path)
    with pytest.raises(rrframe.RRFrameError, match="does not hold a WeightNetwork"):
        seen(rrframe.load("reflection/learned", weights=path), picture(0), picture(1))
