"""Laws of degradations: what comes out, and that the same draw comes again."""

from __future__ import annotations

from collections.abc import Callable

import torch

from rrframe.contracts.draw import Draw
from rrframe.testing.calls import CLOSE, Call, digest
from rrframe.testing.checks import Broken, check, for_all, for_each
from rrframe.testing.examples import Degrading, degrading_examples, tiny_examples
from rrframe.testing.purity_laws import leaves_global_state_alone, runs, same_input_same_bytes
from rrframe.testing.subjects import Subject


@check(runs)
def keeps_the_shape(subject: Subject) -> None:
    """The result is [B, 3, H, W], as the images were."""

    def law(call: Call, result: torch.Tensor) -> None:
        if result.shape != call.arguments[0].shape:
            raise Broken(f"{call.method} gives {tuple(result.shape)} for {tuple(call.arguments[0].shape)}")

    _for_all_results(subject, law)


@check(runs)
def keeps_float32(subject: Subject) -> None:
    """The result is float32."""

    def law(call: Call, result: torch.Tensor) -> None:
        if result.dtype != torch.float32:
            raise Broken(f"{call.method} gives {result.dtype}")

    _for_all_results(subject, law)


@check(runs)
def is_finite(subject: Subject) -> None:
    """No value of the result is NaN or infinite."""

    def law(call: Call, result: torch.Tensor) -> None:
        bad = ~torch.isfinite(result)
        if bad.any():
            place = [int(index) for index in bad.nonzero()[0]]
            raise Broken(f"{call.method} gives {int(bad.sum())} values that are not finite, the first at {place}")

    _for_all_results(subject, law)


@check(runs)
def stays_in_range(subject: Subject) -> None:
    """Values lie in [0, 1], within 1e-5."""

    def law(call: Call, result: torch.Tensor) -> None:
        values = result[torch.isfinite(result)]
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        if low < -CLOSE or high > 1 + CLOSE:
            raise Broken(f"{call.method} gives values from {low:.6g} to {high:.6g}")

    _for_all_results(subject, law)


sound = (keeps_the_shape, keeps_float32, is_finite, stays_in_range)


@check(*sound)
def works_on_tiny_pictures(subject: Subject) -> None:
    """Pictures down to 1 x 1 come out whole: their shape, finite, in [0, 1]."""

    def law(example: Degrading) -> None:
        for call in example.calls(subject):
            result, images = call.run(), call.arguments[0]
            if result.shape != images.shape or result.dtype != torch.float32:
                raise Broken(f"{call.method} gives {tuple(result.shape)} of {result.dtype} for {tuple(images.shape)}")
            if not (result.isfinite().all() and result.min() >= -CLOSE and result.max() <= 1 + CLOSE):
                raise Broken(f"{call.method} gives values that are not finite or not in [0, 1]")

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
        for first, again in zip(example.calls(subject, draws), example.calls(subject, read), strict=True):
            if digest(first.run()) != digest(again.run()):
                raise Broken(f"{first.method} gives something else with the draw that was read")

    for_all(subject, degrading_examples(subject), law)


def _for_all_results(subject: Subject, law: Callable[[Call, torch.Tensor], None]) -> None:
    def each(example: Degrading) -> None:
        for call in example.calls(subject):
            law(call, call.run().detach())

    for_all(subject, degrading_examples(subject, greatest_batch=3), each)
