"""What is wrong with what is to be scored, all of it found before any work is done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rrframe.errors import RRFrameError, RRFrameErrors
from rrframe.evaluation.candidates import Candidate
from rrframe.evaluation.judging import Judging
from rrframe.evaluation.results import Problem
from rrframe.evaluation.scoring import Scorer
from rrframe.evaluation.subjects import Reader, Subjects
from rrframe.imaging.layout import to_batch
from rrframe.imaging.reading import measure
from rrframe.recipe.evaluation import EvaluationRecipe

FATAL = frozenset({"restorer", "measure"})
"""Kinds of problem that nothing can go on with."""
_SHOWN = 12  # problems of one kind


def find_problems(
    recipe: EvaluationRecipe, subjects: Subjects, candidates: Sequence[Candidate], scorer: Scorer
) -> list[Problem]:
    """Everything that can be known by looking at names and headers, and by trying each metric on an image that is made
    up.
    """
    found = [*subjects.problems, *_input_problems(subjects)]
    for candidate in candidates:
        of_names = candidate.problems(subjects.found)
        found += of_names
        if candidate.kind == "folder":
            found += _output_problems(recipe, subjects, candidate)
    for error in scorer.rehearse():
        found.append(Problem(kind="measure", message=_said(error)))
    if recipe.judge is not None:
        for task in dict.fromkeys(map(subjects.told, subjects.tasks)):
            try:
                recipe.judge.refuse_unknown(task)
            except RRFrameError as error:
                found.append(Problem(kind="task", message=f"{recipe.judge.name}: {_said(error)}"))
    if not subjects.references:
        for name, metric in scorer.metrics.items():
            if metric.reads == "full-reference":
                said = f"{name} compares with a clean image, and the benchmark has none"
                found.append(Problem(kind="measure", message=said))
    return found


def judge_problem(recipe: EvaluationRecipe, subjects: Subjects, judging: Judging | None, folder: Path) -> list[Problem]:
    """Whether a judge that is a service can be asked: the first question that the run will ask anyway."""
    judge = recipe.judge
    if (
        judge is None or judging is None or judge.proxy or judge.workers == 1
    ):  # a local one answers where it can be loaded
        return []
    for subject in subjects.found:
        try:
            image = to_batch(Reader(recipe, folder).read(subject).degraded)[0]
        except RRFrameError:
            continue
        try:
            judgement = judging.severities([image], subjects.told(subject.task))[0]
        except RRFrameError as error:
            said = _said(error).removeprefix(f"{judge.name}: ")
            return [Problem(kind="judge", message=f"{judge.name} cannot be asked: {said}")]
        if judgement.status == "failed":
            return [Problem(kind="judge", message=f"{judge.name} does not answer: {judgement.reason}")]
        return []
    return []


def refuse(problems: Sequence[Problem], *, allow_partial: bool) -> None:
    """Nothing, where there is no problem, or where all can be gone on with and that is allowed.

    Raises:
        RRFrameErrors: All of them, the first of each kind where there are many.
    """
    fatal = [problem for problem in problems if problem.kind in FATAL]
    if not problems or (allow_partial and not fatal):
        return
    errors = [RRFrameError(message) for message in listed(fatal if allow_partial else problems)]
    if not fatal:
        errors[-1].hint = "mend them, or go on with what there is: --allow-partial"
    count = len(fatal if allow_partial else problems)
    raise RRFrameErrors(errors, message=f"{count} problem{'s' if count != 1 else ''} found before anything was scored")


def listed(problems: Iterable[Problem]) -> Iterator[str]:
    """The problems for people, a line each: many of one kind of one restorer are cut short."""
    groups: dict[tuple[str, str | None], list[Problem]] = {}
    for problem in problems:
        groups.setdefault((problem.kind, problem.restorer), []).append(problem)
    for group in groups.values():
        yield from (problem.message for problem in group[:_SHOWN])
        if len(group) > _SHOWN:
            whose = f" of {group[0].restorer}" if group[0].restorer else ""
            yield f"and {len(group) - _SHOWN} more{whose} of this kind ({group[0].kind})"


def _input_problems(subjects: Subjects) -> Iterator[Problem]:
    for subject in subjects.found:
        sizes = {}
        for side, path in (("degraded", subject.degraded), ("clean", subject.clean)):
            if path is None:
                continue
            try:
                height, width, _ = measure(path, whole=True)
                sizes[side] = f"{width} x {height}"
            except RRFrameError as error:
                said = f"{path}: {error.message.removeprefix(path.name + ' ')}"
                yield Problem(kind="unreadable", message=said, image=subject.name, path=str(path))
        if len(set(sizes.values())) > 1:
            said = f"{subject.name}: degraded {sizes['degraded']}, clean {sizes['clean']}"
            yield Problem(kind="size", message=said, image=subject.name, path=str(subject.degraded))


def _output_problems(recipe: EvaluationRecipe, subjects: Subjects, candidate: Candidate) -> Iterator[Problem]:
    for subject in subjects.found:
        output = candidate.output(subject)
        if output is None:
            continue
        where = {"restorer": candidate.name, "image": subject.name, "path": str(output)}
        try:
            own = measure(output, whole=True)[:2]
        except RRFrameError as error:
            said = f"{output}: {error.message.removeprefix(output.name + ' ')}"
            yield Problem(kind="unreadable", message=said, **where)
            continue
        if subject.degraded is None or recipe.resize_outputs:
            continue
        try:
            wanted = measure(subject.degraded)[:2]
        except RRFrameError:  # told of already
            continue
        if own != wanted:
            said = f"{output} is {own[1]} x {own[0]}, and the image {wanted[1]} x {wanted[0]} (resize_outputs resizes)"
            yield Problem(kind="size", message=said, **where)


def _said(error: RRFrameError) -> str:
    where = f"{error.component}: " if error.component else ""
    return f"{where}{error.message}{f' ({error.hint})' if error.hint else ''}"
