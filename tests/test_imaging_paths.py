"""Primitives that have two paths, OpenCV or numpy on a CPU and torch elsewhere, give the same by both.

The torch path runs on CPU tensors here, where it is not the one that is taken, and on a GPU where there is one.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from devices import DEVICES
from hypothesis import given, settings
from hypothesis import strategies as st

import rrframe.imaging
from rrframe.imaging import clips, colour, composite, fields, filters, isp, noise, resample, splat, warp
from rrframe.testing.pictures import Picture
from rrframe.testing.strategies import images, pictures

SOME = settings(max_examples=25, deadline=None)
CLOSE = 1e-5
SEEDS = st.integers(0, 99)
ON_EACH = pytest.mark.parametrize("device", DEVICES)
proved: set[str] = set()


def proves(*names: str) -> Callable[[Any], Any]:
    proved.update(names)
    return lambda test: test


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    assert one.shape == other.shape
    return float((one - other.cpu()).abs().max())


def made(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_every_primitive_with_two_paths_is_proved_here() -> None:
    found = set()
    for module in pkgutil.iter_modules(rrframe.imaging.__path__):
        for name, function in vars(importlib.import_module(f"rrframe.imaging.{module.name}")).items():
            own = inspect.isfunction(function) and function.__module__ == f"rrframe.imaging.{module.name}"
            if own and "device.type" in inspect.getsource(function):
                found.add(f"{module.name}.{name}")
    assert found == proved


# Light and colour
# ---------------------------------------------------------------------------------------------------------------------


@proves("colour.encoded_to_linear", "colour.linear_to_encoded")
@ON_EACH
@SOME
@given(picture=pictures(greatest_batch=3))
def test_light(picture: Picture, device: str) -> None:
    batch = picture.tensor()
    batch[..., 0, 0] = colour._BREAK_ENCODED
    assert apart(colour.encoded_to_linear(batch), colour._decode_torch(batch.to(device))) < CLOSE
    batch[..., 0, 0] = colour._BREAK_LINEAR
    assert apart(colour.linear_to_encoded(batch), colour._encode_torch(batch.to(device))) < CLOSE


@proves("colour.power")
@ON_EACH
@SOME
@given(picture=pictures(greatest_batch=3), exponent=st.floats(0.1, 5.0))
def test_powers(picture: Picture, exponent: float, device: str) -> None:
    batch = picture.tensor() * 1.2 - 0.1
    assert apart(colour.power(batch, exponent), colour._power_torch(batch.to(device), exponent)) < CLOSE
    each = torch.linspace(exponent, 1.0, len(batch)).view(-1, 1, 1, 1)
    assert apart(colour.power(batch, each), colour._power_torch(batch.to(device), each.to(device))) < CLOSE


@proves("colour.mix")
@ON_EACH
@SOME
@given(picture=pictures(greatest_batch=3), rows=st.sampled_from([1, 3]), seed=SEEDS)
def test_mixing_channels(picture: Picture, rows: int, seed: int, device: str) -> None:
    batch = picture.tensor()
    matrices = made((len(batch), rows, 3), seed)
    assert apart(colour.mix(batch, matrices), colour._mix_torch(batch.to(device), matrices)) < CLOSE


@proves("isp._expanded")
@ON_EACH
def test_expanding_tones(device: str) -> None:
    """What is looked up is undone by the tone curve and the gamma to within a step of 16 bits."""
    codes = torch.linspace(0, 1, 70_001).view(1, 1, 1, -1).expand(1, 3, 1, -1)
    undone = [colour.power(light, 1 / 2.2) for light in (isp._expanded(codes), isp._expand_torch(codes).cpu())]
    tones = [bent * bent * (3 - 2 * bent) for bent in undone]
    assert apart(*tones) <= 1 / 65535


@proves("isp._developed")
@ON_EACH
def test_developing_light(device: str) -> None:
    """What is looked up lies within two steps of 16 bits, in the dark too."""
    light = torch.cat([torch.linspace(-0.1, 1.1, 70_001), torch.linspace(0, 1e-4, 10_001)])
    light = light.view(1, 1, 1, -1).expand(1, 3, 1, -1)
    assert apart(isp._developed(light), isp._develop_torch(light.to(device))) < 2 / 65535


@proves("isp._opened")
@ON_EACH
@SOME
@given(batch=images(greatest_batch=2))
def test_opening(batch: torch.Tensor, device: str) -> None:
    grey = batch[:, :1]
    there = -F.max_pool2d(-grey.to(device), 3, 1, 1)
    assert apart(isp._opened(grey), F.max_pool2d(there, 3, 1, 1)) == 0


@proves("isp._brightened")
@ON_EACH
@SOME
@given(picture=pictures(greatest_batch=3), share=st.floats(0.0, 1.0))
def test_brightening(picture: Picture, share: float, device: str) -> None:
    batch = picture.tensor()
    rims = torch.linspace(share, 1.0, len(batch)).view(-1, 1, 1, 1)
    for curve, thin in ((torch.sqrt, None), (torch.square, rims)):
        there = batch.to(device, copy=True)
        isp._brighten_torch(there, isp._grey(there), curve, None if thin is None else thin.to(device))
        assert apart(isp._brightened(batch.clone(), curve, thin), there) < CLOSE


@proves("isp.demosaic")
@ON_EACH
@SOME
@given(shape=st.tuples(st.integers(1, 2), st.just(1), st.integers(1, 70), st.integers(1, 9)), seed=SEEDS)
def test_demosaicing(shape: tuple[int, ...], seed: int, device: str) -> None:
    plane = made(shape, seed)
    assert apart(isp.demosaic(plane), isp._demosaic_torch(plane.to(device))) < CLOSE


# Filters
# ---------------------------------------------------------------------------------------------------------------------


@proves("filters.gaussian")
@ON_EACH
@SOME
@given(
    batch=images(greatest_batch=3),
    sigmas=st.lists(st.floats(0.0, 9.875, width=32) | st.floats(10, 40, width=32), min_size=3, max_size=3),
)
def test_gaussian(batch: torch.Tensor, sigmas: list[float], device: str) -> None:
    """Narrow ones, and wide ones that work on the means of blocks."""
    each = sigmas[: len(batch)]
    there = filters._gaussian_torch(batch.to(device), each)
    assert apart(filters.gaussian(batch, torch.tensor(each).view(-1, 1, 1, 1)), there) < CLOSE


@proves("filters.convolve")
@ON_EACH
@SOME
@given(
    batch=images(greatest_batch=2),
    size=st.sampled_from([(1, 1), (3, 5), (15, 15), (17, 1), (41, 33)]),
    coloured=st.booleans(),
    filled=st.sampled_from([1.0, 0.3, 0.02]),
    seed=SEEDS,
)
def test_convolution(
    batch: torch.Tensor, size: tuple[int, int], coloured: bool, filled: float, seed: int, device: str
) -> None:
    """Kernels full of weights and thin ones, of few weights that are not 0."""
    kernels = made((len(batch), 3 if coloured else 1, *size), seed).abs()
    kernels *= torch.rand(kernels.shape, generator=torch.Generator().manual_seed(seed)) < filled
    kernels[..., size[0] // 2, -1] += 0.1
    kernels /= kernels.sum(dim=(-2, -1), keepdim=True)
    there = filters._convolve_torch(batch.to(device), kernels.to(device))
    assert apart(filters.convolve(batch, kernels if coloured else kernels[:, 0]), there) < CLOSE


@proves("filters.windowed")
@ON_EACH
@SOME
@given(batch=images(greatest_batch=2), radius=st.integers(0, 12), seed=st.integers(0, 99))
def test_weights_down_and_across(batch: torch.Tensor, radius: int, seed: int, device: str) -> None:
    taps = made((2 * radius + 1,), seed).abs() + 0.01
    taps = (taps + taps.flip(0)) / (2 * taps.sum())
    there = filters._windowed_torch(batch.to(device), taps.expand(len(batch), -1))
    assert apart(filters.windowed(batch, taps), there) < CLOSE


@proves("filters.box")
@ON_EACH
@SOME
@given(batch=images(greatest_batch=2), radius=st.integers(0, 40))
def test_box(batch: torch.Tensor, radius: int, device: str) -> None:
    assert apart(filters.box(batch, radius), filters._box_torch(batch.to(device), radius)) < CLOSE


# Where pixels are found
# ---------------------------------------------------------------------------------------------------------------------


@proves("warp.homography", "warp.remap")
@ON_EACH
@SOME
@given(picture=pictures(greatest_batch=2), border=st.sampled_from(["reflect", "replicate", "zero"]), seed=SEEDS)
def test_warps(picture: Picture, border: warp.Border, seed: int, device: str) -> None:
    """Places are rounded differently: 1e-3 of the range, at edges."""
    batch = picture.tensor()
    matrices = torch.eye(3) + made((len(batch), 3, 3), seed) * torch.tensor(
        [[0.2, 0.2, 9.0], [0.2, 0.2, 9.0], [1e-4, 1e-4, 0.0]]
    )
    there = warp._homography_torch(batch.to(device), matrices.to(device), border)
    assert apart(warp.homography(batch, matrices, border), there) < 1e-3
    x, y = torch.rand(2, len(batch), 1, 7, 9, generator=torch.Generator().manual_seed(seed)) * 100 - 50
    there = warp._remap_torch(batch.to(device), x.to(device), y.to(device), border)
    assert apart(warp.remap(batch, x, y, border), there) < 1e-3


@proves("resample.resize")
@ON_EACH
@SOME
@given(
    batch=images(greatest_batch=2),
    height=st.integers(1, 80),
    width=st.integers(1, 80),
    method=st.sampled_from(resample.METHODS),
)
def test_resizing(batch: torch.Tensor, height: int, width: int, method: resample.Method, device: str) -> None:
    there = resample._torch(batch.to(device), height, width, method).clamp(0.0, 1.0)
    assert apart(resample.resize(batch, height, width, method), there) < CLOSE


@proves("resample.halved", "resample.grown")
@ON_EACH
@SOME
@given(batch=images(greatest_batch=2))
def test_halving_and_doubling(batch: torch.Tensor, device: str) -> None:
    half = resample.halved(batch)
    there = F.avg_pool2d(batch.to(device), 2, ceil_mode=True, count_include_pad=False)
    assert apart(half, there) < CLOSE
    whole = F.interpolate(there, scale_factor=2, mode="bilinear")[..., : batch.shape[2], : batch.shape[3]]
    assert apart(resample.grown(half, *batch.shape[-2:]), whole) < CLOSE


@proves("noise.by_rows")
@ON_EACH
@given(batch=images(greatest_batch=2), rows=st.integers(1, 9))
@SOME
def test_a_few_rows_at_a_time(batch: torch.Tensor, rows: int, device: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(noise, "_AT_A_TIME", rows * batch[:, :, :1].numel())
        found = noise.by_rows(torch.mul, batch.to(device), batch.to(device))
    assert apart(batch * batch, found) == 0


@ON_EACH
@SOME
@given(
    rows=st.integers(1, 60), columns=st.integers(1, 60), slope=st.floats(-1.5, 1.5), step=st.integers(1, 8), seed=SEEDS
)
def test_setting_sums_upright(rows: int, columns: int, slope: float, step: int, seed: int, device: str) -> None:
    """They are found where the lean says that they lie."""
    lean = splat.Lean(slope, step)
    sums = made(lean.leaning((rows, columns)), seed).sigmoid()
    down, across = torch.meshgrid(torch.arange(rows).float(), torch.arange(columns).float(), indexing="ij")
    x, y = across - slope * down + lean._left(rows), (down + 0.5) / step - 0.5
    expected = warp.remap(sums[None, None], x[None, None], y[None, None], "replicate")[0, 0]
    assert apart(expected, lean.upright(sums.to(device), (rows, columns))) < 1e-3  # places are rounded differently


@proves("clips.looked_up")
@ON_EACH
def test_looking_up_codes(device: str) -> None:
    codes = torch.arange(2 * 3 * 20 * 9).view(2, 3, 20, 9).to(torch.uint8)[:, :, 3:17]
    values = made((2, 256), 1)
    there = clips.looked_up(codes.to(device), values.to(device))
    expected = torch.stack([each[image.int()] for image, each in zip(codes, values, strict=True)])
    assert apart(clips.looked_up(codes, values), there) == apart(expected, there) == 0


def some_strokes(device: str) -> list[torch.Tensor]:
    chance = torch.rand(60, 6, generator=torch.Generator().manual_seed(0))
    start = chance[:, :2] * 100
    end = start + (chance[:, 2:4] - 0.5) * 60
    return [each.to(device) for each in (start, end, 0.3 + 8 * chance[:, 4].square(), 5 * chance[:, 5])]


@proves("splat._empty")
@ON_EACH
def test_summing_in_whole_numbers(device: str) -> None:
    here = splat.strokes((90, 80), *some_strokes("cpu"))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(splat, "_empty", lambda count, at: torch.zeros(count, dtype=torch.int32, device=at))
        there = splat.strokes((90, 80), *some_strokes(device))
    assert float(here.max()) > 0.5
    assert apart(here, there) < 1e-4


@proves("splat._alike")
@ON_EACH
def test_strokes_grouped_by_their_samples(device: str) -> None:
    counts, base = torch.randint(1, 500, (300,)).to(device), torch.randint(0, 9000, (300,)).to(device)
    order, groups = splat._alike(counts, base, 9000)
    assert order.sort().values.tolist() == list(range(300))
    assert sum(part.stop - part.start for part, _ in groups) == 300
    for part, most in groups:
        assert most / 2 <= int(counts[order[part]].min())
        assert int(counts[order[part]].max()) <= most


@proves("fields._octave")
@ON_EACH
@SOME
@given(
    rows=st.integers(1, 9), columns=st.integers(1, 9), times=st.integers(1, 12), channels=st.integers(1, 5), seed=SEEDS
)
def test_growing_fields(rows: int, columns: int, times: int, channels: int, seed: int, device: str) -> None:
    nodes, size = made((1, channels, rows + 2, columns + 2), seed), (rows * times + 2, columns * times + 2)
    assert apart(fields._grow_opencv(nodes, size), fields._grow_torch(nodes.to(device), size)) < CLOSE


# Masks
# ---------------------------------------------------------------------------------------------------------------------


@proves("composite.feather")
@ON_EACH
@SOME
@given(batch=images(greatest_batch=3), radii=st.lists(st.floats(0, 50), min_size=3, max_size=3))
def test_feather(batch: torch.Tensor, radii: list[float], device: str) -> None:
    mask, each = (batch[:, :1] > 0.5).float(), radii[: len(batch)]
    assert apart(composite._feather_opencv(mask, each), composite._feather_torch(mask.to(device), each)) < 2e-5


@proves("composite._smallest")
@ON_EACH
@SOME
@given(batch=images(), share=st.floats(0.0, 1.0))
def test_the_smallest_values(batch: torch.Tensor, share: float, device: str) -> None:
    values = batch[0, 0]
    count = max(1, round(share * values.numel()))
    there = composite._smallest(values.to(device), count)
    assert composite._smallest(values, count) == there == float(values.flatten().sort().values[count - 1])


@proves("composite.blend")
@ON_EACH
@SOME
@given(batch=images(greatest_batch=3), even=st.booleans(), seed=SEEDS)
def test_blends(batch: torch.Tensor, even: bool, seed: int, device: str) -> None:
    under, mask = made(tuple(batch.shape), seed), made((len(batch), 1, *batch.shape[-2:]), seed).sigmoid()
    if even:  # one colour and one mask all over
        under, mask = under[..., :1, :1].expand_as(batch), mask[..., :1, :1]
    there = composite.blend(*(each.to(device) for each in (under, batch, mask)))
    expected = under.double() * (1 - mask) + batch.double() * mask
    for found in (composite.blend(under, batch, mask), there):
        assert apart(expected.float(), found) < CLOSE


@proves("composite.masked")
@ON_EACH
@SOME
@given(batch=images(greatest_batch=3), channels=st.sampled_from([3, 4]), seed=SEEDS)
def test_masked_images(batch: torch.Tensor, channels: int, seed: int, device: str) -> None:
    batch, mask = made((len(batch), channels, *batch.shape[2:]), seed), batch[:, :1]
    assert apart(composite.masked(batch, mask), composite.masked(batch.to(device), mask.to(device))) == 0
    assert apart(batch * mask, composite.masked(batch, mask)) == 0


@proves("composite.veiled")
@ON_EACH
@SOME
@given(batch=images(greatest_batch=3), bare=st.floats(0, 1), seed=SEEDS)
def test_veils(batch: torch.Tensor, bare: float, seed: int, device: str) -> None:
    """Light and thickness of each image's own, up to more light than white, and rows with nothing in front."""
    light, thickness = made((len(batch), 3, 1, 1), seed).abs(), made((len(batch), 1, *batch.shape[-2:]), seed).abs()
    thickness[:, :, : round(bare * batch.shape[2])] = 0
    passing = torch.exp(-thickness.double())
    expected = (batch * passing + light * (1 - passing)).clamp(max=1.0).float()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(composite, "_IN_CACHE", 2 * batch[:1, :, :1].numel())
        here = composite.veiled(batch, light, thickness)
    for found in (here, composite.veiled(*(each.to(device) for each in (batch, light, thickness))).cpu()):
        assert apart(expected, found) < CLOSE


@proves("composite.weighted")
@ON_EACH
@SOME
@given(batch=images(greatest_batch=3), even=st.booleans(), seed=SEEDS)
def test_weighted_sums(batch: torch.Tensor, even: bool, seed: int, device: str) -> None:
    other, weight = made(tuple(batch.shape), seed), made((len(batch), 1, *batch.shape[-2:]), seed).sigmoid()
    if even:  # one colour and one weight all over
        other, weight = other[..., :1, :1].expand_as(batch), weight[..., :1, :1]
    there = composite.weighted(*(each.to(device) for each in (batch, weight, other, 1 - weight)))
    expected = batch.double() * weight + other.double() * (1 - weight)
    for found in (composite.weighted(batch, weight, other, 1 - weight), there):
        assert apart(expected.float(), found) < CLOSE
