"""A judge's severities of images: asked once, kept on the disk with the raw answers, never guessed."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Literal

import numpy as np
import torch
import xxhash

from rrframe.contracts.answers import BEST, WORST
from rrframe.contracts.judge import Judge, Unanswered
from rrframe.errors import RRFrameError
from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.pairs.files import write_whole
from rrframe.run.cache import CACHE, cache_folder

_GIVE_UP = 8  # questions in a row without an answer: the fault is the judge's, and no image's
_SHOWN = 80  # characters of an answer


@dataclass(frozen=True)
class Judgement:
    """What a judge said of one image.

    Args:
        score: The severity, 1 (extreme) to 5 (none); ``None`` where there is none.
        answers: What it wrote, as it stands: the last is the one that counts, those before could not be read.
        status: ``unparsable`` if it answered and no answer names a severity, ``failed`` if it did not answer.
        reason: Why there is no score.
        cached: Whether nothing had to be asked.
    """

    score: float | None
    answers: tuple[str, ...]
    status: Literal["parsed", "unparsable", "failed"]
    reason: str = ""
    cached: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest severity that it may have meant."""
        return (WORST, BEST) if self.score is None else (self.score, self.score)


@dataclass(frozen=True)
class _Question:
    """One image as it is shown, and the name under which its answers are kept."""

    pixels: np.ndarray
    key: str

    def image(self) -> torch.Tensor:
        return to_batch(self.pixels)[0]


_Answered = tuple[_Question, str | Unanswered]


class Judging:
    """Asks a judge, and keeps what it answers by the image's pixels, the task, and all else that answers depend on.

    An answer is on the disk as soon as it is there, so that a run that is stopped loses none and a second run asks
    nothing. Images with the same pixels are asked about once.

    Args:
        judge: Who is asked.
        folder: Where answers are kept; by default ``judgements`` in the folder that ``RRFRAME_CACHE`` names. Where that
            is ``off``, they are kept as long as this object.
        retries: How often more a question is asked whose answer cannot be read.
    """

    def __init__(self, judge: Judge, folder: Path | None = None, retries: int = 3) -> None:
        kept = cache_folder()
        self.judge = judge
        self.retries = retries
        self.calls = 0
        """Questions asked so far, those asked again included."""
        self.hits = 0
        """Images so far for which nothing had to be asked."""
        self._kept = _Kept(folder or (kept / "judgements" if kept else None), judge)
        self._in_vain = 0

    def severities(self, images: Sequence[torch.Tensor | np.ndarray], task: str) -> list[Judgement]:
        """The judgement of each image, in their order.

        Args:
            images: Each ``[3, H, W]`` float in [0, 1], encoded sRGB, of any sizes, of which the judge is shown 8 bits;
                or these themselves, as an image file holds them, ``[H, W, 3]`` uint8.
            task: The degradation to look for, such as ``haze``.

        Raises:
            RRFrameError: The judge does not know the task, nothing can be asked of it, or eight questions in a row came
                back without an answer. What was answered until then is kept.
        """
        self.judge.refuse_unknown(task)
        shown = [image if isinstance(image, np.ndarray) else to_pixels(image) for image in images]
        questions = [self._kept.question(pixels, task) for pixels in shown]
        answers = {question.key: self._kept.read(question.key) for question in questions}
        failed: dict[str, str] = {}
        asked: set[str] = set()
        for attempt in range(1 + self.retries):
            waiting = {
                question.key: question
                for question in questions
                if len(answers[question.key]) == attempt
                and question.key not in failed
                and self._score(answers[question.key]) is None
            }
            asked |= waiting.keys()
            for question, answer in self._answers(list(waiting.values()), task, attempt):
                if isinstance(answer, Unanswered):
                    failed[question.key] = answer.message
                else:
                    answers[question.key] += (answer,)
                    self._kept.write(question, task, answers[question.key])
        found = []
        for question in questions:
            found.append(self._judgement(question, answers, failed, cached=question.key not in asked))
            asked.discard(question.key)  # the next of the same pixels was not asked about
        self.hits += sum(judgement.cached for judgement in found)
        return found

    def _judgement(
        self, question: _Question, answers: dict[str, tuple[str, ...]], failed: dict[str, str], *, cached: bool
    ) -> Judgement:
        said = answers[question.key]
        score = self._score(said)
        if score is not None:
            return Judgement(score, said, "parsed", cached=cached)
        if question.key in failed:
            return Judgement(None, said, "failed", failed[question.key], cached)
        times = f", asked {len(said)} times" if len(said) > 1 else ""
        shown = said[-1] if len(said[-1]) <= _SHOWN else said[-1][:_SHOWN] + "..."
        return Judgement(None, said, "unparsable", f"the judge wrote{times}: {shown!r}", cached)

    def _score(self, answers: tuple[str, ...]) -> float | None:
        score = self.judge.parse(answers[-1]) if answers else None
        if score is not None and not WORST <= score <= BEST:
            raise RRFrameError(
                f"it reads {answers[-1]!r} as {score:g}, and severities go from {WORST} to {BEST}",
                component=self.judge.name,
                plugin=self.judge.plugin,
            )
        return score

    def _answers(self, questions: list[_Question], task: str, attempt: int) -> Iterator[_Answered]:
        """Each question with its answer, or why there is none, as they come."""
        size = self.judge.at_once
        calls = [questions[start : start + size] for start in range(0, len(questions), size)]
        for question, answer in _in_threads(lambda call: self._ask(call, task, attempt), calls, self.judge.workers):
            self.calls += 1
            self._in_vain = self._in_vain + 1 if isinstance(answer, Unanswered) else 0
            yield question, answer
            if isinstance(answer, Unanswered) and self._in_vain >= _GIVE_UP:
                raise RRFrameError(
                    f"{self._in_vain} questions in a row have no answer; the last: {answer.message}",
                    component=self.judge.name,
                    plugin=self.judge.plugin,
                    hint="mend that and run again: what was answered is kept, and is not asked again",
                ) from answer

    def _ask(self, call: list[_Question], task: str, attempt: int) -> list[_Answered]:
        try:
            answers = self.judge([question.image() for question in call], task, attempt)
        except Unanswered as error:
            if len(call) == 1:
                return [(call[0], error)]
            # One image may have spoilt it for the others.
            return [pair for question in call for pair in self._ask([question], task, attempt)]
        return list(zip(call, answers, strict=True))


