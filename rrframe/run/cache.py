"""Where things are kept between runs."""

from __future__ import annotations

import os
from pathlib import Path

CACHE = "RRFRAME_CACHE"
"""The environment variable that names the folder for what is kept between runs, or is ``off``."""


def cache_folder() -> Path | None:
    """The folder that ``RRFRAME_CACHE`` names, or else ``rrframe`` among the user's caches; ``None`` where it is
    ``off``.
    """
    chosen = os.environ.get(CACHE)
    if chosen == "off":
        return None
    if chosen:
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "rrframe"
