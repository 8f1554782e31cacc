"""The laws of low light: how much of it is left, and what stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import save_darkener

import rrframe
from rrframe.contracts.cue import Cues
from rrframe.contracts.draw import Draws
from rrframe.contracts.trying import image_key
from rrframe.imaging import isp
from rrframe.imaging.layout import to_batch

SOME = settings(max_examples=15, deadline=None)
NONE = Cues({})


def darkened(component: rrframe.Degradation, images: torch.Tensor, *, seed: int = 0, severity: float | None = None):
    draws = Draws([component.draw(image_key(seed, index), severity) for index in range(len(images))])
    return component.apply(images, draws, NONE)


def exposure(stops: float, **params: object) -> rrframe.Degradation:
    return rrframe.load("lowlight/exposure", stops=stops, **{"shot": 0.0, "drift": 0.0, **params})


def plain(*colour: float, side: int = 32) -> torch.Tensor:
    return torch.tensor(colour).view(1, 3, 1, 1).expand(1, 3, side, side)


# Exposure
# ---------------------------------------------------------------------------------------------------------------------


@SOME
@given(st.floats(0.5, 6.0), st.integers(0, 1000), st.floats(0.2, 0.9))
def test_light_is_halved_for_every_stop(stops, seed, tone) -> None:
    component, image = exposure(stops), plain(tone, 0.8 * tone, 0.6 * tone)
    draw = component.draw(image_key(seed))
    values = Draws([draw])
    camera = isp.Camera(values.blend, values.red, values.blue)
    dark = component.apply(image, values, NONE)
    expected = isp.unprocess(image, camera) * 2**-stops
    assert torch.allclose(isp.unprocess(dark, camera), expected, rtol=0.02, atol=2e-5)


def test_nothing_is_rounded_in_the_dark() -> None:
    """Attenuated light that were rounded to 8 bits would stand in a few bands."""
    ramp = torch.linspace(0.05, 0.95, 512).view(1, 1, 1, 512).expand(1, 3, 8, 512)
    dark = darkened(exposure(5.0), ramp)
    assert float(dark.max()) < 0.1
    assert (dark[0, 1, 0].diff() > 0).all()


def test_highlights_stay_neutral_and_stand_out() -> None:
    white, bright = (darkened(exposure(3.0), plain(tone, tone, tone)) for tone in (1.0, 0.9))
    assert float(white.amax(dim=1).sub(white.amin(dim=1)).max()) < 2e-3
    camera = isp.Camera(torch.ones(1, 4, 1, 1), torch.full((1, 1, 1, 1), 2.0), torch.full((1, 1, 1, 1), 1.7))
    ratio = isp.unprocess(white, camera)[0, 1, 0, 0] / isp.unprocess(bright, camera)[0, 1, 0, 0]
    assert float(ratio) > 1.8


def test_rims_that_sharpening_left_do_not_glow() -> None:
    """A white line two pixels wide around a pale panel was as bright as a lamp, twice the panel; a disc of light is."""
    scene = plain(0.2, 0.2, 0.2, side=400).clone()
    scene[..., 100:300, 100:300] = 1.0
    scene[..., 102:298, 102:298] = 0.97
    scene[..., 20:60, 20:60] = 1.0
    dark = darkened(exposure(3.0), scene)[0, 1]
    rim, panel, lamp = dark[100:102, 150:250].mean(), dark[150:250, 150:250].mean(), dark[35:45, 35:45].mean()
    assert float(rim) < 1.15 * float(panel)
    assert float(lamp) > 1.3 * float(panel)


def test_white_balance_drifts_by_what_the_dial_says() -> None:
    component = exposure(1.0, drift=0.15)
    draws = [component.draw(image_key(seed)).values for seed in range(200)]
    for name in ("red_drift", "blue_drift"):
        drifts = [abs(values[name] - 1) for values in draws]
        assert max(drifts) <= 0.15 * 1.3 + 1e-9
        assert max(drifts) > 0.1
    opposite = sum((values["red_drift"] - 1) * (values["blue_drift"] - 1) < 0 for values in draws)
    assert opposite > 120  # it goes from warm to cold rather than from green to magenta


def test_a_darker_exposure_is_noisier_for_its_light() -> None:
    image = plain(0.5, 0.5, 0.5, side=256)
    relative = []
    for stops in (1.0, 3.0):
        dark = darkened(exposure(stops, shot=5e-4, camera="sony-a7s2", red=2.0, blue=1.7), image)
        light = dark[0, 1].double() ** 2.2
        relative.append(float(light.std() / light.mean()))
    assert relative[1] > 1.5 * relative[0]


def test_no_stops_and_no_noise_is_the_picture(photo) -> None:
    image = to_batch(photo[:200, :200])
    assert (darkened(exposure(0.0), image) - image).abs().max() <= 1 / 255


# Gamma
# ---------------------------------------------------------------------------------------------------------------------


@SOME
@given(st.floats(1.0, 5.0), st.floats(0.9, 1.0), st.floats(0.5, 1.0), st.integers(0, 1000))
def test_gamma_is_its_curve(gamma, alpha, beta, seed) -> None:
    images = torch.rand(2, 3, 9, 7, generator=torch.Generator().manual_seed(seed))
    found = darkened(rrframe.load("lowlight/gamma", gamma=gamma, alpha=alpha, beta=beta), images)
    assert torch.allclose(found, beta * (alpha * images) ** gamma, atol=1e-5)


# A learnt curve
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    return save_darkener(tmp_path_factory.mktemp("weights") / "darkener.safetensors")


def test_a_network_darkens_and_keeps_the_size_and_the_details(weights) -> None:
    """Bugs of public code: a picture squashed to the network's size and stretched back."""
    rows, columns = torch.meshgrid(torch.arange(300), torch.arange(500), indexing="ij")
    board = (0.5 + 0.1 * ((rows + columns) % 2)).expand(1, 3, 300, 500)
    dark = darkened(rrframe.load("lowlight/learned", weights=weights, strength=1.0), board)
    assert dark.shape == board.shape
    assert float(dark.mean()) < 0.7 * float(board.mean())
    contrast = dark[..., 1:].sub(dark[..., :-1]).abs() / dark[..., 1:].add(dark[..., :-1])
    assert contrast.min() > 0.05


