"""The laws hold on the path that a GPU takes: its primitives are tried on CPU tensors always, and on a GPU where there
is one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from devices import DEVICES
from networks import save_darkener, save_mixer

import rrframe
from rrframe import Chain, Cues, Degradation, Draws, contracts
from rrframe.contracts.component import create
from rrframe.contracts.trying import image_key
from rrframe.imaging import colour, composite, fields, filters, isp, resample, warp
from rrframe.imaging.layout import from_hwc, hwc_view
from rrframe.imaging.random import Stream
from rrframe.manager import get_manager

ON_EACH = pytest.mark.parametrize("device", DEVICES)
EVERY = sorted(get_manager().table("degradation"))
SETTINGS = {"noise/density-average": {"size": 40}}  # by default a window is less than a pixel of so small a picture
WEIGHTS = {"lowlight/learned": save_darkener, "reflection/learned": save_mixer}
Side = Callable[..., torch.Tensor]
SIDES: tuple[Side, ...] = (Chain.apply, Chain.retarget)
THROUGH_FILES = ("compression/", "effect/web")  # a rounded code that differs makes another file


@pytest.fixture
def torch_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every primitive of two paths takes the one in torch, on a CPU too."""
    take_torch_path(monkeypatch)


def take_torch_path(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        *((filters, name) for name in ("gaussian", "convolve", "box")),
        *((warp, name) for name in ("homography", "remap")),
        *((colour, name) for name in ("power", "mix")),
        (fields, "grow"),
        (composite, "feather"),
    ):
        monkeypatch.setattr(module, f"_{name}_opencv", getattr(module, f"_{name}_torch"))
    light = {colour._decode: colour._decode_torch, colour._encode: colour._encode_torch}
    monkeypatch.setattr(colour, "_through_opencv", lambda images, function: light[function](images))
    monkeypatch.setattr(isp, "_expanded", isp._expand_torch)
    monkeypatch.setattr(isp, "_developed", isp._develop_torch)

    def resized(pixels: np.ndarray, *settings: object) -> np.ndarray:
        return hwc_view(resample._torch(from_hwc([pixels]), *settings)[0])

    monkeypatch.setattr(resample, "_opencv", resized)


class SameNumbers:
    """On a GPU, the random numbers of a CPU."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self.stream, self.device = Stream(seed), device

    def __getattr__(self, law: str) -> Callable[..., torch.Tensor]:
        return lambda *given: getattr(self.stream, law)(*given).to(self.device)


def made(name: str, folder: Path) -> Degradation:
    weights = {"weights": str(WEIGHTS[name](folder / "weights.safetensors"))} if name in WEIGHTS else {}
    component = create(name, SETTINGS.get(name, {}) | weights)
    assert isinstance(component, Degradation)
    return component


def scene(side: int = 96) -> torch.Tensor:
    """Two pictures with slopes, edges, grain and a lamp, encoded."""
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side + 16), indexing="ij")
    slope = (rows / side * 0.5 + 0.1 + 0.2 * ((columns // 16) % 2)).expand(2, 3, -1, -1).clone()
    slope[1] = slope[1].flip(-1)
    slope = (slope + 0.3 * torch.rand(slope.shape, generator=torch.Generator().manual_seed(0))).clamp(0.0, 1.0)
    slope[..., torch.hypot(rows - side / 3, columns - side / 2) < 4] = 1.0
    return slope.contiguous(memory_format=torch.channels_last)


def cues_of(images: torch.Tensor, device: str) -> Cues:
    """Depth that falls from 60 m to 4 m; where it is bright; the pictures themselves, mirrored and in other order."""
    depth = torch.linspace(60, 4, images.shape[2]).view(1, 1, -1, 1).expand(len(images), 1, -1, images.shape[3])
    bright = (images.amin(dim=1, keepdim=True) > 0.99).float()
    frames = images.repeat(1, 4, 1, 1)
    maps = {"depth": depth.contiguous(), "highlights": bright, "partner": images.flip(0, 3), "frames": frames}
    return Cues({name: each.to(device) for name, each in maps.items()})


def degraded(component: Degradation, device: str, side: Side = Chain.apply) -> tuple[torch.Tensor, torch.Tensor]:
    images, chain = scene(), Chain((component,))
    draws = [chain.draw(image_key(3, index), 0.7) for index in range(len(images))]
    done = side(chain, images.to(device), draws, cues_of(images, device))
    assert done.device.type == torch.device(device).type
    return images, done.cpu()


def strength(images: torch.Tensor, done: torch.Tensor) -> float:
    return float((done - images).square().mean().sqrt())


@ON_EACH
@pytest.mark.parametrize("name", [name for name in EVERY if not name.startswith(THROUGH_FILES)])
def test_both_paths_make_the_same_picture(
    name: str, device: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Apart is hardly anything, and that little: warps round at edges, and tones next to black stretch what is left.

    The target is the same too. A GPU is given the CPU's random numbers; where it rounds a tone to the next step of a
    table, a pixel in a thousand may differ, and it may round the weights of networks to 10 bits.
    """
    component = made(name, tmp_path)
    by_opencv = [degraded(component, "cpu", side) for side in SIDES]
    if device == "cpu":
        take_torch_path(monkeypatch)
    monkeypatch.setattr(contracts.draw, "DeviceStream", SameNumbers)
    assert strength(*by_opencv[0]) > 0
    few, small = (0.0, 1e-4) if device == "cpu" else (1e-3, 1e-3 if name in WEIGHTS else 1e-4)
    for side, (_, here) in zip(SIDES, by_opencv, strict=True):
        apart = (degraded(component, device, side)[1] - here).abs()
        assert float((apart > 0.02).float().mean()) <= few
        assert float(apart.mean()) < small


