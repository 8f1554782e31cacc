"""What lies before a picture of eight bits, by tables, is what it is in floats."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rrframe.imaging.colour import linear_to_pixels, pixels_to_linear
from rrframe.imaging.composite import screen, veiled
from rrframe.imaging.laid import added_pixels, screened_pixels, veiled_pixels

SOME = settings(max_examples=40, deadline=None)
SEEDS = st.integers(0, 999)


def picture(random: np.random.Generator) -> np.ndarray:
    return random.integers(0, 256, (40, 70, 3), dtype=np.uint8)


def apart(one: np.ndarray, other: torch.Tensor) -> int:
    return int(np.abs(one.astype(int) - linear_to_pixels(other[0])).max())


@SOME
@given(
    light=st.lists(st.floats(0, 2), min_size=3, max_size=3),
    thickest=st.floats(-4, 2).map(lambda power: 10**power),
    steep=st.sampled_from([1, 4, 12]),
    share=st.sampled_from([0.02, 0.3, 1.0]),
    seed=SEEDS,
)
def test_a_veil(light: list[float], thickest: float, steep: int, share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    pixels, shining = picture(random), torch.tensor(light).view(1, 3, 1, 1)
    thick = thickest * random.random((40, 70)) ** steep * (random.random((40, 70)) < share)
    thickness = torch.from_numpy(thick.astype(np.float32))[None, None]
    given_pixels = pixels.copy()
    done = veiled_pixels(pixels, shining, thickness)
    assert apart(done, veiled(pixels_to_linear(pixels), shining, thickness)) <= 1
    assert (pixels == given_pixels).all()
    assert (done == pixels)[thick == 0].all()


@SOME
@given(strength=st.floats(0, 4), encoded=st.booleans(), seed=SEEDS)
def test_a_layer_of_light(strength: float, encoded: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    pixels = picture(random)
    layer = picture(random) if encoded else random.integers(0, 65536, (40, 70, 3), dtype=np.uint16)
    linear = pixels_to_linear(layer) if encoded else torch.from_numpy(layer / np.float32(65535)).permute(2, 0, 1)[None]
    behind, light = pixels_to_linear(pixels), linear * strength
    assert apart(screened_pixels(pixels, layer, strength), screen(behind, light.clamp(max=1))) <= 1
    assert apart(added_pixels(pixels, layer, strength), (behind + light).clamp(max=1)) <= 1


def test_where_nothing_is_in_front_it_is_the_very_picture() -> None:
    pixels = picture(np.random.default_rng(0))
    assert veiled_pixels(pixels, torch.ones(1, 3, 1, 1), torch.zeros(1, 1, 40, 70)) is pixels
    assert screened_pixels(pixels, np.zeros((40, 70, 3), np.uint16), 0.0) is pixels


@pytest.mark.parametrize("rows", [slice(0, 9), slice(12, 30), slice(33, 40)])
def test_a_band(rows: slice) -> None:
    pixels, thickness = picture(np.random.default_rng(1)), torch.zeros(1, 1, 40, 70)
    thickness[:, :, rows] = 0.5
    light = torch.ones(1, 3, 1, 1)
    assert apart(veiled_pixels(pixels, light, thickness), veiled(pixels_to_linear(pixels), light, thickness)) <= 1
