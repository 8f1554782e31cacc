"""Chains: degradations in order. The host converts light once for a run of steps that share it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Annotated

import numpy as np
import torch
from pydantic import ConfigDict, Field, RootModel, model_validator

from rrframe.contracts.component import Used, attributed
from rrframe.contracts.cue import Cues
from rrframe.contracts.degradation import Degradation, Light
from rrframe.contracts.draw import Draw, Draws
from rrframe.imaging.colour import convert_light, from_pixels, into_pixels
from rrframe.rng import Key

Step = Annotated[Degradation, Used("degradation", "effect")]


class Chain(RootModel[Annotated[tuple[Step, ...], Field(min_length=1)]]):
    """One or more degradations, applied in order. In YAML: a list of ``{use: NAME, params: {...}, id: NAME}``.

    A step's ``id`` keys its randomness: by default its name, and for a second of that name ``NAME#2``. So inserting
    another step leaves the draws of the rest alone.
    """

    model_config = ConfigDict(frozen=True)

    @property
    def steps(self) -> tuple[Degradation, ...]:
        return self.root

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The id of each step."""
        seen: Counter[str] = Counter()
        ids = []
        for step in self.steps:
            base = step._id or step.name
            seen[base] += 1
            ids.append(base if seen[base] == 1 else f"{base}#{seen[base]}")
        return tuple(ids)

    @model_validator(mode="after")
    def _ids_differ(self) -> Chain:
        given = [step._id for step in self.steps if step._id]
        doubled = sorted({name for name in given if given.count(name) > 1})
        if doubled:
            raise ValueError(f"two steps have the id {doubled[0]!r}")
        return self

    def needs(self) -> set[str]:
        """The names of all cues that the steps need."""
        return set().union(*(step.needs() for step in self.steps))

    def parts(self) -> list[Degradation]:
        """Every degradation in the chain, those inside effects included."""
        return [part for step in self.steps for part in step.parts()]

    def retargets(self) -> bool:
        """Whether any step changes the clean side."""
        return any(step.retargets() for step in self.steps)

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        """The draws of all steps for one image, as the ``steps`` of one draw."""
        steps = []
        for name, step in zip(self.ids, self.steps, strict=True):
            with attributed(step, "drawing its settings"):
                steps.append(step.draw(key.child(name), severity))
        return Draw(seed=key.seed, steps=tuple(steps))

    def apply(
        self,
        images: torch.Tensor,
        draws: Sequence[Draw],
        cues: Cues,
        light: Light = "encoded",
        light_out: Light | None = None,
    ) -> torch.Tensor:
        """The degraded images.

        Args:
            images: ``[B, 3, H, W]`` float32 in [0, 1].
            draws: One draw of this chain an image.
            cues: The cues that the steps need.
            light: The light that ``images`` come in.
            light_out: The light that they go out in, if that is another.
        """
        return self._from(0, images, draws, cues, light, light_out or light)

    def apply_pixels(self, pixels: np.ndarray, draw: Draw, cues: Cues) -> np.ndarray:
        """One picture, degraded as files are: as long as its steps are ``eight_bit`` a picture of eight bits stays so,
        and from the first other one on it is floats up to the end; the last step is asked for eight bits at once.

        Args:
            pixels: ``[H, W, 3]`` uint8 or uint16, encoded; the type's whole range is [0, 1].
            draw: The draw of this chain.
            cues: The cues that the steps need.

        Returns:
            ``[H, W, 3]`` uint8, encoded; ``pixels`` itself where nothing was done to it.
        """
        last = len(self.steps) - 1
        for index, step in enumerate(self.steps):
            if pixels.dtype != np.uint8 or not (step.eight_bit or index == last):
                return self._through_floats(index, pixels, draw, cues)
            with attributed(step, "degrading"):
                pixels = step.apply_pixels(pixels, Draws([draw.steps[index]]), cues)
        return pixels

    def _through_floats(self, first: int, pixels: np.ndarray, draw: Draw, cues: Cues) -> np.ndarray:
        """``pixels`` after the steps from number ``first`` on."""
        light, light_out = self.steps[first].light, self.steps[-1].light
        done = self._from(first, from_pixels(pixels, light), [draw], cues, light, light_out)
        return into_pixels(done[0], light_out)

    def _from(
        self, first: int, images: torch.Tensor, draws: Sequence[Draw], cues: Cues, light: Light, light_out: Light
    ) -> torch.Tensor:
        """``images`` after the steps from number ``first`` on."""
        for index, step in enumerate(self.steps[first:], first):
            images, light = convert_light(images, light, step.light), step.light
            with attributed(step, "degrading"):
                images = step.apply(images, Draws([draw.steps[index] for draw in draws], images.device), cues)
        return convert_light(images, light, light_out)

    def retarget(
        self, images: torch.Tensor, draws: Sequence[Draw], cues: Cues, light: Light = "encoded"
    ) -> torch.Tensor:
        """The clean images as the steps want them restored to; the very same tensor where no step changes them."""
        current = light
        for index, step in enumerate(self.steps):
            if step.retargets():
                images, current = convert_light(images, current, step.light), step.light
                with attributed(step, "making the target"):
                    images = step.retarget(images, Draws([draw.steps[index] for draw in draws], images.device), cues)
        return convert_light(images, current, light)
