"""Laws of rain and snow: how many drops there are, how they fall, and how little each of them hides."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rrframe_degradations.rain import falling, laws

from rrframe import Cues, Degradation, Draws, Key
from rrframe.contracts.component import create
from rrframe.imaging.colour import linear_to_encoded
from rrframe.imaging.splat import Lean, strokes

SOME = settings(max_examples=25, deadline=None)
RAIN = {"emphasis": 1, "wind": 0, "pitch": 0, "focal": 1.2, "aperture": 0, "exposure": 0.008, "sky": 1}
DEEP = 100.0
LEANS = [Lean(), Lean(0.0, 4), Lean(0.4, 3), Lean(-1.0, 2)]


def made(name: str, **params: object) -> Degradation:
    component = create(name, params)
    assert isinstance(component, Degradation)
    return component


def degraded(component: Degradation, images: torch.Tensor, depth: float = DEEP, seed: int = 0) -> torch.Tensor:
    draws = Draws([component.draw(Key.of(seed, index)) for index in range(len(images))])
    return component.apply(images, draws, Cues({"depth": torch.full_like(images[:, :1], depth)}))


def half_bright(height: int, width: int, batch: int = 1) -> torch.Tensor:
    """Black but for a white quarter on the left: the light of drops is white."""
    images = torch.zeros(batch, 3, height, width)
    images[..., : math.ceil(width / 4) + 1] = 1.0
    return images


def hidden(done: torch.Tensor) -> torch.Tensor:
    """The cover of the black part, which the drops light with .94 of white and a little of the mean."""
    return done[:, 0, :, done.shape[-1] // 2 :] / 0.955


# The law of drops
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rate", "count"), [(5, 147), (25, 477), (100, 1080)])
def test_drops_in_a_cubic_metre(rate: float, count: float) -> None:
    assert laws.drops_over(1.0, rate) == pytest.approx(count, abs=0.5)


@given(rate=st.floats(1, 300))
def test_diameters_follow_the_law(rate: float) -> None:
    chance = (torch.arange(20_000) + 0.5) / 20_000
    drawn = laws.diameters(chance, rate, 1.0)
    for bound in (1.5, 2.0, 3.0):
        expected = laws.drops_over(bound, rate) / laws.drops_over(1.0, rate)
        assert float((drawn > bound).float().mean()) == pytest.approx(expected, abs=1e-3)
    assert float(drawn.max()) <= laws.LARGEST


def test_a_drop_falls_as_measured() -> None:
    speeds = laws.fall_speed(torch.tensor([0.0, 1.0, 2.0, 5.0]))
    assert speeds.tolist() == pytest.approx([0.0, 4.0, 6.55, 9.14], abs=0.01)


@pytest.mark.parametrize("rate", [5.0, 25.0, 100.0])
def test_impacts_are_drops_times_speed(rate: float) -> None:
    sizes = torch.linspace(1, 30, 100_000, dtype=torch.float64)
    flux = 8000 * torch.exp(-laws.slope(rate) * sizes) * laws.fall_speed(sizes)
    assert laws.impacts(rate) == pytest.approx(float(torch.trapezoid(flux, sizes)), rel=1e-3)


@pytest.mark.parametrize("rate", [5.0, 25.0, 100.0])
def test_as_many_fall_through_the_view_as_the_law_says(rate: float) -> None:
    counted = []

    def particles(chance: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        counted.append(chance.shape[1])
        return torch.ones_like(chance[0]), torch.zeros(chance.shape[1], 3)

    component = made("rain/streaks", rate=rate)
    camera = falling.Camera(focal=1.2, exposure=0.01, aperture=0, pitch=0)
    depth = torch.full((1, 1, 300, 450), DEEP)
    falling.cover(Draws([component.draw(Key.of(1))]), depth, camera, laws.drops_over(1.0, rate), 4.0, particles)
    volume = (450 + 60) * (300 + 60) / (1.2 * 300) ** 2 * (4**3 - 0.4**3) / 3
    assert counted[0] == pytest.approx(volume * laws.drops_over(1.0, rate), abs=1)


# Streaks
# ---------------------------------------------------------------------------------------------------------------------


def expected_cover(rate: float, farthest: float = 4.0, nearest: float = 0.4) -> float:
    """Of all drops over 1 mm between there and here: their area, as seen, over that of the picture."""
    slope = laws.slope(rate)
    area = 8000 * math.exp(-slope) * (1 / slope + 2 / slope**2 + 2 / slope**3) * math.pi / 4 * 1e-6
    return area * (farthest - nearest)


@pytest.mark.parametrize("rate", [25.0, 100.0])
def test_cover_is_that_of_the_drops(rate: float) -> None:
    done = degraded(made("rain/streaks", rate=rate, bearing=0, **RAIN), half_bright(300, 300, 3))
    thickness = -torch.log1p(-hidden(done).clamp(max=0.999))
    assert float(thickness.mean()) == pytest.approx(expected_cover(rate), rel=0.15)


@pytest.mark.slow
def test_cover_is_the_same_at_512_and_at_2048_pixels() -> None:
    rain = made("rain/streaks", rate=80, bearing=0, **{**RAIN, "emphasis": 4})
    covers = [
        float(np.mean([hidden(degraded(rain, half_bright(side, side), seed=seed)).mean() for seed in range(3)]))
        for side in (512, 2048)
    ]
    assert covers[0] == pytest.approx(covers[1], rel=0.1)


def test_drops_grow_in_number_with_the_area() -> None:
    rain = made("rain/streaks", rate=80, bearing=0, **RAIN)
    square, wide = (hidden(degraded(rain, half_bright(256, width))) for width in (256, 1024))
    assert float(wide.mean()) == pytest.approx(float(square.mean()), rel=0.15)


def test_streaks_are_faint_and_nothing_is_clipped() -> None:
    """Public code draws opaque lines of a fixed number, added up: they clip a third of a small picture."""
    picture = torch.linspace(0.05, 0.8, 400 * 600).view(1, 1, 400, 600).expand(1, 3, -1, -1).contiguous()
    for seed in range(3):
        done = degraded(made("rain/streaks", rate=100), picture, seed=seed)
        assert float((done >= 1).float().mean()) < 0.002
        assert float((done - picture).abs().quantile(0.95)) < 0.25
    faint = hidden(degraded(made("rain/streaks", rate=25, bearing=0, **RAIN), half_bright(400, 400)))
    assert float(faint.quantile(0.99)) < 0.15


def test_streaks_are_upright_without_wind_and_lean_with_it() -> None:
    def uprightness(**params: object) -> float:
        seen = hidden(degraded(made("rain/streaks", rate=60, **{**RAIN, **params}), half_bright(400, 400)))
        down, across = seen.diff(dim=1).square().mean(), seen.diff(dim=2).square().mean()
        return float(across / down)

    assert uprightness(bearing=0) > 3
    assert uprightness(bearing=0, wind=12) < 0.5 * uprightness(bearing=0)


def test_streaks_converge_to_the_vanishing_point() -> None:
    # A drop that flies straight at the camera leaves a streak that points to the middle.
    start, end = torch.tensor([[0.3, 0.2, 3.0]]), torch.tensor([[0.3, 0.2, 2.0]])
    one, other = (falling._projected(place, 100.0, (101, 101))[0] - 50 for place in (start, end))
    assert float(one[0] / one[1]) == pytest.approx(float(other[0] / other[1]))
    assert other.norm() > one.norm()


def test_what_is_near_hides_the_rain_behind_it() -> None:
    rain = made("rain/streaks", rate=100, bearing=0, **RAIN)
    near, middle, far = (float(hidden(degraded(rain, half_bright(256, 256), depth)).mean()) for depth in (0.3, 2, DEEP))
    assert near == pytest.approx(0, abs=1e-6)
    assert 0.2 * far < middle < 0.8 * far


# The rest
# ---------------------------------------------------------------------------------------------------------------------


@SOME
@given(rate=st.floats(1, 200), depth=st.floats(1, 500))
def test_the_veil_follows_its_law(rate: float, depth: float) -> None:
    images = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    done = degraded(made("rain/veil", rate=rate, air=0), images, depth)
    expected = math.exp(-0.312e-3 * rate**0.67 * depth)
    assert ((done - images * expected).abs().max()) < 1e-5


def test_splashes_lie_on_what_faces_upwards() -> None:
    height = width = 200
    rows = torch.arange(height).view(1, 1, -1, 1).float()
    rise = (rows - (height - 1) / 2) / (1.2 * height)
    ground = torch.where(rise > 0.02, 1.6 / rise.clamp(min=0.02), 90.0).expand(1, 1, height, width).contiguous()
    wall = torch.full((1, 1, height, width), 4.0)
    splash = made("rain/splash", rate=100, focal=1.2)
    draws = Draws([splash.draw(Key.of(3))])
    on_ground, on_wall = (splash.thickness(draws, depth)[0, 0] for depth in (ground, wall))
    assert float(on_wall.abs().max()) == 0
    assert float(on_ground[: height // 2 - 30].sum()) == 0
    assert float(on_ground[height // 2 :].sum()) > 1


def test_a_lens_drop_shows_the_scene_upside_down() -> None:
    images = torch.zeros(1, 3, 200, 200)
    images[..., :100, :] = 1.0  # sky above
    lens = made("rain/lens-drops", drops=30, size=0.1, spread=0, defocus=0.1, view=0.5)
    done = degraded(lens, images)
    below, above = done[0, 0, 160:], 1 - done[0, 0, :40]
    assert float(below.max()) > 0.4  # sky in the drops on the ground
    assert float(above.max()) > 0.4


def test_as_many_lens_drops_at_every_size() -> None:
    lens = made("rain/lens-drops", drops=40, size=0.05, spread=0.3, defocus=0.2, view=0.4)
    picture = torch.linspace(0, 1, 64).view(1, 1, 64, 1).expand(1, 3, 64, 64)
    shares = []
    for side in (256, 1024):
        image = torch.nn.functional.interpolate(picture, (side, side), mode="bilinear")
        shares.append(float((degraded(lens, image) - image).abs().gt(0.02).float().mean()))
    assert shares[0] == pytest.approx(shares[1], rel=0.1)


def test_one_rate_drives_the_storm() -> None:
    storm = made("rain/storm", rate=33, wet_lens=1)
    veil, splash, streaks, lens = storm.draw(Key.of(5), 0.7).steps
    own = storm.draw(Key.of(5), 0.7).values
    assert {step.values["rate"] for step in (veil, splash, streaks)} == {33}
    assert lens.values["drops"] == pytest.approx(0.4 * 33)
    assert splash.values["exposure"] == streaks.values["exposure"] == own["exposure"]
    assert made("rain/storm", wet_lens=0).draw(Key.of(5)).steps[3].values["drops"] == 0


def test_a_storm_hides_more_than_its_streaks() -> None:
    images = linear_to_encoded(torch.rand(1, 3, 128, 128, generator=torch.Generator().manual_seed(2)))
    storm, streaks = (degraded(made(name, rate=80), images) for name in ("rain/storm", "rain/streaks"))
    assert (storm - images).square().mean() > (streaks - images).square().mean()


def test_snow_covers_more_than_as_much_water_of_rain() -> None:
    view = {"exposure": 0.005, "wind": 0, "bearing": 0, "pitch": 0, "focal": 1.2, "aperture": 0, "sky": 1}
    snow = degraded(made("snow/flakes", rate=3, fluff=3, **view), half_bright(256, 256), depth=10)
    rain = degraded(made("rain/streaks", rate=3, emphasis=1, **view), half_bright(256, 256), depth=10)
    assert float(hidden(snow).mean()) > 5 * float(hidden(rain).mean())


# Strokes
# ---------------------------------------------------------------------------------------------------------------------


@SOME
@given(
    side=st.integers(48, 200),
    width=st.floats(0.1, 8),
    x=st.floats(0.35, 0.65),
    y=st.floats(0.35, 0.65),
    length=st.floats(0, 0.15),
    angle=st.floats(0, 2 * math.pi),
    lean=st.sampled_from(LEANS),
)
def test_a_stroke_has_its_mass(
    side: int, width: float, x: float, y: float, length: float, angle: float, lean: Lean
) -> None:
    start = torch.tensor([[x * side, y * side]])
    end = start + length * side * torch.tensor([[math.cos(angle), math.sin(angle)]])
    if lean.step > 1:  # rows that stand for several draw a wide stroke out, by that many times: not over the border
        width = min(width, side / 10 / lean.step)
    cover = strokes((side, side), start, end, torch.tensor([width]), torch.tensor([7.0]), lean=lean)
    assert float(cover.sum()) == pytest.approx(7.0, rel=0.02)


def test_strokes_beyond_the_border_leave_nothing_and_across_it_their_part() -> None:
    start, end = torch.tensor([[-50.0, 20.0], [-20.0, 30.0]]), torch.tensor([[-10.0, 20.0], [19.5, 30.0]])
    outside = strokes((64, 64), start[:1], end[:1], torch.ones(1), torch.ones(1))
    across = strokes((64, 64), start[1:], end[1:], torch.ones(1), torch.ones(1))
    assert float(outside.sum()) == 0
    assert float(across.sum()) == pytest.approx(0.5, abs=0.03)


def test_strokes_lie_where_they_are_drawn_at_every_width() -> None:
    for width in (0.5, 2.0, 5.0, 12.0):
        place = torch.tensor([[70.0, 50.0]])
        cover = strokes((128, 160), place, place + 1e-3, torch.tensor([width]), torch.ones(1))[0, 0]
        rows, columns = torch.meshgrid(torch.arange(128.0), torch.arange(160.0), indexing="ij")
        assert float((cover * columns).sum() / cover.sum()) == pytest.approx(70, abs=0.3)
        assert float((cover * rows).sum() / cover.sum()) == pytest.approx(50, abs=0.3)


@SOME
@given(seed=st.integers(0, 999), tall=st.booleans(), lean=st.sampled_from(LEANS))
def test_covers_of_strokes_add_up(seed: int, tall: bool, lean: Lean) -> None:
    """Together, strokes of all widths, lengths and directions leave what each leaves alone, drawn only where it is."""
    size = (300, 90) if tall else (90, 300)
    chance = torch.rand(8, 6, generator=torch.Generator().manual_seed(seed))
    start = (chance[:, :2] * 1.4 - 0.2) * torch.tensor([size[1], size[0]])
    end = start + (chance[:, 2:4] - 0.5) * 60
    width, mass = 0.3 + 12 * chance[:, 4].square(), 5 * chance[:, 5]
    depth = torch.rand(size, generator=torch.Generator().manual_seed(seed)) * 4
    distance = torch.linspace(0.5, 3.5, 8)
    together = strokes(size, start, end, width, mass, distance, depth, lean)
    alone = [
        strokes(size, *each, depth, lean)
        for each in zip(*(x.split(1) for x in (start, end, width, mass, distance)), strict=True)
    ]
    assert together.shape == (1, 1, *size)
    assert (together - sum(alone)).abs().max() < 1e-4


def test_strokes_that_go_one_way_are_summed_along_it_and_others_are_not() -> None:
    chance = torch.rand(400, 4, generator=torch.Generator().manual_seed(1))
    start = chance[:, :2] * 300
    way = torch.stack([12 + 2 * chance[:, 2], 38 + 4 * chance[:, 3]], dim=1)
    width, mass = 0.5 + chance[:, 2], 5 * chance[:, 3]
    lean = Lean.along(start, start + way, width)
    assert lean == Lean(pytest.approx(13 / 40, abs=0.02), 4)
    straight, leaning = (strokes((300, 300), start, start + way, width, mass, lean=each)[0, 0] for each in (None, lean))
    assert float(leaning.sum()) == pytest.approx(float(straight.sum()), rel=0.01)
    assert float((leaning - straight).abs().mean()) < 0.5 * float(straight.mean())  # a little softer
    rows, columns = torch.meshgrid(torch.arange(300.0), torch.arange(300.0), indexing="ij")
    for places in (rows, columns):
        middle, other = (float((cover * places).sum() / cover.sum()) for cover in (straight, leaning))
        assert other == pytest.approx(middle, abs=0.3)
    turns = 2 * math.pi * chance[:, 2]
    anyhow = start + 30 * torch.stack([turns.cos(), turns.sin()], dim=1)
    assert Lean.along(start, anyhow, width) == Lean.along(start, start + way / 20, width) == Lean()
