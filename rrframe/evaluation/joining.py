"""Several evaluations as one, so that their restorers stand side by side and are tested against each other.

What was measured in the same way is joined; what was not stays apart under a name that says whose it is.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rrframe.errors import RRFrameError
from rrframe.evaluation.pairing import paired
from rrframe.evaluation.results import (
    Average,
    Group,
    JudgeFacts,
    Made,
    MeasureFacts,
    Problem,
    RestorerFacts,
    Results,
    Row,
)
from rrframe.evaluation.statistics import RESAMPLES

_NAMED = 5  # images named in a problem


@dataclass(frozen=True)
class _Run:
    """Results with what they are called in the joined ones.

    Args:
        label: What tells the run from the others.
        results: Its results.
        folder: Where its files lie.
        restorers: The new name of each restorer that is kept.
        measures: The new name of each measure.
    """

    label: str
    results: Results
    folder: Path
    restorers: Mapping[str, str]
    measures: Mapping[str, str]


def join(runs: Sequence[tuple[Results, Path]], folder: Path, *, resamples: int = RESAMPLES, seed: int = 0) -> Results:
    """The results of ``runs`` as those of one run in ``folder``.

    Means stay as each run has them. Differences and ranks are made anew over all restorers, pair by pair on the images
    that both have. A restorer or a measure whose name several runs have for different things gets the run's name beside
    it; doing nothing is kept once.

    Args:
        runs: The results, each with the folder that its paths start from.
        folder: What the joined paths are to start from.
        resamples: How many samples every interval and test draws.
        seed: Makes these reproducible.

    Raises:
        RRFrameError: There are none, or they were not made on the same benchmark.
    """
    if not runs:
        raise RRFrameError("there are no results to join")
    first = runs[0][0]
    for results, where in runs[1:]:
        _check_one_benchmark(runs[0], (results, where))
    labelled = _labelled(runs)
    measures = list(_measures(labelled))
    names = [each.name for each in measures]
    rows = _of_pictures([row for run in labelled for row in _rows(run, folder, names)])
    level = max((mean.level for mean in _means(first)), default=0.95)
    found = {each.name: paired(rows, each, level=level, resamples=resamples, seed=seed) for each in measures}
    averages = {name: groups for run in labelled for name, groups in _averages(run).items()}
    return Results(
        name=", ".join(run.label for run in labelled),
        made=_made(labelled),
        benchmark=first.benchmark.model_copy(
            update={
                "tasks": tuple(dict.fromkeys(task for run in labelled for task in run.results.benchmark.tasks)),
                "images_asked": len({row.image for row in rows}) or first.benchmark.images_asked,
            }
        ),
        settings={run.label: run.results.settings for run in labelled},
        judge=_judge(labelled),
        measures=tuple(measures),
        restorers=tuple(_restorers(labelled)),
        groups=tuple(_groups(labelled)),
        rows=tuple(rows),
        averages=averages,
        differences={name: each[0] for name, each in found.items()},
        standings={name: each[1] for name, each in found.items()},
        published=tuple({table.measure: table for run in labelled for table in run.results.published}.values()),
        problems=(*_apart(labelled), *(each for run in labelled for each in run.results.problems)),
    )


def _check_one_benchmark(one: tuple[Results, Path], other: tuple[Results, Path]) -> None:
    """Two cards say it by name; a folder of one's own has no name, and then the images have to agree."""
    cards = [results.benchmark.card for results, _ in (one, other)]
    looks = [
        {row.image: (row.task, row.width, row.height) for row in results.rows if row.width}
        for results, _ in (one, other)
    ]
    shared = looks[0].keys() & looks[1].keys()
    unlike = sorted(image for image in shared if looks[0][image] != looks[1][image])
    titles = f"{other[1]} was made on {other[0].benchmark.title}, and {one[1]} on {one[0].benchmark.title}"
    if all(cards) and cards[0] != cards[1]:
        reason = titles
    elif not shared:
        reason = f"{titles}: they have no image in common"
    elif unlike:
        named = ", ".join(unlike[:_NAMED]) + (", ..." if len(unlike) > _NAMED else "")
        reason = f"{titles}: {len(unlike)} images of one name are of another task or size ({named})"
    else:
        return
    raise RRFrameError(reason, hint="compare runs on one benchmark")


# Names
# ----------------------------------------------------------------------------------------------------------------------


def _labelled(runs: Sequence[tuple[Results, Path]]) -> list[_Run]:
    """The runs with names that tell them and all that they hold apart."""
    named = Counter(results.name for results, _ in runs)
    labels = [
        results.name if named[results.name] == 1 else f"{results.name} {place}"
        for place, (results, _) in enumerate(runs, 1)
    ]
    restorers = Counter(each.name for results, _ in runs for each in results.restorers)
    ways: dict[str, list[Any]] = {}
    for results, _ in runs:
        for measure in results.measures:
            ways.setdefault(measure.name, []).append(_way(measure, results.judge))
    found, unrestored = list[_Run](), False
    for label, (results, where) in zip(labels, runs, strict=True):
        kept = [each for each in results.restorers if each.kind != "identity" or not unrestored]
        unrestored = unrestored or any(each.kind == "identity" for each in kept)
        found.append(
            _Run(
                label,
                results,
                where,
                {
                    each.name: each.name
                    if restorers[each.name] == 1 or each.kind == "identity"
                    else f"{each.name} ({label})"
                    for each in kept
                },
                {
                    each.name: each.name
                    if all(way == ways[each.name][0] for way in ways[each.name])
                    else f"{each.name} ({label})"
                    for each in results.measures
                },
            )
        )
    return found


