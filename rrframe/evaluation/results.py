"""What came of an evaluation, as ``results.json`` holds it: every report, table and comparison is made of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rrframe.errors import RRFrameError

SCHEMA: Literal[1] = 1
"""The version of ``results.json``. A field may be added under the same number; none changes its meaning."""
RESULTS = "results.json"

Status = Literal["scored", "failed", "missing"]


class _Part(BaseModel):
    # what a later version adds is passed over, not refused
    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
        populate_by_name=True,
        protected_namespaces=(),
        json_schema_serialization_defaults_required=True,
    )


class Made(_Part):
    """When, with what and where the results were made, as in ``run.json``."""

    rrframe: str
    """The version of rrframe."""
    date: str
    """The time at which they were written, ISO 8601 in UTC."""
    seconds: float
    """How long restoring and scoring took in all, earlier parts of a continued run included."""
    versions: dict[str, str] = {}
    host: dict[str, Any] = {}


class BenchmarkFacts(_Part):
    """What was scored on."""

    name: str
    title: str
    card: str | None = None
    """The card that it has in the registry."""
    page: str = ""
    licence: str = ""
    tasks: tuple[str, ...]
    references: bool
    """Whether each image has a clean reference."""
    images_asked: int
    """How many images there were to score, those that could not be read included."""


class JudgeFacts(_Part):
    """Who scored the severity of degradations."""

    name: str
    """The component."""
    identity: dict[str, Any] = {}
    """All that its answers depend on: model, revision, backend, prompt."""
    proxy: bool
    """Whether it only stands in for a judge that looks, so that its numbers compare with no published ones."""
    asked: int = 0
    """How many times it was asked, and"""
    hits: int = 0
    """how many answers were found in the cache instead."""


class MeasureFacts(_Part):
    """One number of an image."""

    name: str
    """The key under which its values stand."""
    title: str
    """What tables call it."""
    unit: str = ""
    """Such as ``dB``; empty for a plain number."""
    higher_is_better: bool
    reads: Literal["full-reference", "no-reference", "consistency", "judged"]
    """What it looks at besides the restored image: the clean one, nothing, the degraded one, or a judge's answers on
    both."""
    protocol: str = ""
    """How it is computed, in a line."""
    params: dict[str, Any] = {}
    """All settings of a metric."""
    licence: str = ""
    """The terms of weights or packages that it needs, where they are not those of its plugin."""
    commercial: bool | None = True
    """Whether these allow commercial use; null where that is not known."""
    proxy: bool = False
    """Whether it rests on a judge that only stands in for one."""


class RestorerFacts(_Part):
    """What was scored."""

    name: str
    kind: Literal["backbone", "folder", "identity", "published"]
    backbone: str | None = None
    """The component, of one that restores here."""
    checkpoint: str | None = None
    weights: dict[str, str] = {}
    """A fingerprint of each file or folder of weights."""
    params: dict[str, Any] = {}
    """All settings of the component."""
    asked: dict[str, Any] = {}
    """How it was told to restore: steps, guidance, seed, tile, prompts."""
    untrained: tuple[str, ...] = ()
    """The components in it whose weights are random: its output is no restoration."""
    source: str = ""
    """The folder of ready outputs, or where published numbers are printed."""


class Sides(_Part):
    """Something of an image as it was and as it was restored."""

    degraded: float | None = None
    restored: float | None = None


class Answers(_Part):
    """What the judge wrote, as it stands; more than one where it was asked again."""

    degraded: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()


class Row(_Part):
    """One image under one restorer."""

    image: str
    """Names the image."""
    restorer: str
    task: str
    picture: str = ""
    """What it was made of, where others were made of the same: intervals and tests draw pictures, with all images made
    of them. By default the image itself."""
    slices: dict[str, str] = {}
    """The part of each way to slice that it belongs to, such as ``{"megapixels": "1 to 4"}``."""
    status: Status
    """``scored``; ``failed`` where any score is missing; ``missing`` where there is no output to score."""
    reason: str = ""
    """Why it is not scored, or what had to be done to score it."""
    scores: dict[str, float | None]
    """By measure; null where it could not be had."""
    severities: Sides | None = None
    """What the judge said, 1 (extreme) to 5 (none)."""
    answers: Answers | None = None
    degraded: str | None = None
    """Files, relative to the folder of the run."""
    restored: str | None = None
    clean: str | None = None
    width: int = 0
    height: int = 0
    seconds: float = 0.0
    """What restoring took; 0 for ready outputs."""


class Group(_Part):
    """A set of images that averages are taken over."""

    name: str
    """The key under which its averages stand: a task, ``mean over images``, ``mean over tasks``, or a slice such as
    ``megapixels: 1 to 4``."""
    kind: Literal["task", "images", "tasks", "slice"]
    images: int
    """How many images it has."""


class Average(_Part):
    """A mean over a group, with all that has to be known of it."""

    value: float | None
    """The mean over what was scored; null if nothing was."""
    of: Literal["images", "tasks"]
    """What it is a mean over."""
    asked: int
    """How many there were to score."""
    scored: int
    """How many of them have a value."""
    images_asked: int
    """Images behind it, and"""
    images_scored: int
    """how many of these have a value."""
    label: str
    """What must stand beside the number: ``mean over 462 of 464 images asked``."""
    complete: bool
    """Whether every image has a value."""
    low: float | None = None
    """The mean if each missing image had done as badly as there is; null where the scale has no such end."""
    high: float | None = None
    """The same if each had done as well as there is."""
    interval_low: float | None = None
    """The ends of the BCa bootstrap interval; null where there are too few images to tell."""
    interval_high: float | None = None
    level: float = 0.95
    """Its confidence level."""


class DifferenceFacts(_Part):
    """Two restorers on the images that both have a score for."""

    one: str
    other: str
    value: float
    """The mean of the first less that of the second."""
    low: float | None = None
    high: float | None = None
    images: int
    p: float
    """Of a paired permutation test."""
    adjusted_p: float
    """The same, adjusted for the number of pairs (Holm)."""
    holds: bool
    """Whether it is more than noise at the level of the results."""


class StandingFacts(_Part):
    """Where a restorer stands, as far as differences hold."""

    name: str
    value: float
    best: int
    worst: int
    label: str
    """``2``, or ``2-4`` where the noise allows more than one rank."""


class PublishedFacts(_Part):
    """A table of scores as its source prints it."""

    measure: str
    higher_is_better: bool
    source: str
    decimals: int
    note: str = ""
    scores: dict[str, dict[str, float]]
    """By model, and below by task or under ``average``."""


class Problem(_Part):
    """Something that was wrong with what was to be scored."""

    kind: Literal["missing", "extra", "size", "unreadable", "count", "task", "restorer", "measure", "judge"]
    """``restorer``, ``measure`` and ``judge``: it cannot be made or asked at all."""
    message: str
    restorer: str | None = None
    image: str | None = None
    path: str | None = None


class Results(_Part):
    """All that is known of an evaluation."""

    schema_version: Literal[1] = Field(SCHEMA, alias="schema")
    """The version of this format."""
    name: str
    """The name of the run."""
    made: Made
    benchmark: BenchmarkFacts
    settings: dict[str, Any]
    """The recipe with every default filled in."""
    judge: JudgeFacts | None = None
    measures: tuple[MeasureFacts, ...]
    """In the order in which tables have them."""
    restorers: tuple[RestorerFacts, ...]
    """In the order of the recipe."""
    groups: tuple[Group, ...]
    """In the order in which tables have them."""
    rows: tuple[Row, ...]
    averages: dict[str, dict[str, dict[str, Average]]]
    """By restorer, group and measure."""
    differences: dict[str, tuple[DifferenceFacts, ...]] = {}
    """By measure, over all images."""
    standings: dict[str, tuple[StandingFacts, ...]] = {}
    """By measure, over all images."""
    published: tuple[PublishedFacts, ...] = ()
    """The tables of the benchmark's card."""
    problems: tuple[Problem, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every image was scored under every restorer."""
        return all(row.status == "scored" for row in self.rows)

    def text(self) -> str:
        """What ``results.json`` holds."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False, allow_nan=False)


def load_results(path: Path) -> Results:
    """The results in ``path``: a ``results.json``, or the folder of a run that has one.

    Raises:
        RRFrameError: There are none, they are of a version that is not known here, or they are damaged.
    """
    file = path / RESULTS if path.is_dir() else path
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        hint = "name the folder of an evaluation that has ended, or its results.json"
        raise RRFrameError(f"{file} cannot be read: {error.strerror}", hint=hint) from None
    except ValueError as error:
        raise RRFrameError(f"{file} is no JSON: {error}") from None
    version = found.get("schema") if isinstance(found, dict) else None
    if version != SCHEMA:
        said = f"is of version {version!r} of the format" if version is not None else "does not say its version"
        hint = f"this rrframe reads version {SCHEMA}; run the evaluation again, or take the rrframe that made it"
        raise RRFrameError(f"{file} {said}", hint=hint)
    try:
        return Results.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise RRFrameError(f"{file} is damaged: {place}: {first['msg']}", hint="run the evaluation again") from None


def results_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of ``results.json``."""
    made = Results.model_json_schema(mode="serialization", by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "rrframe results"}
