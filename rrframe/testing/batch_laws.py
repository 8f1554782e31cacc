"""Laws of components that take a batch of images: its size, its memory layout and torch's mode make no difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

from rrframe.testing.calls import CLOSE, Call
from rrframe.testing.checks import Broken, check, for_all
from rrframe.testing.examples import Degrading, Example, Looking, examples_for
from rrframe.testing.judge_laws import answers_every_image
from rrframe.testing.measuring import Measuring
from rrframe.testing.metric_laws import gives_one_score_an_image
from rrframe.testing.pictures import LAYOUTS
from rrframe.testing.purity_laws import keeps_no_state, must_repeat, same_input_same_bytes
from rrframe.testing.subjects import Subject


@check(keeps_no_state, gives_one_score_an_image, answers_every_image)
def batch_equals_singles(subject: Subject) -> None:
    """An image of a batch comes out as it would alone, within 1e-5: no image sees its neighbours.

    Not to the bit: vector and scalar instructions, chosen by where a value lies in memory, may round apart.
    """
    must_repeat(subject)

    def law(example: Example) -> None:
        batch = example.picture.batch
        for call in example.calls(subject):
            together = call.run()
            for index in range(batch):
                _close(
                    call, call.single(index).run(), together[index : index + 1], f"for image {index} of {batch} alone"
                )

    for_all(subject, examples_for(subject, greatest_batch=3), law)


@check(same_input_same_bytes)
def takes_any_memory_layout(subject: Subject) -> None:
    """An image gives the same, within 1e-5, however it lies in memory: channels last, channels first, strided."""

    def law(example: Example) -> None:
        assert isinstance(example, (Degrading, Looking, Measuring))
        plain = replace(example, picture=replace(example.picture, layout=LAYOUTS[0]))
        expected = [call.run() for call in plain.calls(subject)]
        for layout in LAYOUTS[1:]:
            laid = replace(example, picture=replace(example.picture, layout=layout))
            for call, result in zip(laid.calls(subject), expected, strict=True):
                _close(call, call.run(), result, f"for an image that is {layout} in memory")

    for_all(subject, examples_for(subject), law, share=0.5)


@check(takes_any_memory_layout)
def works_in_inference_mode(subject: Subject) -> None:
    """Tensors of torch.inference_mode, which allow no change in place outside it, give the same as others."""

    def law(example: Example) -> None:
        for call in example.calls(subject):
            expected = call.run()
            if expected.requires_grad:
                raise Broken(f"the result of {call.method} asks for gradients")
            with torch.inference_mode():
                arguments = tuple(
                    argument.clone() if isinstance(argument, torch.Tensor) else argument for argument in call.arguments
                )
                inside = call.run_on(arguments)
            _close(call, inside, expected, "inside torch.inference_mode()")

    for_all(subject, examples_for(subject), law, share=0.5)


def _close(call: Call, found: Any, expected: Any, when: str) -> None:
    if isinstance(found, list):  # of a judge's answers
        if found != expected:
            raise Broken(f"{call.method} answers {found} {when}, and {expected} otherwise")
        return
    if found.shape != expected.shape:
        raise Broken(f"{call.method} gives {tuple(found.shape)} {when}, and {tuple(expected.shape)} otherwise")
    scale = max(1.0, float(expected.detach().abs().nan_to_num(posinf=0.0).max()))  # cues have units, such as metres
    apart = float((found.detach().double() - expected.detach().double()).abs().nan_to_num().max()) / scale
    if apart > CLOSE:
        raise Broken(f"{call.method} gives values up to {apart:.2g} apart {when}")
