"""What is scored: a restorer as the run uses it, whatever of the four kinds it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from rrframe.cards.cached import located
from rrframe.cards.models import PublishedScores
from rrframe.contracts.backbone import Backbone
from rrframe.errors import RRFrameError
from rrframe.evaluation.results import Problem, RestorerFacts
from rrframe.evaluation.subjects import Subject, Subjects, pictures_below
from rrframe.recipe.evaluation import EvaluationRecipe, RestorerChoice
from rrframe.restoring.journal import as_text
from rrframe.restoring.restorer import Asked, Restorer, make_backbone

RESTORED = "restored"
"""The folder, in that of a run, of what backbones restored, with a folder for each."""


class Candidate:
    """A restorer of a recipe, by its name there.

    Args:
        name: Its name.
        choice: What the recipe says of it.
        recipe: The recipe.
        subjects: What it is scored on.
        device: What a backbone computes on, instead of what its params say.
    """

    def __init__(
        self,
        name: str,
        choice: RestorerChoice,
        recipe: EvaluationRecipe,
        subjects: Subjects,
        device: str | None = None,
    ) -> None:
        self.name = name
        self.choice = choice
        self.kind = choice.kind
        self._recipe = recipe
        self._subjects = subjects
        self._device = device

    @property
    def is_there(self) -> bool:
        """Whether what it is made of lies on this machine."""
        if self.kind == "folder":
            return Path(self.choice.folder or "").expanduser().is_dir()
        if self.choice.checkpoint is None:
            return True
        try:
            return located(Path(self.choice.checkpoint)).exists()
        except RRFrameError:
            return False

    @cached_property
    def backbone(self) -> Backbone:
        """What restores, of one that does.

        Raises:
            RRFrameError: Its checkpoint is not there, or names no backbone.
        """
        chosen, checkpoint = self.choice.backbone, self.choice.checkpoint
        found: Backbone
        if checkpoint is None:
            assert chosen is not None
            found = chosen.model_copy()  # with a network of its own, which goes when this does
            found._network = None
        else:
            params = _changed(chosen) if chosen else {}  # the others are as the weights were saved with
            found = make_backbone(chosen.name if chosen else None, Path(checkpoint).expanduser(), params)
        if self._device is not None:
            found = found.model_copy(update={"device": self._device})
        return found

    def restorer(self, task: str) -> Restorer:
        """The backbone, told to restore ``task`` of the benchmark.

        Raises:
            RRFrameError: It does not know the task.
        """
        if task not in self._restorers:
            choice = self.choice
            told = choice.task or self._subjects.told(task)
            prompt = choice.prompt
            if self.backbone.capabilities.needs_prompt and prompt is None:
                named = choice.task or task
                prompt = self._subjects.prompt(named, self._recipe.language)
            asked = Asked(told, prompt, choice.steps, choice.guidance, choice.seed, choice.tile, choice.overlap)
            self._restorers[task] = Restorer(self.backbone, asked)
        return self._restorers[task]

    def restore(self, images: torch.Tensor, task: str) -> torch.Tensor:
        """``[B, 3, H, W]`` float32 in [0, 1], encoded sRGB, restored.

        Raises:
            RRFrameError: It cannot.
        """
        return self.restorer(task).restore(images)

    @property
    def at_once(self) -> int:
        """How many images make a unit of work: few, where each takes long."""
        return 1 if self.kind == "backbone" and self.backbone.capabilities.steps is not None else 16

    def output(self, subject: Subject) -> Path | None:
        """The ready output for an image, of a folder; ``None`` where there is none."""
        return self._outputs.get(subject.name)

    def problems(self, subjects: Sequence[Subject]) -> list[Problem]:
        """What is wrong with ready outputs or with the backbone, before any work."""
        if self.kind == "folder":
            return list(self._folder_problems(subjects))
        if self.kind != "backbone":
            return []
        found: list[Problem] = []
        for task in dict.fromkeys(subject.task for subject in subjects):
            try:
                self.restorer(task)
            except RRFrameError as error:
                hint = f"; {error.hint}" if error.hint else ""
                kind = "task" if "task" in error.message else "restorer"
                message = f"{self.name} cannot be told to restore {task}: {error.message}{hint}"
                found.append(Problem(kind=kind, message=message, restorer=self.name))
        return found

    @cached_property
    def facts(self) -> RestorerFacts:
        """What results say of it."""
        choice = self.choice
        if self.kind == "identity":
            return RestorerFacts(name=self.name, kind="identity", source="the input as it is")
        if self.kind == "folder":
            return RestorerFacts(name=self.name, kind="folder", source=str(choice.folder))
        if self.kind == "published":
            tables = [table for table in self.tables if choice.published in table.scores]
            source = "; ".join(dict.fromkeys(table.source for table in tables))
            return RestorerFacts(name=self.name, kind="published", source=source)
        tasks = list(dict.fromkeys(subject.task for subject in self._subjects.found))
        told = [restorer for task in tasks if (restorer := self._told(task))]
        asked = asdict(told[0].asked) if told else {}
        prompts = {task: restorer.asked.prompt for task, restorer in zip(tasks, told, strict=False)}
        settings = told[0].settings() if told else {"weights": {}}
        unprompted = {name: value for name, value in asked.items() if name not in ("task", "prompt", "format", "batch")}
        params = self.backbone.params()
        params.pop("device", None)
        return RestorerFacts(
            name=self.name,
            kind="backbone",
            backbone=self.backbone.name,
            checkpoint=None if self.backbone.checkpoint is None else str(choice.checkpoint or self.backbone.checkpoint),
            weights=settings["weights"],
            params=params,
            asked=unprompted | ({"prompts": prompts} if any(prompts.values()) else {}),
            untrained=tuple(told[0].untrained()) if told else (),
        )

    @property
    def tables(self) -> Sequence[PublishedScores]:
        """The tables of the benchmark's card."""
        card = self._recipe.benchmark.found_card
        return card.published if card else ()

    @property
    def folder_name(self) -> str:
        """A name for its folder."""
        return re.sub(r"[^\w.+-]+", "_", self.name)

    @cached_property
    def _restorers(self) -> dict[str, Restorer]:
        return {}

    def _told(self, task: str) -> Restorer | None:
        try:
            return self.restorer(task)
        except RRFrameError:
            return None

    @cached_property
    def _listed(self) -> dict[str, list[Path]]:
        """Ready outputs by their path below the folder, without the extension."""
        root = Path(self.choice.folder or "").expanduser()
        found: dict[str, list[Path]] = {}
        for path in pictures_below(root) if root.is_dir() else ():
            name = as_text(path.relative_to(root).with_suffix("").as_posix())
            found.setdefault(name, []).append(path)
        return found

    @cached_property
    def _outputs(self) -> dict[str, Path]:
        """The ready output of each image, looked for under the names that people give them."""
        bare = Counter(name for subject in self._subjects.every for name in _bare_names(subject))
        found = {}
        for subject in self._subjects.every:
            names = [*_names(subject), *(name for name in _bare_names(subject) if bare[name] == 1)]
            for name in names:
                if name in self._listed:
                    found[subject.name] = self._listed[name][0]
                    break
        return found

    def _folder_problems(self, subjects: Sequence[Subject]) -> list[Problem]:
        root = Path(self.choice.folder or "").expanduser()
        if not root.is_dir():
            said = f"the outputs of {self.name} should lie in {root}, which is no folder"
            return [Problem(kind="missing", message=said, restorer=self.name, path=str(root))]
        found = []
        for subject in subjects:
            if subject.name not in self._outputs:
                said = f"{self.name} has no output for {subject.name}"
                found.append(Problem(kind="missing", message=said, restorer=self.name, image=subject.name))
        used = set(self._outputs.values())
        for paths in self._listed.values():
            for path in paths:
                if path not in used:
                    why = "is a second one of that name" if used & set(paths) else "goes with no image"
                    said = f"{path} {why}"
                    found.append(Problem(kind="extra", message=said, restorer=self.name, path=str(path)))
        return found


