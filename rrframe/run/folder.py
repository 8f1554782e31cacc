"""The run folder: one place that holds a recipe, what came of it, and how; safe to kill at any moment and to
continue.
"""

from __future__ import annotations

import difflib
import errno
import json
import os
import platform
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from rrframe.errors import RRFrameError
from rrframe.pairs.files import write_whole

RESOLVED = "recipe.resolved.yaml"
_LOCKS = ".locks"


class RunFailed(RRFrameError):
    """A run that could not be finished, though its recipe is right."""

    exit_code = 1


class RunFolder:
    """The folder of one run.

    Args:
        path: Where it lies; made at need.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, name: str) -> Path:
        return self.path / name

    @contextmanager
    def claimed(self, first: int, last: int) -> Iterator[None]:
        """Hold units ``first`` to ``last`` (excluded) against other runs in this folder.

        The lock is the operating system's: it goes with the process, however that ends. Runs of disjoint ranges, as
        of an array job, share a folder.

        Raises:
            RRFrameError: Another run holds some of them.
        """
        locks = self.path / _LOCKS
        locks.mkdir(parents=True, exist_ok=True)
        own = FileLock(locks / f"{first}-{last}.lock")
        owner = locks / f"{first}-{last}.owner"
        with FileLock(locks / "guard", timeout=60):
            for other in locks.glob("*.lock"):
                start, stop = map(int, other.stem.split("-"))
                if start < last and first < stop and _is_held(other):
                    raise RRFrameError(
                        f"another run is at work in {self.path} ({_said_of(other.with_suffix('.owner'))})",
                        hint="wait for it, stop it, or choose another folder with --out",
                    )
            own.acquire(timeout=0)
            owner.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        try:
            yield
        finally:
            owner.unlink(missing_ok=True)
            own.release()

    def adopt(self, resolved: dict[str, Any], text: str, *, aside: tuple[str, ...] = (), what: str = "recipe") -> bool:
        """Keep the resolved recipe, or see that the one kept already is the same.

        Args:
            resolved: The recipe with all defaults filled in.
            text: The same as YAML.
            aside: Top-level keys that may differ, since they change no output.
            what: What people call it.

        Returns:
            Whether this continues an earlier run.

        Raises:
            RRFrameError: Another recipe was run here; the message shows the difference.
        """
        kept = self.file(RESOLVED)
        if not kept.exists():
            write_whole(kept, text)
            return False
        before = yaml.safe_load(kept.read_text(encoding="utf-8"))
        there, here = _comparable(before, aside), _comparable(resolved, aside)
        if there != here:
            lines = difflib.unified_diff(there, here, "this folder", f"this {what}", lineterm="", n=1)
            raise RRFrameError(
                f"{self.path} holds a run of another {what}:\n    " + "\n    ".join(lines),
                hint="choose another folder with --out, or undo the change to continue this run",
            )
        return True

    def note(self, **facts: Any) -> None:
        """Add ``facts`` to ``run.json``."""
        path = self.file("run.json")
        known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        write_whole(path, json.dumps(known | facts, indent=2, sort_keys=True) + "\n")

    def log(self, what: str, **facts: Any) -> None:
        """Append an event to ``events.jsonl``."""
        line = json.dumps({"time": round(time.time(), 3), "what": what, **facts}, default=str)
        with open(self.file("events.jsonl"), "a", encoding="utf-8") as file:
            file.write(line + "\n")


def environment() -> dict[str, Any]:
    """Versions and host, for ``run.json``."""
    from importlib.metadata import PackageNotFoundError, version

    packages = {}
    for name in ("rrframe", "torch", "numpy", "opencv-python-headless", "pillow", "pyarrow", "pydantic"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            continue
    return {
        "versions": {"python": platform.python_version(), **packages},
        "host": {"name": socket.gethostname(), "system": platform.platform(), "processors": os.cpu_count()},
    }


@contextmanager
def disk_errors_told(folder: Path) -> Iterator[None]:
    """Turns what the disk refuses into a failure that says what to do. Finished units stay valid."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, folder) or error from error


def disk_error(error: BaseException | None, folder: Path) -> RunFailed | None:
    """``error`` as a failed run if the disk is full, over quota, or refuses writing; else ``None``."""
    if not isinstance(error, OSError):
        return None
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = "free some space and run the same command again: what is finished stays"
        return RunFailed(f"the disk that holds {folder} is full ({error.strerror})", hint=hint)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return RunFailed(
            f"{error.filename or folder} cannot be written ({error.strerror})", hint="choose another folder with --out"
        )
    return None


def _comparable(recipe: dict[str, Any], aside: tuple[str, ...]) -> list[str]:
    shown = {key: value for key, value in recipe.items() if key not in aside}
    return yaml.safe_dump(shown, sort_keys=False).splitlines()


def _is_held(path: Path) -> bool:
    try:
        with FileLock(path, timeout=0):
            return False
    except Timeout:
        return True


def _said_of(owner: Path) -> str:
    try:
        return owner.read_text()
    except OSError:
        return "its process is not known"
