"""All of a lens's flare from one dial."""

from __future__ import annotations

from typing import ClassVar

import torch
from pydantic import Field

from rrframe import Dial, Draw, Draws, Key, uniform
from rrframe_degradations.flare.ghosts import Ghosts
from rrframe_degradations.flare.pupil import Pupil
from rrframe_degradations.flare.sources import Computed, Flare, Shown
from rrframe_degradations.flare.streak import Streak
from rrframe_degradations.flare.veil import Veil

_PARTS: dict[str, Flare] = {"pupil": Pupil(), "veil": Veil(), "ghosts": Ghosts(), "streak": Streak()}
_SHARED = ("x", "y", "lamp", "warmth", "blades", "angle")  # one lamp, one aperture


class Lens(Computed):
    """The flare of one lens: starburst, veil, and in some pictures ghosts and a streak, all from the same light.

    Light that the parts add is added up: I = J + sum of the parts, in linear light, clamped. The lamp and the aperture
    are drawn once and shared; the rest each part draws for itself, for the severity ``amount``.

    Source: the laws of flare/pupil, flare/veil, flare/ghosts and flare/streak; Wu et al. 2021, "How to train neural
    networks for flare removal", which mixes scattered and reflected flares.
    Cannot: what its parts cannot.
    """

    most: ClassVar[float] = float(len(_PARTS))
    amount: Dial = uniform(0.25, 1.0, mild=0.0, low=0.0, high=1.0, about="severity of every part")
    ghosts: float = Field(0.6, ge=0, le=1, allow_inf_nan=False, description="chance of ghosts")
    streak: float = Field(0.25, ge=0, le=1, allow_inf_nan=False, description="chance of a streak")

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        own = super().draw(key, severity)
        amount = float(own.values["amount"])  # type: ignore[arg-type]
        chances = {"ghosts": self.ghosts, "streak": self.streak}
        steps: list[Draw] = []
        for name, part in _PARTS.items():
            drawn = part.draw(key.child(name), amount)
            known = {**(steps[0].values if steps else {}), **own.values}
            drawn = drawn.with_values(
                **{dial: known[dial] for dial in _SHARED if dial in drawn.values and dial in known}
            )
            if key.child(name, "chance").random().random() >= chances.get(name, 1.0):
                drawn = drawn.with_values(strength=0.0)
            steps.append(drawn)
        return own.model_copy(update={"steps": tuple(steps)})

    def added(self, draw: Draws, shown: Shown) -> torch.Tensor:
        done = shown.maps.new_zeros(len(draw), 3, *shown.maps.shape[-2:])
        for index, part in enumerate(_PARTS.values()):
            draws = Draws([one.steps[index] for one in draw], done.device)
            if any(draws.each("strength")):
                done.add_(part.added(draws, shown))
        return done
