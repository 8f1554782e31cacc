"""Every component in the tree obeys the laws of its kind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import tiny_models
from networks import save_darkener, save_mixer

from rrframe.testing import conformance

_FOLDER = tempfile.TemporaryDirectory(prefix="rrframe-weights-")  # removed when the process ends
_DARKENER = save_darkener(Path(_FOLDER.name) / "darkener.safetensors")
_MIXER = save_mixer(Path(_FOLDER.name) / "mixer.safetensors")
_DEPTH = tiny_models.depth_anything(Path(_FOLDER.name) / "depth")
_SAM2 = tiny_models.sam2(Path(_FOLDER.name) / "sam2")
for _index in range(3):  # the kit calls its pictures by number, and a map of one pixel fits all of them
    np.save(Path(_FOLDER.name) / f"{_index}.npy", np.full((1, 1), 7 + _index))
_MAPS = {"folder": _FOLDER.name, "suffix": ".npy"}

test_conformance = conformance(
    "rrframe",
    ("depth/file", {**_MAPS, "holds": "metric"}),
    ("depth/transformers", {"model": str(_DEPTH)}),
    ("lowlight/learned", {"weights": str(_DARKENER)}),
    ("reflection/learned", {"weights": str(_MIXER)}),
    ("segments/file", _MAPS),
    ("segments/sam2", {"model": str(_SAM2), "points": 4, "least_score": 0.0, "least_stability": 0.0}),
)
