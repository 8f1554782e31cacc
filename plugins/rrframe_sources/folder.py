"""Pictures in a folder."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter, deque
from pathlib import Path

from pydantic import Field

from rrframe import Photograph, RRFrameError, Source
from rrframe.imaging.reading import extensions, read_photograph


class Folder(Source):
    """Every file in a folder whose extension is a picture's, by its path below the folder.

    Hidden files and folders (names that begin with a dot) are passed over. Links are followed, and a folder that can be
    reached in several ways is listed once, by its own path where it has one. What cannot be a picture and looks like
    one (a folder named ``x.jpg``), and what may hide pictures (a folder that cannot be listed), is listed too: it
    becomes a row with a reason, where leaving it out would lose it in silence.

    A key is the path with ``/`` between its parts. Where a name is no valid UTF-8, its odd bytes are written ``\\xNN``;
    a backslash that is in a name is doubled.
    """

    path: str = Field(min_length=1, description="the folder; relative to where the command runs; ~ is your home")
    recursive: bool = Field(True, description="whether sub-folders are looked into")
    max_pixels: int = Field(100_000_000, ge=1, description="pictures with more pixels are refused, unopened")

    @property
    def root(self) -> Path:
        return Path(os.path.expanduser(self.path))

    def keys(self) -> list[str]:
        return sorted(key_of(path) for path in self.listed(extensions(), "pictures"))

    def listed(self, wanted: frozenset[str], what: str) -> set[str]:
        """The paths, below the folder, of all that has one of the extensions ``wanted``.

        Raises:
            RRFrameError: There is nothing of the kind, called ``what``, or the folder cannot be listed.
        """
        root = self.root
        try:
            is_folder = stat.S_ISDIR(root.stat().st_mode)
        except FileNotFoundError:
            raise self.failure(f"there is no folder {root}", f"relative paths start at {Path.cwd()}") from None
        except OSError as error:
            raise self.failure(
                f"{root} cannot be reached: {error.strerror}", "check the path and its owners"
            ) from error
        if not is_folder:
            raise self.failure(f"{root} is a file, not a folder", f"it lies in the folder {root.parent}")
        listing = _Listing(root, self.recursive, wanted)
        if listing.refused:
            raise self.failure(f"{root} cannot be listed: {listing.refused}", "check its owner and mode")
        if not listing.found:
            raise self.failure(f"{root} holds no {what}", listing.what_was_there(what))
        return listing.found

    def read(self, key: str) -> Photograph:
        path = os.path.join(self.root, path_of(key))
        if os.path.isdir(path):
            _refuse_unlisted(path, key)
        return read_photograph(path, max_pixels=self.max_pixels)

    def failure(self, message: str, hint: str) -> RRFrameError:
        return RRFrameError(message, component=self.name, plugin=self.plugin, hint=hint)


class _Listing:
    """What the folder ``root`` holds: paths below it.

    Each folder is listed once, by its own path rather than through a link; so links in a circle end.
    """

    def __init__(self, root: Path, recursive: bool, wanted: frozenset[str]) -> None:
        self.found: set[str] = set()
        self.refused = ""  # why the root could not be listed
        self._root = root
        self._recursive = recursive
        self._wanted = wanted
        self._others: Counter[str] = Counter()  # the extensions of other files
        self._not_entered = 0
        # A link to a folder that the root is in would lead to everything beside the root.
        self._seen = {_identity(folder) for folder in root.resolve().parents}
        self._folders, self._links = [""], deque[str]()
        while self._folders or self._links:
            self._list(self._folders.pop() if self._folders else self._links.popleft())

    def what_was_there(self, what: str) -> str:
        """For a listing that found nothing: what the folder holds instead."""
        said = []
        if self._others:
            count = self._others.total()
            kinds = ", ".join(f"{number} {extension}" for extension, number in self._others.most_common(3))
            said.append(f"{_plural(count, 'file')}, none with the extension of {what} ({kinds})")
        if self._not_entered:
            said.append(f"{_plural(self._not_entered, 'folder')} that recursive: true would look into")
        return "it holds " + (" and ".join(said) or "nothing that is not hidden")

    def _list(self, folder: str) -> None:
        try:
            identity = _identity(self._root / folder)
            if identity in self._seen:
                return
            self._seen.add(identity)
            with os.scandir(self._root / folder) as entries:
                shown = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda e: e.name)
        except OSError as error:
            self.found.add(folder)
            self.refused = self.refused if folder else error.strerror or str(error)
            return
        for entry in shown:
            self._add(os.path.join(folder, entry.name), entry)

    def _add(self, path: str, entry: os.DirEntry[str]) -> None:
        extension = os.path.splitext(entry.name)[1].lower()
        is_folder = _is_folder(entry)
        if extension in self._wanted:
            self.found.add(path)
        elif not is_folder:
            self._others[extension or "without any"] += 1
        if is_folder and self._recursive:
            (self._links if entry.is_symlink() else self._folders).append(path)
        self._not_entered += is_folder and not self._recursive


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("s" if count != 1 else "")


def _refuse_unlisted(path: str, key: str) -> None:
    try:
        os.scandir(path).close()
    except OSError as error:
        raise RRFrameError(
            f"{key} is a folder that cannot be listed: {error.strerror or error}", hint="check its owner and mode"
        ) from error


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link through a folder that may not be entered
        return False


def key_of(path: str) -> str:
    name = os.fsencode(Path(path).as_posix())
    return name.replace(b"\\", b"\\\\").decode("utf-8", "backslashreplace")


def path_of(key: str) -> str:
    return os.fsdecode(re.sub(rb"\\(\\|x[0-9a-f]{2})", _unescaped, key.encode()))


def _unescaped(match: re.Match[bytes]) -> bytes:
    return b"\\" if match[1] == b"\\" else bytes.fromhex(match[1][1:].decode())
