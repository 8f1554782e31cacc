"""A plugin as an installed distribution, without installing: a folder for PYTHONPATH with a module and its metadata."""

from __future__ import annotations

import os
from pathlib import Path


def write_plugin(folder: Path, name: str, code: str, *, version: str = "1.0") -> dict[str, str]:
    """Write module ``name`` with ``code`` and the metadata of a distribution of that name, and give the
    environment to run with.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.py").write_text(code)
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[rrframe]\n{name} = {name}\n")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}