def test_the_example_of_a_trained_file_darkens_by_two_stops(photo) -> None:
    """It has learnt from lowlight/exposure, photographs like this one among others: no proof of anything but itself."""
    path = Path(__file__).parents[2] / "examples" / "learned_degradations" / "darkener.safetensors"
    assert path.stat().st_size < 300_000
    image = to_batch(photo)
    dark = darkened(rrframe.load("lowlight/learned", weights=path, strength=1.0), image)
    assert float((dark - darkened(exposure(2.0), image)).abs().mean()) < 0.05 < float((dark - image).abs().mean())


def test_no_strength_is_the_picture(weights) -> None:
    image = torch.rand(1, 3, 20, 30, generator=torch.Generator().manual_seed(0))
    assert torch.equal(darkened(rrframe.load("lowlight/learned", weights=weights, strength=0.0), image), image)


def test_weights_are_read_once(weights, monkeypatch, tmp_path) -> None:
    """Bugs of public code: a model that is built again for every picture."""
    path, reads = tmp_path / "again.safetensors", []
    path.write_bytes(weights.read_bytes())
    load_file = safetensors.torch.load_file
    monkeypatch.setattr(safetensors.torch, "load_file", lambda name: reads.append(name) or load_file(name))
    image = torch.rand(1, 3, 8, 8)
    component = rrframe.load("lowlight/learned", weights=path)
    assert reads == []  # making a component reads nothing
    for seed in range(3):
        darkened(component, image, seed=seed)
        darkened(rrframe.load("lowlight/learned", weights=path), image, seed=seed)
    assert len(reads) == 1


def test_weights_that_are_not_there_are_named(tmp_path) -> None:
    component = rrframe.load("lowlight/learned", weights=tmp_path / "lost.safetensors")
    with pytest.raises(rrframe.RRFrameError, match=r"lost\.safetensors is not there"):
        darkened(component, torch.zeros(1, 3, 8, 8))


def test_weights_are_asked_for() -> None:
    with pytest.raises(rrframe.RRFrameError, match="weights"):
        rrframe.load("lowlight/learned")


@pytest.mark.parametrize("content", ["broken", "other"])
def test_files_of_something_else_are_refused(content, tmp_path) -> None:
    path = tmp_path / "odd.safetensors"
    if content == "broken":
        path.write_bytes(b"no tensors at all")
    else:
        safetensors.torch.save_file({"head.weight": torch.zeros(3)}, path)
    component = rrframe.load("lowlight/learned", weights=path)
    with pytest.raises(rrframe.RRFrameError, match=r"odd\.safetensors") as caught:
        darkened(component, torch.zeros(1, 3, 8, 8))
    assert "\n" not in caught.value.message
