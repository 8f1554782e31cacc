"""The conformance kit finds what is wrong with a backbone: for each careless one the check that names its fault fails,
and no other.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from test_testing_kit import failed, outcomes_of
from torch import nn

from rrframe import Backbone, Capabilities, Pairs, RRFrameError
from rrframe.contracts.draw import Noise
from rrframe.contracts.weights import read_tensors, write_weights


class Network(nn.Module):
    """Two convolutions, added to the image."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images + self.last(torch.relu(self.first(images)))


class Plain(Backbone):
    """Without a fault; grain from the seed, as a diffusion model has it."""

    grain: float = 0.01

    def build(self) -> nn.Module:
        return Network()

    def loss(self, batch: Mapping[str, torch.Tensor], rng: Noise) -> torch.Tensor:
        noisy = batch["degraded"] + self.grain * rng.normal(batch["degraded"])
        return (self.network(noisy) - batch["clean"]).square().mean((1, 2, 3))

    def restore(self, images: torch.Tensor, task: str, *, seed: int = 0, **settings: Any) -> torch.Tensor:
        noise = torch.randn(images.shape[1:], generator=torch.Generator().manual_seed(seed))
        return (self.network(images) + self.grain * noise).clamp(0, 1)


class ForHazeAlone(Plain):
    """Knows one task, and takes steps."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(tasks=frozenset({"haze"}), steps=28)

    def restore(self, images: torch.Tensor, task: str, *, steps: int | None = None, **settings: Any) -> torch.Tensor:
        if task != "haze":
            raise RRFrameError(f"not made for {task}")
        assert steps == 2
        return super().restore(images, task, **settings)


class TakesAnyTaskAllTheSame(Plain):
    """Says that it knows one task."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(tasks=frozenset({"haze"}))


class WeightsOfItsOwnSeed(Plain):
    """Draws weights where the seed does not reach."""

    def build(self) -> nn.Module:
        network = Network()
        nn.init.constant_(network.first.bias, float(np.random.default_rng().random()))
        return network


class SeedsTheProcess(Plain):
    """Draws weights from numpy's global generator."""

    def build(self) -> nn.Module:
        np.random.random()
        return Network()


class LeavesTheRange(Plain):
    """Forgets to clamp."""

    def restore(self, images: torch.Tensor, task: str, **settings: Any) -> torch.Tensor:
        return self.network(images) + 1


class GivesNaN(Plain):
    """Divides by zero in the dark."""

    def restore(self, images: torch.Tensor, task: str, **settings: Any) -> torch.Tensor:
        restored = super().restore(images, task, **settings)
        return torch.where(images == 0, restored * float("nan"), restored)


class TruncatesTheType(Plain):
    """Gives half precision."""

    def restore(self, images: torch.Tensor, task: str, **settings: Any) -> torch.Tensor:
        return super().restore(images, task, **settings).half()


