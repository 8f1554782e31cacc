"""Pairs as two folders of picture files."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import Field

from rrframe import Dataset, Item, RRFrameError, Sample
from rrframe.imaging.reading import extensions, read_photograph


class Folder(Dataset):
    """Two folders of pictures with the same names, or one with names that differ in their endings.

    Names are compared without the file's extension. A sub-folder called as a task holds that task's pairs.
    """

    path: Path
    """The folder."""
    degraded: str = "degraded"
    """The sub-folder of degraded pictures."""
    clean: str = "clean"
    """The sub-folder of clean ones; the same as ``degraded`` where the endings tell them apart."""
    degraded_suffix: str = ""
    """What the names of degraded pictures end in, such as ``_lq``."""
    clean_suffix: str = ""
    """What those of clean ones end in."""
    task: str | None = None
    """The task of all pairs. By default the first sub-folder within ``degraded`` names it."""
    limit: int | None = Field(None, ge=1)
    """Only so many, the first in the order of their names."""

    def items(self) -> list[Item]:
        return [Item(key, self._task(key), key) for key in self._files]

    def read(self, number: int) -> Sample:
        key = list(self._files)[number]
        degraded, clean = (read_photograph(path) for path in self._files[key])
        sizes = [" x ".join(map(str, photograph.pixels.shape[1::-1])) for photograph in (degraded, clean)]
        if sizes[0] != sizes[1]:
            raise RRFrameError(f"the sides of {key} differ in size: degraded {sizes[0]}, clean {sizes[1]}")
        return Sample(degraded.eight_bit(), clean.eight_bit())

    @cached_property
    def _files(self) -> dict[str, tuple[Path, Path]]:
        degraded = self._named(self.path / self.degraded, self.degraded_suffix)
        clean = self._named(self.path / self.clean, self.clean_suffix)
        shared = sorted(degraded.keys() & clean.keys())
        if not shared:
            raise RRFrameError(
                f"{self.path} holds no pair: no name is both among {len(degraded)} degraded and {len(clean)} clean ones",
                hint="set degraded, clean and the suffixes as the folder has them",
            )
        return {key: (degraded[key], clean[key]) for key in shared[: self.limit]}

    def _named(self, folder: Path, suffix: str) -> dict[str, Path]:
        if not folder.is_dir():
            raise RRFrameError(f"{folder} is no folder", hint="set path, degraded and clean as they are")
        known = extensions()
        files = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in known)
        names = {path.relative_to(folder).with_suffix("").as_posix(): path for path in files}
        return {name.removesuffix(suffix): path for name, path in names.items() if name.endswith(suffix)}

    def _task(self, key: str) -> str:
        if self.task is not None:
            return self.task
        first, slash, _ = key.partition("/")
        if not slash:
            raise RRFrameError(
                f"the task of {key} in {self.path} is not known", hint="set task, or sort into sub-folders"
            )
        return first
