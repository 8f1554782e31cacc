"""The evaluation run: list, check, restore, score, judge, and say what came of it. Killed at any moment and run again
it comes to the same results.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from rrframe.contracts.engine import Engine, Event, Unit, Work
from rrframe.errors import RRFrameError
from rrframe.evaluation.assembling import Outcome, assemble
from rrframe.evaluation.candidates import Candidate, candidates_of, settings_of
from rrframe.evaluation.checks import find_problems, judge_problem, listed, refuse
from rrframe.evaluation.judging import Judging
from rrframe.evaluation.results import Problem, Results, Row
from rrframe.evaluation.scoring import Scorer
from rrframe.evaluation.severities import Severities, ask_all, questions_of
from rrframe.evaluation.subjects import Subject, Subjects, list_subjects
from rrframe.evaluation.work import Chunk, EvaluationWork
from rrframe.evaluation.writing import write_results
from rrframe.manager import get_manager
from rrframe.pairs.files import write_whole
from rrframe.recipe.evaluation import EvaluationRecipe
from rrframe.recipe.loading import LoadedRecipe, resolved_yaml
from rrframe.run.cache import cache_folder
from rrframe.run.folder import RESOLVED, RunFailed, RunFolder, disk_error, disk_errors_told, environment
from rrframe.run.lines import append_line, read_lines
from rrframe.run.observed import RunFinished, RunStarted, StepEnded
from rrframe.run.progress import Watch

JOURNAL = "scores.jsonl"
JUDGEMENTS = "judgements"
_ASIDE = ("engine", "devices", "allow_partial", "restorers", "level", "resamples", "seed")
"""What may change between two runs in one folder: rows know their restorer, and the rest is computed anew."""


@dataclass(frozen=True)
class Options:
    """How to run, apart from the recipe.

    Args:
        allow_partial: Go on where something is missing or wrong, as the recipe's key does.
        retry_failed: Try images again that could not be scored.
    """

    allow_partial: bool = False
    retry_failed: bool = False


@dataclass(frozen=True)
class Summary:
    """What came of a run: its results, and the page."""

    results: Results
    folder: Path
    report: Path
    seconds: float
    left_out: tuple[str, ...] = ()
    stopped: RRFrameError | None = None
    """Why the judge could not be asked further."""

    @property
    def unscored(self) -> list[Row]:
        """The rows that have not every score."""
        return [row for row in self.results.rows if row.status != "scored"]


@dataclass(frozen=True)
class Plan:
    """What a run would do."""

    recipe: EvaluationRecipe
    subjects: Subjects
    candidates: Sequence[Candidate]
    left_out: Sequence[str]
    problems: Sequence[Problem]
    chunks: Sequence[Chunk]
    done: int
    """Of the chunks."""


def plan_evaluation(loaded: LoadedRecipe, folder: Path) -> Plan:
    """What ``run_evaluation`` would do, without writing anything or asking a judge.

    Raises:
        RRFrameError: The benchmark cannot be listed.
    """
    recipe = _recipe(loaded)
    subjects = list_subjects(recipe)
    candidates, left_out = candidates_of(recipe, subjects)
    if not candidates:
        raise RRFrameError("no restorer is there to be scored", hint="; ".join(left_out))
    problems = find_problems(recipe, subjects, candidates, Scorer(recipe))
    fatal = any(problem.kind == "restorer" for problem in problems)
    chunks = [] if fatal else _chunks(recipe, subjects, candidates)
    known = _read_journal(folder / JOURNAL)
    done = sum(chunk.key in known for chunk in chunks)
    return Plan(recipe, subjects, candidates, left_out, problems, chunks, done)


def run_evaluation(loaded: LoadedRecipe, folder: Path, console: Console, options: Options | None = None) -> Summary:
    """Run ``loaded`` in ``folder``, or continue there.

    Raises:
        RRFrameErrors: Something is missing or wrong, all of it together, before any work is done.
        RRFrameError: Another recipe was run here, or another run is at work here.
        RunFailed: The disk is full, or weights cannot be read. What was scored stays.
    """
    options = options or Options()
    run = RunFolder(folder)
    with disk_errors_told(folder):
        plan = plan_evaluation(loaded, folder)
        allowed = options.allow_partial or plan.recipe.allow_partial
        judging = None
        if plan.recipe.judge is not None:
            judging = Judging(plan.recipe.judge, None if cache_folder() else folder / JUDGEMENTS)
        problems = [*plan.problems, *judge_problem(plan.recipe, plan.subjects, judging, folder)]
        refuse(problems, allow_partial=allowed)
        folder.mkdir(parents=True, exist_ok=True)
        with run.claimed(0, 1):
            run.adopt(loaded.resolved, resolved_yaml(loaded), aside=_ASIDE)
            write_whole(run.file(RESOLVED), resolved_yaml(loaded))
            return _Evaluation(loaded, plan, run, console, options, problems, judging, allowed).run()


def describe(plan: Plan) -> Iterator[tuple[str, Any]]:
    """What a run of ``plan`` would do, as names and values for people."""
    counts: dict[str, int] = {}
    for subject in plan.subjects.found:
        counts[subject.task] = counts.get(subject.task, 0) + 1
    yield "images", f"{len(plan.subjects.found)}, {'with' if plan.subjects.references else 'without'} clean ones"
    yield from counts.items()
    yield "restorers", ", ".join(f"{each.name} ({each.kind})" for each in plan.candidates)
    for sentence in plan.left_out:
        yield "", sentence
    names = list(Scorer(plan.recipe).metrics) + [score for score in plan.recipe.scores if score != "LPS"]
    yield "scores", ", ".join(names)
    if plan.recipe.judge is not None:
        proxy = ", a stand-in for a judge that looks" if plan.recipe.judge.proxy else ""
        yield "judge", plan.recipe.judge.name + proxy
    yield "done", f"{plan.done} of {len(plan.chunks)} parts"
    for sentence in listed(plan.problems):
        yield "problem", sentence


class _Evaluation:
    """One run, from what is missing to the page."""

    def __init__(
        self,
        loaded: LoadedRecipe,
        plan: Plan,
        run: RunFolder,
        console: Console,
        options: Options,
        problems: Sequence[Problem],
        judging: Judging | None,
        allowed: bool,
    ) -> None:
        self.loaded, self.plan, self.folder, self.console = loaded, plan, run, console
        self.options, self.problems, self.judging, self.allowed = options, problems, judging, allowed
        self.recipe = plan.recipe
        self.rows = _read_journal(run.file(JOURNAL))

    def run(self) -> Summary:
        began = time.monotonic()
        chunks = [chunk for chunk in self.plan.chunks if not self._is_done(chunk)]
        folder, name = self.folder.path, self.loaded.name
        for sentence in (*self.plan.left_out, *listed(self.problems)):
            self.console.print(escape(sentence))
        self._warn()
        self.folder.note(recipe=name, kind="evaluation", status="running", **environment())
        self.folder.log("started", parts=len(chunks), of=len(self.plan.chunks))
        notify = get_manager().notify
        notify("on_run_started", run=RunStarted(folder, "evaluation", name, len(chunks), len(self.plan.chunks)))
        status = "failed"
        try:
            self._score(chunks)
            severities = self._judge()
            status = "finished"
        except KeyboardInterrupt:
            status = "stopped"
            raise
        finally:
            seconds = time.monotonic() - began
            figures = {"parts": len(chunks), "seconds": round(seconds, 3)}
            self.folder.log(status, **figures)
            self.folder.note(status=status, last=figures)
            notify("on_run_finished", run=RunFinished(folder, "evaluation", name, status, figures))
        return self._summary(severities, began)

    def _summary(self, severities: Severities, began: float) -> Summary:
        rows = [row for chunk in self.plan.chunks for row in self.rows[chunk.key]]
        outcome = Outcome(
            self.loaded,
            self.plan.subjects,
            self.plan.candidates,
            rows,
            severities,
            self.judging,
            self.problems,
            self._seconds() + time.monotonic() - began,
        )
        self.console.print("averages, intervals and differences")
        results = assemble(outcome)
        report = write_results(results, self.folder.path)
        seconds = time.monotonic() - began
        return Summary(results, self.folder.path, report, seconds, tuple(self.plan.left_out), severities.stopped)

    def _seconds(self) -> float:
        """What earlier runs in this folder took."""
        ended = [line for line in read_lines(self.folder.file("events.jsonl")) if "seconds" in line]
        return sum(float(line["seconds"]) for line in ended[:-1] if line["what"] in ("finished", "stopped", "failed"))

    def _warn(self) -> None:
        for candidate in self.plan.candidates:
            for name in candidate.facts.untrained:
                said = f"warning: {candidate.name} has no checkpoint: the weights of {name} are random"
                self.console.print(escape(said), style="bold red")
        judge = self.recipe.judge
        if judge is not None and judge.proxy:
            self.console.print(
                f"{judge.name} stands in for a judge that looks: its scores compare with no published ones"
            )

    # Restoring and scoring
    # ------------------------------------------------------------------------------------------------------------------

    def _is_done(self, chunk: Chunk) -> bool:
        rows = self.rows.get(chunk.key)
        if rows is None:
            return False
        if self.options.retry_failed and any(row.status == "failed" for row in rows):
            return False
        files = (self.folder.path / row.restored for row in rows if row.restored)
        return all(file.exists() for file in files)

    def _score(self, chunks: Sequence[Chunk]) -> None:
        total = sum(len(chunk.places) for chunk in self.plan.chunks)
        done = total - sum(len(chunk.places) for chunk in chunks)
        work = EvaluationWork(self.recipe, self.plan.subjects, self.folder.path, chunks)
        units = [Unit(number) for number in range(len(chunks))]
        with (
            Watch(self.console, total, "images", done) as watch,
            closing(_events(self.recipe.engine, work, units)) as events,  # type: ignore[type-var]
        ):
            for event in events:
                chunk = chunks[event.unit]
                if event.what == "died":
                    place = f" at {self.plan.subjects.found[event.sample].name}" if event.sample is not None else ""
                    watch.say(f"a worker was lost{place} ({event.message}); its images are begun again")
                    self.folder.log("died", restorer=chunk.restorer, sample=event.sample, message=event.message)
                elif event.what == "failed":
                    raise _failure(event, self.folder.path, chunk)
                elif event.what == "done":
                    done += len(chunk.places)
                    self._keep(chunk, event.result, watch)
                    watch.reached(done, chunk.restorer)

    def _keep(self, chunk: Chunk, rows: list[Row], watch: Watch) -> None:
        self.rows[chunk.key] = rows
        append_line(self.folder.file(JOURNAL), {"unit": chunk.key, "rows": [row.model_dump() for row in rows]})
        for row in rows:
            if row.status == "failed":
                watch.say(escape(f"failed: {row.image} by {row.restorer}: {row.reason}"))
        figures = {"images": len(rows), "seconds": sum(row.seconds for row in rows)}
        number = len(self.rows)
        get_manager().notify("on_step_ended", step=StepEnded(self.folder.path, number, figures))

    # Judging
    # ------------------------------------------------------------------------------------------------------------------

    def _judge(self) -> Severities:
        if self.judging is None:
            return Severities()
        rows = [row for chunk in self.plan.chunks for row in self.rows[chunk.key]]
        told = {task: self.plan.subjects.told(task) for task in self.plan.subjects.tasks}
        questions = questions_of(rows, told)
        total = sum(map(len, questions.values()))
        with Watch(self.console, total, "images judged") as watch:
            asked = ask_all(self.judging, questions, self.folder.path, watch)
        self.folder.log("judged", images=total, asked=self.judging.calls, hits=self.judging.hits)
        if asked.stopped is not None and not self.allowed:
            asked.stopped.hint = (
                "what was scored and judged is kept: mend that and run the same command again, or take what there is "
                "with --allow-partial"
            )
            raise asked.stopped
        return asked


def _events(engine: Engine | None, work: Work, units: Sequence[Unit]) -> Iterator[Event]:
    """What an engine tells; without one, the same of work in this process."""
    if engine is not None:
        yield from engine.run(work, units)
        return
    for unit in units:
        try:
            result = work(unit, lambda sample: None)
        except Exception as error:
            yield Event("failed", unit.number, error=error)
        else:
            yield Event("done", unit.number, result=result)


def _failure(event: Event, folder: Path, chunk: Chunk) -> BaseException:
    told = disk_error(event.error, folder)
    if told or isinstance(event.error, RRFrameError):
        return told or event.error  # type: ignore[return-value]
    said = f"{type(event.error).__name__}: {event.error}"
    return RunFailed(
        f"{chunk.restorer} cannot be scored: {said}",
        hint="what was scored stays; RRFRAME_TRACEBACK=1 shows where it came from",
    )


def _chunks(recipe: EvaluationRecipe, subjects: Subjects, candidates: Sequence[Candidate]) -> list[Chunk]:
    """All units of work. What is done with them is decided by nothing else, so a continued run does the same."""
    found = []
    for candidate in candidates:
        if candidate.kind == "published":
            continue
        settings = settings_of(candidate)
        step = candidate.at_once
        for first in range(0, len(subjects.found), step):
            places = range(first, min(first + step, len(subjects.found)))
            inputs = [_signature(subjects.found[place], candidate) for place in places]
            text = json.dumps([candidate.name, settings, inputs], sort_keys=True, default=str)
            key = hashlib.blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
            found.append(Chunk(key, candidate.name, tuple(places)))
    return found


def _signature(subject: Subject, candidate: Candidate) -> list[Any]:
    """What tells whether the files of an image have changed."""
    files = [subject.degraded, subject.clean, candidate.output(subject) if candidate.kind == "folder" else None]
    stats = []
    for file in files:
        try:
            stat = file.stat() if file else None
        except OSError:
            stat = None
        stats.append([stat.st_size, stat.st_mtime_ns] if stat else None)
    return [subject.name, subject.number, stats]


def _read_journal(path: Path) -> dict[str, list[Row]]:
    """The rows of each unit of work; of one that was done again, the last."""
    found = {}
    for line in read_lines(path):
        try:
            found[line["unit"]] = [Row.model_validate(row) for row in line["rows"]]
        except (ValueError, TypeError, KeyError):
            continue
    return found


def _recipe(loaded: LoadedRecipe) -> EvaluationRecipe:
    assert isinstance(loaded.recipe, EvaluationRecipe)
    return loaded.recipe