def _way(measure: MeasureFacts, judge: JudgeFacts | None) -> tuple[Any, ...]:
    """All that makes two numbers of one name the same thing."""
    judged = (judge.name, judge.identity) if measure.reads == "judged" and judge else None
    return measure.protocol, measure.params, measure.unit, measure.higher_is_better, measure.proxy, judged


def _measures(runs: Sequence[_Run]) -> Iterator[MeasureFacts]:
    seen: set[str] = set()
    for run in runs:
        for each in run.results.measures:
            name = run.measures[each.name]
            if name not in seen:
                seen.add(name)
                title = each.title if name == each.name else f"{each.title} ({run.label})"
                yield each.model_copy(update={"name": name, "title": title})


def _restorers(runs: Sequence[_Run]) -> Iterator[RestorerFacts]:
    for run in runs:
        for each in run.results.restorers:
            if each.name in run.restorers:
                yield each.model_copy(update={"name": run.restorers[each.name]})


# Parts
# ----------------------------------------------------------------------------------------------------------------------


def _rows(run: _Run, folder: Path, measures: Sequence[str]) -> Iterator[Row]:
    for row in run.results.rows:
        if row.restorer in run.restorers:
            files = {side: _moved(getattr(row, side), run.folder, folder) for side in ("degraded", "restored", "clean")}
            own = {run.measures[name]: value for name, value in row.scores.items()}
            scores = {name: own.get(name) for name in measures}
            yield row.model_copy(update={"restorer": run.restorers[row.restorer], "scores": scores, **files})


def _of_pictures(rows: Sequence[Row]) -> list[Row]:
    """The rows, each with the picture that its image was made of where any run knows it: a folder of files does not."""
    known = {row.image: row.picture for row in reversed(rows) if row.picture}
    return [row.model_copy(update={"picture": known.get(row.image, row.picture)}) for row in rows]


def _moved(path: str | None, here: Path, there: Path) -> str | None:
    return None if path is None else Path(os.path.relpath(here / path, there)).as_posix()


def _averages(run: _Run) -> dict[str, dict[str, dict[str, Average]]]:
    return {
        run.restorers[restorer]: {
            group: {run.measures[name]: mean for name, mean in means.items()} for group, means in groups.items()
        }
        for restorer, groups in run.results.averages.items()
        if restorer in run.restorers
    }


def _means(results: Results) -> Iterator[Average]:
    return (mean for groups in results.averages.values() for means in groups.values() for mean in means.values())


def _groups(runs: Sequence[_Run]) -> Iterable[Group]:
    found: dict[str, Group] = {}
    for run in runs:
        for group in run.results.groups:
            known = found.setdefault(group.name, group)
            if group.images > known.images:
                found[group.name] = group
    return found.values()


def _made(runs: Sequence[_Run]) -> Made:
    newest = max((run.results.made for run in runs), key=lambda made: made.date)
    versions: dict[str, list[str]] = {}
    for run in runs:
        for name, version in run.results.made.versions.items():
            versions.setdefault(name, []).append(version)
    seconds = sum(run.results.made.seconds for run in runs)
    told = {name: " and ".join(dict.fromkeys(each)) for name, each in versions.items()}
    return newest.model_copy(update={"seconds": seconds, "versions": told})


def _judge(runs: Sequence[_Run]) -> JudgeFacts | None:
    judges = {run.label: run.results.judge for run in runs if run.results.judge}
    if not judges:
        return None
    one = next(iter(judges.values()))
    same = all((each.name, each.identity) == (one.name, one.identity) for each in judges.values())
    return JudgeFacts(
        name=" and ".join(dict.fromkeys(each.name for each in judges.values())),
        identity=one.identity if same else {label: each.identity for label, each in judges.items()},
        proxy=any(each.proxy for each in judges.values()),
        asked=sum(each.asked for each in judges.values()),
        hits=sum(each.hits for each in judges.values()),
    )


def _apart(runs: Sequence[_Run]) -> Iterator[Problem]:
    """What keeps the runs from being one."""
    images = [{row.image for row in run.results.rows} for run in runs]
    shared = set.intersection(*images)
    for run, own in zip(runs, images, strict=True):
        more = sorted(own - shared)
        if more:
            named = ", ".join(more[:_NAMED]) + (", ..." if len(more) > _NAMED else "")
            yield Problem(
                kind="count",
                message=f"{run.label} has {len(more)} images that not every run has ({named}): its means are over its "
                f"own {len(own)}, and only differences are over the same ones",
            )
        for name, new in run.measures.items():
            if name != new:
                yield Problem(
                    kind="count",
                    message=f"{name} of {run.label} was not made as another run made it, so it stands apart as {new}",
                )
