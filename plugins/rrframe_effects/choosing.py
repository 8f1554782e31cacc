"""Effects that choose: whether, which, how many, how often."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from rrframe import Chain, Dial, Draw, Effect, Key, integers
from rrframe_effects.options import Option

_EXAMPLES = [{"use": "noise/poisson-gaussian"}, {"use": "compression/jpeg"}]


class Maybe(Effect):
    """Applies its chain to a share of the images, and leaves the others as they are, to the bit.

    Source: every augmentation library's ``p``; here the choice is kept in the record.
    """

    checked_with: ClassVar[dict[str, Any]] = {"chain": _EXAMPLES[:1], "p": 0.9}
    p: float = Field(0.5, ge=0, le=1, description="the share of images that the chain is applied to")
    chain: Chain
    """What is applied."""

    def passes(self, own: Draw, key: Key, severity: float | None) -> list[Draw]:
        applied = key.child("applied").random().random() < self.p
        return [self.drawn("chain", key, severity)] if applied else []


class Repeat(Effect):
    """Applies its chain several times over, each time with settings of its own, as pictures that are passed on from
    site to site get compressed and resized again and again.

    Source: Wang et al. 2021, "Real-ESRGAN", section 3.1, whose chain is applied twice.
    """

    checked_with: ClassVar[dict[str, Any]] = {"chain": _EXAMPLES[1:]}
    times: Dial = integers(1, 3, mild=1, low=0, high=100, about="how often")
    chain: Chain
    """What is applied."""

    def passes(self, own: Draw, key: Key, severity: float | None) -> list[Draw]:
        times = int(own.values["times"])  # type: ignore[call-overload]
        return [self.drawn("chain", key.child(number), severity) for number in range(times)]


class _Options(Effect):
    """Holds several chains to choose from."""

    options: Annotated[tuple[Option, ...], Field(min_length=1)]
    """What to choose from: each a step, or a list of steps."""
    weights: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...] | None = None
    """How likely each option is against the others, in their order. By default all the same."""

    @model_validator(mode="after")
    def _one_weight_each(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.options):
            raise ValueError(f"{len(self.options)} options need as many weights, not {len(self.weights)}")
        return self

    def chains(self) -> Mapping[str, Chain]:
        seen: Counter[str] = Counter()
        named = {}
        for option in self.options:
            base = "+".join(option.ids)
            seen[base] += 1
            named[base if seen[base] == 1 else f"{base}#{seen[base]}"] = option
        return named

    def chosen(self, key: Key, count: int) -> list[str]:
        """``count`` of the options by weight, in the order of the list.

        Each runs a race of its own, in an exponentially distributed time, and the fastest win: so another option
        takes some images from these, and leaves the choice for all others as it was.

        Source: Efraimidis and Spirakis 2006, "Weighted random sampling with a reservoir".
        """
        names = list(self.chains())
        weights: Sequence[float] = self.weights or [1.0] * len(names)
        # 1 - random() is never 0.
        times = {
            name: -math.log(1.0 - key.child("chosen", name).random().random()) / weight
            for name, weight in zip(names, weights, strict=True)
        }
        winners = sorted(names, key=times.__getitem__)[:count]
        return [name for name in names if name in winners]


class OneOf(_Options):
    """Applies one of several chains, chosen by weight for each image.

    Source: the same name in every augmentation library; here adding an option leaves the images that do not take it
    as they were.
    """

    checked_with: ClassVar[dict[str, Any]] = {"options": _EXAMPLES}

    def passes(self, own: Draw, key: Key, severity: float | None) -> list[Draw]:
        return [self.drawn(name, key, severity) for name in self.chosen(key, 1)]


class SomeOf(_Options):
    """Applies some of several chains, chosen by weight for each image, in the order of the list.

    Source: the same name in every augmentation library; here adding an option leaves the images that do not take it
    as they were.
    """

    checked_with: ClassVar[dict[str, Any]] = {"options": _EXAMPLES}
    count: Dial = integers(1, 2, low=0, high=100, about="how many of them; all, where there are fewer")

    def passes(self, own: Draw, key: Key, severity: float | None) -> list[Draw]:
        count = int(own.values["count"])  # type: ignore[call-overload]
        return [self.drawn(name, key, severity) for name in self.chosen(key, count)]
