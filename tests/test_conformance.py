"""Every component in the tree obeys the laws of its kind."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import tiny_models
from networks import save_darkener, save_mixer

from rrframe.imaging.codec import encode_png
from rrframe.testing import conformance

_FOLDER = tempfile.TemporaryDirectory(prefix="rrframe-weights-")  # removed when the process ends
_DARKENER = save_darkener(Path(_FOLDER.name) / "darkener.safetensors")
_MIXER = save_mixer(Path(_FOLDER.name) / "mixer.safetensors")
_DEPTH = tiny_models.depth_anything(Path(_FOLDER.name) / "depth")
_SAM2 = tiny_models.sam2(Path(_FOLDER.name) / "sam2")
for _index in range(3):  # the kit calls its pictures by number, and a map of one pixel fits all of them
    np.save(Path(_FOLDER.name) / f"{_index}.npy", np.full((1, 1), 7 + _index))
_CLIP = Path(_FOLDER.name) / "clip"
_CLIP.mkdir()
for _index in range(-1, 4):  # so are frames of one pixel, one before the first and one after the last
    (_CLIP / str(_index)).write_bytes(encode_png(np.full((1, 1, 3), 90 + 30 * _index, np.uint8)))
_MAPS = {"folder": _FOLDER.name, "suffix": ".npy"}

_ELSEWHERE = "it needs spandrel, which cannot be imported here; tests/test_spandrel.py runs the checks where it can"

test_conformance = conformance(
    "rrframe",
    ("depth/file", {**_MAPS, "holds": "metric"}),
    ("depth/transformers", {"model": str(_DEPTH)}),
    ("frames/beside", {"folder": str(_CLIP), "reach": 1}),
    ("lowlight/learned", {"weights": str(_DARKENER)}),
    ("reflection/learned", {"weights": str(_MIXER)}),
    ("segments/file", _MAPS),
    ("segments/sam2", {"model": str(_SAM2), "points": 4, "least_score": 0.0, "least_stability": 0.0}),
    expected_failures={"backbone/spandrel": {"same-seed-same-weights": _ELSEWHERE, "runs": _ELSEWHERE}},
)