@ON_EACH
@pytest.mark.parametrize("name", EVERY)
def test_a_batch_stays_where_it_is_and_is_as_bad_there(name: str, device: str, tmp_path: Path) -> None:
    """A GPU's noise has other numbers, and the same law; of few drops or blotches some are larger."""
    component = made(name, tmp_path)
    images, done = degraded(component, device)
    assert bool(done.isfinite().all())
    assert float(done.min()) >= -1e-5
    assert float(done.max()) <= 1 + 1e-5
    if device != "cpu":
        _, here = degraded(component, "cpu")
        assert strength(images, done) == pytest.approx(strength(images, here), rel=0.4)


# Some laws again, on each device
# ---------------------------------------------------------------------------------------------------------------------


@ON_EACH
@pytest.mark.parametrize("shot", [5e-4, 4e-3])
def test_variance_is_linear_in_the_light(device: str, shot: float) -> None:
    component = rrframe.load("noise/poisson-gaussian", shot=shot)
    lights = torch.linspace(0.25, 0.75, 5)
    images = lights.view(-1, 1, 1, 1).expand(5, 3, 256, 256).contiguous(memory_format=torch.channels_last).to(device)
    draws = [component.draw(image_key(1, index)).with_values(read=shot / 2) for index in range(5)]
    found = (component.apply(images, Draws(draws, device), Cues()) - images).double().reshape(5, -1).var(dim=1)
    slope, offset = np.polyfit(lights.double().numpy(), found.cpu().numpy(), 1)
    assert slope == pytest.approx(shot, rel=0.03)
    assert offset == pytest.approx(shot / 2, rel=0.03)


@ON_EACH
def test_transmission_is_exponential(device: str, torch_path: None) -> None:
    depth = torch.linspace(1, 300, 64, device=device).view(1, 1, 1, 64).expand(2, 1, 64, 64)
    component = rrframe.load("haze/scattering", beta=0.02, airlight=0.8, airlight_of="white")
    draws = Draws([component.draw(image_key(0, index)) for index in range(2)], device)
    black, white = (
        component.apply(torch.full((2, 3, 64, 64), value, device=device), draws, Cues({"depth": depth}))
        for value in (0.0, 1.0)
    )
    assert float((white - black - torch.exp(-0.02 * depth)).abs().max()) < 1e-6


@ON_EACH
@pytest.mark.parametrize("name", ["blur/defocus", "blur/gaussian", "blur/motion"])
def test_blur_conserves_energy(name: str, device: str, torch_path: None) -> None:
    images = torch.zeros(2, 3, 128, 128)
    images[..., 48:80, 48:80] = 0.75 * torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    component = rrframe.load(name)
    draws = Draws([component.draw(image_key(4, index), 1.0) for index in range(2)], device)
    done = component.apply(images.to(device), draws, Cues()).cpu()
    assert not torch.allclose(done, images, atol=0.01)
    assert torch.allclose(done.sum(dim=(1, 2, 3)), images.sum(dim=(1, 2, 3)), rtol=1e-4)


@ON_EACH
@pytest.mark.parametrize("stops", [0.0, 2.0])
def test_a_camera_and_back(stops: float, device: str, torch_path: None) -> None:
    """Without attenuation the picture itself within 1/255; with it, half the raw light for every stop."""
    images = scene().to(device)
    component = rrframe.load("lowlight/exposure", stops=stops, shot=0.0, drift=0.0)
    values = Draws([component.draw(image_key(0, index)) for index in range(2)], device)
    camera = isp.Camera(values.blend, values.red, values.blue)
    done = component.apply(images, values, Cues())
    if stops == 0:
        assert float((done - images).abs().max()) <= 1 / 255
    expected = isp.unprocess(images, camera, rims=values.stops.clamp(max=1)) / 2**stops
    assert torch.allclose(isp.unprocess(done, camera), expected, rtol=0.02, atol=1e-3)


@ON_EACH
def test_outside_the_mask_every_bit_stays(device: str, torch_path: None) -> None:
    effect = rrframe.load("effect/region", chain=[{"use": "noise/gaussian", "params": {"sigma": 30}}], area=0.4)
    images = scene().to(device)
    draws = Draws([effect.draw(image_key(0, index)) for index in range(2)], device)
    outside = (effect.mask(images, draws, Cues()) == 0).expand_as(images)
    done = effect.apply(images, draws, Cues())
    assert 0.3 < float(outside.float().mean()) < 0.7
    assert torch.equal(done[outside], images[outside])
    assert not torch.equal(done[~outside], images[~outside])


@ON_EACH
def test_streaks_cover_what_their_drops_cover(device: str) -> None:
    """As many as the law says, seen under the same angle: one cover, whatever draws them."""
    component = rrframe.load("rain/streaks", rate=80, emphasis=4, wind=0, bearing=0, pitch=0, sky=1)
    images = torch.zeros(3, 3, 256, 256, device=device)
    images[..., :65] = 1.0
    draws = Draws([component.draw(image_key(0, index)) for index in range(3)], device)
    done = component.apply(images, draws, Cues({"depth": torch.full_like(images[:, :1], 100.0)}))
    here = component.apply(images.cpu(), Draws(list(draws)), Cues({"depth": torch.full((3, 1, 256, 256), 100.0)}))
    cover, expected = (float(each[..., 128:].mean()) for each in (done, here))
    assert cover > 0.005
    assert math.isclose(cover, expected, rel_tol=0.1)
