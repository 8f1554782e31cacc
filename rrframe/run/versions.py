"""Versions of what is installed."""

from __future__ import annotations

import functools
from importlib import metadata


@functools.cache
def installed_version(distribution: str) -> str | None:
    """The version of ``distribution`` here; ``None`` where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
