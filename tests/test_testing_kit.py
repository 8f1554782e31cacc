"""The conformance kit finds what is wrong: for each careless component the check that names its fault fails, and no
other.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from rrframe import Chain, Cue, Cues, Degradation, Dial, Draw, Draws, Filter, Key, RRFrameError, Verdict, uniform
from rrframe.testing import Effort, Outcome, Report, Trial, checks_for, conformance, subjects_named
from rrframe.testing.strategies import draws, images, pictures

QUICK = Effort(examples=6, processes=False)


def outcomes_of(what: Any, *, expected: dict[str, str] | None = None, **named: Any) -> dict[str, Outcome]:
    (subject,) = subjects_named(what, **{"effort": QUICK, **named})
    return {outcome.check.name: outcome for outcome in Trial(subject, expected).outcomes()}


def failed(outcomes: dict[str, Outcome]) -> list[str]:
    return [name for name, outcome in outcomes.items() if outcome.status == "failed"]


class Veil(Degradation):
    """A grey veil with grain, without a fault. Source: made up for these tests, 2025."""

    category = "haze"
    strength: Dial = uniform(0.2, 0.8, mild=0.0, low=0.0, high=1.0)
    grey: Dial = uniform(0.4, 0.9, low=0.0, high=1.0)

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        grain = 0.05 * draw.rng.uniform(images)
        return (images * (1 - draw.strength) + draw.strength * (draw.grey + grain)).clamp(0.0, 1.0)


class PlainVeil(Veil):
    """The same without grain, so that faults can be added. Source: as above."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return images * (1 - draw.strength) + draw.strength * draw.grey


