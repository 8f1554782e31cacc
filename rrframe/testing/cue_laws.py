"""Laws of cues."""

from __future__ import annotations

import torch

from rrframe.contracts.cue import FRAMES
from rrframe.testing.calls import Call
from rrframe.testing.checks import Broken, check, for_all, for_each
from rrframe.testing.examples import Looking, examples_for, tiny_examples
from rrframe.testing.purity_laws import runs
from rrframe.testing.subjects import Subject


@check(runs)
def gives_a_map(subject: Subject) -> None:
    """The result is [B, C, H, W] float32 and finite; depth is one channel above 0, segments one of whole numbers.
    Frames may be uint8.
    """

    def law(example: Looking) -> None:
        for call in example.calls(subject):
            _is_map(subject, call, call.run())

    for_all(subject, examples_for(subject, greatest_batch=3), law)


@check(gives_a_map)
def works_on_tiny_pictures(subject: Subject) -> None:
    """Pictures down to 1 x 1 get a map too."""

    def law(example: Looking) -> None:
        for call in example.calls(subject):
            _is_map(subject, call, call.run())

    for_each(tiny_examples(subject), law)


def _is_map(subject: Subject, call: Call, maps: torch.Tensor) -> None:
    batch, _, height, width = call.arguments[0].shape
    shape = tuple(maps.shape)
    if len(shape) != 4 or (shape[0], *shape[2:]) != (batch, height, width):
        raise Broken(f"compute gives {shape} for {batch} images of {height} x {width}; [B, C, H, W] is needed")
    cue = subject.name.partition("/")[0]
    if maps.dtype != torch.float32 and not (cue == FRAMES and maps.dtype == torch.uint8):
        raise Broken(f"compute gives {maps.dtype}, not float32")
    if not maps.isfinite().all():
        raise Broken("compute gives values that are not finite")
    if cue in ("depth", "segments") and shape[1] != 1:
        raise Broken(f"{cue} has one channel, not {shape[1]}")
    if cue == "depth" and not (maps > 0).all():
        raise Broken(f"depth is in metres, above 0; compute gives {float(maps.min()):g}")
    if cue == "segments" and not ((maps >= 0) & (maps == maps.round())).all():
        raise Broken("segments are whole numbers from 0")
