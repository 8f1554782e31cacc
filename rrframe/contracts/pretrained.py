"""Components that a network of transformers does the work of: where it lies, where it runs, what goes wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from pydantic import Field, JsonValue

from rrframe.contracts.component import Component
from rrframe.errors import RRFrameError

T = TypeVar("T")


class Pretrained(Component):
    """The params of a component that loads a network of transformers, and how it is found and loaded.

    Beside the contract of its kind: ``class Mine(Pretrained, Judge)``.
    """

    model: str = Field(min_length=1, description="its id on the Hugging Face hub, a folder, or the name of a card")
    revision: str | None = Field(None, description="a branch, tag or commit of the id; a commit never changes")
    device: str = Field("auto", pattern=r"^(auto|cpu|cuda(:\d+)?)$")
    """Where it runs: ``cpu``, ``cuda`` or ``cuda:1``; ``auto`` is a GPU where there is one. A GPU's results differ from
    a CPU's in their last bits."""

    def relies_on(self) -> tuple[str, ...]:
        return ("torch", "transformers")

    def place(self) -> str:
        """The device that it runs on."""
        return ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device

    def found(self) -> str:
        """The id of the hub, or a folder: that of the card's files where ``model`` names a card.

        Raises:
            RRFrameError: It names a card whose files are not on this machine, with the command that fetches them.
        """
        from rrframe.cards.cached import located

        given = os.path.expanduser(self.model)
        folder = located(Path(given), component=self.name, plugin=self.plugin)
        return given if folder == Path(given) else str(folder)

    def files(self) -> JsonValue:
        """What tells one set of files from another, where they lie in a folder: each with its hash if it is of the
        hub's cache, or else its size and time. ``None`` for an id of the hub.
        """
        folder = Path(self.found())
        if not folder.is_dir():
            return None
        return [[path.name, *_told(path)] for path in sorted(folder.iterdir()) if path.is_file()]

    def loaded(self, loader: Callable[..., T], *arguments: Any) -> T:
        """What ``loader`` gives for the id or folder, the revision and ``arguments``.

        Raises:
            RRFrameError: transformers is not installed, or the network cannot be loaded.
        """
        try:
            return loader(self.found(), self.revision, *arguments)
        except ImportError as error:
            raise RRFrameError(
                f"cannot import transformers: {error}",
                component=self.name,
                plugin=self.plugin,
                hint="pip install 'rrframe[transformers]'",
            ) from error
        except (OSError, ValueError, RuntimeError) as error:
            said = " ".join(str(error).split())
            raise RRFrameError(
                f"cannot load {self.model}: {said}",
                component=self.name,
                plugin=self.plugin,
                hint="give a folder that holds the model, or an id of the hub and a connection for its first use",
            ) from error


@contextmanager
def loading(transformers: Any) -> Iterator[None]:
    """Inside it networks are loaded with no bars of progress, which would run into our own, and no draws from the
    global generator.
    """
    logging = transformers.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        if shown:
            logging.enable_progress_bar()


def _told(path: Path) -> list[str | int]:
    blob = path.resolve()
    if path.is_symlink() and blob.parent.name == "blobs":  # the cache of the hub, where a file's name is its hash
        return [blob.name]
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]
