"""All of a lens's flare from one dial."""

from __future__ import annotations

import torch
from pydantic import Field

from rrframe import Cues, Dial, Draw, Draws, Key, uniform
from rrframe_degradations.flare.ghosts import Ghosts
from rrframe_degradations.flare.pupil import Pupil
from rrframe_degradations.flare.sources import Flare, Lit, lit
from rrframe_degradations.flare.streak import Streak
from rrframe_degradations.flare.veil import Veil

_PARTS: dict[str, Flare] = {"pupil": Pupil(), "veil": Veil(), "ghosts": Ghosts(), "streak": Streak()}
_SHARED = ("x", "y", "lamp", "warmth", "blades", "angle")  # one lamp, one aperture


class Lens(Lit):
    """The flare of one lens: starburst, veil, and in some pictures ghosts and a streak, all from the same light.

    Light that the parts add is added up: I = J + sum of the parts, in linear light, clamped. The lamp and the aperture
    are drawn once and shared; the rest each part draws for itself, for the severity ``amount``.

    Source: the laws of flare/pupil, flare/veil, flare/ghosts and flare/streak; Wu et al. 2021, "How to train neural
    networks for flare removal", which mixes scattered and reflected flares.
    Cannot: what its parts cannot.
    """

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

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        done = lit(images, draw, cues.highlights)
        for index, part in enumerate(_PARTS.values()):
            draws = Draws([one.steps[index] for one in draw], images.device)
            if any(draws.each("strength")):
                done.add_(part.added(draws, cues))
        return done.clamp_(0.0, 1.0)
