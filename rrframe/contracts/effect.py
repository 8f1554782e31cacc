"""Effects: degradations that hold a chain of others and decide where, whether or how often it applies."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rrframe.contracts.chain import Chain
from rrframe.contracts.cue import Cues
from rrframe.contracts.degradation import Degradation, Light
from rrframe.contracts.draw import Draw, Draws
from rrframe.rng import Key


class Effect(Degradation):
    """A degradation with a ``chain``. A subclass overrides ``apply``, which calls ``run`` for the images that the
    chain is to degrade.

    Its draw carries the draws of the chain as ``steps``. It works in the light of the chain's first step, and belongs
    to that step's category.
    """

    chain: Chain

    @property
    def light(self) -> Light:  # type: ignore[override]
        return self.chain.steps[0].light

    @property
    def category(self) -> str:  # type: ignore[override]
        return self.chain.steps[0].category

    def needs(self) -> set[str]:
        return set(self.cues) | self.chain.needs()

    def retargets(self) -> bool:
        return self.chain.retargets()

    def parts(self) -> list[Degradation]:
        return [self, *(part for step in self.chain.steps for part in step.parts())]

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        own = super().draw(key, severity)
        return own.model_copy(update={"steps": self.chain.draw(key.child("chain"), severity).steps})

    def run(self, images: torch.Tensor, draws: Sequence[Draw], cues: Cues) -> torch.Tensor:
        """``images`` degraded by the chain. Shapes, range and light are those of ``apply``."""
        return self.chain.apply(images, draws, cues, self.light)

    def retarget(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return self.chain.retarget(images, list(draw), cues, self.light)
