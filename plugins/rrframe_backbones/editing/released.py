"""Editors that are published as a folder of a pipeline of diffusers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from rrframe_backbones.editing.editor import FlowEditor
from rrframe_backbones.editing.folders import pipeline_folder, read_network
from rrframe_backbones.editing.making import made


class ReleasedEditor(FlowEditor):
    """An editor whose checkpoint is a folder that a pipeline of diffusers reads, or the name of a repository in the
    cache of huggingface_hub.

    A subclass says what lies in the folder, and gives ``fresh``, ``condition`` and ``velocity``.
    """

    pipeline: ClassVar[str]
    """The name of the pipeline's class in diffusers."""
    classes: ClassVar[Mapping[str, str]]
    """The module and class of each part, by its sub-folder: ``transformer``, ``vae``, ``scheduler`` and what reads
    prompts.
    """

    @abstractmethod
    def fresh(self, part: str) -> Any:
        """The part of that name with random weights, of the sizes of ``preset``."""

    def build(self) -> nn.Module:
        return self.fresh_part("transformer")  # type: ignore[no-any-return]

    def open(self, checkpoint: Path) -> nn.Module:
        return self.open_part("transformer", checkpoint)  # type: ignore[no-any-return]

    def fresh_part(self, part: str) -> Any:
        # full-size weights are made where they are used, tiny ones on the CPU, where they are the same everywhere
        with made(self._dtype_of(part), self.torch_device if self.preset == "full" else "cpu"):
            return self.fresh(part)

    def open_part(self, part: str, checkpoint: Path) -> Any:
        context = {"component": self.name, "plugin": self.plugin}
        folder = pipeline_folder(checkpoint, [self.pipeline], **context) / part
        cls = self._class_of(part)
        if not issubclass(cls, nn.Module):
            return cls.from_pretrained(folder, local_files_only=True)
        return read_network(cls, folder, self._dtype_of(part), allow_pickle=self.allow_pickle, **context)

    def scheduler(self) -> Any:
        kept = self.part("scheduler")
        return type(kept).from_config(kept.config)

    def companions(self) -> dict[str, nn.Module]:
        frozen = (part for part in self.classes if part != "transformer")
        return {part: self.part(part) for part in frozen if issubclass(self._class_of(part), nn.Module)}

    def _class_of(self, part: str) -> Any:
        module, _, name = self.classes[part].rpartition(".")
        return getattr(import_module(module), name)

    def _dtype_of(self, part: str) -> torch.dtype:
        return torch.float32 if part == "vae" else self.torch_dtype
