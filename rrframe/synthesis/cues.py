"""Cues of a picture: computed, or recalled from the disk where an earlier run computed them."""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rrframe.contracts.cue import Cue
from rrframe.contracts.trying import compute_cues
from rrframe.imaging.layout import joined, to_batch
from rrframe.imaging.photograph import Photograph
from rrframe.pairs.files import whole_file
from rrframe.run.cache import CACHE, cache_folder
from rrframe.run.versions import installed_version


def cue_of(name: str, provider: Cue, photograph: Photograph, key: str) -> torch.Tensor:
    """The map of the cue called ``name``, ``[1, C, H, W]`` float32.

    Where the provider is ``costly`` it is kept on the disk, by what the map depends on: the picture's pixels, the
    provider's name and params, and the versions of what made it. So it is computed once, whatever runs it is for, and
    what is recalled is to the byte what was computed.

    Args:
        name: Of the cue, such as ``depth``.
        provider: Who computes it.
        photograph: The clean picture.
        key: Its key in its source.

    Raises:
        RRFrameError: The provider failed.
    """
    return cues_of(name, provider, [photograph], [key])[0]


def cues_of(name: str, provider: Cue, photographs: Sequence[Photograph], keys: Sequence[str]) -> list[torch.Tensor]:
    """The same for several pictures of one size. Where the map of one is not kept, all are computed, as one batch: so
    that what a map is does not depend on what a run that was stopped had kept already.
    """
    folder = cache_folder() if provider.costly else None
    paths = [folder / "cues" / _file_name(provider, each.pixels) if folder else None for each in photographs]
    known = [
        _recalled(path, each.pixels.shape[:2]) if path else None for path, each in zip(paths, photographs, strict=True)
    ]
    if all(found is not None for found in known):
        return [found for found in known if found is not None]
    images = joined([to_batch(each.pixels) for each in photographs])
    computed = getattr(compute_cues([name], images, list(keys), {name: provider}), name)
    maps = []
    for index, (path, found) in enumerate(zip(paths, known, strict=True)):
        maps.append(computed[index : index + 1] if found is None else found)
        if path and found is None:
            _keep(path, maps[-1])
    return maps


def _file_name(provider: Cue, pixels: np.ndarray) -> Path:
    depends: dict[str, Any] = {
        "pixels": [pixels.dtype.str, pixels.shape, hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()],
        "provider": [provider.name, provider.plugin, provider.params(), provider.depends_on()],
        "versions": [(name, installed_version(name)) for name in provider.relies_on()],
    }
    digest = hashlib.sha256(json.dumps(depends, sort_keys=True).encode()).hexdigest()
    return Path(*provider.name.split("/"), digest[:2], f"{digest}.npz")


def _recalled(path: Path, size: tuple[int, ...]) -> torch.Tensor | None:
    """The map kept at ``path``; ``None`` where there is none, or none that is whole."""
    try:
        with open(path, "rb") as file, np.load(file) as kept:  # an archive has a checksum of what it holds
            found: np.ndarray = kept["map"]
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error):
        return None
    return torch.from_numpy(found) if found.dtype == np.float32 and found.shape[2:] == size else None


def _keep(path: Path, found: torch.Tensor) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            np.savez_compressed(file, map=found.cpu().numpy())
    except OSError as error:  # it is computed again next time
        logging.getLogger("rrframe").warning(
            "cannot keep the cue at %s: %s (%s=off keeps nothing)", path, error.strerror or error, CACHE
        )
