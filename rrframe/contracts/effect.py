"""Effects: degradations that hold chains of others and decide which of them apply, where, and how often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch

from rrframe.contracts.chain import Chain
from rrframe.contracts.cue import Cues
from rrframe.contracts.degradation import Degradation, Light
from rrframe.contracts.draw import Draw, Draws
from rrframe.rng import Key

_CHAIN = "chain"
_Side = Callable[[Chain, torch.Tensor, Sequence[Draw], Cues, Light], torch.Tensor]


class Effect(Degradation):
    """A degradation made of others.

    A subclass declares a field ``chain``, and says for each image which *passes* it goes through: which chains, in
    order, and drawn how. Everything else follows: the images that take a chain go through it as a batch, the others
    stay as they are, to the bit; the target goes the same way.

    The draw has a step a pass, which names its chain and holds the draws of that chain. A chain's draws are keyed by
    its name, so adding a chain leaves those of the others alone. Severity is handed down.

    It works in the light of the first step of its first chain, and belongs to that step's category.
    """

    def chains(self) -> Mapping[str, Chain]:
        """The chains that it holds, by name, at least one: unless overridden, the fields that are chains."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in fields.items() if isinstance(value, Chain)}

    def passes(self, own: Draw, key: Key, severity: float | None) -> list[Draw]:
        """What one image goes through: a draw for each pass, made by ``drawn``. Unless overridden, every chain once.

        Args:
            own: What was drawn from the effect's own dials.
            key: The place in the tree of randomness that this image and this effect have.
            severity: As in ``draw``.
        """
        return [self.drawn(name, key, severity) for name in self.chains()]

    def drawn(self, name: str, key: Key, severity: float | None) -> Draw:
        """A pass through the chain called ``name``, its settings drawn below ``key``."""
        return self.chains()[name].draw(key.child(name), severity).with_values(**{_CHAIN: name})

    def passed(self, draw: Draw) -> Iterator[tuple[Chain, Draw]]:
        """The passes that one image's ``draw`` says it goes through: each a chain with its draw."""
        for step in draw.steps:
            yield self.chains()[str(step.values[_CHAIN])], step

    @property
    def light(self) -> Light:  # type: ignore[override]
        return self._first().light

    @property
    def category(self) -> str:  # type: ignore[override]
        return self._first().category

    @property
    def eight_bit(self) -> bool:  # type: ignore[override]
        # One that goes other ways through its chains than this class does is none.
        held = [step for chain in self.chains().values() for step in chain.steps]
        return type(self).apply is Effect.apply and all(step.eight_bit for step in held)

    def needs(self) -> set[str]:
        return super().needs().union(*(chain.needs() for chain in self.chains().values()))

    def retargets(self) -> bool:
        return any(chain.retargets() for chain in self.chains().values())

    def parts(self) -> list[Degradation]:
        return [self, *(part for chain in self.chains().values() for part in chain.parts())]

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        own = super().draw(key, severity)
        return own.model_copy(update={"steps": tuple(self.passes(own, key, severity))})

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return self._through(Chain.apply, images, list(draw), cues)

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        if not self.eight_bit:
            return super().apply_pixels(pixels, draw, cues)
        (one,) = draw
        for chain, step in self.passed(one):
            pixels = chain.apply_pixels(pixels, step, cues)
        return pixels

    def retarget(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return self._through(Chain.retarget, images, list(draw), cues)

    def _first(self) -> Degradation:
        return next(iter(self.chains().values())).steps[0]

    def _through(self, side: _Side, images: torch.Tensor, draws: Sequence[Draw], cues: Cues) -> torch.Tensor:
        """``images`` after all passes, on one side of the pair: ``Chain.apply`` or ``Chain.retarget``."""
        for number in range(max((len(draw.steps) for draw in draws), default=0)):
            takers: defaultdict[str, list[int]] = defaultdict(list)
            for index, draw in enumerate(draws):
                if number < len(draw.steps):
                    takers[str(draw.steps[number].values[_CHAIN])].append(index)
            done = images
            for name, indices in takers.items():
                chain, steps = self.chains()[name], [draws[index].steps[number] for index in indices]
                if len(indices) == len(images):
                    done = side(chain, images, steps, cues, self.light)
                    continue
                done = images.clone() if done is images else done
                done[indices] = side(chain, images[indices], steps, cues.select(indices), self.light)
            images = done
        return images
