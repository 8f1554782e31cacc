"""Networks of transformers: loaded once a process, at their first use."""

from __future__ import annotations

import functools
from typing import Any

import torch
from pydantic import JsonValue

from rrframe import Cue
from rrframe.contracts.pretrained import Pretrained, loading

_TOGETHER = 8  # pictures on a GPU: more hardly save time, and each waits in memory for its turn
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class FromModel(Pretrained, Cue):
    """A cue that a network of transformers computes."""

    costly = True

    @property
    def at_once(self) -> int:
        return _TOGETHER if self.place().startswith("cuda") else 1

    def depends_on(self) -> JsonValue:
        return self.files()

    def network(self, auto: str) -> Any:
        """The network, of the class of transformers called ``auto``, ready to be called.

        Raises:
            RRFrameError: transformers is not installed, or the network cannot be loaded.
        """
        return self.loaded(_network, auto, self.place())

    def settings(self) -> dict[str, Any]:
        """How its pictures are to be prepared: the model's ``preprocessor_config.json``.

        Raises:
            RRFrameError: It cannot be read.
        """
        return self.loaded(_settings)


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

    with loading(transformers):
        network = getattr(transformers, auto).from_pretrained(model, revision=revision, dtype=torch.float32)
    return network.eval().requires_grad_(False).to(device)


@functools.lru_cache(maxsize=4)
def _settings(model: str, revision: str | None) -> dict[str, Any]:
    from transformers.image_processing_utils import BaseImageProcessor

    # The processors themselves need torchvision, or go through 8 bits.
    settings, _ = BaseImageProcessor.get_image_processor_dict(model, revision=revision)
    return dict(settings)
