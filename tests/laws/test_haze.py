"""Laws of haze: transmission over depth, where fog lies, and captured layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rrframe import Cues, Degradation, Draws, Key, RRFrameError
from rrframe.contracts.component import create

SOME = settings(max_examples=25, deadline=None)


def made(name: str, **params: object) -> Degradation:
    if name != "haze/library":
        params = {"airlight_of": "white", **params}  # so that a law can be told of black and of white
    component = create(name, params)
    assert isinstance(component, Degradation)
    return component


def degraded(
    component: Degradation, images: torch.Tensor, depth: torch.Tensor | None = None, seed: int = 0
) -> torch.Tensor:
    draws = Draws([component.draw(Key.of(seed, index)) for index in range(len(images))])
    depth = torch.full_like(images[:, :1], 50.0) if depth is None else depth
    return component.apply(images, draws, Cues({"depth": depth}))


@SOME
@given(beta=st.floats(0.001, 0.2), near=st.floats(1, 50), far=st.floats(51, 500))
def test_transmission_is_exponential_on_a_known_plane(beta: float, near: float, far: float) -> None:
    depth = torch.linspace(near, far, 9).view(1, 1, 1, 9)
    haze = made("haze/scattering", beta=beta, airlight=0.8)
    black, white = (degraded(haze, torch.full((1, 3, 1, 9), value), depth) for value in (0.0, 1.0))
    assert (white - black - torch.exp(-beta * depth)).abs().max() < 1e-6  # what is left of contrast
    assert (black - 0.8 * (1 - torch.exp(-beta * depth))).abs().max() < 1e-6


@pytest.mark.parametrize("name", ["haze/scattering", "haze/heterogeneous"])
def test_haze_is_as_bright_as_the_light_of_the_scene(name: str) -> None:
    """Behind air without end, a scene of a quarter of the light gives a quarter of it; a lamp does not count."""
    scene = torch.linspace(0.2, 0.8, 64).view(1, 1, 1, 64).repeat(1, 3, 64, 1)
    far = torch.full((1, 1, 64, 64), 1e6)
    haze = made(name, beta=0.05, airlight=1.0, airlight_of="scene", **({} if name.endswith("ing") else {"layer": 1e12}))
    noon, dusk = (degraded(haze, light * scene, far) for light in (1.0, 0.25))
    assert 0.7 < float(noon.amax()) <= 0.8
    assert (dusk - noon / 4).abs().max() < 1e-6
    scene[..., 30:34, 2:6] = 1.0
    assert (degraded(haze, scene, far) - noon).abs().max() < 0.02


def test_fog_without_patches_and_without_end_upwards_is_scattering() -> None:
    depth = torch.linspace(1, 200, 64).view(1, 1, 64, 1).expand(1, 1, 64, 64)
    same = {"beta": 0.02, "airlight": 0.8}
    images = torch.full((1, 3, 64, 64), 0.3)
    fog = degraded(made("haze/heterogeneous", patchiness=0, layer=1e9, tint=0, **same), images, depth)
    assert (fog - degraded(made("haze/scattering", **same), images, depth)).abs().max() < 1e-4


def test_fog_thins_upwards() -> None:
    fog = made("haze/heterogeneous", patchiness=0, layer=20, tint=0, beta=0.01, airlight=1.0)
    column = degraded(fog, torch.zeros(1, 3, 65, 65))[0, 0, :, 0]
    assert (column[1:] >= column[:-1] - 1e-6).all()
    assert column[0] < 0.8 * column[40]


def test_patches_move_fog_about_and_add_none() -> None:
    fog = made("haze/heterogeneous", patchiness=0.6, layer=1e9, tint=0, beta=0.01, airlight=1.0)
    done = degraded(fog, torch.zeros(40, 3, 96, 96))[:, 0]
    thickness = -torch.log1p(-done)
    assert float(thickness.mean()) == pytest.approx(0.5, rel=0.1)
    assert float(thickness.std()) > 0.15


def test_the_same_fog_at_every_size() -> None:
    fog = made("haze/heterogeneous", beta=0.02, patchiness=0.6, layer=1e9, tint=0, airlight=1.0)
    spreads = [degraded(fog, torch.zeros(6, 3, side, side)).std() for side in (256, 512)]
    assert float(spreads[0]) == pytest.approx(float(spreads[1]), rel=0.25)


def test_published_air_is_bluish() -> None:
    fog = made("haze/heterogeneous", beta=10, patchiness=0, layer=1e9, tint=1, airlight=0.75)
    red, green, blue = degraded(fog, torch.zeros(1, 3, 8, 8)).mean(dim=(0, 2, 3)).tolist()
    assert green == pytest.approx(blue)
    assert red / green == pytest.approx(0.584 / 0.753, rel=0.01)


# Captured layers
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    half = np.zeros((40, 60, 4), np.uint8)
    half[..., :3], half[:20, :, 3] = 255, 255  # white above, nothing below
    Image.fromarray(half).save(tmp_path / "half.png")
    return tmp_path


def test_a_layer_covers_where_it_is_opaque(folder: Path) -> None:
    haze = made("haze/library", path=str(folder), strength=1, zoom=1)
    done = degraded(haze, torch.full((1, 3, 20, 30), 0.25))
    assert (done[..., :9, :] - 1).abs().max() < 1e-5
    assert (done[..., 11:, :] - 0.25).abs().max() < 1e-5


@SOME
@given(height=st.integers(1, 50), width=st.integers(1, 50), zoom=st.floats(1, 16))
def test_a_cut_covers_any_shape(height: int, width: int, zoom: float) -> None:
    haze = made("haze/library", strength=0.9, zoom=zoom)
    done = degraded(haze, torch.zeros(2, 3, height, width))
    assert done.shape == (2, 3, height, width)
    assert done.isfinite().all()


@pytest.mark.parametrize(("flip", "mirror"), [(False, False), (True, False), (False, True), (True, True)])
def test_layers_lie_as_they_are_turned_opaque_or_not(flip: bool, mirror: bool, tmp_path: Path) -> None:
    """In one batch, a layer with alpha and one without: each shows its bright quarter where it was turned to."""
    corner = np.zeros((8, 8, 4), np.uint8)
    corner[:4, :4] = 255
    Image.fromarray(corner).save(tmp_path / "a.png")
    Image.fromarray(np.ascontiguousarray(corner[..., :3])).save(tmp_path / "b.png")
    haze = made("haze/library", path=str(tmp_path), strength=1, zoom=1)
    turned = {"flip": flip, "mirror": mirror, "place": [0.0, 0.0]}
    draws = Draws([haze.draw(Key.of(0)).with_values(layer=name, **turned) for name in ("a.png", "b.png")])
    done = haze.apply(torch.zeros(2, 3, 8, 8), draws, Cues())
    expected = torch.zeros(8, 8)
    expected[slice(4, 8) if flip else slice(0, 4), slice(4, 8) if mirror else slice(0, 4)] = 1.0
    assert (done - expected).abs().max() < 1e-6


def test_layers_are_chosen_and_mirrored_by_key(tmp_path: Path) -> None:
    for value in range(5):
        Image.fromarray(np.full((8, 8, 3), 40 * value, np.uint8)).save(tmp_path / f"{value}.png")
    haze = made("haze/library", path=str(tmp_path))
    draws = [haze.draw(Key.of(seed)) for seed in range(60)]
    assert {draw.values["layer"] for draw in draws} == {f"{value}.png" for value in range(5)}
    assert {draw.values["mirror"] for draw in draws} == {True, False}
    assert {draw.values["flip"] for draw in draws} == {False}
    assert draws[7] == haze.draw(Key.of(7))


@pytest.mark.parametrize(("blend", "expected"), [("over", 0.4), ("screen", 0.7), ("add", 0.9)])
def test_blends(tmp_path: Path, blend: str, expected: float) -> None:
    grey = round(255 * (1.055 * 0.4 ** (1 / 2.4) - 0.055))
    Image.fromarray(np.full((8, 8, 3), grey, np.uint8)).save(tmp_path / "grey.png")
    haze = made("haze/library", path=str(tmp_path), blend=blend, strength=1)
    assert float(degraded(haze, torch.full((1, 3, 8, 8), 0.5)).mean()) == pytest.approx(expected, abs=0.004)


def test_a_missing_or_empty_folder_is_told(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "no", "there is no folder"), (tmp_path, "no pictures")):
        with pytest.raises(RRFrameError, match=said):
            made("haze/library", path=str(path)).draw(Key.of(0))


def test_a_damaged_layer_is_told(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n then nothing")
    haze = made("haze/library", path=str(tmp_path))
    with pytest.raises(RRFrameError, match=r"layer .* cannot be read"):
        degraded(haze, torch.zeros(1, 3, 8, 8))
