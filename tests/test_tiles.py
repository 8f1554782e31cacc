"""Tiles: every size is covered, nothing is lost, and no seam shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import rrframe
from rrframe import Backbone, Capabilities, RRFrameError
from rrframe.imaging.tiles import Tiling, fitting


def _smooth(height: int, width: int, count: int = 1) -> torch.Tensor:
    """Waves of a few hundred pixels, different in each channel and image."""
    rows, columns = torch.arange(height).view(-1, 1) / 97, torch.arange(width).view(1, -1) / 61
    waves = [torch.sin(rows * (1 + 0.3 * number) + columns * (1 - 0.2 * number)) for number in range(3 * count)]
    return (torch.stack(waves).view(count, 3, height, width) + 1) / 2


def _mean(radius: int):
    return lambda images: nn.functional.avg_pool2d(images, 2 * radius + 1, 1, radius, count_include_pad=False)


@st.composite
def _tilings(draw):
    multiple = draw(st.sampled_from([1, 2, 3, 8, 16]))
    side = draw(st.integers(2 * multiple, 96 + 2 * multiple))
    half = side // multiple // 2
    return Tiling(side, draw(st.none() | st.integers(0, half * multiple)), multiple)


@settings(max_examples=50, deadline=None)
@given(_tilings(), st.integers(1, 260), st.integers(1, 260), st.integers(1, 5))
def test_nothing_done_gives_the_image_back(tiling, height, width, batch):
    images = torch.rand(2, 3, height, width)
    sizes = []

    def nothing(tiles):
        assert len(tiles) <= batch
        sizes.append(tiles.shape[-2:])
        return tiles

    done = tiling.apply(images, nothing, batch)
    assert done.shape == images.shape
    assert (done - images).abs().max() < 1e-6
    if tiling.cuts(height, width):
        assert len(set(sizes)) == 1
        assert all(side <= tiling.side and side % tiling.multiple == 0 for side in sizes[0])


@settings(max_examples=200, deadline=None)
@given(_tilings(), st.integers(1, 2000))
def test_tiles_cover_a_side_and_overlap_as_asked(tiling, length):
    spans = tiling.spans(length)
    starts, stops = [start for start, _ in spans], [stop for _, stop in spans]
    assert starts[0] == 0
    assert length <= stops[-1] < length + tiling.multiple
    assert {stop - start for start, stop in spans} == {stops[0]}
    assert all(start % tiling.multiple == 0 for start in starts)
    shared = tiling.side // 8 // tiling.multiple * tiling.multiple if tiling.overlap is None else tiling.overlap
    for stop, start in zip(stops, starts[1:], strict=False):
        assert stop - start >= shared


@settings(max_examples=25, deadline=None)
@given(st.integers(40, 200), st.integers(40, 200), st.integers(16, 32), st.integers(1, 4))
def test_what_looks_no_further_than_a_quarter_of_the_overlap_is_exact(height, width, overlap, radius):
    images = torch.rand(1, 3, height, width)
    whole, tiled = _mean(radius)(images), Tiling(80, overlap).apply(images, _mean(radius))
    inner = (slice(None), slice(None), slice(radius, height - radius), slice(radius, width - radius))
    assert (whole[inner] - tiled[inner]).abs().max() < 1e-5


@settings(max_examples=15, deadline=None)
@given(st.integers(100, 300), st.integers(100, 300), st.integers(1, 14))
def test_no_seam_shows_in_a_smooth_image(height, width, radius):
    """Where the function looks at no more pixels than tiles share: up to 29 across, of 32."""
    images = _smooth(height, width)
    whole, tiled = _mean(radius)(images), Tiling(96, 32).apply(images, _mean(radius))
    inner = (slice(None), slice(None), slice(radius, height - radius), slice(radius, width - radius))
    assert (whole[inner] - tiled[inner]).abs().max() < 1 / 255


def test_a_seam_would_show_without_fading():
    """The law above can fail: tiles side by side break it."""
    images = _smooth(200, 200)
    whole, tiled = _mean(16)(images), Tiling(96, 0).apply(images, _mean(16))
    assert (whole - tiled)[..., 20:-20, 20:-20].abs().max() > 2 / 255


def test_the_grid_of_a_network_that_halves_is_the_same_in_every_tile():
    def blocks(images):  # as coarse as a network that halves its input four times
        return nn.functional.interpolate(nn.functional.avg_pool2d(images, 16), scale_factor=16.0)

    images = torch.rand(1, 3, 16 * 13, 16 * 9)
    assert torch.allclose(Tiling(70, 20, 16).apply(images, blocks), blocks(images), atol=1e-6)


def test_tiles_that_cannot_be():
    for side, overlap, multiple in [(30, None, 16), (64, 40, 16), (10, 6, 1)]:
        with pytest.raises(RRFrameError):
            Tiling(side, overlap, multiple)
    assert Tiling(None).apply(torch.rand(1, 3, 4, 4000), lambda tiles: tiles).shape == (1, 3, 4, 4000)


def test_small_images_go_together_and_large_ones_alone():
    assert fitting(256, 256) == 16
    assert fitting(512, 512) == 4
    assert fitting(4000, 3000) == 1


class Brighter(Backbone):
    """Adds a constant, in pieces of at most 64 pixels; notes what it was given."""

    amount: float = 0.125
    seen: list[Any] = []

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(largest_side=64, multiple=8, trainable=False)

    def build(self) -> nn.Module:
        return nn.Identity()

    def loss(self, batch, rng):
        raise NotImplementedError

    def restore(self, images, task, **settings):
        self.seen.append((tuple(images.shape), task, settings))
        return images + self.amount


@pytest.mark.parametrize("size", [(1, 1), (64, 64), (65, 3), (200, 131)])
def test_a_backbone_takes_any_size_from_python(size):
    brighter = Brighter(seen=[])
    height, width = size
    deep = np.random.default_rng(0).integers(0, 50_000, (height, width, 3)).astype(np.uint16)
    assert np.abs(brighter(deep, "noise").astype(int) - deep - 65535 * 0.125).max() <= 1
    floats = deep.astype(np.float32) / 65535
    given_back = brighter(floats, "noise", seed=3)
    assert given_back.dtype == np.float32
    assert np.abs(given_back - floats - 0.125).max() < 1e-6
    grey = Image.fromarray(deep[..., 0])
    assert grey.mode.startswith("I;16")
    assert np.abs(np.asarray(brighter(grey, "noise")).astype(int) - deep[..., 0] - 65535 * 0.125).max() <= 1
    assert all(max(shape[-2:]) <= 64 for shape, _, _ in brighter.seen)
    assert brighter.seen[-1][1] == "noise"
    assert {"seed": 3} in [given for _, _, given in brighter.seen]


def test_tiles_are_set_from_python():
    brighter = Brighter(seen=[])
    brighter(np.zeros((40, 40, 3), np.uint8), "noise", tile=32, overlap=8)
    assert {shape[-2:] for shape, _, _ in brighter.seen} == {(24, 24)}
    brighter(np.zeros((100, 100, 3), np.uint8), "noise", tile="off")
    assert brighter.seen[-1][0][-2:] == (100, 100)
    with pytest.raises(RRFrameError, match="at most 64"):
        brighter(np.zeros((100, 100, 3), np.uint8), "noise", tile=100)
    with pytest.raises(RRFrameError, match="auto, off"):
        brighter(np.zeros((100, 100, 3), np.uint8), "noise", tile="large")


@pytest.mark.parametrize(
    ("done", "told"),
    [(lambda images: images[..., 1:], "it gave"), (lambda images: images / 0 - images / 0, "not finite")],
)
def test_a_backbone_that_gives_nonsense_is_named(done, told):
    class Wrong(Brighter):
        def restore(self, images, task, **settings):
            return done(images)

    with pytest.raises(RRFrameError, match=told) as caught:
        Wrong()(np.ones((100, 80, 3), np.uint8), "noise")
    assert "Wrong" in str(caught.value)


def test_three_lines_of_python_on_a_photograph(photo):
    restorer = rrframe.load("backbone/nafnet", preset="tiny")
    clean = restorer(photo, "noise", tile=256)
    assert clean.shape == photo.shape
    assert clean.dtype == np.uint8
