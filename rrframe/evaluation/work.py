"""What a worker does: restore some images with one restorer, and score them. A pure function of the recipe and of the
files, but for what it writes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout

from rrframe.contracts.engine import Unit
from rrframe.errors import RRFrameError
from rrframe.evaluation.candidates import RESTORED, Candidate
from rrframe.evaluation.results import Row
from rrframe.evaluation.scoring import Scorer, told
from rrframe.evaluation.subjects import Loaded, Reader, Subject, Subjects, part_of
from rrframe.imaging.codec import encode_png
from rrframe.imaging.layout import joined, to_batch, to_pixels
from rrframe.imaging.reading import read_photograph
from rrframe.imaging.resample import resize
from rrframe.imaging.tiles import fitting
from rrframe.pairs.files import write_whole
from rrframe.recipe.evaluation import EvaluationRecipe
from rrframe.restoring.journal import as_text


@dataclass(frozen=True)
class Chunk:
    """A unit of work: some images under one restorer.

    Args:
        key: Names it and all that its rows depend on.
        restorer: The restorer's name.
        places: The images, by their places in the list.
    """

    key: str
    restorer: str
    places: tuple[int, ...]


@dataclass
class _Waiting:
    """An image that was read and waits for others of its size; ``restored`` is ``[1, 3, H, W]``."""

    place: int
    subject: Subject
    loaded: Loaded
    restored: torch.Tensor | None = None
    file: Path | None = None
    seconds: float = 0.0
    note: str = ""

    @property
    def size(self) -> tuple[int, int]:
        height, width = self.loaded.degraded.shape[:2]
        return height, width

    @property
    def sizes(self) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
        """Of the degraded image and of the clean one, where there is one: those of a batch agree in both."""
        clean = self.loaded.clean
        return self.size, None if clean is None else clean.shape


class EvaluationWork:
    """Makes the rows of chunks, without what the judge says.

    Args:
        recipe: The run's recipe.
        subjects: What is scored on.
        folder: The run's folder.
        chunks: The units of work.
    """

    def __init__(self, recipe: EvaluationRecipe, subjects: Subjects, folder: Path, chunks: Sequence[Chunk]) -> None:
        self.recipe, self.subjects, self.folder, self.chunks = recipe, subjects, folder, chunks

    def __getstate__(self) -> dict[str, Any]:
        names = ("recipe", "subjects", "folder", "chunks")
        return {name: getattr(self, name) for name in names}

    def __call__(self, unit: Unit, begin: Callable[[int], None]) -> list[Row]:
        chunk = self.chunks[unit.number]
        candidate = self._candidate(chunk.restorer)
        rows: dict[int, Row] = {}
        waiting: list[_Waiting] = []
        for place in chunk.places:
            begin(place)
            subject = self.subjects.found[place]
            if place in unit.quarantined:
                rows[place] = self._failed(candidate, subject, unit.quarantined[place])
                continue
            one: _Waiting | None = None
            try:
                one = _Waiting(place, subject, self._reader.read(subject))
                if not self._has_input(candidate, one):
                    rows[place] = self._failed(candidate, subject, "there is no output for it", one, "missing")
                    continue
            except (RRFrameError, MemoryError) as error:
                rows[place] = self._failed(candidate, subject, told(error), one)
                continue
            if waiting and (one.sizes != waiting[0].sizes or len(waiting) >= fitting(*one.size)):
                rows |= self._finished(candidate, waiting)
                waiting = []
            waiting.append(one)
        if waiting:
            rows |= self._finished(candidate, waiting)
        return [rows[place] for place in chunk.places]

    # Reading
    # ------------------------------------------------------------------------------------------------------------------

    def _has_input(self, candidate: Candidate, one: _Waiting) -> bool:
        """Take what is scored without restoring, and say whether there is all that is needed."""
        if candidate.kind == "identity":
            one.restored, one.file = to_batch(one.loaded.degraded), one.loaded.degraded_file
        elif candidate.kind == "folder":
            output = candidate.output(one.subject)
            if output is None:
                return False
            self._take_output(one, output)
        return True

    def _take_output(self, one: _Waiting, file: Path) -> None:
        pixels = read_photograph(file).pixels
        one.restored, one.file = to_batch(pixels), file
        if pixels.shape[:2] != one.size:
            sizes = [f"{width} x {height}" for height, width in (pixels.shape[:2], one.size)]
            if not self.recipe.resize_outputs:
                raise RRFrameError(f"the output is {sizes[0]}, and the image {sizes[1]}")
            one.restored = resize(one.restored, *one.size, method="lanczos").clamp(0, 1)
            one.note = f"resized from {sizes[0]}"

    # Restoring and scoring
    # ------------------------------------------------------------------------------------------------------------------

    def _finished(self, candidate: Candidate, waiting: list[_Waiting]) -> dict[int, Row]:
        rows: dict[int, Row] = {}
        done = list(waiting)
        if candidate.kind == "backbone":
            done = []
            for one, outcome in self._restored(candidate, waiting):
                if isinstance(outcome, str):
                    rows[one.place] = self._failed(candidate, one.subject, outcome, one)
                else:
                    self._keep(candidate, one, outcome)
                    done.append(one)
        return rows | (self._scored(candidate, done) if done else {})

    def _restored(self, candidate: Candidate, waiting: list[_Waiting]) -> Iterator[tuple[_Waiting, torch.Tensor | str]]:
        """Each with its restored image, or why there is none. A batch that fails is tried one by one."""
        for task in dict.fromkeys(one.subject.task for one in waiting):
            group = [one for one in waiting if one.subject.task == task]
            began = time.monotonic()
            try:
                images = joined([to_batch(one.loaded.degraded) for one in group])
                restored = candidate.restore(images, task)
            except (RRFrameError, MemoryError) as error:
                if len(group) > 1:
                    for one in group:
                        yield from self._restored(candidate, [one])
                else:
                    yield group[0], told(error)
                continue
            for one, image in zip(group, restored, strict=True):
                one.seconds = (time.monotonic() - began) / len(group)
                finite = bool(image.isfinite().all())
                yield one, image if finite else "what came out is not finite (NaN or infinite)"

    def _keep(self, candidate: Candidate, one: _Waiting, image: torch.Tensor) -> None:
        """Write the restored image, and take it as its file has it: that is what is scored."""
        pixels = to_pixels(image, one.loaded.degraded.dtype)
        one.file = self.folder / RESTORED / candidate.folder_name / one.subject.file_name
        one.file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(one.file, encode_png(pixels))
        one.restored = to_batch(pixels)

    def _scored(self, candidate: Candidate, done: list[_Waiting]) -> dict[int, Row]:
        restored = joined([one.restored for one in done if one.restored is not None])
        identity = candidate.kind == "identity"
        degraded = restored if identity else joined([to_batch(one.loaded.degraded) for one in done])
        references = [to_batch(one.loaded.clean) for one in done if one.loaded.clean is not None]
        clean = joined(references) if references else None
        rows = {}
        for one, scored in zip(done, self._scorer.score(restored, degraded, clean), strict=True):
            reasons = [*([one.note] if one.note else []), *scored.reasons]
            status = "failed" if None in scored.scores.values() else "scored"
            rows[one.place] = self._row(candidate, one.subject, one).model_copy(
                update={"status": status, "scores": scored.scores, "reason": "; ".join(reasons)}
            )
        return rows

    # Rows
    # ------------------------------------------------------------------------------------------------------------------

    def _failed(
        self, candidate: Candidate, subject: Subject, reason: str, one: _Waiting | None = None, status: str = "failed"
    ) -> Row:
        row = self._row(candidate, subject, one)
        return row.model_copy(update={"status": status, "reason": reason, "restored": None})

    def _row(self, candidate: Candidate, subject: Subject, one: _Waiting | None) -> Row:
        height, width = one.size if one else (0, 0)
        meta = one.loaded.meta if one else {}
        degraded = one.loaded.degraded_file if one else subject.degraded
        clean = one.loaded.clean_file if one else subject.clean
        parts = {
            name: part_of(slicing, subject, height, width, meta) if one else "unknown"
            for name, slicing in self.recipe.slices.items()
        }
        return Row(
            image=subject.name,
            restorer=candidate.name,
            task=subject.task,
            picture=subject.picture,
            slices=parts,
            status="scored",
            scores=dict.fromkeys(self._scorer.metrics),
            degraded=self._relative(degraded),
            restored=self._relative(one.file if one else None),
            clean=self._relative(clean),
            width=width,
            height=height,
            seconds=round(one.seconds, 4) if one else 0.0,
        )

    def _relative(self, path: Path | None) -> str | None:
        return None if path is None else as_text(os.path.relpath(path, self.folder))

    # What a process keeps
    # ------------------------------------------------------------------------------------------------------------------

    def _candidate(self, name: str) -> Candidate:
        if self._last is None or self._last.name != name:  # one network at a time
            self._last = None
            choice = self.recipe.restorers[name]
            self._last = Candidate(name, choice, self.recipe, self.subjects, self._device)
        return self._last

    _last: Candidate | None = None

    @cached_property
    def _reader(self) -> Reader:
        return Reader(self.recipe, self.folder)

    @cached_property
    def _scorer(self) -> Scorer:
        return Scorer(self.recipe, self._device)

    @cached_property
    def _device(self) -> str | None:
        """One of the recipe's devices, that no other process of the run has taken where there are enough."""
        devices = self.recipe.devices
        for device in devices:
            lock = FileLock(self.folder / ".locks" / f"device-{device.replace(':', '-')}", timeout=0)
            try:
                lock.acquire()
            except Timeout:
                continue
            self._lock = lock  # held until this process ends
            return device
        return devices[os.getpid() % len(devices)] if devices else None
