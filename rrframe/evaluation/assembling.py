"""From rows to results: what the judge said is joined to them, and averages, intervals and differences are made."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rrframe
from rrframe.evaluation.averages import OVER_IMAGES, OVER_TASKS, Mean, by_task, over_images
from rrframe.evaluation.candidates import Candidate
from rrframe.evaluation.judging import Judgement, Judging
from rrframe.evaluation.pairing import paired
from rrframe.evaluation.results import (
    Answers,
    Average,
    BenchmarkFacts,
    Group,
    JudgeFacts,
    Made,
    MeasureFacts,
    Problem,
    PublishedFacts,
    Results,
    Row,
    Sides,
)
from rrframe.evaluation.scores import Judged, Measure, measures
from rrframe.evaluation.scoring import LPS, Scorer, judged_names, measures_of
from rrframe.evaluation.severities import Severities
from rrframe.evaluation.statistics import Interval, interval, interval_over_groups
from rrframe.evaluation.subjects import Subjects
from rrframe.recipe.evaluation import EvaluationRecipe
from rrframe.recipe.loading import LoadedRecipe
from rrframe.run.folder import environment

AS_PUBLISHED = "as published"
_PUBLISHED_AS = {"PSNR, dB": "metric/psnr", "PSNR": "metric/psnr", "SSIM": "metric/ssim", "LPIPS": "metric/lpips"}


@dataclass
class Outcome:
    """What a run has made, to be assembled.

    Args:
        loaded: The recipe.
        subjects: What was scored on.
        candidates: The restorers.
        rows: What came of each image under each, without the judge.
        severities: What the judge said.
        judging: Who was asked.
        problems: What was wrong before.
        seconds: How long it took.
    """

    loaded: LoadedRecipe
    subjects: Subjects
    candidates: Sequence[Candidate]
    rows: Sequence[Row]
    severities: Severities = field(default_factory=Severities)
    judging: Judging | None = None
    problems: Sequence[Problem] = ()
    seconds: float = 0.0


def assemble(made: Outcome) -> Results:
    """The results of a run."""
    recipe = made.loaded.recipe
    assert isinstance(recipe, EvaluationRecipe)
    facts = measures_of(recipe)
    rows = [_joined(row, made, recipe, [each.name for each in facts]) for row in made.rows]
    table = _Table(recipe, facts, rows)
    card = recipe.benchmark.found_card
    names = [each.name for each in made.candidates if each.kind != "published"]
    groups = table.groups(names[0]) if names else []
    averages = {name: table.averages(name) for name in names}
    for each in made.candidates:
        if each.kind == "published":
            averages[each.name] = _published(each, facts)
    statistics: dict[str, Any] = {"level": recipe.level, "resamples": recipe.resamples, "seed": recipe.seed}
    compared = {each.name: paired(rows, each, **statistics) for each in facts}
    return Results(
        name=made.loaded.name,
        made=Made(
            rrframe=rrframe.__version__,
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            seconds=round(made.seconds, 2),
            **environment(),
        ),
        benchmark=BenchmarkFacts(
            name=card.name if card else _name(recipe),
            title=card.title if card else _title(recipe),
            card=card.name if card else None,
            page=str(card.page) if card else "",
            licence=card.licence.name if card else "",
            tasks=tuple(made.subjects.tasks),
            references=made.subjects.references,
            images_asked=len(made.subjects.found),
        ),
        settings=made.loaded.resolved,
        judge=_judge(recipe, made.judging),
        measures=tuple(facts),
        restorers=tuple(each.facts for each in made.candidates),
        groups=tuple(groups),
        rows=tuple(rows),
        averages=averages,
        differences={name: each[0] for name, each in compared.items()},
        standings={name: each[1] for name, each in compared.items()},
        published=tuple(
            PublishedFacts(**table.model_dump(include=set(PublishedFacts.model_fields)))
            for table in (card.published if card else ())
        ),
        problems=tuple(made.problems),
    )


# Rows
# ----------------------------------------------------------------------------------------------------------------------


def _joined(row: Row, made: Outcome, recipe: EvaluationRecipe, names: Sequence[str]) -> Row:
    """``row`` with what the judge said, and with the scores that rest on it."""
    if recipe.judge is None:
        return row.model_copy(update={"scores": {name: row.scores.get(name) for name in names}})
    task = made.subjects.told(row.task)
    before = made.severities.of(row.degraded, task) if row.restored else None
    after = made.severities.of(row.restored, task)
    judged = Judged(row.image, row.task, _score_of(before), _score_of(after), row.scores.get(LPS))
    scores = row.scores | {
        measure.name: measure.value(judged) for measure in _judged_measures(recipe) if measure.name != LPS
    }
    reasons = [row.reason] if row.reason else []
    for side, said in (("degraded", before), ("restored", after)):
        if said is not None and said.score is None:
            reasons.append(f"the {side} image: {said.reason}")
        elif said is None and row.restored is not None:
            why = f": {made.severities.stopped.message}" if made.severities.stopped else ""
            reasons.append(f"the {side} image was not judged{why}")
    missing = None in (scores.get(name) for name in names)
    return row.model_copy(
        update={
            "scores": {name: scores.get(name) for name in names},
            "severities": Sides(degraded=judged.degraded, restored=judged.restored),
            "answers": Answers(degraded=before.answers if before else (), restored=after.answers if after else ()),
            "reason": "; ".join(dict.fromkeys(reasons)),
            "status": "failed" if missing and row.status == "scored" else row.status,
        }
    )


def _score_of(judgement: Judgement | None) -> float | None:
    return judgement.score if judgement else None


def _judged_measures(recipe: EvaluationRecipe) -> list[Measure]:
    wanted = judged_names(recipe)
    return [measure for measure in measures(clamp=recipe.clamp) if measure.name in wanted]


# Averages
# ----------------------------------------------------------------------------------------------------------------------


class _Table:
    """The rows by restorer, and what is computed of them."""

    def __init__(self, recipe: EvaluationRecipe, facts: Sequence[MeasureFacts], rows: Sequence[Row]) -> None:
        self._recipe = recipe
        self._facts = facts
        self._rows: dict[str, list[Row]] = {}
        for row in rows:
            self._rows.setdefault(row.restorer, []).append(row)
        self._judged = {measure.name: measure for measure in _judged_measures(recipe)}
        self._scorer = Scorer(recipe)
        self._intervals: dict[tuple[tuple[float, ...], tuple[str, ...]], Interval] = {}
        self._settings: dict[str, Any] = {"level": recipe.level, "resamples": recipe.resamples, "seed": recipe.seed}

    def groups(self, restorer: str) -> list[Group]:
        """All groups, tasks first."""
        rows = self._rows[restorer]
        tasks = self._tasks(rows)
        found = [Group(name=task, kind="task", images=len(places)) for task, places in tasks.items()]
        found.append(Group(name=OVER_IMAGES, kind="images", images=len(rows)))
        found.append(Group(name=OVER_TASKS, kind="tasks", images=len(rows)))
        slices = self._slices(rows).items()
        return [*found, *(Group(name=name, kind="slice", images=len(places)) for name, places in slices)]

    def averages(self, restorer: str) -> dict[str, dict[str, Average]]:
        """By group and measure."""
        rows = self._rows[restorer]
        tasks, slices = self._tasks(rows), self._slices(rows)
        found: dict[str, dict[str, Average]] = {}
        for facts in self._facts:
            values = [row.scores[facts.name] for row in rows]
            ends = [self._ends(facts.name, row) for row in rows]
            means = by_task(tasks, values, ends)
            for name, places in slices.items():
                means[name] = over_images([values[place] for place in places], [ends[place] for place in places])
            for group, mean in means.items():
                places = tasks.get(group) or slices.get(group) or list(range(len(rows)))
                there = tasks if group == OVER_TASKS else {group: places}
                spread = self._interval(rows, mean, there, values)
                found.setdefault(group, {})[facts.name] = _average(mean, spread, self._recipe.level)
        order = [group.name for group in self.groups(restorer)]
        return {group: found[group] for group in order}

    def _interval(
        self, rows: Sequence[Row], mean: Mean, groups: Mapping[str, Sequence[int]], values: Sequence[float | None]
    ) -> Interval | None:
        """The interval of the mean of ``groups``, of which one that is no mean over tasks has a single one."""
        if mean.value is None:
            return None
        scored: dict[str, list[float]] = {}
        made_of: dict[str, list[str]] = {}
        for name, places in groups.items():
            for place in places:
                value = values[place]
                if value is not None:
                    scored.setdefault(name, []).append(value)
                    made_of.setdefault(name, []).append(rows[place].picture or rows[place].image)
        if len(groups) > 1:
            return interval_over_groups(scored, clusters=made_of, **self._settings)
        (name,) = scored
        key = tuple(scored[name]), tuple(made_of[name])
        if key not in self._intervals:  # of one task alone, three means are of the same images
            self._intervals[key] = interval(scored[name], clusters=made_of[name], **self._settings)
        return self._intervals[key]

    def _ends(self, measure: str, row: Row) -> tuple[float | None, float | None]:
        """The least and the greatest that the score of ``row`` may be."""
        value = row.scores[measure]
        if value is not None:
            return value, value
        if measure in self._judged:
            sides = row.severities or Sides()
            judged = Judged(row.image, row.task, sides.degraded, sides.restored, row.scores.get(LPS))
            return self._judged[measure].bounds(judged)
        return self._scorer.metrics[measure].range

    @staticmethod
    def _tasks(rows: Sequence[Row]) -> dict[str, list[int]]:
        return _places(rows, lambda row: [row.task])

    @staticmethod
    def _slices(rows: Sequence[Row]) -> dict[str, list[int]]:
        found = _places(rows, lambda row: [f"{name}: {part}" for name, part in row.slices.items()])
        return dict(sorted(found.items()))


def _places(rows: Sequence[Row], names: Callable[[Row], list[str]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        for name in names(row):
            found.setdefault(name, []).append(place)
    return found


def _average(mean: Mean, spread: Interval | None, level: float) -> Average:
    return Average(
        value=mean.value,
        of="images" if mean.of == "images" else "tasks",
        asked=mean.asked,
        scored=mean.scored,
        images_asked=mean.images_asked,
        images_scored=mean.images_scored,
        label=mean.label,
        complete=mean.complete,
        low=mean.low,
        high=mean.high,
        interval_low=spread.low if spread else None,
        interval_high=spread.high if spread else None,
        level=level,
    )


def _published(candidate: Candidate, facts: Sequence[MeasureFacts]) -> dict[str, dict[str, Average]]:
    """The printed numbers of a model as averages. Those that rest on a judge stand beside none of a stand-in."""
    found: dict[str, dict[str, Average]] = {}
    known = {each.name: each for each in facts}
    for table in candidate.tables:
        measure = known.get(_PUBLISHED_AS.get(table.measure, table.measure))
        printed = table.scores.get(candidate.choice.published or "")
        if measure is None or measure.proxy or printed is None:
            continue
        for task, value in printed.items():
            group = OVER_IMAGES if task == "average" else task
            found.setdefault(group, {})[measure.name] = Average(
                value=value,
                of="images",
                asked=0,
                scored=0,
                images_asked=0,
                images_scored=0,
                label=AS_PUBLISHED,
                complete=True,
            )
    return found


def _judge(recipe: EvaluationRecipe, judging: Judging | None) -> JudgeFacts | None:
    if recipe.judge is None:
        return None
    return JudgeFacts(
        name=recipe.judge.name,
        identity=recipe.judge.identity(),
        proxy=recipe.judge.proxy,
        asked=judging.calls if judging else 0,
        hits=judging.hits if judging else 0,
    )


def _name(recipe: EvaluationRecipe) -> str:
    """What is the same for all runs on the same images: the folder, or where pairs are from."""
    return Path(recipe.benchmark.folder).name if recipe.benchmark.folder else _title(recipe)


def _title(recipe: EvaluationRecipe) -> str:
    pairs = recipe.benchmark.pairs
    if pairs is None:
        return recipe.benchmark.folder or recipe.name
    where = pairs.params().get("path") or pairs.params().get("recipe") or pairs.name
    return f"{where} ({pairs.name})"
