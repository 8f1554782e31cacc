"""What a recipe of training may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import ConfigDict, Field, StrictBool, StrictInt, ValidationInfo, field_validator, model_validator

from rrframe.contracts.backbone import Backbone
from rrframe.contracts.chain import Chain
from rrframe.contracts.component import Used, create
from rrframe.contracts.dataset import Dataset
from rrframe.contracts.metric import Metric
from rrframe.contracts.problems import Location, failure, problem
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.recipe.evaluation import measure_name
from rrframe.recipe.modes import AdapterChoice, OptimizerChoice
from rrframe.recipe.sections import RecipeName, Section, TaskName

BUILT_IN = ("psnr", "ssim", "loss")
"""What every validation measures."""
BY_EVALUATION = "evaluation/"
"""What the name of a measure of an evaluation begins with."""

Shares = dict[str, Annotated[float, Field(ge=0)]]


class Ramp(Section):
    """A mix that changes over the stage: progressive mixing."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    begin: Shares = Field(alias="from")
    """The shares of the first step."""
    to: Shares
    """The shares of the last."""
    over: StrictInt | None = Field(None, ge=1)
    """How many steps the change takes; the rest of the stage keeps the last shares. By default all."""

    def names(self) -> set[str]:
        return {*self.begin, *self.to}


class Stage(Section):
    """A part of the training with settings of its own."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=50)
    """Names the stage."""
    steps: StrictInt = Field(ge=1)
    """How many times the weights are changed."""
    batch: StrictInt = Field(ge=1)
    """Pairs a step, over all processes."""
    mix: Shares | Ramp
    """The share of each source of pairs, relative to the others: ``{synthetic: 2, real: 8}``, exact in every block; or
    ``{from: ..., to: ..., over: STEPS}``."""
    learning_rate: float = Field(gt=0)
    """At the end of the warm-up."""
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    """What the learning rate does after the warm-up: stays, or falls to 0."""
    warmup: StrictInt = Field(0, ge=0)
    """Steps over which the learning rate rises from 0."""
    weight_decay: float = Field(0.0, ge=0)
    """Decoupled, as in AdamW."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Of Adam."""
    eps: float = Field(1e-8, gt=0)
    """Of Adam."""
    optimizer: OptimizerChoice | None = None
    """Another one than the recipe's."""
    clip: float | None = Field(1.0, gt=0)
    """The largest norm of the gradient; a longer one is scaled down to it."""
    freeze: tuple[str, ...] = ()
    """Parameters that stay as they are: ``single_transformer_blocks[:25%]``."""

    def sources(self) -> set[str]:
        """The sources that the mix names."""
        return self.mix.names() if isinstance(self.mix, Ramp) else set(self.mix)

    @field_validator("mix")
    @classmethod
    def _something_to_mix(cls, mix: Shares | Ramp) -> Shares | Ramp:
        for shares in (mix.begin, mix.to) if isinstance(mix, Ramp) else (mix,):
            if not any(shares.values()):
                raise problem("no source has a share, so there is nothing to train on")
        return mix


class Augment(Section):
    """What is done to pairs as they are read. Both sides are cut to the resolution in any case."""

    flip: float = Field(0.5, ge=0, le=1)
    """How often a pair is mirrored left to right."""
    degraded: Chain | None = None
    """Degradations of the degraded side, in order: ``effect/maybe`` with ``effect/web`` inside, for one."""


