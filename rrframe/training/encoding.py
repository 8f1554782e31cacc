"""The part of the work that training does not change, done anew for every pair or kept on disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from rrframe.contracts.backbone import Backbone
from rrframe.pairs.files import write_whole
from rrframe.training.data import Batch, Example

FOLDER = "encoded"

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Kept:
    """Encoded pairs on disk, each by its pixels and task.

    Args:
        folder: It belongs to one recipe.
        plugin: Of the backbone, with its version.
    """

    folder: Path
    plugin: str | None

    def read(self, example: Example) -> Tensors | None:
        """The tensors of a pair, on the CPU; ``None`` where they are not there, or damaged."""
        try:
            return load_file(self._path(example))
        except (OSError, SafetensorError):
            return None

    def write(self, example: Example, tensors: Tensors) -> None:
        """Keep the tensors of a pair."""
        path = self._path(example)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}))

    def _path(self, example: Example) -> Path:
        digest = hashlib.sha256(f"{self.plugin} {(example.cell.task,)} {tuple(example.clean.shape)}".encode())
        for side in (example.degraded, example.clean):
            digest.update(side.contiguous().numpy().data)
        name = digest.hexdigest()
        return self.folder / name[:2] / f"{name}.safetensors"


class Encoder:
    """What ``backbone.encode`` gives for batches.

    Args:
        backbone: Its frozen parts are loaded at the first pair that is not kept.
        kept: Where each pair's is kept. Without it nothing is.
    """

    def __init__(self, backbone: Backbone, kept: Kept | None) -> None:
        self._backbone = backbone
        self._kept = kept

    def __call__(self, batch: Batch) -> Tensors:
        """The tensors of a batch, on the backbone's device."""
        if self._kept is None:
            return self._encoded(batch)
        # One by one, so that what is kept does not depend on what stood beside it.
        each = [self._one(example, self._kept) for example in batch.examples]
        device = self._backbone.torch_device
        return {name: torch.cat([one[name] for one in each]).to(device) for name in each[0]}

    def _one(self, example: Example, kept: Kept) -> Tensors:
        found = example.encoded or kept.read(example)
        if found is None:
            found = self._encoded(Batch.of([example]))
            kept.write(example, found)
        return found

    def _encoded(self, batch: Batch) -> Tensors:
        with torch.no_grad():
            return self._backbone.encode(batch.pairs)
