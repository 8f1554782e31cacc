"""What people said, read from CSV or JSON Lines: one ballot a row, whatever the form of the row.

| form | CSV columns | JSON |
| --- | --- | --- |
| ranks | image, rater, and a column for each model: 1 is best, equal ranks tie, empty is not shown | ``"ranks": {}`` |
| order | image, rater, order: ``a > b = c > d`` | ``"order": ["a", ["b", "c"], "d"]`` |
| pair | image, rater, left, right, vote: left, right or tie, or the name of a model | the same keys |
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rrframe.errors import RRFrameError, RRFrameErrors, did_you_mean

_KEYS = ("image", "rater")
_FORMS = "ranks by model; or order; or left, right and vote"
_MOST_ERRORS = 20


@dataclass(frozen=True)
class Ballot:
    """How one person ordered what was shown of one image.

    Args:
        image: Names the image.
        rater: Names the person.
        groups: The models, best first; those of one group were called equal.
        shown: The models from left to right, where that is known.
    """

    image: str
    rater: str
    groups: tuple[tuple[str, ...], ...]
    shown: tuple[str, ...] = ()

    @property
    def models(self) -> frozenset[str]:
        return frozenset(model for group in self.groups for model in group)

    def ranks(self) -> dict[str, float]:
        """The rank of each model, 1 the best; equals share the mean of their ranks."""
        found, before = {}, 0
        for group in self.groups:
            found.update(dict.fromkeys(group, before + (len(group) + 1) / 2))
            before += len(group)
        return found

    def pairs(self) -> Iterator[tuple[str, str, int]]:
        """Every two models with 1 if the first was better, 0 if neither, -1 if the second; names in order."""
        place = {model: number for number, group in enumerate(self.groups) for model in group}
        names = sorted(place)
        for number, one in enumerate(names):
            for other in names[number + 1 :]:
                yield one, other, (place[other] > place[one]) - (place[other] < place[one])


def read_ballots(files: Iterable[Path]) -> list[Ballot]:
    """Every ballot of ``files``, CSV by the ending ``.csv``, JSON Lines by ``.jsonl``.

    Raises:
        RRFrameErrors: Everything that is wrong, each with file and line.
    """
    errors: list[RRFrameError] = []
    found: list[Ballot] = []
    first: dict[tuple[str, str, frozenset[str]], str] = {}
    for file in files:
        for place, row in _rows(file):
            try:
                ballot = _ballot(row)
            except ValueError as error:
                errors.append(RRFrameError(str(error), place=place))
                continue
            key = (ballot.image, ballot.rater, ballot.models)
            if key in first:
                said = f"{ballot.rater} has voted on the same models of {ballot.image} before, at {first[key]}"
                errors.append(RRFrameError(said, place=place, hint="keep one of the two"))
                continue
            first[key] = place
            found.append(ballot)
    if errors:
        raise _told(errors)
    if not found:
        raise RRFrameError(f"no votes in {', '.join(map(str, files))}")
    return found


def read_scores(file: Path, ballots: Iterable[Ballot]) -> dict[tuple[str, str], float]:
    """The scores that a metric gives, by (model, image), from a CSV with the columns model, image and score.

    Raises:
        RRFrameErrors: Everything that is wrong, each with file and line; a model that nobody voted on is wrong too.
    """
    known = {model for ballot in ballots for model in ballot.models}
    images = {ballot.image for ballot in ballots}
    errors: list[RRFrameError] = []
    found: dict[tuple[str, str], float] = {}
    for place, row in _rows(file):
        try:
            model, image, text = (_text(row, key) for key in ("model", "image", "score"))
            score = _number(text)
        except ValueError as error:
            errors.append(RRFrameError(str(error), place=place))
            continue
        if model not in known:
            errors.append(RRFrameError(f"nobody voted on {model!r}", place=place, hint=did_you_mean(model, known)))
        elif (model, image) in found:
            errors.append(RRFrameError(f"{model} has a score on {image} already", place=place))
        elif image in images:
            found[model, image] = score
    if errors:
        raise _told(errors)
    if not found:
        raise RRFrameError(f"{file} has no score of an image that was voted on", hint="compare the names of images")
    return found


def _ballot(row: Mapping[str, Any]) -> Ballot:
    image, rater = (_text(row, key) for key in _KEYS)
    rest = {key: value for key, value in row.items() if key not in _KEYS}
    if "left" in rest or "right" in rest or "vote" in rest:
        left, right, vote = (_text(rest, key) for key in ("left", "right", "vote"))
        _nothing_else(rest, ("left", "right", "vote"))
        return Ballot(image, rater, _voted(left, right, vote), (left, right))
    if "order" in rest:
        _nothing_else(rest, ("order",))
        groups = _ordered(rest["order"])
    else:
        if "ranks" in rest:
            _nothing_else(rest, ("ranks",))
            rest = rest["ranks"]
        groups = _ranked(rest)
    models = [model for group in groups for model in group]
    if len(models) < 2:
        raise ValueError(f"two models or more are needed, and {len(models)} are here; a row has {_FORMS}")
    if doubled := sorted({model for model in models if models.count(model) > 1}):
        raise ValueError(f"{doubled[0]} stands in the order twice")
    return Ballot(image, rater, groups)


def _voted(left: str, right: str, vote: str) -> tuple[tuple[str, ...], ...]:
    if left == right:
        raise ValueError(f"{left} stands against itself")
    if vote not in ("left", "right", "tie", left, right):
        raise ValueError(f"the vote is {vote!r} and must be left, right, tie, {left} or {right}")
    if vote == "tie":
        return ((left, right),)
    return ((left,), (right,)) if vote in ("left", left) else ((right,), (left,))


def _ordered(order: Any) -> tuple[tuple[str, ...], ...]:
    if isinstance(order, str):
        parts = [[name.strip() for name in group.split("=")] for group in order.split(">")]
    elif isinstance(order, list):
        parts = [group if isinstance(group, list) else [group] for group in order]
    else:
        raise ValueError("order must be a list of names, best first, or a text such as a > b = c")
    if not all(isinstance(name, str) and name for group in parts for name in group) or not all(parts):
        raise ValueError(f"a name is missing in the order {order!r}")
    return tuple(tuple(group) for group in parts)


def _ranked(ranks: Any) -> tuple[tuple[str, ...], ...]:
    if not isinstance(ranks, Mapping):
        raise ValueError("ranks must be a mapping of models to numbers")
    groups: dict[float, list[str]] = {}
    for model, rank in ranks.items():
        if rank is None or rank == "":
            continue
        number = _number(rank, f"the rank of {model}")
        if number < 1:
            raise ValueError(f"the rank of {model} is {rank} and must be 1 or more")
        groups.setdefault(number, []).append(model)
    return tuple(tuple(groups[rank]) for rank in sorted(groups))


def _rows(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each row with its place, ``file:line``."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise RRFrameError(f"{file} cannot be read: {why}") from error
    if file.suffix.lower() == ".jsonl":
        yield from _json_rows(file, text)
    elif file.suffix.lower() == ".csv":
        yield from _csv_rows(file, text)
    else:
        raise RRFrameError(f"{file} is neither CSV nor JSON Lines by its name", hint="end it in .csv or .jsonl")


def _csv_rows(file: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    reader = csv.DictReader(text.splitlines(keepends=True), skipinitialspace=True, strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        if "" in names or len(set(names)) < len(names):
            raise RRFrameError("a column has no name, or two have the same", place=f"{file}:1")
        reader.fieldnames = names
        for row in reader:
            place = f"{file}:{reader.line_num}"
            if None in row or None in row.values():
                raise RRFrameError(f"the row has not the {len(names)} cells of the first line", place=place)
            yield place, {key: value.strip() for key, value in row.items()}
    except csv.Error as error:
        raise RRFrameError(f"no CSV: {error}", place=f"{file}:{reader.reader.line_num}") from error


def _json_rows(file: Path, text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise RRFrameError(f"no JSON: {error}", place=f"{file}:{number}") from error
        if not isinstance(row, dict):
            raise RRFrameError("a row must be an object, in braces", place=f"{file}:{number}")
        yield f"{file}:{number}", row


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key} is missing" if value in (None, "") else f"{key} must be a text")
    return value


def _number(value: Any, what: str = "the score") -> float:
    try:
        number = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{what} is {value!r} and must be a number")
    return number


def _nothing_else(row: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    if unknown := sorted(row.keys() - set(keys)):
        raise ValueError(f"unknown column {unknown[0]!r} beside {', '.join(keys)}")


def _told(errors: list[RRFrameError]) -> RRFrameErrors:
    more = len(errors) - _MOST_ERRORS
    message = f"{len(errors)} problems found, the first {_MOST_ERRORS} are shown" if more > 0 else None
    return RRFrameErrors(errors[:_MOST_ERRORS], message=message)
