"""Restoring many pictures: one by one or in batches, each whole or not at all, continued where it ended."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import yaml
from rich.console import Console
from rich.markup import escape

from rrframe.errors import RRFrameError
from rrframe.imaging.originals import Original, read_original
from rrframe.imaging.reading import measure
from rrframe.imaging.saving import encode_photograph
from rrframe.imaging.tiles import fitting
from rrframe.manager import get_manager
from rrframe.pairs.files import remove_partial, write_whole
from rrframe.restoring.guessing import Guess
from rrframe.restoring.inputs import KEPT, Input, format_of_output
from rrframe.restoring.journal import Journal, Row, as_text
from rrframe.restoring.report import write_report
from rrframe.restoring.restorer import Restorer
from rrframe.run.folder import RESOLVED, RunFailed, RunFolder, disk_errors_told, environment
from rrframe.run.observed import RunFinished, RunStarted
from rrframe.run.progress import Watch

JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Summary:
    """What came of a run: how many pictures it restored, what it found done, what failed, and the page."""

    restored: int
    before: int
    failed: tuple[Row, ...]
    seconds: float
    report: Path
    guessed: tuple[str, ...] = ()
    """The task of each picture restored, where it was guessed."""


@dataclass(frozen=True)
class Planned:
    """What would be done with a picture.

    ``reason`` tells why it cannot be; ``guess`` its task, where that is guessed.
    """

    input: Input
    output: Path | None = None
    height: int = 0
    width: int = 0
    tiles: int = 1
    done: bool = False
    reason: str = ""
    guess: Guess | None = None


def plan_restoring(
    inputs: Sequence[Input], out: Path, restorer: Restorer, *, overwrite: bool = False
) -> Iterator[Planned]:
    """What ``run_restoring`` would do with each input, by the headers of their files, without writing anything.

    Where the task is guessed, the pictures themselves are looked at.

    Raises:
        RRFrameError: Pictures were restored there in another way.
    """
    folder = RunFolder(out / KEPT)
    journal = Journal(folder.file(JOURNAL))
    if overwrite:
        journal.clear()
    elif folder.file(RESOLVED).exists():
        _adopt(folder, restorer, overwrite)
    for one in inputs:
        try:
            height, width, own = measure(one.path)
            guess = restorer.guesser(read_original(one.path).image()) if restorer.guesser else None
        except RRFrameError as error:
            yield Planned(one, reason=error.message)
            continue
        output = one.output(format_of_output(own, restorer.asked.format))
        tiles = restorer.tiling.count(height, width)
        yield Planned(one, output, height, width, tiles, _done(journal, one, out) is not None, guess=guess)


def run_restoring(
    inputs: Sequence[Input],
    out: Path,
    restorer: Restorer,
    console: Console,
    *,
    overwrite: bool = False,
    strict: bool = False,
    check_memory: bool = True,
    explain: bool = False,
) -> Summary:
    """Restore ``inputs`` into ``out``, or continue there.

    Args:
        inputs: What ``find_inputs`` gave.
        out: The folder of results; made at need.
        restorer: What restores them.
        console: Where to show how far it is.
        overwrite: Do all again, and replace what others put there.
        strict: Stop at the first picture that cannot be restored.
        check_memory: Refuse what by the estimate cannot fit, before weights are read.
        explain: Tell of each picture what its task was guessed from.

    Raises:
        RRFrameError: Pictures were restored here in another way, another run is at work here, the weights do not fit or
            cannot be read.
        RunFailed: The disk is full, or with ``strict`` a picture cannot be restored. Finished ones stay.
    """
    folder = RunFolder(out / KEPT)
    with disk_errors_told(out):
        folder.path.mkdir(parents=True, exist_ok=True)
        with folder.claimed(0, 1):
            _adopt(folder, restorer, overwrite)
            return _Restoring(inputs, out, folder, restorer, console, overwrite, strict, explain).run(check_memory)


def _adopt(folder: RunFolder, restorer: Restorer, overwrite: bool) -> None:
    settings = restorer.settings()
    text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True)
    try:
        folder.adopt(settings, text, aside=("engine",), what="set of settings")
    except RRFrameError as error:
        if not overwrite:
            error.hint = "choose another folder with --out, or do all again with --overwrite"
            raise
        write_whole(folder.file(RESOLVED), text)


@dataclass
class _Waiting:
    """A picture that was read and waits for others of its size."""

    input: Input
    original: Original
    image: torch.Tensor
    seconds: float
    guess: Guess | None

    @property
    def task(self) -> str | None:
        return self.guess.task if self.guess else None

    def fits(self, other: _Waiting) -> bool:
        """Whether both can go through together."""
        return self.image.shape == other.image.shape and self.task == other.task


class _Restoring:
    """One run, from what is missing to the page."""

    def __init__(
        self,
        inputs: Sequence[Input],
        out: Path,
        folder: RunFolder,
        restorer: Restorer,
        console: Console,
        overwrite: bool,
        strict: bool,
        explain: bool,
    ) -> None:
        self.inputs, self.out, self.folder = inputs, out, folder
        self.restorer, self.console = restorer, console
        self.overwrite, self.strict, self.explain = overwrite, strict, explain
        self.journal = Journal(folder.file(JOURNAL))
        self.failed: list[Row] = []
        self.guessed: list[str] = []
        self.restored = self.before = 0

    def run(self, check_memory: bool) -> Summary:
        began = time.monotonic()
        if self.overwrite:
            self.journal.clear()
        missing = [one for one in self.inputs if _done(self.journal, one, self.out) is None]
        self.before = len(self.inputs) - len(missing)
        name = self.restorer.backbone.name
        self.folder.note(kind="restoring", backbone=name, status="running", **environment())
        self.folder.log("started", pictures=len(missing), of=len(self.inputs))
        get_manager().notify(
            "on_run_started", run=RunStarted(self.out, "restoring", name, len(missing), len(self.inputs))
        )
        status = "failed"
        try:
            if missing:
                if check_memory:
                    self.restorer.check_memory(_sizes(missing))
                self.restorer.load()
                self._warn()
                self._restore_all(missing)
            status = "finished"
        except KeyboardInterrupt:
            status = "stopped"
            raise
        finally:
            figures = {"restored": self.restored, "failed": len(self.failed)}
            self.folder.log(status, **figures, seconds=round(time.monotonic() - began, 3))
            self.folder.note(status=status, last=figures)
            get_manager().notify("on_run_finished", run=RunFinished(self.out, "restoring", name, status, figures))
        report = write_report(self.out, self.journal)
        seconds = time.monotonic() - began
        return Summary(self.restored, self.before, tuple(self.failed), seconds, report, tuple(self.guessed))

    def _warn(self) -> None:
        untrained = self.restorer.untrained()
        self.folder.note(untrained=untrained)
        for name in untrained:
            said = f"warning: no checkpoint was given, so the weights of {name} are random: this restores nothing"
            self.console.print(escape(said), style="bold red")

    def _restore_all(self, missing: Sequence[Input]) -> None:
        for folder in {(self.out / one.name).parent for one in missing}:
            remove_partial(folder)
        with Watch(self.console, len(self.inputs), "pictures", self.before) as watch:
            self.watch = watch
            waiting: list[_Waiting] = []
            for one in missing:
                read = self._read(one)
                if read is None:
                    continue
                if waiting and not (read.fits(waiting[0]) and len(waiting) < self._at_once(read)):
                    self._finish(waiting)
                    waiting = []
                waiting.append(read)
            if waiting:
                self._finish(waiting)

    def _at_once(self, one: _Waiting) -> int:
        height, width = one.image.shape[-2:]
        return self.restorer.asked.batch or fitting(height, width)

    def _read(self, one: Input) -> _Waiting | None:
        began = time.monotonic()
        try:
            original = read_original(one.path)
            image = original.image()
            guess = self.restorer.guesser(image) if self.restorer.guesser else None
            if guess and self.explain:
                self.watch.say(escape(f"{as_text(str(one.name))}: {guess}: {guess.explained()}"))
            return _Waiting(one, original, image, time.monotonic() - began, guess)
        except RRFrameError as error:
            self._fail(one, error)
        except MemoryError:
            self._fail(one, RRFrameError(f"{one.path.name} needs more memory than there is"))
        return None

    def _finish(self, waiting: Sequence[_Waiting]) -> None:
        began = time.monotonic()
        outcomes = self._restored(waiting)
        each = (time.monotonic() - began) / len(waiting)
        for one, outcome in zip(waiting, outcomes, strict=True):
            one.seconds += each
            try:
                if isinstance(outcome, RRFrameError):
                    raise outcome
                self._save(one, outcome)
            except RRFrameError as error:
                self._fail(one.input, error, one.original)

    def _restored(self, waiting: Sequence[_Waiting]) -> list[torch.Tensor | RRFrameError]:
        """The restored image of each, or why there is none. Where a batch fails, each is tried by itself."""
        try:
            images = torch.cat([one.image for one in waiting])
            restored = self.restorer.restore(images, self._tell_tile, waiting[0].task)
        except (RRFrameError, MemoryError) as error:
            if len(waiting) > 1:
                return [outcome for one in waiting for outcome in self._restored([one])]
            return [_told(error)]
        return [
            image if bool(image.isfinite().all()) else RRFrameError("what came out is not finite (NaN or infinite)")
            for image in restored
        ]

    def _save(self, one: _Waiting, restored: torch.Tensor) -> None:
        began = time.monotonic()
        original = one.original
        format_name = format_of_output(original.format, self.restorer.asked.format)
        notes = list(original.notes)
        if original.space is not None:
            notes.append("restored in sRGB, saved in its own profile")
        if self.restorer.asked.format == "keep" and format_name != original.format and original.format != "MPO":
            notes.append(f"saved as {format_name}, since {original.format} is not written")
        output = one.input.output(format_name)
        path = self.out / output
        self._refuse_replacing(path, output, one.input)
        data = encode_photograph(original.samples(restored), format_name, original.metadata, notes)
        height, width = restored.shape[-2:]
        row = Row(
            name=str(one.input.name),
            source=str(one.input.path.resolve()),
            status="begun",
            sha256=original.sha256,
            output=str(output),
            size=len(data),
            height=height,
            width=width,
            tiles=self.restorer.tiling.count(height, width),
            guessed=str(one.guess) if one.guess else "",
            scores=one.guess.explained() if one.guess else "",
            notes=tuple(notes),
        )
        self.journal.add(row)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
        self.journal.add(replace(row, status="done", seconds=round(one.seconds + time.monotonic() - began, 3)))
        self.restored += 1
        self.guessed += [one.guess.task] if one.guess else []
        self._tell()

    def _refuse_replacing(self, path: Path, output: Path, one: Input) -> None:
        if self.overwrite or not path.exists():
            return
        if not self.journal.wrote(output):
            raise RRFrameError(f"{path} is there already, and not from here", hint="replace it with --overwrite")
        row = self.journal.rows.get(str(one.name))
        if row and row.source != str(one.path.resolve()):
            raise RRFrameError(f"{path} is there already, made of {row.source}", hint="replace it with --overwrite")

    def _fail(self, one: Input, error: RRFrameError, original: Original | None = None) -> None:
        message = error.message.removeprefix(f"{as_text(one.path.name)} ")
        reason = f"{message}; {error.hint}" if error.hint else message
        known = self.journal.rows.get(str(one.name))
        row = Row(
            name=str(one.name),
            source=str(one.path.resolve()),
            status="failed",
            sha256=original.sha256 if original else "",
            reason=reason,
        )
        if known is None or known.status != "done":  # what an earlier run made stays known
            self.journal.add(row)
        self.failed.append(row)
        self.watch.say(escape(f"failed: {row.shown}: {reason}"))
        if self.strict:
            raise RunFailed(f"{row.shown} cannot be restored: {message}", hint=error.hint)
        self._tell()

    def _tell(self, about: str = "") -> None:
        self.watch.reached(self.before + self.restored + len(self.failed), about)

    def _tell_tile(self, done: int, total: int) -> None:
        self._tell(f"tile {done} of {total}")


def _done(journal: Journal, one: Input, out: Path) -> Row | None:
    """What is known of the result, if it was made of these very bytes and lies there whole."""
    row = journal.rows.get(str(one.name))
    if row is None or row.status != "done":
        return None
    try:
        with open(one.path, "rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == row.sha256
        return row if same and (out / row.output).stat().st_size == row.size else None
    except OSError:
        return None


def _sizes(inputs: Sequence[Input]) -> Iterator[tuple[int, int]]:
    """Heights and widths of those that can be read."""
    for one in inputs:
        with suppress(RRFrameError):
            height, width, _ = measure(one.path)
            yield height, width


def _told(error: RRFrameError | MemoryError) -> RRFrameError:
    short = isinstance(error, MemoryError) or isinstance(error.__cause__, (MemoryError, torch.OutOfMemoryError))
    if short:
        return RRFrameError("it needs more memory than there is", hint="set smaller tiles, such as --tile 512")
    assert isinstance(error, RRFrameError)
    return error
