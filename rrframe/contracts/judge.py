"""Judges: metrics that look. They say how severe a named degradation is in one image."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from pydantic import JsonValue

from rrframe.contracts.answers import parse_answer
from rrframe.contracts.component import Component, attributed
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.manager import get_manager


class Unanswered(RRFrameError):
    """One question that has no answer. Others may have one, so they are asked all the same.

    Any other ``RRFrameError`` of a judge means that nothing can be asked: weights that are missing, a server that is
    down.
    """


class Judge(Component):
    """Answers one question an image: how severe is this degradation, from 1 (extreme) to 5 (none)?

    A subclass writes ``ask``. What it answers stays text until ``parse`` reads it, so that an answer that names no
    severity is known as such, and answers can be read again.

    What calls a judge calls the object itself, which looks at the images first and at the answers after. Keeping
    answers, asking again and counting are the host's: ``rrframe.evaluation.judging``.
    """

    kind: ClassVar[str] = "judge"

    proxy: ClassVar[bool] = False
    """Whether it is a stand-in for a judge that looks, with scores that cannot be compared with one's. It is said
    wherever its numbers appear."""
    repeatable: ClassVar[bool] = False
    """Whether the same image always gets the same answer, alone or among others, in this process or another."""
    follows_severity: ClassVar[bool] = False
    """Whether, in one photograph, more of a degradation never scores as less of it."""
    licence: ClassVar[str] = ""
    """The terms of the weights or of the service that it needs, where they are not those of its plugin."""
    commercial: ClassVar[bool | None] = True
    """Whether these allow commercial use; ``None`` where that is not known."""

    @abstractmethod
    def ask(self, images: Sequence[torch.Tensor], task: str, attempt: int = 0) -> list[str]:
        """The answer for each image, as the judge gave it. The host calls it in ``torch.inference_mode``.

        Args:
            images: Each ``[3, H, W]`` float32 in [0, 1], encoded sRGB, in steps of an 8-bit file; of any sizes.
            task: The degradation to look for, one that it ``knows``, such as ``haze``.
            attempt: How often this was asked before and came back unparsable. A judge that always answers the same may
                answer otherwise from the second time on, for instance by drawing instead of taking the likeliest.

        Raises:
            Unanswered: This question has no answer. Any exception that is no ``RRFrameError`` is taken for one.
            RRFrameError: No question can be answered now.
        """

    def parse(self, text: str) -> float | None:
        """The severity in an answer, 1 (extreme) to 5 (none); ``None`` where it names none, which is never guessed.

        By default the rules of ``rrframe.contracts.answers``.
        """
        return parse_answer(text)

    def identity(self) -> dict[str, JsonValue]:
        """All that an answer depends on besides pixels and task, as JSON: answers are kept under it.

        By default the name, the plugin with its version, and the params. A subclass adds what these do not say, such as
        the revision of a model or a hash of its prompt, and leaves out what changes nothing, such as timeouts. Nothing
        secret stands in it.
        """
        return {"judge": self.name, "plugin": self.plugin, "params": self.params()}

    def knows(self, task: str) -> bool:
        """Whether it can be asked about ``task``. By default any that is registered."""
        return task in get_manager().table("task")

    @property
    def workers(self) -> int:
        """How many calls of ``ask`` may be under way at once, each in a thread."""
        return 1

    @property
    def at_once(self) -> int:
        """How many images it would rather be given in one call, such as eight for a network on a GPU."""
        return 1

    def refuse_unknown(self, task: str) -> None:
        """Nothing, if it knows ``task``.

        Raises:
            RRFrameError: It does not.
        """
        if not self.knows(task):
            known = [name for name in get_manager().table("task") if self.knows(name)]
            raise self._error(f"it cannot judge {task!r}", did_you_mean(task, known))

    def __call__(self, images: Sequence[torch.Tensor], task: str, attempt: int = 0) -> list[str]:
        """``ask``, of images that were looked at before.

        Raises:
            RRFrameError: It does not know the task, an image is not of that form, there is not a text for each, or
                nothing can be asked.
            Unanswered: It failed otherwise.
        """
        self.refuse_unknown(task)
        for image in images:
            if image.ndim != 3 or image.shape[0] != 3 or image.dtype != torch.float32:
                raise self._error(f"it takes [3, H, W] of float32, not {tuple(image.shape)} of {image.dtype}")
        with torch.inference_mode(), attributed(self, "answering", Unanswered):
            answers = self.ask(images, task, attempt)
        if not isinstance(answers, list) or [type(answer) for answer in answers] != [str] * len(images):
            raise self._error(f"it gave {answers!r} for {len(images)} images, and not a text for each")
        return answers

    def _error(self, message: str, hint: str | None = None) -> RRFrameError:
        return RRFrameError(message, component=self.name, plugin=self.plugin, hint=hint)
