"""Comparing files with what their card, or the hub, says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from rrframe.cards.cached import missing
from rrframe.cards.downloading import sha256_of
from rrframe.cards.models import ModelCard

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Finding:
    """What was found of one file: ``ok``, ``missing``, ``wrong``, or ``unknown`` where nothing is known to compare
    with; and more about it.
    """

    path: str
    status: str
    detail: str = ""


def verify(card: ModelCard, folder: Path) -> Iterator[Finding]:
    """Compare what lies in ``folder`` with ``card``, file by file: sizes, then hashes.

    Where the card has no hash and the file lies in the cache of the hub, the hub's own is taken: large files are kept
    there under their sha256.
    """
    for path in missing(card, folder):
        yield Finding(path, "missing")
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        path = file.relative_to(folder).as_posix()
        told = [entry for entry in card.files if entry.path == path or (entry.is_pattern and fnmatch(path, entry.path))]
        if not told:
            continue
        exact = next((entry for entry in told if entry.path == path), None)
        yield _compared(path, file, exact.bytes if exact else None, exact.sha256 if exact else None)


def _compared(path: str, file: Path, size: int | None, sha256: str | None) -> Finding:
    found_size = file.stat().st_size
    if size is not None and found_size != size:
        return Finding(path, "wrong", f"{found_size:,} bytes instead of {size:,}")
    by_hub = file.resolve().name
    whose = "its card" if sha256 else "the hub"
    expected = sha256 or (by_hub if _SHA256.fullmatch(by_hub) else None)
    if expected is None:
        return Finding(path, "unknown", "no hash is published" if size is None else "the size is right")
    found = sha256_of(file)
    if found != expected:
        return Finding(path, "wrong", f"sha256 {found}, not {expected} as {whose} says")
    return Finding(path, "ok", f"sha256 as {whose} says")
