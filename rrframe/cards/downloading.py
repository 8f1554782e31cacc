"""One file from an address to its place: resumed, checked, and there whole or not at all.

huggingface_hub throws away what has arrived when a process dies (since 1.0), which is no way to fetch 25 GB.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

from filelock import FileLock

from rrframe.errors import RRFrameError

_CHUNK = 8 * 2**20


class DownloadFailed(RRFrameError):
    """The input was right, and the file did not come."""

    exit_code = 1


def download(
    url: str,
    target: Path,
    *,
    size: int | None = None,
    sha256: str | None = None,
    headers: Mapping[str, str] | None = None,
    name: str | None = None,
) -> None:
    """Fetch ``url`` to ``target``; what an earlier call left unfinished is continued.

    Args:
        url: Where it is.
        target: Where it goes; its folder is made. What is there already stays.
        size: How large it must be, in bytes.
        sha256: What its hash must be.
        headers: For the request.
        name: What messages call it.

    Raises:
        DownloadFailed: It did not come, and what has arrived is kept; or it is not what it should be, and is not kept.
    """
    from huggingface_hub.file_download import http_get

    name = name or target.name
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".rrframe-part")
    with FileLock(str(part) + ".lock"):
        if target.exists():
            return
        arrived = part.stat().st_size if part.exists() else 0
        if size is not None and arrived > size:
            part.unlink()
            arrived = 0
        try:
            with part.open("ab") as file:
                http_get(
                    url,
                    file,
                    resume_size=arrived,
                    headers=dict(headers or {}),
                    expected_size=size,
                    displayed_filename=name,
                )
        except Exception as error:  # whatever the hub's client of the day raises
            raise _stopped(name, part, error) from error
        _check(part, name, size, sha256)
        part.replace(target)
    Path(str(part) + ".lock").unlink(missing_ok=True)


def sha256_of(file: Path, tick: Callable[[int], None] = lambda done: None) -> str:
    """The hash of ``file``; ``tick`` is told the bytes read since the last call."""
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(_CHUNK):
            digest.update(block)
            tick(len(block))
    return digest.hexdigest()


def _check(part: Path, name: str, size: int | None, sha256: str | None) -> None:
    arrived = part.stat().st_size
    if size is not None and arrived != size:
        part.unlink()
        raise DownloadFailed(f"{name} arrived with {arrived:,} bytes instead of {size:,}", hint="fetch it again")
    if sha256 is not None and (found := sha256_of(part)) != sha256:
        part.unlink()
        raise DownloadFailed(
            f"{name} is not the file that its card tells of: its sha256 is {found}, not {sha256}",
            hint="it was not kept. Fetch it again; if it differs again, whoever serves it has changed it",
        )


def _stopped(name: str, part: Path, error: Exception) -> DownloadFailed:
    said = " ".join(str(error).split()) or type(error).__name__
    kept = part.stat().st_size if part.exists() else 0
    hint = f"the {kept:,} bytes that have arrived are kept: the same command goes on from there" if kept else None
    return DownloadFailed(f"{name} did not arrive: {said}", hint=hint)
