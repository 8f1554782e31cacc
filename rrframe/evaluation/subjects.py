"""What is scored on: every image of a benchmark, listed before anything is read, with all that is wrong with them."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from rrframe.cards.models import BenchmarkCard, BenchmarkTask
from rrframe.contracts.dataset import Dataset, NotKept
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.evaluation.results import Problem
from rrframe.imaging.codec import encode_png
from rrframe.imaging.reading import extensions, measure, read_photograph
from rrframe.manager import get_manager
from rrframe.pairs.files import write_whole
from rrframe.recipe.evaluation import Benchmark, EvaluationRecipe, Layout, Slice
from rrframe.restoring.journal import as_text

INPUTS = "inputs"
"""The folder, in that of a run, of images that are no files of their own elsewhere."""


@dataclass(frozen=True)
class Subject:
    """One image of a benchmark.

    Args:
        name: Names it: the task, and its path without the extension.
        task: The task as the benchmark calls it.
        degraded: Its file, for one that is a file.
        clean: The file of the clean one, where there is one.
        number: Its number in the data set, for one that is not.
        within: Its path below the folder of its task, with what its name shares with that of the clean one.
        folder: That folder, from the one of the benchmark.
        picture: The clean picture that it was made of, where others were made of the same.
    """

    name: str
    task: str
    degraded: Path | None = None
    clean: Path | None = None
    number: int = -1
    within: str = ""
    folder: str = ""
    picture: str = ""

    @property
    def file_name(self) -> str:
        """A name for files that are made of it, below a folder; no other image has it."""
        plain = re.sub(r"[^\w./-]+", "_", self.name)
        mark = "" if plain == self.name else "-" + hashlib.blake2b(self.name.encode(), digest_size=4).hexdigest()
        return f"{plain}{mark}.png"


@dataclass
class Subjects:
    """All images to score on, in the order of tasks and names.

    Args:
        benchmark: Where they come from.
        found: The images that are asked for.
        every: All that the benchmark has.
        problems: What is wrong with them.
        references: Whether they have clean ones.
    """

    benchmark: Benchmark
    found: list[Subject] = field(default_factory=list)
    every: list[Subject] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    references: bool = False

    @property
    def tasks(self) -> list[str]:
        """The tasks that images were asked for, in order."""
        return list(dict.fromkeys(subject.task for subject in self.found))

    def told(self, task: str) -> str:
        """What restorers and judges call ``task``."""
        return self.benchmark.same_as.get(task, task)

    def prompt(self, task: str, language: str) -> str | None:
        """The fixed prompt of ``task`` in ``language``: that of the card, or else of the task itself.

        Raises:
            RRFrameError: There is none in that language.
        """
        card = self.benchmark.found_card
        for each in card.tasks if card else ():
            if each.name == task and language in each.prompts:
                return each.prompts[language]
        entries = get_manager().table("task")
        name = self.told(task)
        if name not in entries:
            return None
        prompts = get_manager().load(entries[name]).prompts  # type: ignore[attr-defined]
        if language not in prompts:
            hint = did_you_mean(language, prompts)
            raise RRFrameError(f"the task {name} has no prompt in {language!r}", path="language", hint=hint)
        return str(prompts[language])


def list_subjects(recipe: EvaluationRecipe) -> Subjects:
    """All images that ``recipe`` asks for. No picture is read.

    Raises:
        RRFrameError: The folder is not there, or nothing at all is found.
    """
    subjects = Subjects(recipe.benchmark)
    if recipe.benchmark.pairs is not None:
        _list_pairs(recipe.benchmark.pairs, recipe, subjects)
    else:
        _list_folder(recipe, subjects)
    subjects.every = list(subjects.found)
    unknown = [task for task in recipe.tasks if task not in subjects.tasks]
    for task in unknown:
        known = ", ".join(subjects.tasks) or "none"
        subjects.problems.append(Problem(kind="task", message=f"no image of the task {task!r}; there are: {known}"))
    if recipe.tasks:
        subjects.found = [subject for subject in subjects.found if subject.task in recipe.tasks]
    if recipe.limit is not None:
        taken = Counter[str]()
        kept = []
        for subject in subjects.found:
            taken[subject.task] += 1
            if taken[subject.task] <= recipe.limit:
                kept.append(subject)
        subjects.found = kept
    if not subjects.found:
        said = "; ".join(problem.message for problem in subjects.problems) or "it is empty"
        raise RRFrameError(f"there is no image to score on: {said}", path="benchmark")
    return subjects


# From a folder
# ----------------------------------------------------------------------------------------------------------------------


def _list_folder(recipe: EvaluationRecipe, subjects: Subjects) -> None:
    benchmark = recipe.benchmark
    root = Path(benchmark.folder or "").expanduser()
    if not root.is_dir():
        card = benchmark.found_card
        hint = (
            f"rrframe assets show {card.name} says how to get it" if card else f"relative paths start at {Path.cwd()}"
        )
        raise RRFrameError(f"{root} is no folder", path="benchmark.folder", hint=hint)
    layouts = _layouts(benchmark, root)
    counts = {task.name: task.images for task in benchmark.found_card.tasks} if benchmark.found_card else {}
    total = 0
    for task, layout in layouts.items():
        wanted = not recipe.tasks or task in recipe.tasks
        pairs = list(_of_layout(task, layout, root, subjects if wanted else Subjects(benchmark)))
        total += len(pairs)
        subjects.found += pairs
        if wanted:
            expected = counts.get(task)
            if expected is not None and expected != len(pairs):
                said = f"the card says {expected} images of {task}, and {root / layout.degraded} has {len(pairs)}"
                subjects.problems.append(Problem(kind="count", message=said, path=str(root / layout.degraded)))
    expected = benchmark.found_card.images if benchmark.found_card and None in counts.values() else None
    if expected is not None and expected != total and not recipe.tasks:
        said = f"the card says {expected} images in all, and {root} has {total}"
        subjects.problems.append(Problem(kind="count", message=said, path=str(root)))


def _layouts(benchmark: Benchmark, root: Path) -> dict[str, Layout]:
    card = benchmark.found_card
    if card:
        return {task.name: benchmark.layout.get(task.name) or _of_card(task, card) for task in card.tasks}
    if benchmark.layout:
        return dict(benchmark.layout)
    known = get_manager().table("task")
    found = {name: Layout(degraded=name) for name in sorted(known) if (root / name).is_dir()}
    if not found:
        hint = "sort the images into sub-folders called as tasks, or set benchmark.layout: {noise: {degraded: .}}"
        raise RRFrameError(f"{root} has no sub-folder called as a task", path="benchmark.folder", hint=hint)
    return found


def _of_card(task: BenchmarkTask, card: BenchmarkCard) -> Layout:
    if task.folder:
        names = {"degraded_name": task.degraded_name, "clean_name": task.clean_name}
        return Layout(degraded=task.folder, clean=task.clean or None, **names)
    if card.references:
        return Layout(degraded=f"{task.name}/degraded", clean=f"{task.name}/clean")
    return Layout(degraded=task.name)


def _of_layout(task: str, layout: Layout, root: Path, subjects: Subjects) -> Iterator[Subject]:
    degraded = _named(root / layout.degraded, layout.degraded_name, task, subjects)
    if layout.clean is None:
        for within, path in degraded.items():
            yield Subject(f"{task}/{within}", task, path, within=within, folder=layout.degraded)
        return
    subjects.references = True
    clean = _named(root / layout.clean, layout.clean_name, task, subjects)
    for within, path in degraded.items():
        partner = clean.pop(within, None)
        if partner is None:
            said = f"{path} has no clean image in {root / layout.clean}"
            subjects.problems.append(Problem(kind="missing", message=said, image=f"{task}/{within}", path=str(path)))
        yield Subject(f"{task}/{within}", task, path, partner, within=within, folder=layout.degraded)
    for path in clean.values():
        if layout.clean == layout.degraded and layout.clean_name == "{}":
            continue
        said = f"{path} has no degraded image in {root / layout.degraded}"
        subjects.problems.append(Problem(kind="extra", message=said, path=str(path)))


def _named(folder: Path, pattern: str, task: str, subjects: Subjects) -> dict[str, Path]:
    """The pictures below ``folder`` whose names follow ``pattern``, by their path with what ``{}`` stands for."""
    if not folder.is_dir():
        said = f"the images of {task} should lie in {folder}, which is no folder"
        subjects.problems.append(Problem(kind="missing", message=said, path=str(folder)))
        return {}
    before, _, after = pattern.partition("{}")
    found: dict[str, Path] = {}
    for path in pictures_below(folder):
        own = path.relative_to(folder).with_suffix("")
        if not (own.name.startswith(before) and own.name.endswith(after)) or len(own.name) < len(before + after):
            continue
        within = as_text(own.with_name(own.name[len(before) : len(own.name) - len(after)] or "_").as_posix())
        if within in found:
            said = f"{path} and {found[within].name} are the same image by name; the second is passed over"
            subjects.problems.append(Problem(kind="extra", message=said, path=str(path)))
        else:
            found[within] = path
    return found


def pictures_below(folder: Path) -> list[Path]:
    """All files below ``folder`` with the ending of a picture, sorted; hidden ones are passed over."""
    known = extensions()
    found = []
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place, name) for name in files if not name.startswith(".")]
    return sorted(path for path in found if path.suffix.lower() in known)


# From a data set
# ----------------------------------------------------------------------------------------------------------------------


def _list_pairs(pairs: Dataset, recipe: EvaluationRecipe, subjects: Subjects) -> None:
    subjects.references = True
    for number, item in enumerate(pairs.items()):
        within = PurePosixPath(item.key).as_posix()
        name = within if within.startswith(f"{item.task}/") else f"{item.task}/{within}"
        subjects.found.append(Subject(name, item.task, number=number, within=within, picture=item.picture))
    subjects.found.sort(key=lambda subject: (subject.task, subject.name))


# Reading
# ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Loaded:
    """An image as it was read.

    Args:
        degraded: ``[H, W, 3]`` uint8 or uint16, encoded sRGB.
        clean: The same, where there is one.
        degraded_file: Where it lies.
        clean_file: Likewise.
        meta: What a data set knows of it.
    """

    degraded: np.ndarray
    clean: np.ndarray | None
    degraded_file: Path
    clean_file: Path | None
    meta: dict[str, Any] = field(default_factory=dict)


class Reader:
    """Reads images of a benchmark; those of a data set are written to the run's folder, as files to look at.

    Args:
        recipe: The run's recipe.
        folder: The run's folder.
    """

    def __init__(self, recipe: EvaluationRecipe, folder: Path) -> None:
        self._recipe = recipe
        self._folder = folder

    @cached_property
    def _pairs(self) -> Dataset | None:
        pairs = self._recipe.benchmark.pairs
        if pairs is not None:
            pairs.items()  # some list before they read
        return pairs

    def read(self, subject: Subject) -> Loaded:
        """The image.

        Raises:
            RRFrameError: It cannot be read, or its sides differ in size.
        """
        if subject.degraded is None:
            return self._read_pair(subject)
        degraded = read_photograph(subject.degraded).pixels
        clean = None if subject.clean is None else read_photograph(subject.clean).pixels
        if clean is not None and clean.shape != degraded.shape:
            sizes = [f"{side.shape[1]} x {side.shape[0]}" for side in (degraded, clean)]
            raise RRFrameError(f"its sides differ in size: degraded {sizes[0]}, clean {sizes[1]}")
        return Loaded(degraded, clean, subject.degraded, subject.clean)

    def _read_pair(self, subject: Subject) -> Loaded:
        """The pair, from the files of the run where another restorer has had it: making one anew may take long."""
        assert self._pairs is not None
        degraded, clean, meta = (
            (self._folder / INPUTS / part / subject.file_name).with_suffix(ending)
            for part, ending in (("degraded", ".png"), ("clean", ".png"), ("meta", ".json"))
        )
        if meta.exists():  # which is written last
            known = json.loads(meta.read_text(encoding="utf-8"))
            return Loaded(read_photograph(degraded).pixels, read_photograph(clean).pixels, degraded, clean, known)
        try:
            sample = self._pairs.read(subject.number)
        except NotKept as error:
            raise RRFrameError(f"its own recipe drops it: {error.message}") from error
        told = json.dumps(sample.meta, default=str)
        data: dict[Path, bytes | str] = {
            degraded: encode_png(sample.degraded),
            clean: encode_png(sample.clean),
            meta: told,
        }
        for path, content in data.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        return Loaded(sample.degraded, sample.clean, degraded, clean, json.loads(told))


def part_of(slicing: Slice, subject: Subject, height: int, width: int, meta: dict[str, Any]) -> str:
    """The part of ``slicing`` that an image belongs to."""
    if slicing.megapixels:
        size, cuts = height * width / 1e6, slicing.megapixels
        for number, cut in enumerate(cuts):
            if size <= cut:
                return f"{cuts[number - 1]:g} to {cut:g}" if number else f"up to {cut:g}"
        return f"more than {cuts[-1]:g}"
    if slicing.name is not None:
        match = re.search(slicing.name, subject.name)
        return (match[1] if match.re.groups else match[0]) or "other" if match else "other"
    value: Any = meta
    for part in (slicing.meta or "").split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return "unknown" if value is None else str(value)


def measured(path: Path) -> tuple[int, int]:
    """Height and width of the picture at ``path``.

    Raises:
        RRFrameError: It cannot be read.
    """
    height, width, _ = measure(path)
    return height, width
