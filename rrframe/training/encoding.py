"""The part of the work that training does not change, done anew for every pair or kept on disk."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from rrframe.contracts.backbone import Backbone, Pairs
from rrframe.pairs.files import write_whole
from rrframe.training.data import Batch

FOLDER = "encoded"


class Encoder:
    """What ``backbone.encode`` gives for batches.

    Args:
        backbone: Its frozen parts are loaded at the first pair that is not kept.
        folder: Where each pair's is kept, by its pixels and task; the folder belongs to one recipe. Without it nothing
            is kept.
    """

    def __init__(self, backbone: Backbone, folder: Path | None) -> None:
        self._backbone = backbone
        self._folder = folder

    def __call__(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The tensors of a batch, on the backbone's device."""
        if self._folder is None:
            return self._encoded(batch.pairs)
        # One by one, so that what is kept does not depend on what stood beside it.
        each = [self._kept(Batch.of([example]).pairs, self._folder) for example in batch.examples]
        device = self._backbone.torch_device
        return {name: torch.cat([one[name] for one in each]).to(device) for name in each[0]}

    def _encoded(self, pairs: Pairs) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            return self._backbone.encode(pairs)

    def _kept(self, pair: Pairs, folder: Path) -> dict[str, torch.Tensor]:
        name = self._name(pair)
        path = folder / name[:2] / f"{name}.safetensors"
        try:
            return load_file(path)
        except (OSError, SafetensorError):  # not there, or damaged
            found = {name: tensor.cpu().contiguous() for name, tensor in self._encoded(pair).items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, save(found))
        return found

    def _name(self, pair: Pairs) -> str:
        digest = hashlib.sha256(f"{self._backbone.plugin} {pair.tasks} {tuple(pair.clean.shape)}".encode())
        for side in (pair.degraded, pair.clean):
            digest.update(side.contiguous().numpy().data)
        return digest.hexdigest()
