"""Laws of effects on a part of the image: what lies outside is untouched, and the part is as large as was asked."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rrframe
from rrframe import Chain, Cues, Draw, Draws
from rrframe.contracts.trying import image_key
from rrframe.imaging import composite
from rrframe.testing.strategies import images, seeds

SHAPES = ["ellipse", "polygon", "band"]
NOISE = [{"use": "noise/poisson-gaussian", "params": {"shot": 0.05}}]
QUICK = settings(max_examples=25, deadline=None)


def region(**params):
    return rrframe.load("effect/region", **{"chain": NOISE, **params})


def draws_of(effect, seed, count=1):
    return Draws([effect.draw(image_key(seed, index)) for index in range(count)])


def blocks(height, width, side):
    """Segments that are squares of ``side`` pixels."""
    rows, columns = np.mgrid[:height, :width] // side
    return torch.from_numpy((rows * (columns.max() + 1) + columns).astype(np.float32))[None, None]


@QUICK
@given(images(least_side=8, greatest_side=64), seeds(), st.sampled_from([*SHAPES, "segments"]), st.floats(0.0, 1.0))
def test_outside_the_feathered_mask_every_bit_stays(image, seed, shape, area):
    on_segments = shape == "segments"
    effect = region(area=area, feather=60, **({"cue": "segments"} if on_segments else {"shape": shape}))
    cues = Cues({"segments": blocks(*image.shape[-2:], 4)} if on_segments else {})
    draws = draws_of(effect, seed)
    mask = effect.mask(image, draws, cues)
    done = effect.apply(image, draws, cues)
    inner = effect.chain.apply(image, [one.steps[0] for one in draws], cues, effect.light)
    outside, inside = (mask == 0).expand_as(image), (mask == 1).expand_as(image)
    assert torch.equal(done[outside], image[outside])
    assert torch.equal(done[inside], inner[inside])
    between = torch.lerp(image, inner, mask)
    assert torch.allclose(done, between, atol=1e-6)


@QUICK
@given(st.sampled_from(SHAPES), st.floats(0.0, 1.0), seeds(), st.integers(1, 4))
def test_drawn_shapes_cover_the_area_asked_for(shape, area, seed, pieces):
    effect = region(shape=shape, area=area, feather=0, pieces=pieces)
    mask = effect.mask(torch.zeros(1, 3, 60, 90), draws_of(effect, seed), Cues())
    assert float(mask.mean()) == pytest.approx(area, abs=2e-3)


@QUICK
@given(st.floats(0.05, 0.95), seeds(), st.integers(1, 4))
def test_segments_cover_the_area_to_within_half_a_segment(area, seed, pieces):
    effect = region(cue="segments", area=area, feather=0, pieces=pieces)
    labels = blocks(60, 90, 6)
    mask = effect.mask(torch.zeros(1, 3, 60, 90), draws_of(effect, seed), Cues({"segments": labels}))
    assert set(mask.unique().tolist()) <= {0.0, 1.0}
    assert abs(float(mask.mean()) - area) <= 0.5 * 36 / (60 * 90) + 1e-6
    for label in labels.unique():  # whole segments
        assert len(mask[labels == label].unique()) == 1


def test_a_region_of_segments_hangs_together():
    import cv2

    effect = region(cue="segments", area=0.4, feather=0, pieces=1)
    for seed in range(10):
        mask = effect.mask(torch.zeros(1, 3, 60, 90), draws_of(effect, seed), Cues({"segments": blocks(60, 90, 6)}))
        count, _ = cv2.connectedComponents(mask[0, 0].numpy().astype(np.uint8), connectivity=4)
        assert count == 2  # the background and one region


def test_segments_larger_than_the_area_and_a_picture_of_one_segment():
    effect = region(cue="segments", area=0.2, feather=0)
    half = torch.zeros(1, 1, 10, 10)
    half[..., 6:] = 1
    mask = effect.mask(torch.zeros(1, 3, 10, 10), draws_of(effect, 0), Cues({"segments": half}))
    assert torch.equal(mask, (half == 1).float())  # the smaller one, rather than nothing
    one = effect.mask(torch.zeros(1, 3, 10, 10), draws_of(effect, 0), Cues({"segments": torch.zeros(1, 1, 10, 10)}))
    assert bool((one == 1).all())
    none = region(cue="segments", area=0.0)
    assert not none.mask(torch.zeros(1, 3, 10, 10), draws_of(none, 0), Cues({"segments": half})).any()


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_the_same_at_every_size(shape):
    effect = region(shape=shape, area=0.4, feather=20, pieces=2)
    draws = draws_of(effect, 5)
    small = effect.mask(torch.zeros(1, 3, 100, 150), draws, Cues())
    large = effect.mask(torch.zeros(1, 3, 400, 600), draws, Cues())
    shrunk = torch.nn.functional.avg_pool2d(large, 4)
    assert float((small - shrunk).abs().mean()) < 0.01


def test_the_edge_is_as_wide_as_asked_at_every_size():
    for side in (500, 1000):
        effect = region(shape="band", area=0.5, feather=8, pieces=1)
        draws = draws_of(effect, 3)
        soft = effect.mask(torch.zeros(1, 3, side, side), draws, Cues())
        radius = 8 * side / 1000
        edges = ((soft > 0.5) != (soft > 0.5).roll(1, -2)).sum() + ((soft > 0.5) != (soft > 0.5).roll(1, -1)).sum()
        between = ((soft > 0) & (soft < 1)).sum()
        assert radius < float(between / edges) < 3 * radius  # twice the radius, less where the edge is slanted


def test_the_mask_comes_from_the_draw_alone():
    effect = region()
    draw = effect.draw(image_key(1))
    again = Draw.model_validate(json.loads(draw.model_dump_json()))
    image = torch.zeros(1, 3, 40, 50)
    first = effect.mask(image, Draws([draw]), Cues())
    assert torch.equal(first, effect.mask(torch.ones_like(image), Draws([again]), Cues()))
    assert not torch.equal(first, effect.mask(image, Draws([effect.draw(image_key(2))]), Cues()))


def test_the_mask_does_not_depend_on_severity():
    effect = region()
    masks = [effect.mask(torch.zeros(1, 3, 40, 50), Draws([effect.draw(image_key(1), s)]), Cues()) for s in (0.1, 0.9)]
    assert torch.equal(*masks)


def test_pixels_outside_stay_equal_in_the_finished_file(photo):
    effect = region(area=0.3)  # works in linear light, so the whole picture is converted there and back
    done = effect(photo, seed=4)
    mask = effect.mask(
        torch.zeros(1, 3, *photo.shape[:2]), Draws([Chain((effect,)).draw(image_key(4, 0)).steps[0]]), Cues()
    )
    outside = mask[0, 0].numpy() == 0
    assert outside.mean() > 0.5
    assert np.array_equal(done[outside], photo[outside])
    assert not np.array_equal(done[~outside], photo[~outside])


def test_a_codec_inside_is_a_file_of_the_whole_picture(photo):
    whole = rrframe.load("compression/jpeg", quality=10, chroma="4:2:0")
    effect = region(chain=[{"use": "compression/jpeg", "params": {"quality": 10, "chroma": "4:2:0"}}], feather=0)
    done, file = effect(photo, seed=2), whole(photo)
    inside = (done != photo).any(axis=-1)
    assert inside.mean() > 0.1
    assert np.array_equal(done[inside], file[inside])


def test_the_target_changes_in_the_same_part():
    flip = [{"use": "effect/augment", "params": {"transform": "HorizontalFlip"}}]
    effect = region(chain=flip, feather=30)
    image = torch.rand(1, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    draws = draws_of(effect, 0)
    target = effect.retarget(image, draws, Cues())
    outside = (effect.mask(image, draws, Cues()) == 0).expand_as(image)
    assert torch.equal(target[outside], image[outside])
    assert torch.equal(target, effect.apply(image, draws, Cues()))


# Primitives
# ---------------------------------------------------------------------------------------------------------------------


@QUICK
@given(images(greatest_side=40, greatest_batch=3), st.floats(0, 20))
def test_feather_stays_zero_far_away_and_one_deep_inside(image, radius):
    mask = (image[:, :1] > 0.5).float()
    soft = composite.feather(mask, radius)
    reach = int(np.ceil(radius))
    grown = torch.nn.functional.max_pool2d(mask, 2 * reach + 1, 1, reach)
    shrunk = 1 - torch.nn.functional.max_pool2d(1 - mask, 2 * reach + 1, 1, reach)
    assert float(soft[grown == 0].abs().sum()) == 0.0
    assert bool((soft[shrunk == 1] == 1).all())
    assert float(soft.min()) >= 0
    assert float(soft.max()) <= 1


@QUICK
@given(st.integers(1, 20), st.integers(1, 20), st.floats(0, 1), seeds())
def test_lowest_takes_that_share_of_the_pixels(height, width, share, seed):
    field = torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    mask = composite.lowest(field, share)
    assert mask.sum(dim=(1, 2, 3)).tolist() == [round(share * height * width)] * 2
    for one, lit in zip(field, mask, strict=True):
        if 0 < int(lit.sum()) < lit.numel():
            assert float(one[lit == 1].max()) < float(one[lit == 0].min())


def test_screen_is_symmetric_and_never_leaves_the_range():
    one, other = torch.rand(2, 1, 3, 9, 9, generator=torch.Generator().manual_seed(0))
    both = composite.screen(one, other)
    assert torch.allclose(both, composite.screen(other, one))
    assert bool((both >= torch.maximum(one, other) - 1e-6).all())
    assert float(both.max()) <= 1
    assert torch.equal(composite.screen(one, torch.zeros_like(one)), one)
