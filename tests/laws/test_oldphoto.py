"""The laws of old prints: what fades, and what marks leave alone."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rrframe
from rrframe.contracts.cue import Cues
from rrframe.contracts.draw import Draws
from rrframe.contracts.trying import image_key

SOME = settings(max_examples=10, deadline=None)
EVEN = {"cast": 0.0, "toned": 0.0, "stain": 0.0, "unevenness": 0.0}


def aged(name: str, images: torch.Tensor, *, seed: int = 0, severity: float | None = None, **params: object):
    component = rrframe.load(name, **params)
    draws = Draws([component.draw(image_key(seed, index), severity) for index in range(len(images))])
    return component.apply(images, draws, Cues({}))


def marked(image: torch.Tensor, **counts: object) -> torch.Tensor:
    """Whether a pixel is changed much, ``[H, W]``."""
    none = {"scratches": 0, "creases": 0, "specks": 0, "hairs": 0}
    return (aged("oldphoto/scratches", image, **{**none, **counts}) - image).abs().amax(dim=1)[0] > 0.1


@SOME
@given(st.floats(0.0, 0.9), st.floats(0.05, 1.0))
def test_dyes_lose_their_share_of_density(fade, light) -> None:
    image = torch.full((1, 3, 8, 8), light)
    faded = aged("oldphoto/fade", image, fade=fade, **EVEN)
    assert float(faded.mean()) == pytest.approx(min(1.0, (light + 0.01 * fade) ** (1 - fade)), abs=1e-4)


def test_black_turns_grey_and_contrast_falls() -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 8, 64)
    faded = aged("oldphoto/fade", ramp, fade=0.5, **EVEN)
    assert float(faded[..., 0].mean()) > 0.05
    assert (faded[0, 0, 0].diff() >= 0).all()
    assert float(faded.std()) < float(ramp.std())


@pytest.mark.parametrize(("cast", "redder"), [(1.0, True), (-1.0, False)])
def test_the_cast_goes_both_ways(cast, redder) -> None:
    faded = aged("oldphoto/fade", torch.full((1, 3, 8, 8), 0.2), fade=0.4, **{**EVEN, "cast": cast})
    assert (float(faded[:, 0].mean()) > float(faded[:, 2].mean())) is redder


def test_a_toned_print_has_one_tone() -> None:
    image = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    toned = aged("oldphoto/fade", image, fade=0.3, **{**EVEN, "toned": 1.0})[0]
    order = toned[0].flatten().argsort()
    assert (toned[1].flatten()[order].diff() >= -1e-6).all()  # no colour but that of the tone
    assert (toned[2].flatten()[order].diff() >= -1e-6).all()
    assert (toned[0] >= toned[1]).all()
    assert (toned[1] >= toned[2]).all()


def test_no_marks_leave_the_print_as_it_is() -> None:
    image = torch.rand(1, 3, 50, 70, generator=torch.Generator().manual_seed(0))
    assert torch.equal(aged("oldphoto/scratches", image, scratches=0, creases=0, specks=0, hairs=0), image)


@pytest.mark.parametrize("kind", ["scratches", "creases", "specks", "hairs"])
def test_more_marks_are_the_same_ones_and_others(kind) -> None:
    image = torch.full((1, 3, 300, 400), 0.3)
    few, many = marked(image, **{kind: 5}), marked(image, **{kind: 40})
    assert 0 < int(few.sum()) < int(many.sum())
    assert float((few & ~many).sum()) < 0.05 * float(few.sum())


def test_marks_cover_the_same_share_at_every_size() -> None:
    """Bugs of public code: lines of a fixed number of pixels."""
    shares = [
        float(marked(torch.full((1, 3, side, side), 0.3), scratches=40, width=5.0).float().mean())
        for side in (512, 1024)
    ]
    assert shares[0] == pytest.approx(shares[1], rel=0.15)


def test_creases_reach_from_border_to_border() -> None:
    crease = marked(torch.full((1, 3, 200, 300), 0.2), creases=1, width=4.0)
    rows, columns = crease.nonzero().T
    length = math.hypot(int(rows.max() - rows.min()), int(columns.max() - columns.min()))
    borders = [crease[:12].any(), crease[-12:].any(), crease[:, :12].any(), crease[:, -12:].any()]
    assert sum(map(bool, borders)) >= 2 or length > 180


def test_hairs_are_dark_and_scratches_are_light() -> None:
    image = torch.full((1, 3, 200, 300), 0.4)
    nothing = {"creases": 0, "specks": 0}
    hairs = aged("oldphoto/scratches", image, hairs=20, scratches=0, **nothing)
    scratches = aged("oldphoto/scratches", image, hairs=0, scratches=20, **nothing)
    assert float(hairs.max()) <= 0.4 + 1e-6
    assert float(scratches.min()) >= 0.4 - 1e-6
