"""The backbone that restores, and how it is told to."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import torch

from rrframe.cards.cached import located
from rrframe.contracts.backbone import Backbone, saved_name
from rrframe.contracts.component import attributed, create
from rrframe.contracts.trying import restore_batch, tiling_of
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.imaging.tiles import Tiling, Told, fitting
from rrframe.manager import get_manager
from rrframe.memory.checking import TooLarge, check_memory
from rrframe.restoring.guessing import AUTO, Guesser

_HEAD, _TAIL = 1 << 16, 1 << 20  # bytes of a file of weights that tell it from another


@dataclass(frozen=True)
class Asked:
    """What the user asked for; ``None`` leaves a choice to the backbone."""

    task: str | None = None
    prompt: str | None = None
    steps: int | None = None
    guidance: float | None = None
    seed: int = 0
    tile: int | str = "auto"
    overlap: int | None = None
    batch: int | None = None
    format: str = "keep"


class Restorer:
    """A backbone with all that it is told.

    Args:
        backbone: What restores.
        asked: How.

    Raises:
        RRFrameError: They do not go together.
    """

    def __init__(self, backbone: Backbone, asked: Asked) -> None:
        self.backbone = backbone
        self.asked = asked
        self.notes: list[str] = []
        """What was chosen for the user."""
        self.guesser = self._guesser() if asked.task == AUTO else None
        """What tells the task of each picture, where nobody said it."""
        self.task = AUTO if self.guesser else self._task()
        capabilities = backbone.capabilities
        for name in ("steps", "guidance"):
            if getattr(asked, name) is not None and getattr(capabilities, name) is None:
                raise self._wrong(f"it has no {name} to set", f"leave --{name} out")
        self.tiling: Tiling = tiling_of(backbone, asked.tile, asked.overlap)

    def check_memory(self, sizes: Iterable[tuple[int, int]]) -> None:
        """Refuse, before any weight is read, what the memory that is free cannot hold. What cannot be estimated passes.

        Args:
            sizes: Heights and widths of the pictures, in pixels.

        Raises:
            TooLarge: With the estimate, and settings that would fit.
        """
        pieces: Counter[tuple[int, int]] = Counter()
        for height, width in sizes:
            most = self.tiling.side or max(height, width)
            pieces[min(height, most), min(width, most)] += self.tiling.count(height, width)
        if not pieces:
            return
        together = {size: min(count, self.asked.batch or fitting(*size)) for size, count in pieces.items()}
        size = max(together, key=lambda size: size[0] * size[1] * together[size])
        try:
            check_memory(self.backbone, *size, together[size])
        except TooLarge:
            raise
        except RRFrameError:
            return

    def load(self) -> None:
        """Read the weights now rather than at the first picture.

        Raises:
            RRFrameError: They cannot be read, or are another's.
        """
        with attributed(self.backbone, "reading its weights"):
            _ = self.backbone.network

    def restore(self, images: torch.Tensor, told: Told | None = None, task: str | None = None) -> torch.Tensor:
        """``[B, 3, H, W]`` float32 in [0, 1], encoded sRGB, all of one size, restored; ``told`` how far it is.

        ``task`` is theirs where it was guessed.
        """
        asked = {"prompt": self.asked.prompt, "steps": self.asked.steps, "guidance": self.asked.guidance}
        given = {name: value for name, value in asked.items() if value is not None}
        return restore_batch(
            self.backbone,
            images,
            self.task if task is None else task,
            self.tiling,
            batch=self.asked.batch,
            told=told,
            seed=self.asked.seed,
            **given,
        )

    def untrained(self) -> list[str]:
        """The backbones in it whose weights are random, by name."""
        return [part.name for part in _parts(self.backbone) if part.checkpoint is None and _has_weights(part)]

    def settings(self) -> dict[str, Any]:
        """All that results depend on, and under ``engine`` what they do not."""
        params = self.backbone.params()
        device = params.pop("device", None)
        checkpoints = {str(part.checkpoint): fingerprint(part.checkpoint) for part in _parts(self.backbone)}
        asked = asdict(self.asked) | {"task": self.task or None}
        batch = asked.pop("batch")
        return {
            "backbone": {"use": self.backbone.name, "plugin": self.backbone.plugin, "params": params},
            "weights": {path: found for path, found in checkpoints.items() if found},
            **asked,
            "engine": {"device": device, "batch": batch},
        }

    def _guesser(self) -> Guesser:
        if self.asked.prompt is not None:
            raise self._wrong("a prompt says what to do already", f"leave out --prompt or --task {AUTO}")
        guesser = Guesser(self.backbone.capabilities.tasks)
        self.notes.append(
            f"the task of each picture is guessed, by estimates of severity, among {', '.join(guesser.tasks)}"
        )
        return guesser

    def _task(self) -> str:
        asked, capabilities = self.asked, self.backbone.capabilities
        if asked.prompt is not None and not capabilities.needs_prompt:
            raise self._wrong("it reads no prompt", "say what to remove with --task instead")
        if asked.task is not None:
            if capabilities.tasks is not None and asked.task not in capabilities.tasks:
                raise self._wrong(f"it knows no task {asked.task!r}", did_you_mean(asked.task, capabilities.tasks))
            if capabilities.needs_prompt and capabilities.tasks is None and asked.prompt is None:
                get_manager().find(asked.task, "task")
            return asked.task
        if capabilities.tasks is not None and len(capabilities.tasks) == 1:
            (only,) = capabilities.tasks
            self.notes.append(f"the task is {only}, the only one that {self.backbone.name} knows")
            return only
        if capabilities.tasks is None and (asked.prompt is not None or not capabilities.needs_prompt):
            return ""  # nothing is told by it
        known = sorted(capabilities.tasks or get_manager().table("task"))
        free = ", or a prompt of your own with --prompt" if capabilities.needs_prompt else ""
        raise self._wrong(
            "it has to be told what to remove", f"--task {', '.join(known)}; --task {AUTO} to have it guessed{free}"
        )

    def _wrong(self, message: str, hint: str) -> RRFrameError:
        return RRFrameError(message, component=self.backbone.name, plugin=self.backbone.plugin, hint=hint)


def make_backbone(name: str | None, checkpoint: Path | None, params: Mapping[str, Any]) -> Backbone:
    """The backbone called ``name``, or else the one that saved ``checkpoint``.

    Raises:
        RRFrameError: There is no such backbone or checkpoint, or ``params`` do not fit.
    """
    checkpoint = checkpoint and located(checkpoint)
    if checkpoint is not None and not checkpoint.exists():
        raise RRFrameError(f"there is no checkpoint {checkpoint}", hint=f"relative paths start at {Path.cwd()}")
    name = name or (saved_name(checkpoint) if checkpoint else None)
    if name is None:
        said = (
            f"{checkpoint} does not say whose weights it holds" if checkpoint else "nothing says what to restore with"
        )
        raise RRFrameError(said, hint="name it with --backbone; rrframe plugins --kind backbone lists them")
    given = {**params} | ({"checkpoint": str(checkpoint)} if checkpoint else {})
    return cast(Backbone, create(name, given, kinds=("backbone",)))


def fingerprint(checkpoint: Path | None) -> str | None:
    """A short text that changes with the weights at ``checkpoint``, a file or a folder; ``None`` where none are.

    Files of weights have tens of gigabytes; training changes all of one, so that its ends tell.
    """
    if checkpoint is None or not checkpoint.exists():
        return None
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file()) if checkpoint.is_dir() else [checkpoint]
    digest = hashlib.sha256()
    for path in files:
        size = path.stat().st_size
        with open(path, "rb") as file:
            head = file.read(_HEAD)
            file.seek(max(0, size - _TAIL))
            digest.update(f"{path.relative_to(checkpoint)} {size} ".encode("utf-8", "surrogateescape"))
            digest.update(head + file.read(_TAIL))
    return digest.hexdigest()[:16]


def _parts(backbone: Backbone) -> Iterator[Backbone]:
    """``backbone``, or where it only passes on to others, without weights of its own, those."""
    inner = [each for name in type(backbone).model_fields for each in _backbones_in(getattr(backbone, name))]
    if inner and backbone.checkpoint is None:
        for each in inner:
            yield from _parts(each)
    else:
        yield backbone


def _backbones_in(value: Any) -> Iterator[Backbone]:
    if isinstance(value, Backbone):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _backbones_in(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _backbones_in(each)


def _has_weights(backbone: Backbone) -> bool:
    return any(parameter.numel() for parameter in backbone.network.parameters())
