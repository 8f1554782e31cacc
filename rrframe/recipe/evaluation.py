"""What a recipe of evaluation may say."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, ValidationInfo, field_validator, model_validator

from rrframe.cards.loading import find_benchmark
from rrframe.cards.models import BenchmarkCard, NamePattern
from rrframe.contracts.backbone import Backbone
from rrframe.contracts.component import Used, create
from rrframe.contracts.dataset import Dataset
from rrframe.contracts.engine import Engine
from rrframe.contracts.judge import Judge
from rrframe.contracts.metric import Metric
from rrframe.contracts.problems import Location, failure, from_error, problem
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.recipe.sections import RecipeName, Section, TaskName

DEFAULT_JUDGE = "judge/estimators"
DEFAULT_LPS: dict[str, Any] = {"against": "degraded", "mismatch": "resize", "allow_pickle": True}


class Layout(Section):
    """Where the images of one task lie, from the folder of the benchmark."""

    degraded: str = ""
    """The folder of the degraded images."""
    clean: str | None = None
    """The folder of the clean ones; the same as ``degraded`` where names tell them apart; none without references."""
    degraded_name: NamePattern = "{}"
    """How degraded images are named, without the extension: ``{}`` stands for what both sides of a pair share, as in
    ``{}_moire``."""
    clean_name: NamePattern = "{}"
    """How clean ones are named."""


class Benchmark(Section):
    """What is scored on: the folder of a published benchmark, any data set of pairs, or a folder of photographs."""

    card: str | None = None
    """The card of a published benchmark, by name: its tasks, counts, prompts, layout and published scores."""
    folder: str | None = Field(None, min_length=1)
    """Where its images lie. Without a card and a layout each sub-folder called as a task holds that task's."""
    layout: dict[str, Layout] = {}
    """Where the images of each task lie, where it is not as the card says."""
    pairs: Annotated[Dataset, Used("dataset")] | None = None
    """A data set of pairs in place of a folder."""
    same_as: dict[str, TaskName] = {}
    """What restorers and judges are told instead of the benchmark's own name of a task: ``{raindrop: rain}``."""

    @field_validator("card")
    @classmethod
    def _known_card(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                find_benchmark(name)
            except RRFrameError as error:
                raise from_error(error) from None
        return name

    @model_validator(mode="after")
    def _something_to_read(self) -> Benchmark:
        if (self.folder is None) == (self.pairs is None):
            hint = "folder: PATH, or pairs: {use: pairs/folder, params: {...}}"
            said = "both a folder and pairs are given" if self.folder else "nothing says where the images are"
            raise failure({(): problem(said, hint=hint)})
        if self.pairs is not None and self.layout:
            raise failure({("layout",): problem("a layout goes with a folder; pairs have one of their own")})
        card = self.found_card
        if card and self.layout:
            known = [task.name for task in card.tasks]
            unknown: dict[Location, Any] = {
                ("layout", name): problem(f"{card.name} has no task {name!r}", hint=did_you_mean(name, known))
                for name in self.layout
                if name not in known
            }
            if unknown:
                raise failure(unknown)
        return self

    @property
    def found_card(self) -> BenchmarkCard | None:
        """The card, where it has one."""
        return find_benchmark(self.card) if self.card else None


_TOLD = ("task", "prompt", "steps", "guidance", "seed", "tile", "overlap")


class RestorerChoice(Section):
    """What is scored: a backbone, a folder of ready outputs, the input itself, or numbers that others published."""

    identity: Literal[True] | None = None
    """The input as it is: what doing nothing scores."""
    folder: str | None = Field(None, min_length=1)
    """A folder of ready outputs, under the names of the inputs; the extension may differ. Sub-folders are as the
    benchmark has them, or one a task."""
    published: str | None = None
    """A model whose scores are printed on the card of the benchmark."""
    backbone: Annotated[Backbone, Used("backbone")] | None = None
    """What restores. A checkpoint that rrframe saved names it."""
    checkpoint: str | None = Field(None, min_length=1)
    """Trained weights: a file, a folder, or the name of a card."""
    if_there: StrictBool = False
    """Leave this restorer out, and say so, where its checkpoint or folder is not there."""
    task: TaskName | None = None
    """What it is told to remove from every image. By default the image's own task."""
    prompt: str | None = None
    """What it is told in words, in place of the fixed prompt of the task."""
    steps: StrictInt | None = Field(None, ge=1)
    """How many, where it takes several."""
    guidance: float | None = None
    """How strongly to follow the prompt."""
    seed: StrictInt = Field(0, ge=0)
    """The same seed gives the same image."""
    tile: StrictInt | Literal["auto", "off"] = "auto"
    """The longest side of what goes through in one piece, in pixels."""
    overlap: StrictInt | None = Field(None, ge=1)
    """Pixels that tiles share."""

    @model_validator(mode="after")
    def _one_of_them(self) -> RestorerChoice:
        ways = {
            "identity": self.identity is not None,
            "folder": self.folder is not None,
            "published": self.published is not None,
            "backbone": self.backbone is not None or self.checkpoint is not None,
        }
        chosen = [name for name, given in ways.items() if given]
        if len(chosen) != 1:
            said = " and ".join(chosen) + " are given together" if chosen else "nothing says what is scored"
            hint = "one of backbone (or checkpoint), folder, identity: true, published: MODEL"
            raise failure({(): problem(said, hint=hint)})
        if self.kind != "backbone":
            fields = type(self).model_fields
            told = [name for name in _TOLD if getattr(self, name) != fields[name].get_default()]
            if told:
                raise failure({(told[0],): problem(f"{told[0]} is for a backbone, and this is {self.kind}")})
        return self

    @property
    def kind(self) -> Literal["backbone", "folder", "identity", "published"]:
        """Which of the four it is."""
        if self.identity is not None:
            return "identity"
        if self.folder is not None:
            return "folder"
        return "published" if self.published is not None else "backbone"


class Slice(Section):
    """A way to part the images, each part with averages of its own."""

    megapixels: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """By the size of the degraded image, cut at these."""
    name: str | None = None
    """By what this regular expression finds in the name of the image: its first group, or all of it."""
    meta: str | None = None
    """By what a data set knows of each pair, such as ``record.source``: a path of names."""

    @model_validator(mode="after")
    def _one_way(self) -> Slice:
        if sum(bool(way) for way in (self.megapixels, self.name, self.meta)) != 1:
            raise failure({(): problem("a slice is by megapixels, by name or by meta: one of the three")})
        if list(self.megapixels) != sorted(set(self.megapixels)):
            raise failure({("megapixels",): problem("these must rise", hint="such as [0.5, 2]")})
        try:
            re.compile(self.name or "")
        except re.error as error:
            raise failure({("name",): problem(f"no regular expression: {error}")}) from None
        return self


Score = Literal["RS", "LPS", "FS"]


class EvaluationRecipe(Section):
    """Scores restorers on a benchmark."""

    kind: Literal["evaluation"]
    """What kind of run this is."""
    name: RecipeName
    """Names the run and its folder: letters, digits, '.', '_' and '-'. By default the file's name."""
    seed: StrictInt = Field(0, ge=0)
    """Of the bootstrap and the permutations."""
    benchmark: Benchmark
    """What is scored on."""
    tasks: tuple[str, ...] = ()
    """Only these of the benchmark's tasks. By default all."""
    limit: StrictInt | None = Field(None, ge=1)
    """Only so many images of each task, the first by name."""
    restorers: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._+-]*$", max_length=60)], RestorerChoice] = (
        Field(min_length=1)
    )
    """What is scored, by the names that tables have."""
    metrics: tuple[Annotated[Metric, Used("metric")], ...] = ()
    """What each restored image is scored by."""
    scores: tuple[Score, ...] = ()
    """Scores of RealIR-Bench besides: RS asks the judge, LPS compares with the degraded image, FS is of both."""
    judge: Annotated[Judge, Used("judge")] | None = Field(None, validate_default=True)
    """Who says how severe a degradation is. Where RS or FS is asked for and nobody named, the estimators, which are a
    stand-in for a judge."""
    lps: Annotated[Metric, Used("metric")] | None = Field(None, validate_default=True)
    """What LPS is measured with. By default LPIPS over AlexNet."""
    clamp: StrictBool = True
    """Lift a negative RS to 0, as the released evaluator does; the signed scores stand beside."""
    language: str = "en"
    """The language of the fixed prompts: ``en`` or ``zh``."""
    slices: dict[Annotated[str, Field(min_length=1, max_length=60)], Slice] = {}
    """Ways to part the images besides by task, each part with averages of its own."""
    resize_outputs: StrictBool = False
    """Resize a ready output of another size than its input to it (Lanczos) before all scores. By default it is a
    problem."""
    allow_partial: StrictBool = False
    """Go on where something is missing or wrong. Every mean over fewer images than asked says so."""
    level: float = Field(0.95, ge=0.5, le=0.999)
    """The confidence level of intervals and of what holds."""
    resamples: StrictInt = Field(9999, ge=100)
    """How many samples the bootstrap and the permutations draw."""
    engine: Annotated[Engine, Used("engine")] | None = None
    """What spreads the work over processes. By default all is done in this one."""
    devices: tuple[str, ...] = ()
    """What to compute on, such as ``[cuda:0, cuda:1]``: each process of the engine takes one of them."""

    @field_validator("tasks")
    @classmethod
    def _known_tasks(cls, tasks: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        card = _card(info)
        known = [task.name for task in card.tasks] if card else list(tasks)
        unknown: dict[Location, Any] = {
            (number,): problem(f"{card.name} has no task {name!r}", hint=did_you_mean(name, known))
            for number, name in enumerate(tasks)
            if card and name not in known
        }
        if unknown:
            raise failure(unknown)
        return tasks

    @field_validator("restorers")
    @classmethod
    def _known_models(cls, restorers: dict[str, RestorerChoice], info: ValidationInfo) -> dict[str, RestorerChoice]:
        card = _card(info)
        models = sorted({model for table in card.published for model in table.scores}) if card else []
        problems: dict[Location, Any] = {}
        for name, choice in restorers.items():
            if choice.published is not None and choice.published not in models:
                where = f"the card {card.name}" if card else "a benchmark without a card"
                hint = did_you_mean(choice.published, models) if models else "nothing is printed there"
                problems[name, "published"] = problem(f"{where} has no scores of {choice.published!r}", hint=hint)
        names = [name.casefold() for name in restorers]
        problems |= {
            (name,): problem(f"two restorers are called {name!r}, but for the case of letters")
            for number, name in enumerate(restorers)
            if name.casefold() in names[:number]
        }
        if problems:
            raise failure(problems)
        return restorers

    @field_validator("metrics")
    @classmethod
    def _references_are_there(cls, metrics: tuple[Metric, ...], info: ValidationInfo) -> tuple[Metric, ...]:
        card = _card(info)
        if card and not card.references and not info.data["benchmark"].layout:
            problems: dict[Location, Any] = {
                (number,): problem(
                    f"{metric.name} compares with a clean image, and {card.name} has none",
                    component=metric.name,
                    plugin=metric.plugin,
                )
                for number, metric in enumerate(metrics)
                if metric.reads == "full-reference"
            }
            if problems:
                raise failure(problems)
        return metrics

    @field_validator("judge")
    @classmethod
    def _somebody_judges(cls, judge: Judge | None, info: ValidationInfo) -> Judge | None:
        asks = {"RS", "FS"} & set(info.data.get("scores", ()))
        if judge is not None and not asks and "scores" in info.data:
            raise problem("a judge is named, and no score asks it", hint="scores: [RS], or [FS]")
        if asks and judge is None:
            return create(DEFAULT_JUDGE, kinds=("judge",))  # type: ignore[return-value]
        return judge

    @field_validator("lps")
    @classmethod
    def _something_compares(cls, lps: Metric | None, info: ValidationInfo) -> Metric | None:
        asks = {"LPS", "FS"} & set(info.data.get("scores", ()))
        if asks and lps is None:
            return create("metric/lpips", DEFAULT_LPS, kinds=("metric",))  # type: ignore[return-value]
        if lps is not None and lps.reads != "consistency":
            raise problem(
                f"LPS compares with the degraded image, and {lps.name} does not",
                component=lps.name,
                plugin=lps.plugin,
                hint="params: {against: degraded}",
            )
        return lps

    @model_validator(mode="after")
    def _something_to_score_by(self) -> EvaluationRecipe:
        if not self.metrics and not self.scores:
            raise failure({(): problem("nothing says what to score by", hint="metrics: [{use: metric/psnr}]")})
        if len(set(map(measure_name, self.metrics))) < len(self.metrics):
            raise failure({("metrics",): problem("two metrics are the same, with the same params")})
        return self


def measure_name(metric: Metric) -> str:
    """The key of a metric's scores: its name, and the params that change them, where they are not its defaults."""
    fields = type(metric).model_fields
    params = metric.params()
    told = [
        f"{name}={params[name]}"
        for name in sorted(params)
        if name not in ("device", "allow_pickle") and getattr(metric, name) != fields[name].get_default()
    ]
    return f"{metric.name} ({', '.join(told)})" if told else metric.name


def _card(info: ValidationInfo) -> BenchmarkCard | None:
    benchmark: Benchmark | None = info.data.get("benchmark")  # absent where it is wrong itself
    return benchmark.found_card if benchmark else None