class Validation(Section):
    """Pairs that are never trained on, and what is done with them."""

    every: StrictInt = Field(100, ge=1)
    """Steps between two validations."""
    share: float = Field(0.1, gt=0, lt=1)
    """How many of the clean pictures are held out, with all pairs made of them. At least one is."""
    pairs: StrictInt = Field(32, ge=1)
    """How many held-out pairs are restored each time: the same ones, all tasks in turn."""
    resolution: StrictInt | None = Field(None, ge=16)
    """The side of what is cut from the middle of each, in pixels. By default what is trained on."""
    metrics: tuple[Annotated[Metric, Used("metric")], ...] = ()
    """What the restored pairs are scored by besides PSNR and SSIM: ``{use: severity/haze}``, for one."""
    evaluation: str | None = None
    """A recipe of evaluation, a file or a shipped one: its images are restored and scored at each validation too."""
    metric: str = "psnr"
    """What makes a validation better than another: the restored pairs' ``psnr`` or ``ssim``, a lower ``loss``, the name
    of a metric, such as ``metric/lpips``, or a measure of the evaluation, such as ``evaluation/FS``."""
    patience: StrictInt | None = Field(None, ge=1)
    """Ends the training after so many validations without a better one. By default it goes on."""

    @property
    def scored_by(self) -> dict[str, Metric]:
        """The metrics by the names of their figures, the one that decides among them."""
        found = {measure_name(metric): metric for metric in self.metrics}
        if self.metric.startswith(BY_EVALUATION) or self.metric in (*BUILT_IN, *found):
            return found
        return found | {self.metric: cast(Metric, create(self.metric, kinds=("metric",)))}

    @field_validator("metric")
    @classmethod
    def _can_decide(cls, metric: str, info: ValidationInfo) -> str:
        if metric in BUILT_IN or metric in {measure_name(each) for each in info.data.get("metrics", ())}:
            return metric
        if metric.startswith(BY_EVALUATION):
            if info.data.get("evaluation") is None:
                raise problem("there is no evaluation to have measures", hint="name its recipe: evaluation: FILE")
            return metric
        try:
            create(metric, kinds=("metric",))
        except RRFrameError as error:
            hint = f"{', '.join(BUILT_IN)}, {BY_EVALUATION}MEASURE, or a metric; {error.hint or ''}".rstrip("; ")
            raise problem(error.message, hint=hint) from None
        return metric


class Keep(Section):
    """Which checkpoints stay."""

    every: StrictInt = Field(500, ge=1)
    """Steps between two checkpoints. There is one at the end of each stage too."""
    last: StrictInt = Field(2, ge=1)
    """How many of the newest stay, beside the best."""