class CropsToEvenSides(Plain):
    """Loses the last column."""

    def restore(self, images: torch.Tensor, task: str, **settings: Any) -> torch.Tensor:
        return super().restore(images, task, **settings)[..., : images.shape[-1] // 2 * 2]


class NeedsThreePixels(Plain):
    """Fails on the smallest pictures."""

    def restore(self, images: torch.Tensor, task: str, **settings: Any) -> torch.Tensor:
        nn.functional.pad(images, (2, 2, 2, 2), mode="reflect")
        return super().restore(images, task, **settings)


class WritesIntoItsInput(Plain):
    """Works in place."""

    def restore(self, images: torch.Tensor, task: str, **settings: Any) -> torch.Tensor:
        return super().restore(images.mul_(0.9), task, **settings)


class SeedsTorch(Plain):
    """Seeds the generator of everybody."""

    def restore(self, images: torch.Tensor, task: str, *, seed: int = 0, **settings: Any) -> torch.Tensor:
        torch.manual_seed(seed)
        return super().restore(images, task, seed=seed, **settings)


class IgnoresItsSeed(Plain):
    """Draws noise of its own."""

    def restore(self, images: torch.Tensor, task: str, **settings: Any) -> torch.Tensor:
        return super().restore(images, task, seed=int(np.random.default_rng().integers(2**31)))


class Remembers(Plain):
    """Keeps the first image that it sees."""

    _light: list[torch.Tensor] = []  # pydantic gives each instance its own

    def restore(self, images: torch.Tensor, task: str, **settings: Any) -> torch.Tensor:
        if not self._light:
            self._light.append(images.mean())
        return super().restore(images + self._light[0], task, **settings)


class MixesItsBatch(Plain):
    """Normalises over the batch."""

    def restore(self, images: torch.Tensor, task: str, **settings: Any) -> torch.Tensor:
        return super().restore(images - images.mean() + 0.5, task, **settings)


class WantsGradients(Plain):
    """Differentiates while it restores."""

    def restore(self, images: torch.Tensor, task: str, **settings: Any) -> torch.Tensor:
        if torch.is_inference_mode_enabled():
            return images.clone()
        return super().restore(images, task, **settings)


class OneLossForAll(Plain):
    """Averages over the batch."""

    def loss(self, batch: Mapping[str, torch.Tensor], rng: Noise) -> torch.Tensor:
        return super().loss(batch, rng).mean()


class EncodesOnce(Plain):
    """Gives something without a row for each pair."""

    def encode(self, pairs: Pairs) -> dict[str, torch.Tensor]:
        return {**super().encode(pairs), "scale": torch.ones(())}


class DrawsNoiseGlobally(Plain):
    """Takes the noise of its loss from the generator of everybody."""

    def loss(self, batch: Mapping[str, torch.Tensor], rng: Noise) -> torch.Tensor:
        return super().loss(batch, rng) + torch.rand(1)


class LossSeesNeighbours(Plain):
    """Weighs a pair by its share in the batch."""

    def loss(self, batch: Mapping[str, torch.Tensor], rng: Noise) -> torch.Tensor:
        losses = super().loss(batch, rng)
        return losses * losses / losses.sum()


class LearnsNothing(Plain):
    """Climbs."""

    def loss(self, batch: Mapping[str, torch.Tensor], rng: Noise) -> torch.Tensor:
        losses = super().loss(batch, rng)
        return 2 * losses.detach() - losses


class CutsTheGradient(Plain):
    """Loses the way back to the weights."""

    def loss(self, batch: Mapping[str, torch.Tensor], rng: Noise) -> torch.Tensor:
        return super().loss(batch, rng).detach()


class FreezesNothing(Plain):
    """Tells what it froze, and did not."""

    def freeze(self, patterns: Sequence[str]) -> list[str]:
        names = super().freeze(patterns)
        self.trainable().requires_grad_(True)
        return names


class FreezesWhateverIsAsked(Plain):
    """Takes a pattern that means nothing."""

    def freeze(self, patterns: Sequence[str]) -> list[str]:
        return super().freeze([pattern for pattern in patterns if "no_such" not in pattern])


class SavesHalfPrecision(Plain):
    """Rounds what it saves."""

    def write(self, folder: Path) -> None:
        write_weights(copy.deepcopy(self.network).half().float(), folder)


class SavesAPickle(Plain):
    """Leaves a pickle beside the weights."""

    def write(self, folder: Path) -> None:
        super().write(folder)
        torch.save(self.network.state_dict(), folder / "weights.pth")


class SavesNoParams(Plain):
    """Comes back with another grain: the params are not what it restores with."""

    _grain: float = 0.01

    def read(self, folder: Path) -> None:
        super().read(folder)
        self._grain = 0.5

    def restore(self, images: torch.Tensor, task: str, *, seed: int = 0, **settings: Any) -> torch.Tensor:
        return super().restore(images + self._grain, task, seed=seed, **settings)


class LoadsAnything(Plain):
    """Takes weights of whomever."""

    def load(self, folder: Path) -> None:
        self.read(folder)


class LoadsWhatFits(Plain):
    """Passes over what is missing."""

    def read(self, folder: Path) -> None:
        self.trainable().load_state_dict(read_tensors(folder), strict=False)


class HasNoDocstring(Plain):
    checked_with: ClassVar[dict[str, Any]] = {"grain": 0.0}


WRONG = {
    TakesAnyTaskAllTheSame: "refuses-unknown-tasks",
    WeightsOfItsOwnSeed: "same-seed-same-weights",
    SeedsTheProcess: "same-seed-same-weights",
    LeavesTheRange: "stays-in-range",
    GivesNaN: "is-finite",
    TruncatesTheType: "keeps-float32",
    CropsToEvenSides: "keeps-the-shape",
    NeedsThreePixels: "works-on-odd-sizes",
    WritesIntoItsInput: "leaves-its-input-alone",
    SeedsTorch: "leaves-global-state-alone",
    IgnoresItsSeed: "same-seed-same-image",
    Remembers: "keeps-no-state",
    MixesItsBatch: "batch-equals-singles",
    WantsGradients: "works-in-inference-mode",
    OneLossForAll: "loss-is-one-a-pair",
    EncodesOnce: "loss-is-one-a-pair",
    DrawsNoiseGlobally: "same-seeds-same-loss",
    LossSeesNeighbours: "loss-of-batch-equals-singles",
    LearnsNothing: "loss-falls",
    CutsTheGradient: "loss-falls",
    FreezesNothing: "frozen-parts-get-no-gradient",
    FreezesWhateverIsAsked: "refuses-unknown-patterns",
    SavesHalfPrecision: "saves-and-loads",
    SavesAPickle: "saves-and-loads",
    SavesNoParams: "saves-and-loads",
    LoadsAnything: "refuses-anothers-weights",
    LoadsWhatFits: "refuses-missing-weights",
    HasNoDocstring: "is-described",
}


@pytest.mark.parametrize("wrong", WRONG, ids=lambda cls: cls.__name__)
def test_a_fault_fails_the_one_check_that_names_it(wrong: type[Backbone]) -> None:
    assert failed(outcomes_of(wrong)) == [WRONG[wrong]]


def test_a_good_backbone_passes_all_that_applies() -> None:
    skipped = {name: each.reason for name, each in outcomes_of(Plain).items() if each.status != "passed"}
    assert skipped == {"is-announced": "no plugin announces it", "refuses-unknown-tasks": "it takes any task"}


def test_a_backbone_is_checked_with_a_task_that_it_knows_and_few_steps() -> None:
    assert [name for name, each in outcomes_of(ForHazeAlone).items() if each.status != "passed"] == ["is-announced"]


def test_one_that_cannot_be_trained_is_checked_all_the_same() -> None:
    class Fixed(Plain):
        """Blurs."""

        @property
        def capabilities(self) -> Capabilities:
            return Capabilities(trainable=False)

    outcomes = outcomes_of(Fixed)
    skipped = [name for name, each in outcomes.items() if each.reason == "it says that it cannot be trained"]
    assert failed(outcomes) == []
    assert {"loss-falls", "frozen-parts-get-no-gradient", "saves-and-loads"} <= set(skipped)
    assert outcomes["same-seed-same-image"].status == "passed"


def test_one_that_says_so_need_not_repeat_itself() -> None:
    class Restless(IgnoresItsSeed):
        """Never the same twice."""

        @property
        def capabilities(self) -> Capabilities:
            return Capabilities(deterministic_on_cpu=False)

    assert outcomes_of(Restless)["same-seed-same-image"].status == "skipped"
