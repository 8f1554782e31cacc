"""What a recipe of synthesis may say."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    StrictInt,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)

from rrframe.contracts.chain import Chain
from rrframe.contracts.component import Used, create
from rrframe.contracts.cue import PARTNER, Cue
from rrframe.contracts.engine import Engine
from rrframe.contracts.filter import Filter, Stage
from rrframe.contracts.problems import Location, failure, problem
from rrframe.contracts.sink import Sink
from rrframe.contracts.source import Source
from rrframe.manager import get_manager
from rrframe.recipe.sections import RecipeName, Section, TaskName


def _usable_at(stage: Stage) -> AfterValidator:
    """Refuses a filter that cannot be used at ``stage``."""

    def check(chosen: Filter) -> Filter:
        stages = chosen.stages()
        if stage not in stages:
            judges = {"screen": "clean images", "verify": "pairs"}
            raise problem(
                f"{chosen.name} does not judge {judges[stage]}",
                component=chosen.name,
                plugin=chosen.plugin,
                hint=" or ".join(f"put it under {other}:" for other in sorted(stages)) or None,
            )
        return chosen

    return AfterValidator(check)


# What rrframe.recipe.schema puts in place of these depends on the plugins installed.
_SCREEN = WithJsonSchema({"x-rrframe-kinds": ["filter"], "x-rrframe-stage": "screen"})
_VERIFY = WithJsonSchema({"x-rrframe-kinds": ["filter"], "x-rrframe-stage": "verify"})

Screen = Annotated[Filter, Used("filter"), _usable_at("screen"), _SCREEN]
Verify = Annotated[Filter, Used("filter"), _usable_at("verify"), _VERIFY]


class TaskMix(Section):
    """How one task's pairs are made, and how many of them."""

    weight: float = Field(1.0, ge=0, strict=True)
    """The task's share of the pairs, against the other tasks' weights. 0 leaves the task out."""
    chain: Chain
    """The degradations, in order."""


class SynthesisRecipe(Section):
    """Makes pairs of degraded and clean images from a source of clean ones."""

    kind: Literal["synthesis"]
    """What kind of run this is."""
    name: RecipeName
    """Names the run and its folder: letters, digits, '.', '_' and '-'. By default the file's name."""
    seed: StrictInt = Field(0, ge=0)
    """All randomness of the run follows from it."""
    variants: StrictInt = Field(1, ge=1)
    """How many pairs are made of each picture."""
    limit: StrictInt | None = Field(None, ge=1)
    """Takes only so many pictures, the first of the source's list. By default all."""
    source: Annotated[Source, Used("source")]
    """Where the clean pictures come from."""
    screen: tuple[Screen, ...] = ()
    """Filters on the clean picture, before anything is made of it."""
    tasks: dict[TaskName, TaskMix] = Field(min_length=1)
    """The tasks to make pairs for, by name."""
    cues: dict[str, Annotated[Cue, Used("cue")]] = Field({}, validate_default=True)
    """Who computes each cue that the chains need. By default the cue's default provider."""
    verify: tuple[Verify, ...] = ()
    """Filters on the finished pair."""
    sink: Annotated[Sink, Used("sink")] = Field({"use": "pairs/webdataset"}, validate_default=True)
    """Where the pairs go."""
    engine: Annotated[Engine, Used("engine")] = Field({"use": "engine/local"}, validate_default=True)
    """What spreads the work."""

    @field_validator("tasks")
    @classmethod
    def _something_to_do(cls, tasks: dict[str, TaskMix]) -> dict[str, TaskMix]:
        if not any(mix.weight > 0 for mix in tasks.values()):
            raise problem("every task has weight 0, so there is nothing to make", hint="give one of them a weight")
        return tasks

    # A validator of this field, not of the whole: it then speaks up together with errors in other fields.
    @field_validator("cues")
    @classmethod
    def _every_cue_provided(cls, cues: dict[str, Cue], info: ValidationInfo) -> dict[str, Cue]:
        problems = _misnamed(cues)
        provided = dict(cues)
        tasks: dict[str, TaskMix] = info.data.get("tasks", {})  # absent where they are wrong themselves
        for name, needed_by in sorted(_needed(tasks).items()):
            if name in provided or name == PARTNER:
                continue
            entry = get_manager().default_cue(name)
            if entry is None:
                problems[name,] = _unprovided(name, needed_by)
            else:
                provided[name] = create(entry.spec.name, kinds=("cue",))  # type: ignore[assignment]
        if problems:
            raise failure(problems)
        return provided


def _misnamed(cues: dict[str, Cue]) -> dict[Location, Any]:
    problems: dict[Location, Any] = {}
    for name, provider in cues.items():
        provides = provider.name.split("/")[0]
        if provides != name:
            problems[name,] = problem(
                f"{provider.name} provides the cue {provides!r}, not {name!r}",
                component=provider.name,
                plugin=provider.plugin,
                hint=f"write it under {provides}:, or see: rrframe plugins --kind cue",
            )
    return problems


def _needed(tasks: dict[str, TaskMix]) -> dict[str, str]:
    """Each cue that the chains need, with the first operator that needs it: the innermost, where effects hold it."""
    needed: dict[str, str] = {}
    for task, mix in tasks.items():
        for index, step in enumerate(mix.chain.steps):
            for name in step.needs():
                operator = [part for part in step.parts() if name in part.needs()][-1]
                needed.setdefault(name, f"{operator.name} at tasks.{task}.chain[{index}]")
    return needed


def _unprovided(name: str, needed_by: str) -> Any:
    providers = [known for known in get_manager().table("cue") if known.split("/")[0] == name]
    if providers:
        hint = f"add cues: {{{name}: {{use: {providers[0]}}}}}"
    else:
        hint = f"no installed plugin provides it; its provider is called {name}/..., see: rrframe plugins --kind cue"
    return problem(f"{needed_by} needs the cue {name!r}, and nothing provides it", hint=hint)