def _in_threads(
    ask: Callable[[list[_Question]], list[_Answered]], calls: list[list[_Question]], workers: int
) -> Iterator[_Answered]:
    """All that ``ask`` gives for each of ``calls``, as they end; the first error ends it, after what is under way."""
    if workers == 1:
        for call in calls:
            yield from ask(call)
        return
    ended: SimpleQueue[Future[list[_Answered]]] = SimpleQueue()
    broken: RRFrameError | None = None
    with ThreadPoolExecutor(workers) as pool:
        futures = [pool.submit(ask, call) for call in calls]
        try:
            for future in futures:
                future.add_done_callback(ended.put)
            for _ in futures:
                future = ended.get()
                try:
                    yield from () if future.cancelled() else future.result()
                except RRFrameError as error:
                    broken = broken or error
                    _cancel(futures)
        finally:
            _cancel(futures)
    if broken:
        raise broken


def _cancel(futures: list[Future[list[_Answered]]]) -> None:
    for future in futures:
        future.cancel()


class _Kept:
    """Answers by question: a small JSON file each, or, without a folder, in memory."""

    def __init__(self, folder: Path | None, judge: Judge) -> None:
        self._folder = folder
        self._judge = judge
        self._memory: dict[str, tuple[str, ...]] = {}
        self._about: tuple[dict[str, Any], bytes] | None = None

    def question(self, pixels: np.ndarray, task: str) -> _Question:
        """The question about an image, ``[H, W, 3]`` uint8."""
        hasher = hashlib.blake2b(json.dumps([task, *pixels.shape]).encode() + self._identity()[1], digest_size=20)
        # Pixels take most of the time. 128 bits keep any two photographs apart, and nobody forges one against himself.
        hasher.update(xxhash.xxh3_128_digest(np.ascontiguousarray(pixels).data))
        return _Question(pixels, hasher.hexdigest())

    def read(self, key: str) -> tuple[str, ...]:
        """What was answered before; empty where nothing was, or its file is damaged."""
        if key in self._memory or self._folder is None:
            return self._memory.get(key, ())
        try:
            answers = json.loads(self._path(self._folder, key).read_bytes())["answers"]
        except (OSError, ValueError, KeyError, TypeError):
            return ()
        return tuple(answers) if isinstance(answers, list) and all(isinstance(one, str) for one in answers) else ()

    def write(self, question: _Question, task: str, answers: tuple[str, ...]) -> None:
        self._memory[question.key] = answers
        if self._folder is None:
            return
        path = self._path(self._folder, question.key)
        height, width = question.pixels.shape[:2]
        said = {"task": task, "size": [width, height], "answers": answers, "asked": self._identity()[0]}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(said, ensure_ascii=False, indent=1))
        except OSError as error:  # it is asked again next time
            logging.getLogger("rrframe").warning(
                "cannot keep the answer at %s: %s (%s=off keeps nothing)", path, error.strerror or error, CACHE
            )

    def _path(self, folder: Path, key: str) -> Path:
        return Path(folder, *self._judge.name.split("/"), key[:2], f"{key}.json")

    def _identity(self) -> tuple[dict[str, Any], bytes]:
        if self._about is None:  # made at the first question: it may look at the files of a model
            identity = {"judge": self._judge.name, **self._judge.identity()}
            self._about = identity, json.dumps(identity, sort_keys=True).encode()
        return self._about
