"""Laws of judges: what they answer, how it is read, under what it is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import cv2
import torch
from skimage import data

from rrframe.contracts.answers import BEST, WORST
from rrframe.contracts.judge import Judge
from rrframe.errors import RRFrameError
from rrframe.imaging.layout import from_hwc, hwc_view, to_batch
from rrframe.testing.asking import Asking, asking_examples
from rrframe.testing.checks import Broken, NotApplicable, check, for_each
from rrframe.testing.component_laws import survives_its_params
from rrframe.testing.declared_laws import says_how_it_is_asked
from rrframe.testing.purity_laws import leaves_its_input_alone, runs
from rrframe.testing.subjects import Subject

_SILENT = ("", " \n", "I cannot judge this image.", "???", "**")
_ODD = ("-3", "1e400", "nan", "17", "3.5", "4/5", "5", "1, 2, 3", "退化分数：6", "９", "[]", "\x00", "0x5")
_SHARES = (0.0, 0.3, 0.6, 0.9)


@check(says_how_it_is_asked, runs)
def answers_every_image(subject: Subject) -> None:
    """The answers are a list with a text for each image."""

    def law(example: Asking) -> None:
        for call in example.calls(subject):
            answers, count = call.run(), example.picture.batch
            if not isinstance(answers, list) or [type(answer) for answer in answers] != [str] * count:
                raise Broken(f"it answers {answers!r} to {count} images")

    for_each(asking_examples(subject), law)


@check(answers_every_image)
def reads_answers_or_none(subject: Subject) -> None:
    """Any text is read as a severity from 1 to 5 or as None, and one that says nothing is None: it is not guessed."""
    judge = _judge(subject)
    own = [answer for example in asking_examples(subject) for call in example.calls(subject) for answer in call.run()]

    def law(text: str) -> None:
        score = judge.parse(text)
        if score is not None and not (isinstance(score, (int, float)) and WORST <= score <= BEST):
            raise Broken(f"it reads {text!r} as {score!r}")
        if score is not None and text in _SILENT:
            raise Broken(f"it reads {text!r} as {score!r}, which is a guess")

    for_each([*own, *_SILENT, *_ODD], law)


@check(survives_its_params)
def identity_is_json(subject: Subject) -> None:
    """What answers are kept under can be written as JSON, and is the same for the same judge, used or new."""
    judge = _judge(subject)
    try:
        first, *others = [json.dumps(each.identity(), sort_keys=True, allow_nan=False) for each in (judge, judge)]
        others.append(json.dumps(_made(subject).identity(), sort_keys=True))
    except (TypeError, ValueError) as error:
        raise Broken(f"identity cannot be written as JSON: {error}") from None
    if not isinstance(json.loads(first), dict):
        raise Broken(f"identity is {first}, and not a table of names")
    for other in others:
        if other != first:
            raise Broken(f"identity is {first} once and {other} another time")


@check(says_how_it_is_asked, runs)
def refuses_unknown_tasks(subject: Subject) -> None:
    """A task that it does not know is refused with an RRFrameError that names it."""
    task = "no-such-task"
    image = asking_examples(subject)[0].images()[0]
    try:
        answers = _judge(subject)([image], task)
    except RRFrameError as error:
        if task not in error.render():
            raise Broken(f"it is refused in words that do not name it: {error.render()}") from None
        return
    raise Broken(f"it answers {answers!r} about {task}")


@check(answers_every_image, leaves_its_input_alone)
def more_is_never_milder(subject: Subject) -> None:
    """Where it says that it follows severity: the more of a degradation, the lower the score, or the same."""
    judge = _judge(subject)
    if not judge.follows_severity:
        raise NotApplicable("it does not say that it follows severity")
    tasks = [task for task in _WORSE if judge.knows(task)]
    if not tasks:
        raise NotApplicable(f"it knows none of {', '.join(_WORSE)}, which the kit can make")
    photograph = to_batch(data.astronaut()[:256, 128:384])[0]  # type: ignore[no-untyped-call]

    def law(task: str) -> None:
        answers = judge([_WORSE[task](photograph, share).contiguous() for share in _SHARES], task)
        scores = [judge.parse(answer) for answer in answers]
        if None in scores:
            raise Broken(f"it answers {answers!r}, and not all of that can be read")
        found: list[Any] = scores
        if found[-1] >= found[0] or any(later > earlier for earlier, later in pairwise(found)):
            raise Broken(f"more and more {task} scores {', '.join(f'{score:g}' for score in found)}")

    for_each(tasks, law)


def _noisy(image: torch.Tensor, share: float) -> torch.Tensor:
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    return (image + 0.3 * share * noise).clamp(0, 1)


def _blurred(image: torch.Tensor, share: float) -> torch.Tensor:
    width = 1 + 2 * round(8 * share)
    return from_hwc([cv2.blur(hwc_view(image), (width, width))])[0]


_WORSE: dict[str, Callable[[torch.Tensor, float], torch.Tensor]] = {
    "blur": _blurred,
    "haze": lambda image, share: image.lerp(torch.full_like(image, 0.85), share),
    "lowlight": lambda image, share: image * (1 - share),
    "noise": _noisy,
}
"""More of a degradation the greater the share, made without any plugin."""


def _judge(subject: Subject) -> Judge:
    assert isinstance(subject.component, Judge)
    return subject.component


def _made(subject: Subject) -> Judge:
    made = subject.made()
    assert isinstance(made, Judge)
    return made
