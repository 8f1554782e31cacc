"""Files of a data set where they lie: in a folder here, or behind a URL that fsspec knows."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from rrframe.errors import RRFrameError


def storage(root: str | Path) -> Storage:
    """What is at ``root``: a path, or a URL such as ``s3://bucket/run``, ``http://host/run``, ``memory://run``.

    What a URL needs besides, such as keys, fsspec takes from its own settings
    (https://filesystem-spec.readthedocs.io/en/latest/features.html#configuration).

    Raises:
        RRFrameError: No file system is known for the URL, or what it needs is not installed.
    """
    return Remote(str(root)) if "://" in str(root) else Local(str(root))


class Storage(ABC):
    """Files below a root. Names are relative to it, with ``/`` between their parts. It can be sent to processes."""

    root: str

    @abstractmethod
    def names(self, ending: str, folder: str = "", *, deep: bool = False) -> list[str]:
        """The names of the files in ``folder`` that end in ``ending``, sorted; ``deep`` enters its folders.

        Raises:
            RRFrameError: It cannot be listed. One that is not there holds no files.
        """

    @abstractmethod
    def open(self, name: str) -> BinaryIO:
        """The file called ``name``, for reading anywhere in it.

        Raises:
            RRFrameError: It cannot be opened.
        """

    def read(self, name: str, offset: int, length: int) -> bytes:
        """``length`` bytes of a file from ``offset`` on; fewer where it ends before.

        Raises:
            RRFrameError: It cannot be read.
        """
        with self._told(name):
            return self._read(name, offset, length)

    def place(self, name: str) -> str:
        """The path or URL of a file."""
        return f"{self.root.rstrip('/')}/{name}" if self.root != "/" else f"/{name}"

    @abstractmethod
    def _read(self, name: str, offset: int, length: int) -> bytes: ...

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except (RRFrameError, MemoryError):
            raise
        except OSError as error:
            raise RRFrameError(f"{self.place(name)} cannot be read: {error.strerror or _said(error)}") from error
        except Exception as error:  # what lies behind a URL raises errors of its own
            raise RRFrameError(f"{self.place(name)} cannot be read: {_said(error)}") from error


class Local(Storage):
    """A folder on this machine."""

    def __init__(self, root: str) -> None:
        self.root = os.path.expanduser(root)

    def names(self, ending: str, folder: str = "", *, deep: bool = False) -> list[str]:
        root = Path(self.root)
        found = (root / folder).glob(f"**/*{ending}" if deep else f"*{ending}")
        return sorted(path.relative_to(root).as_posix() for path in found if not path.name.startswith("."))

    def open(self, name: str) -> BinaryIO:
        with self._told(name):
            return open(self.place(name), "rb")

    def _read(self, name: str, offset: int, length: int) -> bytes:
        with open(self.place(name), "rb") as file:
            file.seek(offset)
            return file.read(length)


class Remote(Storage):
    """What lies behind a URL."""

    def __init__(self, root: str) -> None:
        self.root = root
        _ = self._opened

    def __reduce__(self) -> tuple[object, ...]:
        return Remote, (self.root,)  # connections stay with their process

    def names(self, ending: str, folder: str = "", *, deep: bool = False) -> list[str]:
        files, root = self._opened
        with self._told(folder):
            try:
                where = f"{root}/{folder}" if folder else root
                found = files.find(where, maxdepth=None if deep else 1)
            except FileNotFoundError:
                return []
        below = (path[len(root) :].lstrip("/") for path in found)
        return sorted(name for name in below if name.endswith(ending) and not name.rpartition("/")[2].startswith("."))

    def open(self, name: str) -> BinaryIO:
        files, root = self._opened
        with self._told(name):
            file: BinaryIO = files.open(f"{root}/{name}", "rb")
            return file

    def _read(self, name: str, offset: int, length: int) -> bytes:
        files, root = self._opened
        data: bytes = files.cat_file(f"{root}/{name}", start=offset, end=offset + length)
        if len(data) > length:
            raise RRFrameError(f"{self.place(name)} is served whole: its server does not read ranges")
        return data

    @cached_property
    def _opened(self) -> tuple[Any, str]:
        import fsspec  # only those who name a URL need it

        try:
            files, root = fsspec.core.url_to_fs(self.root)
        except ImportError as error:
            raise RRFrameError(
                f"{self.root} cannot be read: {error}", hint="pip install 'rrframe[remote]', or what the message names"
            ) from error
        except ValueError as error:
            raise RRFrameError(f"{self.root} cannot be read: {error}") from error
        return files, root.rstrip("/")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
