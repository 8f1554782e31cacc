"""The laws of codecs."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import av
import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rrframe
from rrframe import Cues, Draw, Draws, Key, RRFrameError
from rrframe.contracts.component import create
from rrframe.imaging.codec import CHROMA, decode, encode_jpeg, through_jpeg
from rrframe.imaging.layout import to_batch, to_pixels

BLOCK = 8


def degraded(name: str, pixels: np.ndarray, **params: object) -> np.ndarray:
    return np.asarray(create(name, params)(pixels))


def error(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one.astype(float) - other) ** 2)))


def steps_by_phase(pixels: np.ndarray, axis: int) -> np.ndarray:
    """The mean step from a line to the next, for the eight places that a step has in a grid of blocks."""
    steps = np.abs(np.diff(pixels.astype(float), axis=axis)).mean(axis=(1 - axis, 2))
    return np.array([steps[phase::BLOCK].mean() for phase in range(BLOCK)])


def grid_at(pixels: np.ndarray, axis: int) -> int:
    """Where blocks begin, by the largest steps."""
    return int(steps_by_phase(pixels, axis).argmax() + 1) % BLOCK


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    quality=st.integers(1, 100),
    chroma=st.sampled_from(CHROMA),
    seed=st.integers(0, 99),
)
def test_jpeg_leaves_what_its_file_does(height: int, width: int, quality: int, chroma: str, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    expected = decode(encode_jpeg(pixels, quality, chroma))
    assert np.array_equal(through_jpeg(pixels, quality, chroma), expected)


@pytest.mark.parametrize("axis", [0, 1])
def test_jpeg_leaves_a_grid_of_eight(photo: np.ndarray, axis: int) -> None:
    assert grid_at(degraded("compression/jpeg", photo, quality=15), axis) == 0
    phases = steps_by_phase(degraded("compression/jpeg", photo, quality=15), axis)
    assert phases[7] > 1.3 * np.delete(phases, 7).mean()
    clean = steps_by_phase(photo, axis)
    assert clean[7] < 1.1 * np.delete(clean, 7).mean()


@pytest.mark.parametrize("name", ["compression/jpeg", "compression/avif", "compression/video"])
@pytest.mark.parametrize("axis", [0, 1])
def test_chroma_is_subsampled_as_asked(name: str, axis: int) -> None:
    """Lines of two colours, a pixel wide, stay apart unless their chroma is halved across them."""
    lines = np.empty((64, 64, 3), np.uint8)
    lines[:], lines[:, ::2] = (160, 100, 100), (100, 130, 100)
    if axis == 0:
        lines = np.ascontiguousarray(lines.swapaxes(0, 1))
    best = {"compression/jpeg": {"quality": 95}, "compression/avif": {"quality": 95}}.get(name, {"h264": 5, "h265": 5})
    apart = {}
    for chroma in ("4:4:4", "4:2:2", "4:2:0"):
        saved = degraded(name, lines, chroma=chroma, **best).astype(float)
        even, odd = (saved[:, start::2] if axis == 1 else saved[start::2] for start in (0, 1))
        apart[chroma] = abs(float((odd[..., 0] - odd[..., 2]).mean() - (even[..., 0] - even[..., 2]).mean()))
    assert apart["4:4:4"] > 45
    assert apart["4:2:0"] < 20
    assert apart["4:2:2"] < 20 if axis == 1 else apart["4:2:2"] > 45


@pytest.mark.parametrize(
    ("name", "dial", "steps", "more"),
    [
        ("compression/jpeg", "quality", (10, 30, 60, 95), {"chroma": "4:2:0"}),
        ("compression/webp", "quality", (5, 30, 60, 95), {}),
        ("compression/avif", "quality", (10, 30, 60, 95), {"chroma": "4:2:0"}),
        ("compression/recompress", "quality", (10, 30, 60, 95), {"generations": 2, "scale": 0.8, "method": "cubic"}),
        ("compression/video", "h264", (42, 34, 26, 10), {"codec": "h264"}),
        ("compression/video", "h265", (42, 34, 26, 10), {"codec": "h265"}),
    ],
)
def test_better_settings_are_nearer(
    photo: np.ndarray, name: str, dial: str, steps: tuple[int, ...], more: dict
) -> None:
    part = np.ascontiguousarray(photo[:192, 128:320])
    errors = [error(degraded(name, part, **{dial: step}, **more), part) for step in steps]
    assert all(worse > 1.1 * better for worse, better in pairwise(errors)), errors


def test_webp_of_quality_100_is_without_loss(photo: np.ndarray) -> None:
    assert np.array_equal(degraded("compression/webp", photo, quality=100), photo)


@pytest.mark.parametrize("name", ["jpeg", "webp", "avif", "recompress", "video"])
def test_white_stays_white_and_black_black(name: str) -> None:
    """Values beyond the last code are clamped, and never wrap round to the other end."""
    checks = np.kron(np.indices((9, 9)).sum(axis=0) % 2, np.ones((5, 5))).astype(np.uint8)[..., None].repeat(3, 2) * 255
    for seed in range(3):
        saved = np.asarray(rrframe.load(f"compression/{name}")(checks, severity=0.4, seed=seed)).astype(int)
        middle = saved[2::5, 2::5], checks[2::5, 2::5].astype(int)
        assert np.abs(middle[0] - middle[1]).max() < 128


def test_values_between_codes_are_rounded() -> None:
    operator = create("compression/jpeg", {"quality": 100, "chroma": "4:4:4"})
    image = torch.full((1, 3, 16, 16), 100.6 / 255)
    draws = Draws([operator.draw(Key.of(1))])
    assert to_pixels(operator.apply(image, draws, Cues())[0]).mean() == pytest.approx(101, abs=0.01)


# Recompression
# ---------------------------------------------------------------------------------------------------------------------


def saved(pixels: np.ndarray, *generations: dict) -> np.ndarray:
    operator = rrframe.load("compression/recompress")
    common = {"quality": 15, "chroma": "4:4:4", "scale": 1.0, "method": "area", "down": 0, "right": 0}
    draw = Draw(seed=1, values={"generations": [common | each for each in generations]})
    return to_pixels(operator.apply(to_batch(pixels), Draws([draw]), Cues())[0])


@pytest.mark.parametrize(("down", "right"), [(3, 5), (0, 1), (7, 4)])
def test_recompression_shifts_the_grid(photo: np.ndarray, down: int, right: int) -> None:
    again = saved(photo, {"quality": 100}, {"down": down, "right": right})
    assert (grid_at(again, 0), grid_at(again, 1)) == (-down % BLOCK, -right % BLOCK)


def test_a_shifted_grid_harms_and_one_in_place_does_not(photo: np.ndarray) -> None:
    once = saved(photo, {})
    in_place, shifted = saved(photo, {}, {}), saved(photo, {}, {"down": 4, "right": 4})
    assert error(in_place, once) < 0.1 * error(shifted, once)
    assert error(shifted, photo) > error(in_place, photo)


def test_grids_are_drawn_all_over_the_block() -> None:
    operator = create("compression/recompress", {"generations": 3})
    drawn = [operator.draw(Key.of(number)).values["generations"] for number in range(200)]
    assert {(first["down"], first["right"]) for first, *_ in drawn} == {(0, 0)}
    assert {later["down"] for _, *others in drawn for later in others} == set(range(BLOCK))
    assert {later["right"] for _, *others in drawn for later in others} == set(range(BLOCK))


def test_one_more_generation_leaves_those_before_it() -> None:
    few, many = (create("compression/recompress", {"generations": count}).draw(Key.of(7)) for count in (2, 4))
    assert many.values["generations"][:2] == few.values["generations"]


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (37, 53)])
def test_recompression_keeps_the_size(photo: np.ndarray, size: tuple[int, int]) -> None:
    part = np.ascontiguousarray(photo[: size[0], : size[1]])
    assert degraded("compression/recompress", part, scale=0.5, generations=4).shape == part.shape


# Video
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["h264", "h265"])
@pytest.mark.parametrize("size", [(1, 1), (1504, 1504), (16, 4300)])
def test_video_takes_pictures_of_any_size(photo: np.ndarray, codec: str, size: tuple[int, int]) -> None:
    """The standard's levels ask for larger blocks from 2,228,224 pixels and from sides of 4,222 on."""
    picture = cv2.resize(photo, size[::-1], interpolation=cv2.INTER_AREA)
    saved = degraded("compression/video", picture, codec=codec, h264=23, h265=28)
    assert saved.shape == picture.shape
    assert cv2.PSNR(saved, picture) > 20


def test_a_missing_encoder_is_named(monkeypatch: pytest.MonkeyPatch, photo: np.ndarray) -> None:
    create_context = av.CodecContext.create

    def refuse(name: str, mode: str) -> av.CodecContext:
        return create_context("libnone" if name == "libx265" else name, mode)

    class Without:
        create = staticmethod(refuse)

    monkeypatch.setattr(av, "CodecContext", Without)
    with pytest.raises(RRFrameError, match="libx265") as caught:
        degraded("compression/video", photo, codec="h265")
    assert "rrframe[video]" in str(caught.value)
    assert degraded("compression/video", photo[:32, :32], codec="h264").shape == (32, 32, 3)


def test_without_pyav_the_hint_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['av'] = None\n"
        "import rrframe\n"
        "try: rrframe.load('compression/video')\n"
        "except rrframe.RRFrameError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "rrframe[video]" in done.stdout
