"""Pairs as two folders of picture files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pyarrow as pa
from pydantic import Field

from rrframe import Dataset, RRFrameError, Sample
from rrframe.imaging.reading import extensions, read_photograph
from rrframe.pairs.listing import Listing
from rrframe_datasets.sides import sample_of

_SIDES = ("degraded", "clean")
_OR = b" and "


class Folder(Dataset):
    """Two folders of pictures with the same names, or one with names that differ in their endings.

    Names are compared without the file's extension, so that a JPEG file goes with a PNG one. A sub-folder called as a
    task holds that task's pairs. Hidden files are passed over, links followed. Pictures of 16 bits keep them. A picture
    without a partner is left out; ``rrframe run --plan`` tells how many pairs there are.
    """

    path: str = Field(min_length=1)
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

    def items(self) -> Listing:
        return self._listing

    def read(self, number: int) -> Sample:
        row = self._listing.row(number)
        degraded = self._side(self.degraded) / os.fsdecode(row["name"] + self._ending("degraded", row))
        clean = self._side(self.clean) / os.fsdecode(row["name"] + self._ending("clean", row))
        return sample_of(read_photograph(degraded), read_photograph(clean))

    def _ending(self, side: str, row: dict[str, bytes]) -> bytes:
        return os.fsencode(getattr(self, f"{side}_suffix")) + row[side]

    def _side(self, name: str) -> Path:
        return Path(self.path).expanduser() / name

    @cached_property
    def _listing(self) -> Listing:
        sides = {name: self._named(self._side(getattr(self, name)), getattr(self, f"{name}_suffix")) for name in _SIDES}
        degraded, clean = sides.values()
        shared = sorted(degraded.keys() & clean.keys())[: self.limit]
        if not shared:
            counts = f"{len(degraded)} degraded and {len(clean)} clean ones"
            raise RRFrameError(
                f"{self.path} holds no pair: no name is both among {counts}",
                hint="set degraded, clean and the suffixes as the folder has them",
            )
        columns = {
            "key": pa.array(map(_key, shared), pa.string()),
            "task": pa.array(map(self._task, shared), pa.string()).dictionary_encode(),
            "name": pa.array(shared, pa.binary()),
        }
        for side, found in sides.items():
            endings = pa.array([self._one(found[name], name, side) for name in shared], pa.binary())
            columns[side] = endings.dictionary_encode()
        return Listing(pa.table(columns))

    def _one(self, found: bytes, name: bytes, side: str) -> bytes:
        if _OR in found:
            raise RRFrameError(
                f"which {side} picture of {_key(name)} is meant? {self._side(getattr(self, side))} has {_key(found)}",
                hint="keep one of them, or set a suffix that tells them apart",
            )
        return found

    def _named(self, folder: Path, suffix: str) -> dict[bytes, bytes]:
        """The extension of each picture in ``folder``, by its path without that and the suffix; several, where several
        pictures differ in nothing else.
        """
        if not folder.is_dir():
            raise RRFrameError(f"{folder} is no folder", hint="set path, degraded and clean as they are")
        known = {os.fsencode(extension): os.fsencode(extension) for extension in extensions()}
        end, found = os.fsencode(suffix), dict[bytes, bytes]()
        for path in _files(os.fsencode(folder)):
            stem, extension = os.path.splitext(path)
            if extension.lower() not in known or not stem.endswith(end):
                continue
            name = stem.removesuffix(end)
            extension = known.get(extension, extension)  # one object for a million names
            found[name] = found[name] + _OR + extension if name in found else extension
        return found

    def _task(self, name: bytes) -> str:
        if self.task is not None:
            return self.task
        first, slash, _ = name.partition(b"/")
        if not slash:
            raise RRFrameError(
                f"the task of {_key(name)} in {self.path} is not known", hint="set task, or sort into sub-folders"
            )
        return _key(first)


def _files(root: bytes) -> Iterator[bytes]:
    """The paths below ``root`` of all files that are not hidden. A folder reached by a link that leads back is entered
    once.
    """
    seen = set[tuple[int, int]]()
    for folder, folders, names in os.walk(root, followlinks=True):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(each for each in folders if not each.startswith(b"."))
        below = folder[len(root) :].lstrip(b"/")
        yield from (os.path.join(below, name) for name in names if not name.startswith(b"."))


def _key(name: bytes) -> str:
    """A name as text: odd bytes are written ``\\xNN``, a backslash is doubled."""
    return name.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")
