"""Smooth random fields: their variance, their grain, and the two ways they are made."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rrframe import Draw, Draws
from rrframe.imaging import fields

SIDES = st.integers(1, 60)


def draws(*seeds: int) -> Draws:
    return Draws([Draw(seed=seed) for seed in seeds])


@given(height=SIDES, width=SIDES, scale=st.floats(0.1, 1000), octaves=st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_any_size_and_scale(height: int, width: int, scale: float, octaves: int) -> None:
    like = torch.zeros(2, 3, height, width)
    field = fields.smooth(draws(1, 2).rng, like, scale, octaves)
    assert field.shape == (2, 1, height, width)
    assert field.dtype == torch.float32
    assert field.isfinite().all()


@given(scale=st.floats(5, 1000), channels=st.integers(1, 5))
@settings(max_examples=20, deadline=None)
def test_a_batch_gives_what_singles_give(scale: float, channels: int) -> None:
    like = torch.zeros(1, 3, 40, 57)
    together = fields.smooth(draws(5, 6).rng, like.expand(2, -1, -1, -1), scale, 3, channels=channels)
    for index, seed in enumerate((5, 6)):
        alone = fields.smooth(draws(seed).rng, like, scale, 3, channels=channels)
        assert torch.equal(alone[0], together[index])


@pytest.mark.parametrize("scale", [30, 100, 400])
def test_every_place_has_mean_0_and_variance_1(scale: float) -> None:
    field = fields.smooth(draws(*range(3000)).rng, torch.zeros(3000, 3, 40, 40), scale, 2)
    assert float(field.mean(0).abs().max()) < 0.1  # five standard errors
    assert float(field.var(0).mean()) == pytest.approx(1.0, abs=0.05)
    inner = field.var(0)[0, 10:-10, 10:-10]
    assert float((inner - 1).abs().max()) < 0.15  # no grid of nodes shows through


@pytest.mark.parametrize("size", [128, 512])
def test_the_scale_is_told_in_thousandths_of_the_shorter_side(size: int) -> None:
    field = fields.smooth(draws(*range(40)).rng, torch.zeros(40, 3, size, 2 * size), 100)[:, 0]
    for distance, expected in ((0.0, 1.0), (0.1, 1 / 6), (0.15, 0.0)):
        shift = round(distance * size)
        for one, other in (
            (field[:, : size - shift], field[:, shift:]),
            (field[..., : 2 * size - shift], field[..., shift:]),
        ):
            assert float((one * other).mean()) == pytest.approx(expected, abs=0.06)


def test_weights_do_not_change_the_variance() -> None:
    like = torch.zeros(200, 3, 64, 64)
    for weights in ((1.0,), (1.0, 0.5, 0.25), (5.0, 5.0)):
        field = fields.layered(draws(*range(200)).rng, like, [60, 30, 15][: len(weights)], weights)
        assert float(field.var()) == pytest.approx(1.0, abs=0.04)
