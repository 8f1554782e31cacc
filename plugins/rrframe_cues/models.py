"""Networks of transformers: loaded once a process, at their first use."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, JsonValue

from rrframe import Cue, RRFrameError
from rrframe.cards.cached import located

_TOGETHER = 8  # pictures on a GPU: more hardly save time, and each waits in memory for its turn
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FromModel(Cue):
    """A cue that a network of transformers computes."""

    costly = True
    model: str = Field(min_length=1, description="its id on the Hugging Face hub, a folder, or the name of a card")
    revision: str | None = Field(None, description="a branch, tag or commit of the id; a commit never changes")
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs: on a GPU where there is one, unless told. A GPU's maps differ from a CPU's in their last bits."""

    @property
    def at_once(self) -> int:
        return _TOGETHER if self.place() == "cuda" else 1

    def relies_on(self) -> tuple[str, ...]:
        return ("torch", "transformers")

    def depends_on(self) -> JsonValue:
        folder = Path(self._found())
        if not folder.is_dir():
            return None
        found = sorted((path.name, path.stat()) for path in folder.iterdir() if path.is_file())
        return [[name, status.st_size, status.st_mtime_ns] for name, status in found]

    def network(self, auto: str) -> Any:
        """The network, of the class of transformers called ``auto``, ready to be called.

        Raises:
            RRFrameError: transformers is not installed, or the network cannot be loaded.
        """
        return self._loaded(_network, auto, self.place())

    def settings(self) -> dict[str, Any]:
        """How its pictures are to be prepared: the model's ``preprocessor_config.json``.

        Raises:
            RRFrameError: It cannot be read.
        """
        found: dict[str, Any] = self._loaded(_settings)
        return found

    def place(self) -> str:
        """The device that it runs on."""
        return ("cuda" if torch.cuda.is_available() else "cpu") if self.device == "auto" else self.device

    def _found(self) -> str:
        """The id of the hub, or a folder: that of the card's files where ``model`` names a card."""
        given = os.path.expanduser(self.model)
        folder = located(Path(given), component=self.name, plugin=self.plugin)
        return given if folder == Path(given) else str(folder)

    def _loaded(self, loader: Any, *arguments: str) -> Any:
        try:
            return loader(self._found(), self.revision, *arguments)
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


def normalized(images: torch.Tensor, settings: dict[str, Any]) -> torch.Tensor:
    """``images``, ``[B, 3, H, W]`` in [0, 1], as a network wants them: less the mean, over the deviation."""
    if not settings.get("do_normalize", True):
        return images
    mean = images.new_tensor(settings.get("image_mean") or _IMAGENET_MEAN).view(1, 3, 1, 1)
    deviation = images.new_tensor(settings.get("image_std") or _IMAGENET_DEVIATION).view(1, 3, 1, 1)
    return (images - mean) / deviation


@functools.lru_cache(maxsize=4)
def _network(model: str, revision: str | None, auto: str, device: str) -> Any:
    import transformers

    with _quietly(transformers), torch.random.fork_rng(devices=[]):
        network = getattr(transformers, auto).from_pretrained(model, revision=revision, dtype=torch.float32)
    return network.eval().requires_grad_(False).to(device)


@functools.lru_cache(maxsize=4)
def _settings(model: str, revision: str | None) -> dict[str, Any]:
    from transformers.image_processing_utils import BaseImageProcessor

    # The processors themselves need torchvision, or go through 8 bits.
    settings, _ = BaseImageProcessor.get_image_processor_dict(model, revision=revision)
    return dict(settings)


@contextmanager
def _quietly(transformers: Any) -> Iterator[None]:
    """No bars of progress, which would run into our own."""
    logging = transformers.utils.logging
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