def _changed(backbone: Backbone) -> dict[str, Any]:
    """The params that are not its defaults, but for the checkpoint."""
    fields = type(backbone).model_fields
    params = backbone.params().items()
    return {
        name: value
        for name, value in params
        if name != "checkpoint" and getattr(backbone, name) != fields[name].get_default(call_default_factory=True)
    }


def _names(subject: Subject) -> list[str]:
    """Under which paths below a folder the output for an image may lie, the likeliest first: below its task, or below
    the folder, or its first part, that the benchmark has it in.
    """
    folders = [subject.task, subject.folder, Path(subject.folder).parts[0] if subject.folder else ""]
    paths = [f"{folder}/{name}" for folder in folders if folder for name in sorted(_bare_names(subject))]
    return list(dict.fromkeys([subject.name, *paths]))


def _bare_names(subject: Subject) -> set[str]:
    """Its path below the folder of its task, with the ending that degraded images have and without."""
    own = subject.degraded.stem if subject.degraded else Path(subject.within).name
    return {subject.within, (Path(subject.within).parent / own).as_posix()}


def candidates_of(recipe: EvaluationRecipe, subjects: Subjects) -> tuple[list[Candidate], list[str]]:
    """The restorers of a recipe, and a sentence on each that is left out because it is not there."""
    every = [Candidate(name, choice, recipe, subjects) for name, choice in recipe.restorers.items()]
    kept = [each for each in every if not each.choice.if_there or each.is_there]
    left = [
        f"{each.name} is left out: there is no {each.choice.checkpoint or each.choice.folder}"
        for each in every
        if each not in kept
    ]
    return kept, left


def settings_of(candidate: Candidate) -> dict[str, Any]:
    """All that the output of a candidate depends on, JSON-able."""
    return candidate.facts.model_dump(mode="json", exclude={"name", "source"}) | {"folder": candidate.choice.folder}
