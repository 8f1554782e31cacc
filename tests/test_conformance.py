"""Every component in the tree obeys the laws of its kind."""

from __future__ import annotations

import atexit
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tiny_models
from judge_server import running
from making import made
from networks import save_alexnet, save_darkener, save_mixer
from rrframe_datasets.webdataset import Shards

from rrframe.imaging.codec import encode_png
from rrframe.testing import conformance

_FOLDER = tempfile.TemporaryDirectory(prefix="rrframe-weights-")  # removed when the process ends
_DARKENER = save_darkener(Path(_FOLDER.name) / "darkener.safetensors")
_MIXER = save_mixer(Path(_FOLDER.name) / "mixer.safetensors")
_ALEXNET = save_alexnet(Path(_FOLDER.name) / "alexnet.safetensors")
_DEPTH = tiny_models.depth_anything(Path(_FOLDER.name) / "depth")
_QWEN3_VL = tiny_models.qwen3_vl(Path(_FOLDER.name) / "qwen3-vl")
_UNTIL_THE_END = ExitStack()
_SERVER = _UNTIL_THE_END.enter_context(running())
atexit.register(_UNTIL_THE_END.close)  # while its thread still runs: closed later, it would wait for that for ever
_SAM2 = tiny_models.sam2(Path(_FOLDER.name) / "sam2")
for _index in range(3):  # the kit calls its pictures by number, and a map of one pixel fits all of them
    np.save(Path(_FOLDER.name) / f"{_index}.npy", np.full((1, 1), 7 + _index))
_CLIP = Path(_FOLDER.name) / "clip"
_CLIP.mkdir()
for _index in range(-1, 4):  # so are frames of one pixel, one before the first and one after the last
    (_CLIP / str(_index)).write_bytes(encode_png(np.full((1, 1, 3), 90 + 30 * _index, np.uint8)))
_MAPS = {"folder": _FOLDER.name, "suffix": ".npy"}

_SIDES = Path(_FOLDER.name) / "pairs"
for _index, _side in enumerate(("degraded", "clean")):
    _files = [encode_png(np.full((9, 8 + pair, 3), 60 * pair + _index, np.uint8)) for pair in range(4)]
    (_SIDES / _side / "noise").mkdir(parents=True)
    for _pair, _file in enumerate(_files):
        (_SIDES / _side / "noise" / f"{_pair}.png").write_bytes(_file)
_TABLE = Path(_FOLDER.name) / "pairs.parquet"
pq.write_table(pa.table({"degraded": _files, "clean": _files, "task": ["noise", "haze"] * 2}), _TABLE)
_RECIPE, _RUN = made(Path(_FOLDER.name) / "made", count=2)

_PYIQA = "it needs pyiqa, which cannot be imported here; tests/test_metrics.py runs it where it can"
_ELSEWHERE = "it needs spandrel, which cannot be imported here; tests/test_spandrel.py runs the checks where it can"

test_conformance = conformance(
    "rrframe",
    ("depth/file", {**_MAPS, "holds": "metric"}),
    ("depth/transformers", {"model": str(_DEPTH)}),
    ("frames/beside", {"folder": str(_CLIP), "reach": 1}),
    ("judge/openai", {"base_url": _SERVER.address}),
    ("judge/transformers", {"model": str(_QWEN3_VL), "pixels": 4096, "tokens": 4}),
    ("lowlight/learned", {"weights": str(_DARKENER)}),
    ("pairs/folder", {"path": str(_SIDES)}),
    ("pairs/on-the-fly", {"recipe": str(_RECIPE)}),
    ("pairs/parquet", {"path": str(_TABLE)}),
    (Shards, {"path": str(_RUN)}),
    ("metric/lpips", {"weights": str(_ALEXNET)}),
    ("reflection/learned", {"weights": str(_MIXER)}),
    ("segments/file", _MAPS),
    ("segments/sam2", {"model": str(_SAM2), "points": 4, "least_score": 0.0, "least_stability": 0.0}),
    expected_failures={
        "backbone/spandrel": {"same-seed-same-weights": _ELSEWHERE, "runs": _ELSEWHERE},
        "metric/pyiqa": {"says-what-it-means": _PYIQA, "runs": _PYIQA},
    },
)
