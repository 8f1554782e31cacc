"""Laws of degradations: what comes out, and that the same draw comes again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from rrframe.contracts.degradation import Degradation
from rrframe.contracts.draw import Draw, Draws
from rrframe.contracts.effect import Effect
from rrframe.imaging.colour import convert_light, pixels_to_linear
from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.testing.calls import CLOSE, Facts, digest
from rrframe.testing.checks import Broken, NotApplicable, check, for_all, for_each
from rrframe.testing.examples import (
    Degrading,
    Example,
    degrading_examples,
    digests_of,
    examples_for,
    facts_of,
    tiny_examples,
)
from rrframe.testing.purity_laws import leaves_global_state_alone, runs, same_input_same_bytes
from rrframe.testing.subjects import Subject


@check(runs)
def keeps_the_shape(subject: Subject) -> None:
    """The result is [B, 3, H, W], as the images were."""

    def law(facts: Facts) -> None:
        if facts.shape != facts.given:
            raise Broken(f"{facts.method} gives {facts.shape} for {facts.given}")

    _for_all_results(subject, law)


@check(runs)
def keeps_float32(subject: Subject) -> None:
    """The result is float32."""

    def law(facts: Facts) -> None:
        if facts.dtype != torch.float32:
            raise Broken(f"{facts.method} gives {facts.dtype}")

    _for_all_results(subject, law)


@check(runs)
def is_finite(subject: Subject) -> None:
    """No value of the result is NaN or infinite."""

    def law(facts: Facts) -> None:
        if facts.odd:
            place = list(facts.first_odd)
            raise Broken(f"{facts.method} gives {facts.odd} values that are not finite, the first at {place}")

    _for_all_results(subject, law)


@check(runs)
def stays_in_range(subject: Subject) -> None:
    """Values lie in [0, 1], within 1e-5."""

    def law(facts: Facts) -> None:
        if facts.low < -CLOSE or facts.high > 1 + CLOSE:
            raise Broken(f"{facts.method} gives values from {facts.low:.6g} to {facts.high:.6g}")

    _for_all_results(subject, law)


sound = (keeps_the_shape, keeps_float32, is_finite, stays_in_range)


@check(*sound)
def works_on_tiny_pictures(subject: Subject) -> None:
    """Pictures down to 1 x 1 come out whole: their shape, finite, in [0, 1]."""

    def law(example: Degrading) -> None:
        for facts in map(Facts.of, example.calls(subject)):
            if facts.shape != facts.given or facts.dtype != torch.float32:
                raise Broken(f"{facts.method} gives {facts.shape} of {facts.dtype} for {facts.given}")
            if facts.odd or facts.low < -CLOSE or facts.high > 1 + CLOSE:
                raise Broken(f"{facts.method} gives values that are not finite or not in [0, 1]")

    for_each(tiny_examples(subject), law)


@check(leaves_global_state_alone)
def same_key_same_draw(subject: Subject) -> None:
    """draw gives the same values for the same key and severity."""

    def law(example: Degrading) -> None:
        first, second = example.draws(subject), example.draws(subject)
        if digest(first) != digest(second):
            raise Broken(
                f"draw gives {first[0]!r} first and {second[0]!r} then; its randomness comes from its key alone"
            )

    for_all(subject, degrading_examples(subject), law)


@check(same_input_same_bytes, same_key_same_draw)
def replays_from_json(subject: Subject) -> None:
    """A draw read from JSON gives the same bytes as the draw that was written."""

    def law(example: Degrading) -> None:
        draws = example.draws(subject)
        read = [Draw.model_validate_json(draw.model_dump_json()) for draw in draws]
        for first, again in zip(digests_of(subject, example), example.calls(subject, read), strict=True):
            if first != digest(again.run()):
                raise Broken(f"{again.method} gives something else with the draw that was read")

    for_all(subject, degrading_examples(subject), law)


@check(*sound)
def eight_bits_agree_with_floats(subject: Subject) -> None:
    """Where there is another way for pictures of eight bits, ``apply_pixels`` gives what ``apply`` gives, each code
    within 1, and leaves the picture as it is.
    """
    assert isinstance(subject.component, Degradation)
    own = type(subject.component).apply_pixels not in (Degradation.apply_pixels, Effect.apply_pixels)
    if not subject.component.eight_bit and not own:
        raise NotApplicable("it has no other way for pictures of eight bits")

    def law(example: Degrading) -> None:
        component, (call, *_) = example.component(subject), example.calls(subject)
        images, draws, cues = call.arguments
        pixels = to_pixels(convert_light(images, component.light, "encoded")[0])
        given = pixels.copy()
        found = component.apply_pixels(pixels, Draws(list(draws)), cues)
        if found.shape != pixels.shape or found.dtype != pixels.dtype:
            raise Broken(f"apply_pixels gives {found.shape} of {found.dtype} for {pixels.shape} of uint8")
        if (given != pixels).any():
            raise Broken("apply_pixels changes the picture it is given")
        light = pixels_to_linear(pixels) if component.light == "linear" else to_batch(pixels)
        floats = replace(call, arguments=(light, draws, cues)).run()
        expected = to_pixels(convert_light(floats, component.light, "encoded")[0])
        apart = int(np.abs(found.astype(int) - expected).max())
        if apart > 1:
            raise Broken(f"apply_pixels gives codes up to {apart} from those of apply")

    for_all(subject, degrading_examples(subject), law, share=0.3)


def _for_all_results(subject: Subject, law: Callable[[Facts], None]) -> None:
    def each(example: Example) -> None:
        for facts in facts_of(subject, example):
            law(facts)

    for_all(subject, examples_for(subject, greatest_batch=3), each)