class UsesGlobalRandomness(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return super().apply(images, draw, cues).lerp(torch.rand(images.shape), 0.01 * draw.strength)


class UsesOpenCVsRandomness(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        cv2.randu(np.zeros((2, 2), np.float32), 0, 1)
        return super().apply(images, draw, cues)


class DrawsGlobally(PlainVeil):
    """Source: no."""

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        return super().draw(key, severity).with_values(grey=random.random())


class DrawsUnlikeItsKey(PlainVeil):
    """Source: no."""

    _clock: ClassVar[Any] = itertools.count()

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        return super().draw(key, severity).with_values(serial=next(self._clock))


class WritesIntoItsInput(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return images.mul_(1 - draw.strength).add_(draw.strength * draw.grey)


class LeavesTheRange(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return images + draw.strength * draw.grey


class GivesNaN(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return torch.where(images == 0, 0 / images, super().apply(images, draw, cues))


class TruncatesCodes(PlainVeil):
    """Source: no."""

    eight_bit = True

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        return super().apply_pixels(pixels, draw, cues) // 4 * 4


class CropsTheImage(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return super().apply(images, draw, cues)[..., : images.shape[-1] // 2 * 2]


class TruncatesTheType(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return super().apply(images, draw, cues).half()


class GivesAnArray(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> Any:
        return images.numpy()


class CrashesOnTinyPictures(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        torch.nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
        return super().apply(images, draw, cues)


class CrashesAtItsBound(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        if (draw.grey == 1).any():
            raise ZeroDivisionError("1 - grey is 0")
        return super().apply(images, draw, cues)


class DrawsNoJson(PlainVeil):
    """Source: no."""

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        return super().draw(key, severity).with_values(field=np.float32(0.5))  # type: ignore[arg-type]


class DrawsTuples(PlainVeil):
    """Source: no."""

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        draw = super().draw(key, severity)
        return draw.model_copy(update={"values": {**draw.values, "centre": (0.5, 0.5)}})


class RemembersTheFirstImage(PlainVeil):
    """Source: no."""

    _air: list[torch.Tensor] = []  # pydantic gives each instance its own

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        if not self._air:
            self._air.append(images.mean())
        return images * (1 - draw.strength) + draw.strength * draw.grey * self._air[0]


class Counts(PlainVeil):
    """Source: no."""

    _calls: ClassVar[Any] = itertools.count()

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return super().apply(images, draw, cues) / (1 + 1e-3 * (next(self._calls) % 7))


class IgnoresItsDraw(PlainVeil):
    """Source: no."""

    strength: Dial = uniform(0.2, 0.8, low=0.0, high=1.0)

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return images * 0.5


class MakesItsOwnSeed(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        grain = torch.from_numpy(np.random.default_rng(0).random(tuple(images.shape[-2:]), np.float32))
        return super().apply(images, draw, cues).lerp(grain, 0.1 * draw.strength)


class HasADeadDial(PlainVeil):
    """Source: no."""

    spare: Dial = uniform(0.0, 1.0)


class MixesItsBatch(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return images * (1 - draw.strength[0]) + draw.strength[0] * draw.grey


class DependsOnItsLayout(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        share = draw.strength * (0.5 if images.is_contiguous() else 1.0)
        return images * (1 - share) + share * draw.grey


class WantsGradients(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return super().apply(images, draw, cues).requires_grad_()


class GoesBackwards(PlainVeil):
    """Source: no."""

    strength: Dial = uniform(0.0, 0.5, mild=0.9, low=0.0, high=1.0)


class StartsHalfway(PlainVeil):
    """Source: no."""

    strength: Dial = uniform(0.2, 0.8, mild=0.3, low=0.0, high=1.0)


class ReadsAnUndeclaredCue(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return super().apply(images, draw, cues) * cues.depth.clamp(max=1.0)


class RetargetsOutOfRange(PlainVeil):
    """Source: no."""

    def retarget(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return images * (1 + draw.strength)


class CannotBePickled(PlainVeil):
    """Source: no."""

    _kernel: Any = None

    def model_post_init(self, context: Any) -> None:
        self._kernel = lambda images: images

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return super().apply(self._kernel(images), draw, cues)


class HashesText(PlainVeil):
    """Source: no."""

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return super().apply(images, draw, cues) * (1 - (hash("veil") % 1000) / 1e5)


class AcceptsAnything(PlainVeil, extra="allow"):
    """Source: no."""


class TakesNaN(PlainVeil):
    """Source: no."""

    gain: float = 1.0


class HasNoSource(PlainVeil):
    """A veil that somebody thought of."""


class HasNoTask(PlainVeil):
    """Source: no."""

    category = "hazee"


WRONG = {
    UsesGlobalRandomness: "leaves-global-state-alone",
    UsesOpenCVsRandomness: "leaves-global-state-alone",
    DrawsGlobally: "leaves-global-state-alone",
    DrawsUnlikeItsKey: "same-key-same-draw",
    WritesIntoItsInput: "leaves-its-input-alone",
    LeavesTheRange: "stays-in-range",
    GivesNaN: "is-finite",
    TruncatesCodes: "eight-bits-agree-with-floats",
    CropsTheImage: "keeps-the-shape",
    TruncatesTheType: "keeps-float32",
    GivesAnArray: "runs",
    CrashesOnTinyPictures: "works-on-tiny-pictures",
    CrashesAtItsBound: "runs",
    DrawsNoJson: "draw-survives-json",
    DrawsTuples: "draw-survives-json",
    RemembersTheFirstImage: "keeps-no-state",
    Counts: "same-input-same-bytes",
    IgnoresItsDraw: "different-seeds-differ",
    MakesItsOwnSeed: "different-seeds-differ",
    HasADeadDial: "every-dial-matters",
    MixesItsBatch: "batch-equals-singles",
    DependsOnItsLayout: "takes-any-memory-layout",
    WantsGradients: "works-in-inference-mode",
    GoesBackwards: "distance-grows-with-severity",
    StartsHalfway: "severity-zero-is-identity",
    ReadsAnUndeclaredCue: "reads-only-declared-cues",
    RetargetsOutOfRange: "stays-in-range",
    CannotBePickled: "survives-pickling",
    AcceptsAnything: "refuses-unknown-params",
    TakesNaN: "refuses-bad-dials",
    HasNoSource: "is-described",
    HasNoTask: "is-described",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda cls: cls.__name__)
def test_a_fault_fails_the_one_check_that_names_it(wrong: type[Degradation]) -> None:
    assert failed(outcomes_of(wrong)) == [WRONG[wrong]]


@pytest.mark.slow
def test_a_good_degradation_passes_all_that_applies() -> None:
    outcomes = outcomes_of(Veil, effort=Effort())
    assert {name: outcome.reason for name, outcome in outcomes.items() if outcome.status != "passed"} == {
        "is-announced": "no plugin announces it",
        "eight-bits-agree-with-floats": "it has no other way for pictures of eight bits",
    }


class Tints(PlainVeil):
    """A veil of a hue, whose two ends are one colour. Source: made up for these tests, 2025."""

    hue: Dial = uniform(0.0, 360.0)

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        tint = 0.5 + 0.4 * torch.cos(torch.deg2rad(draw.hue + torch.tensor([0.0, 120.0, 240.0]).view(1, 3, 1, 1)))
        return images * (1 - draw.strength) + draw.strength * draw.grey * tint


def test_a_dial_may_end_where_it_began() -> None:
    assert failed(outcomes_of(Tints)) == []


def test_noise_through_the_draw_is_seen_where_no_dial_varies() -> None:
    (subject,) = subjects_named(("noise/gaussian", {"sigma": 20, "grey": 0}), effort=QUICK)
    assert Trial(subject).outcome("different-seeds-differ").status == "passed"


def test_another_process_is_really_another() -> None:
    (subject,) = subjects_named(HashesText, effort=Effort(examples=6))
    outcome = Trial(subject).outcome("same-bytes-in-another-process")
    assert (outcome.status, outcome.reason) == ("failed", "apply gives something else in another process")


def test_a_failure_tells_all_that_an_author_needs() -> None:
    told = outcomes_of(CrashesAtItsBound)["runs"].render()
    line = next(number for number, text in enumerate(Path(__file__).read_text().splitlines(), 1) if "1 - grey" in text)
    assert "law        It takes every picture of at least 8 x 8 without an error." in told
    assert "found      ZeroDivisionError: 1 - grey is 0" in told
    # The simplest example there is: the smallest picture, the plainest pattern, the first seed.
    assert "a picture 8 x 8 (h x w), black (seed 0), channels_last; drawn values; seed 0; grey=1.0" in told
    assert f"test_testing_kit.py:{line}, in apply" in told
    assert f"rrframe check {__name__}:CrashesAtItsBound --only runs --seed 0" in told


def test_what_follows_from_a_fault_is_skipped_with_the_cause() -> None:
    outcome = outcomes_of(CropsTheImage)["works-on-tiny-pictures"]
    assert (outcome.status, outcome.reason) == ("skipped", "it says nothing while keeps-the-shape fails")


def test_the_same_seed_looks_at_the_same_examples() -> None:
    first, second = [outcomes_of(LeavesTheRange)["stays-in-range"].render() for _ in range(2)]
    assert first == second


# Expected failures
# ----------------------------------------------------------------------------------------------------------------------


class KnownToLeaveTheRange(LeavesTheRange):
    """Source: no."""

    expected_failures: ClassVar[dict[str, str]] = {"stays-in-range": "clipped by the next step"}


def test_an_expected_failure_is_no_failure() -> None:
    outcome = outcomes_of(KnownToLeaveTheRange)["stays-in-range"]
    assert (outcome.status, outcome.reason) == ("expected failure", "clipped by the next step")


def test_an_expected_failure_that_passes_is_a_failure() -> None:
    outcomes = outcomes_of(Veil, expected={"is-finite": "it was so once"})
    assert failed(outcomes) == ["is-finite"]
    assert "was expected to fail (it was so once) and passes" in outcomes["is-finite"].reason


def test_an_expected_failure_has_a_reason_and_a_check() -> None:
    (subject,) = subjects_named(Veil)
    with pytest.raises(RRFrameError, match="no reason"):
        Trial(subject, {"is-finite": " "})
    with pytest.raises(RRFrameError, match="did you mean is-finite"):
        Trial(subject, {"is-finit": "typing"})


# What can be checked
# ----------------------------------------------------------------------------------------------------------------------


def test_a_subject_is_a_name_a_class_an_instance_or_has_params() -> None:
    by_name, by_class, by_instance, with_params = [
        subjects_named(what)[0]
        for what in ("haze/scattering", Veil, Veil.make({"grey": 0.5}), ("haze/scattering", {"beta": 0.01}))
    ]
    assert (by_name.name, by_name.kind) == ("haze/scattering", "degradation")
    assert by_class.name == f"{__name__}:Veil"
    assert by_instance.component.params()["grey"] == 0.5
    assert with_params.component.params()["beta"] == 0.01
    assert "-p beta=0.01" in with_params.command("runs")


def test_a_module_a_plugin_and_a_distribution_mean_all_they_have() -> None:
    names = [subject.name for subject in subjects_named("rrframe_degradations")]
    assert "haze/scattering" in names
    assert names == sorted(names)
    hazes = [subject.name for subject in subjects_named("rrframe_degradations.haze")]
    assert hazes == [name for name in names if name.startswith("haze/")]
    assert {subject.kind for subject in subjects_named("rrframe")} >= {"degradation", "cue", "filter", "task"}
    assert f"{__name__}:Veil" in [subject.name for subject in subjects_named(__name__)]


def test_params_are_for_one_component() -> None:
    with pytest.raises(RRFrameError, match="not one component"):
        subjects_named(("rrframe", {"beta": 1}))


class LeftHalf(Degradation):
    """An effect: its chain on the left half. Source: made up for these tests, 2025."""

    category = "noise"
    chain: Chain

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        return Draw(seed=key.seed, steps=(self.chain.draw(key.child("chain"), severity),))

    def needs(self) -> set[str]:
        return self.chain.needs()

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        done = self.chain.apply(images, [each.steps[0] for each in draw], cues, self.light)
        left = torch.arange(images.shape[-1]) < max(1, images.shape[-1] // 2)
        return torch.where(left, done, images)


@pytest.mark.parametrize("inner", ["noise/poisson-gaussian", "haze/scattering", "compression/jpeg"])
def test_effects_are_checked_with_what_they_hold(inner: str) -> None:
    outcomes = outcomes_of((LeftHalf, {"chain": [{"use": inner}]}))
    assert {name for name, outcome in outcomes.items() if outcome.status != "passed"} == {
        "is-announced",
        "same-bytes-in-another-process",
        "every-dial-matters",  # it has none of its own
        "eight-bits-agree-with-floats",
    }


def test_an_author_may_bring_cues() -> None:
    class Wet(PlainVeil):
        """Source: no."""

        cues = {"wetness", "partner"}

        def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
            share = draw.strength * cues.wetness
            return images * (1 - share) + share * draw.grey * cues.partner

    assert "nothing provides the cue 'wetness'" in outcomes_of(Wet)["reads-only-declared-cues"].reason
    outcomes = outcomes_of(Wet, cues={"wetness": lambda images: images.mean(dim=1, keepdim=True)})
    assert failed(outcomes) == ["survives-pickling"]  # a class inside a function


def test_a_component_that_needs_params_says_so() -> None:
    class Needy(PlainVeil):
        """Source: no."""

        table: str

    outcomes = outcomes_of(Needy)
    assert failed(outcomes) == ["survives-its-params"]
    assert "'table' is missing" in outcomes["survives-its-params"].reason
    assert failed(outcomes_of((Needy, {"table": "x"}))) == ["survives-pickling"]
    Needy.checked_with = {"table": "x"}  # type: ignore[attr-defined]
    assert failed(outcomes_of(Needy)) == ["survives-pickling"]


# Cues and filters
# ----------------------------------------------------------------------------------------------------------------------


class Light(Cue):
    """How light it is, without a fault."""

    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        return images.mean(dim=1, keepdim=True)


class LosesARow(Light):
    """Wrong."""

    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        return super().compute(images, keys)[..., 1:, :]


class ComparesItsBatch(Light):
    """Wrong."""

    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        return super().compute(images, keys) - images.mean()


class Bright(Filter):
    """Drops dark pictures, without a fault."""

    def screen(self, clean: np.ndarray) -> Verdict:
        keep = bool(clean.mean() > 100)
        return Verdict(keep=keep, score=float(clean.mean()), reason="" if keep else "too dark")


class DropsInSilence(Bright):
    """Wrong."""

    def screen(self, clean: np.ndarray) -> Verdict:
        return Verdict(keep=super().screen(clean).keep)


class SaysYes(Bright):
    """Wrong."""

    def screen(self, clean: np.ndarray) -> Any:
        return True


class FearsThinPictures(Bright):
    """Wrong."""

    def screen(self, clean: np.ndarray) -> Verdict:
        return Verdict(keep=True, score=float(clean.mean() / (clean.shape[0] - 1)))


class HasNoStage(Filter):
    """Wrong."""


@pytest.mark.parametrize(
    ("component", "check"),
    [
        (Light, None),
        (LosesARow, "gives-a-map"),
        (ComparesItsBatch, "batch-equals-singles"),
        (Bright, None),
        (DropsInSilence, "says-why-it-drops"),
        (SaysYes, "gives-a-verdict"),
        (FearsThinPictures, "works-on-tiny-pictures"),
        (HasNoStage, "has-a-stage"),
    ],
)
def test_cues_and_filters_have_their_laws(component: type[Cue | Filter], check: str | None) -> None:
    assert failed(outcomes_of(component)) == ([check] if check else [])


def test_checks_are_picked_by_kind() -> None:
    names = {kind: [check.name for check in checks_for(kind)] for kind in (Veil, Light, Bright)}
    assert len(names[Veil]) > len(names[Light]) > 10
    assert "says-why-it-drops" in names[Bright]
    for found in names.values():
        assert len(set(found)) == len(found)
    for check in checks_for(Veil):
        assert check.law.endswith(".")


# Strategies
# ----------------------------------------------------------------------------------------------------------------------


def test_pictures_come_in_every_shape_and_layout() -> None:
    seen: set[str] = set()

    @settings(max_examples=300, derandomize=True, database=None)
    @given(pictures(greatest_batch=2))
    def look(picture: Any) -> None:
        image = picture.tensor()
        assert image.shape == (picture.batch, 3, picture.height, picture.width)
        assert image.dtype == torch.float32
        assert image.min() >= 0
        assert image.max() <= 1
        seen.update((picture.pattern, picture.layout))
        seen.update(["tall"] * (picture.height > picture.width) + ["odd"] * (picture.height % 2))
        if picture.height == picture.width == 1:
            seen.add("1x1")
        if min(image.shape) > 1 and picture.layout == "strided":
            assert not image.is_contiguous()
            assert not image.is_contiguous(memory_format=torch.channels_last)

    look()
    kinds = {"black", "white", "constant", "gradient", "extreme", "noise", "texture"}
    assert seen >= kinds | {"channels_last", "contiguous", "strided", "tall", "odd", "1x1"}


@settings(max_examples=30, derandomize=True, database=None)
@given(images(greatest_side=9), draws(Veil()))
def test_authors_can_write_laws_of_their_own(image: torch.Tensor, draw: Draw) -> None:
    veiled = Veil().apply(image, Draws([draw] * len(image)), Cues())
    assert veiled.shape == image.shape
    assert 0 <= draw.values["strength"] <= 0.8  # type: ignore[operator]


# Front ends
# ----------------------------------------------------------------------------------------------------------------------

ADOPTION = """
from typing import ClassVar

import torch

from rrframe import Degradation, Dial, uniform
from rrframe.testing import Effort, conformance


class Dim(Degradation):
    "Less light. Source: made up, 2025."
    category = "lowlight"
    share: Dial = uniform(0.2, 0.8, mild=0.0, low=0.0, high=1.0)

    def apply(self, images, draw, cues):
        return images * (1 - draw.share)


class Bleached(Dim):
    "Too much light. Source: made up, 2025."

    def apply(self, images, draw, cues):
        return images + draw.share


test_conformance = conformance(
    Dim,
    Bleached,
    effort=Effort(examples=4, processes=False),
    expected_failures={f"{__name__}:Dim": {"is-finite": "wrongly expected"}},
)
"""


@pytest.mark.slow
def test_pytest_shows_an_item_for_each_check(tmp_path: Path) -> None:
    (tmp_path / "test_dim.py").write_text(ADOPTION)
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", "test_dim.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "test_conformance[test_dim:Dim-severity-zero-is-identity] PASSED" in done.stdout
    assert "test_conformance[test_dim:Bleached-stays-in-range] FAILED" in done.stdout
    assert "test_conformance[test_dim:Dim-is-finite] FAILED" in done.stdout
    assert "2 failed" in done.stdout
    assert "found      apply gives values from" in done.stdout


def test_nothing_to_check_is_an_error_under_pytest() -> None:
    with pytest.raises(RRFrameError, match="nothing to check"):
        conformance()
    with pytest.raises(RRFrameError, match="not checked here"):
        conformance(Veil, expected_failures={"haze/scatering": {"runs": "typing"}})


def test_a_report_on_nothing_is_a_failure() -> None:
    assert Report([]).problems == ["no check ran: there was nothing to check"]
    skipped = outcomes_of(Veil)["is-announced"]
    assert Report([skipped]).problems == [f"no check of {__name__}:Veil ran"]


@pytest.mark.slow
def test_the_command_reports_a_component(rrframe_cli: Any) -> None:
    done = rrframe_cli("check", "haze/scattering", "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "haze/scattering  (rrframe " in done.stdout
    assert "  ok    severity-zero-is-identity" in done.stdout
    assert "  skip  same-bytes-in-another-process: it starts a process" in done.stdout
    assert done.stdout.splitlines()[-1] == "27 of 29 checks ran: 27 passed, 0 failed; 2 skipped"


@pytest.mark.slow
def test_the_command_reports_as_json_and_fails(rrframe_cli: Any, tmp_path: Path) -> None:
    (tmp_path / "bleached.py").write_text(ADOPTION.partition("test_conformance =")[0])
    done = rrframe_cli("check", "bleached", "--quick", "--only", "stays-in-range", "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert report["counts"] == {"checks": 2, "ran": 2, "passed": 1, "failed": 1, "skipped": 0, "expected failure": 0}
    assert report["problems"] == ["1 check failed"]
    row = next(row for row in report["checks"] if row["status"] == "failed")
    assert row["component"] == "bleached:Bleached"
    assert row["again"] == "rrframe check bleached:Bleached --only stays-in-range --seed 0"
    again = rrframe_cli(*row["again"].split()[1:])
    assert again.returncode == 1
    assert row["reason"] in again.stdout
    assert not (tmp_path / ".hypothesis").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["haze/scatering"], "did you mean haze/scattering"),
        ([], "compression/jpeg"),
        (["haze/scattering", "--only", "runz"], "did you mean runs?"),
        (["haze/scattering", "-p", "betta=1"], "betta"),
    ],
)
def test_the_command_refuses_what_it_cannot_check(rrframe_here: Any, arguments: list[str], said: str) -> None:
    done = rrframe_here("check", *arguments)
    assert done.returncode == (1 if "betta=1" in arguments else 2), done.stdout + done.stderr
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def install(folder: Path, plugin: str) -> dict[str, str]:
    """A distribution rrframe-wreck with ``plugin`` as its code, and the environment that finds it."""
    info = folder / "rrframe_wreck-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rrframe-wreck\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[rrframe]\nwreck = rrframe_wreck\n")
    (folder / "rrframe_wreck.py").write_text(plugin)
    return {"PYTHONPATH": str(folder)}


def test_a_plugin_that_cannot_be_loaded_fails(rrframe_cli: Any, tmp_path: Path) -> None:
    done = rrframe_cli("check", "rrframe-wreck", env=install(tmp_path, "import nowhere_to_be_found"))
    assert done.returncode == 1, done.stdout
    assert "plugin wreck is broken: ModuleNotFoundError" in done.stderr
    assert "rrframe-wreck 1.2" in done.stderr


def test_a_component_that_cannot_be_imported_fails(rrframe_cli: Any, tmp_path: Path) -> None:
    plugin = """
from rrframe import Spec, hookimpl

@hookimpl
def register_degradations():
    yield Spec("haze/wreck", "rrframe_wreck_code:Wreck", "Cannot be imported.")
"""
    done = rrframe_cli("check", "rrframe_wreck", env=install(tmp_path, plugin))
    assert done.returncode == 1, done.stderr
    assert "  FAIL  is-announced" in done.stdout
    assert "No module named 'rrframe_wreck_code'" in done.stdout
    assert "1 of 29 checks ran: 0 passed, 1 failed; 28 skipped" in done.stdout


def test_the_command_checks_with_params(rrframe_here: Any) -> None:
    done = rrframe_here("check", "compression/jpeg", "-p", "chroma=4:2:0", "--quick", "--only", "runs")
    assert done.returncode == 0, done.stdout + done.stderr


def test_without_hypothesis_the_kit_says_what_to_install() -> None:
    code = "import sys; sys.modules['hypothesis'] = None\nimport rrframe.testing"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    assert "RRFrameError: the conformance kit needs hypothesis" in done.stderr
    assert "pip install 'rrframe[testing]'" in done.stderr