class TrainingRecipe(Section):
    """Trains a backbone on pairs, in stages."""

    kind: Literal["training"]
    """What kind of run this is."""
    name: RecipeName
    """Names the run and its folder: letters, digits, '.', '_' and '-'. By default the file's name."""
    seed: StrictInt = Field(0, ge=0)
    """All randomness of the run follows from it."""
    backbone: Annotated[Backbone, Used("backbone")]
    """What is trained."""
    data: dict[str, Annotated[Dataset, Used("dataset")]] = Field(min_length=1)
    """Sources of pairs, under names that the stages mix."""
    tasks: Literal["uniform", "proportional"] | dict[TaskName, Annotated[float, Field(ge=0)]] = "uniform"
    """The share of each task within a source: all alike, as many as there are pairs, or these weights."""
    resolution: StrictInt = Field(ge=16)
    """Pairs are cut to the area of a square with this side, in pixels."""
    aspects: tuple[float, ...] = (1.0,)
    """Width over height of what is cut. All pairs of a step share one, drawn anew for each step."""
    augment: Augment = Augment()
    """What is done to pairs as they are read."""
    stages: tuple[Stage, ...] = Field(min_length=1)
    """One after the other."""
    optimizer: OptimizerChoice = OptimizerChoice()
    """What changes the weights."""
    adapter: AdapterChoice | None = None
    """Trains an adapter instead of the weights themselves."""
    autocast: StrictBool = False
    """The network computes in bfloat16 while its weights stay in float32, and each step is exact."""
    gradient_checkpointing: StrictBool = False
    """Blocks keep their inputs alone and are computed again in the backward pass: much less memory, a third more
    time.
    """
    compile: StrictBool = False
    """Compile the network's repeated blocks at the first step, or all of it where it has none."""
    cache: Literal["online", "disk"] = "online"
    """What becomes of the part of the work that training does not change, such as latents and encoded prompts: it is
    done anew for each pair, or kept on disk. With ``disk`` each pair is always cut, mirrored and degraded in the same
    way, so that what was kept can be used again; online suits a million synthetic pairs, the disk a few real ones.
    """
    parallel: Literal["ddp", "fsdp"] = "ddp"
    """How several processes share the work: each holds the whole network, or a part of it (FSDP2), which suits weights
    that do not fit one card.
    """
    micro_batch: StrictInt | None = Field(None, ge=1)
    """Pairs that a process holds at a time. By default the largest that divides its part of the batch, up to 8."""
    ema: float | None = Field(None, gt=0, lt=1)
    """Keeps an average of the weights that forgets at this rate, such as 0.999, and validates and saves that."""
    validation: Validation = Validation()
    """Pairs held out."""
    keep: Keep = Keep()
    """Which checkpoints stay."""
    workers: StrictInt | None = Field(None, ge=0)
    """Processes that read pairs, for each process that trains. By default none on a CPU, else up to 8."""

    @field_validator("backbone")
    @classmethod
    def _can_be_trained(cls, backbone: Backbone) -> Backbone:
        if not backbone.capabilities.trainable:
            raise problem(f"{backbone.name} cannot be trained", component=backbone.name, plugin=backbone.plugin)
        return backbone

    @field_validator("stages")
    @classmethod
    def _known_sources(cls, stages: tuple[Stage, ...], info: ValidationInfo) -> tuple[Stage, ...]:
        if "data" not in info.data:  # wrong itself
            return stages
        known = set(info.data["data"])
        problems: dict[Location, Any] = {
            (number, "mix", name): problem(f"no source under data: is called {name!r}", hint=did_you_mean(name, known))
            for number, stage in enumerate(stages)
            for name in sorted(stage.sources() - known)
        }
        names = [stage.name for stage in stages]
        problems |= {
            (number, "name"): problem(f"two stages are called {name!r}")
            for number, name in enumerate(names)
            if name in names[:number]
        }
        if problems:
            raise failure(problems)
        return stages

    @model_validator(mode="after")
    def _modes_go_together(self) -> TrainingRecipe:
        problems: dict[Location, Any] = {}
        for place, choice in self._optimizers():
            if message := self._in_the_way(choice):
                problems[(*place, "name")] = problem(message)
            elif self.adapter is None and not self._moves(choice):
                problems[(*place, "stochastic_rounding")] = problem(
                    f"weights in {self.backbone.dtype} do not move in small steps: one at a learning rate of 1e-5 is "
                    "less than half the distance between neighbouring numbers, and is rounded away",
                    hint="set backbone.params.dtype to float32, with autocast: true, or keep bfloat16 with "
                    "optimizer.stochastic_rounding: true",
                )
        if self.parallel == "fsdp" and self.adapter is not None:
            problems[("parallel",)] = problem(
                "an adapter is too small to be shared out", hint="take ddp, which is faster"
            )
        if problems:
            raise failure(problems)
        return self

    def optimizer_of(self, stage: Stage) -> OptimizerChoice:
        """What changes the weights in ``stage``."""
        return stage.optimizer or self.optimizer

    def _optimizers(self) -> list[tuple[Location, OptimizerChoice]]:
        """Each choice that some stage follows, and where it stands."""
        own = [
            (("stages", number, "optimizer"), stage.optimizer)
            for number, stage in enumerate(self.stages)
            if stage.optimizer is not None
        ]
        common: list[tuple[Location, OptimizerChoice]] = [(("optimizer",), self.optimizer)]
        return [*(common if len(own) < len(self.stages) else []), *own]

    def _moves(self, choice: OptimizerChoice) -> bool:
        """Whether small steps are added up: in float32 somewhere, or on average."""
        dtype = self.backbone.dtype
        return dtype == "float32" or choice.keeps_float32 or (dtype == "bfloat16" and choice.stochastic_rounding)

    def _in_the_way(self, choice: OptimizerChoice) -> str | None:
        if self.parallel == "fsdp" and choice.name != "adamw":
            return f"{choice.name} keeps its state whole, which fsdp takes apart: use adamw, or parallel: ddp"
        if choice.stochastic_rounding and choice.keeps_float32:
            return "adamw-offloaded adds its steps up in float32, and needs no stochastic rounding"
        return None
