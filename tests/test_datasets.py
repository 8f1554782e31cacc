"""Datasets: pairs in folders, in Parquet files, in shards here and behind URLs, and made as they are read."""

from __future__ import annotations

import functools
import http.server
import json
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
import yaml
from bad_files import write_bad_files
from conftest import Cli
from making import CHAINS, made, photographs
from making import recipe as synthesis_recipe
from PIL import Image
from pydantic import PrivateAttr

import rrframe
from rrframe import Dataset, Item, RRFrameError, Sample
from rrframe.contracts.component import create
from rrframe.contracts.dataset import NotKept
from rrframe.contracts.draw import Noise
from rrframe.imaging.codec import encode_png
from rrframe.pairs.listing import Listing
from rrframe.recipe import load_recipe
from rrframe.testing import Trial, subjects_named
from rrframe.testing.subjects import QUICK
from rrframe.training.data import Batch, TrainingData

TASKS = sorted(CHAINS)
SHARPER = [{"use": "filter/sharpness", "params": {"least": 12}}]


def dataset(name: str, **params: Any) -> Dataset:
    found = create(name, params, kinds=("dataset",))
    assert isinstance(found, Dataset)
    return found


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return made(tmp_path_factory.mktemp("made"))


def training(path: Path, data: dict[str, Any], **changes: Any) -> TrainingData:
    """The data of a recipe of training on ``data``."""
    stage = {"name": "one", "steps": 3, "batch": 4, "mix": dict.fromkeys(data, 1), "learning_rate": 1e-3}
    recipe: dict[str, Any] = {
        "kind": "training",
        "seed": 1,
        "backbone": {"use": "backbone/nafnet", "params": {"preset": "tiny", "tasks": TASKS}},
        "data": data,
        "resolution": 32,
        "stages": [stage],
        "validation": {"share": 0.2, "pairs": 3},
    }
    path.write_text(yaml.safe_dump(recipe | changes))
    return TrainingData(load_recipe(path).recipe)


def used(name: str, **params: Any) -> dict[str, Any]:
    return {"use": name, "params": params}


def same(one: Dataset, other: Dataset) -> None:
    """Both list the same pairs and read the same pixels."""
    assert list(one.items()) == list(other.items())
    for number in range(len(one.items())):
        first, second = one.read(number), other.read(number)
        assert np.array_equal(first.degraded, second.degraded)
        assert np.array_equal(first.clean, second.clean)
        assert first.meta == second.meta


# On the fly
# ----------------------------------------------------------------------------------------------------------------------


def test_on_the_fly_pairs_are_those_of_the_shards(run: tuple[Path, Path], tmp_path: Path) -> None:
    recipe, shards = run
    same(dataset("pairs/on-the-fly", recipe=str(recipe)), dataset("pairs/webdataset", path=str(shards)))
    written = training(tmp_path / "shards.yaml", {"made": used("pairs/webdataset", path=str(shards))})
    flying = training(tmp_path / "flying.yaml", {"made": used("pairs/on-the-fly", recipe=str(recipe))})
    assert written.sizes == flying.sizes
    assert written.held_out == flying.held_out
    examples = []
    for place in range(12):
        one, other = (data.example(0, place, (32, 32)) for data in (written, flying))
        assert (one.key, one.cell, one.seed) == (other.key, other.cell, other.seed)
        assert torch.equal(one.degraded, other.degraded)
        assert torch.equal(one.clean, other.clean)
        examples.append((one, other))
    assert torch.equal(written.held_out_example(0, (32, 32)).degraded, flying.held_out_example(0, (32, 32)).degraded)
    backbone = rrframe.load("backbone/nafnet", preset="tiny", tasks=TASKS, device="cpu")
    losses = []
    for side in zip(*examples, strict=True):
        batch = Batch.of(side)
        losses.append(backbone.loss(backbone.encode(batch.pairs), Noise(batch.seeds, torch.device("cpu"))))
    assert torch.equal(*losses)


def test_pairs_that_filters_drop_are_passed_over_alike(tmp_path: Path) -> None:
    recipe, shards = made(tmp_path, screen=SHARPER)
    flying, kept = dataset("pairs/on-the-fly", recipe=str(recipe)), dataset("pairs/webdataset", path=str(shards))
    assert 0 < len(kept.items()) < len(flying.items()) == 24
    tried = {"made": used("pairs/webdataset", path=str(shards), tried=True)}
    written = training(tmp_path / "shards.yaml", tried)
    flies = training(tmp_path / "flying.yaml", {"made": used("pairs/on-the-fly", recipe=str(recipe))})
    keys = {item.key for item in kept.items()}
    for place in range(24):
        one, other = (data.example(0, place, (32, 32)) for data in (written, flies))
        assert one.key == other.key
        assert one.key in keys
        assert one.broken == other.broken == ()  # dropped is not broken
        assert torch.equal(one.degraded, other.degraded)


def test_a_recipe_that_drops_everything_is_told(tmp_path: Path) -> None:
    source = photographs(tmp_path / "photographs", 6, side=48)
    screen = [{"use": "filter/resolution", "params": {"min_side": 64}}]
    recipe = synthesis_recipe(tmp_path / "pairs.yaml", source, screen=screen)
    data = training(tmp_path / "t.yaml", {"made": used("pairs/on-the-fly", recipe=str(recipe))})
    with pytest.raises(RRFrameError, match="pairs in a row are dropped by the filters of their recipe"):
        data.example(0, 0, (32, 32))


def test_overrides_and_what_cannot_be(run: tuple[Path, Path], tmp_path: Path) -> None:
    recipe, _ = run
    fewer = dataset("pairs/on-the-fly", recipe=str(recipe), overrides=["limit=2", "variants=1"])
    assert [item.key for item in fewer.items()] == ["00000000", "00000001"]
    with pytest.raises(RRFrameError, match="no shipped recipe is called"):
        dataset("pairs/on-the-fly", recipe="synthesis/nowhere").items()
    with pytest.raises(RRFrameError, match="is a recipe of training, and pairs are made by one of synthesis"):
        dataset("pairs/on-the-fly", recipe="training/quickstart").items()
    (tmp_path / "photographs").mkdir()
    (tmp_path / "photographs" / "bad.png").write_bytes(b"no picture")
    bad = synthesis_recipe(tmp_path / "bad.yaml", tmp_path / "photographs")
    with pytest.raises(RRFrameError, match=r"bad\.png") as error:
        dataset("pairs/on-the-fly", recipe=str(bad)).read(0)
    assert not isinstance(error.value, NotKept)


# Shards
# ----------------------------------------------------------------------------------------------------------------------


def test_a_cut_shard_costs_its_own_pairs(run: tuple[Path, Path], tmp_path: Path) -> None:
    """One of three shards is cut off two thirds on: those pairs are counted and replaced, and the rest goes on."""
    _, whole = run
    data = training(tmp_path / "whole.yaml", {"made": used("pairs/webdataset", path=str(whole))})
    shards = tmp_path / "run" / "shards"
    shards.mkdir(parents=True)
    for path in (whole / "shards").iterdir():
        content = path.read_bytes()
        (shards / path.name).write_bytes(content[: 2 * len(content) // 3] if path.name == "00001.tar" else content)
    cut = training(tmp_path / "cut.yaml", {"made": used("pairs/webdataset", path=str(tmp_path / "run"))})
    broken = 0
    for place in range(60):
        before, after = data.example(0, place, (32, 32)), cut.example(0, place, (32, 32))
        assert after.cell == before.cell
        assert torch.equal(before.degraded, after.degraded) or after.broken
        broken += bool(after.broken)
        assert all(key == before.key or "0000001" in key for key, _ in after.broken[:1])
        assert all("ends before pair" in reason for _, reason in after.broken)
    assert 0 < broken < 30
    for number in range(len(cut.held_out)):
        cut.held_out_example(number, (32, 32))


def test_damage_is_told(run: tuple[Path, Path], tmp_path: Path) -> None:
    _, whole = run
    shards = tmp_path / "run" / "shards"
    shards.mkdir(parents=True)
    for path in sorted((whole / "shards").glob("00000.*")):
        (shards / path.name).write_bytes(path.read_bytes())
    data = bytearray((shards / "00000.tar").read_bytes())
    start = data.index(b"RIFF")
    data[start : start + 4000] = bytes(4000)
    (shards / "00000.tar").write_bytes(data)
    with pytest.raises(RRFrameError, match=r"pair 00000000 in .* is damaged"):
        dataset("pairs/webdataset", path=str(tmp_path / "run")).read(0)
    manifest = shards / "00000.parquet"
    manifest.write_bytes(manifest.read_bytes()[:100])
    with pytest.raises(RRFrameError, match=r"00000\.parquet is damaged") as error:
        dataset("pairs/webdataset", path=str(tmp_path / "run")).items()
    assert "made anew" in error.value.hint


def test_shards_are_read_through_fsspec(run: tuple[Path, Path]) -> None:
    _, shards = run
    memory = fsspec.filesystem("memory")
    memory.put(str(shards), "/test-datasets/run", recursive=True)
    url = "memory://test-datasets/run"
    local, remote = (dataset("pairs/webdataset", path=path) for path in (str(shards), url))
    same(local, remote)
    same(local, pickle.loads(pickle.dumps(remote)))
    memory.rm("/test-datasets/run/shards/00001.tar")
    with pytest.raises(RRFrameError, match=r"memory://test-datasets/run/shards/00001\.tar cannot be read"):
        remote.read(10)
    memory.rm("/test-datasets", recursive=True)
    with pytest.raises(RRFrameError, match="holds no finished shard"):
        dataset("pairs/webdataset", path=url).items()
    with pytest.raises(RRFrameError, match="cannot be read"):
        dataset("pairs/webdataset", path="nonsense://somewhere").items()


class _Ranges(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and pieces of its files where a request asks for them."""

    ranges = True
    pieces = 0

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        if not (asked and self.ranges):
            super().do_GET()
            return
        type(self).pieces += 1
        content = Path(self.translate_path(self.path)).read_bytes()
        first, _, last = asked.removeprefix("bytes=").partition("-")
        piece = content[int(first) : int(last) + 1]
        self.send_response(206)
        self.send_header("Content-Length", str(len(piece)))
        self.send_header("Content-Range", f"bytes {first}-{int(first) + len(piece) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(piece)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(run: tuple[Path, Path]) -> Iterator[tuple[str, type[_Ranges]]]:
    handler = type("Handler", (_Ranges,), {})
    make = functools.partial(handler, directory=str(run[1]))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), make) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", handler
        server.shutdown()


def test_shards_are_read_from_a_web_server(run: tuple[Path, Path], served: tuple[str, type[_Ranges]]) -> None:
    url, handler = served
    remote = dataset("pairs/webdataset", path=url)
    items = remote.items()
    before = handler.pieces
    local = dataset("pairs/webdataset", path=str(run[1]))
    assert list(items) == list(local.items())
    for number in (0, 7, len(items) - 1):
        assert np.array_equal(remote.read(number).degraded, local.read(number).degraded)
    assert handler.pieces == before + 3, "a pair is one request"
    handler.ranges = False
    with pytest.raises(RRFrameError, match="its server does not read ranges"):
        remote.read(1)


# Folders
# ----------------------------------------------------------------------------------------------------------------------


def picture(side: int = 12, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def folder_of(root: Path, *names: str) -> Path:
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(seed=number)).save(root / name)
    return root


def test_sub_folders_name_tasks(tmp_path: Path) -> None:
    root = folder_of(
        tmp_path,
        *("degraded/haze/b.png", "degraded/haze/deep/a.jpg", "degraded/noise/c.PNG", "degraded/noise/alone.png"),
        *("clean/haze/b.bmp", "clean/haze/deep/a.png", "clean/noise/c.png", "clean/noise/.hidden.png"),
    )
    found = dataset("pairs/folder", path=str(root))
    keys = ["haze/b", "haze/deep/a", "noise/c"]
    assert list(found.items()) == [Item(key, key.split("/")[0], key) for key in keys]
    assert np.array_equal(found.read(2).degraded, picture(seed=2))
    assert np.array_equal(found.read(2).clean, picture(seed=6))
    assert [item.task for item in dataset("pairs/folder", path=str(root), task="rain", limit=2).items()] == ["rain"] * 2
    same(found, pickle.loads(pickle.dumps(found)))


def test_endings_tell_sides_apart(tmp_path: Path) -> None:
    root = folder_of(tmp_path, "a_lq.png", "a.png", "b_lq.png", "b.png", "c_lq.png")
    found = dataset("pairs/folder", path=str(root), degraded=".", clean=".", degraded_suffix="_lq", task="noise")
    assert [item.key for item in found.items()] == ["a", "b"]
    assert np.array_equal(found.read(1).degraded, picture(seed=2))
    assert np.array_equal(found.read(1).clean, picture(seed=3))


def test_names_need_not_be_text(tmp_path: Path) -> None:
    odd = b"caf\xe9\\.png".decode("utf-8", "surrogateescape")
    try:
        folder_of(tmp_path, f"degraded/{odd}", f"clean/{odd}")
    except OSError:
        pytest.skip("this file system wants names that are text")
    found = dataset("pairs/folder", path=str(tmp_path), task="noise")
    assert [item.key for item in found.items()] == [r"caf\xe9\\"]
    assert np.array_equal(found.read(0).degraded, picture(seed=0))


def test_what_a_folder_may_lack(tmp_path: Path) -> None:
    with pytest.raises(RRFrameError, match="degraded is no folder"):
        dataset("pairs/folder", path=str(tmp_path)).items()
    for side in ("degraded", "clean"):
        (tmp_path / side).mkdir()
    with pytest.raises(RRFrameError, match=r"holds no pair: .* 0 degraded and 0 clean"):
        dataset("pairs/folder", path=str(tmp_path)).items()
    folder_of(tmp_path, "degraded/a.png", "clean/a.png")
    with pytest.raises(RRFrameError, match=r"the task of a in .* is not known"):
        dataset("pairs/folder", path=str(tmp_path)).items()
    folder_of(tmp_path, "clean/a.jpg")
    with pytest.raises(RRFrameError, match=r"which clean picture of a is meant\? .* has \.\w+ and \.\w+"):
        dataset("pairs/folder", path=str(tmp_path), task="haze").items()


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    folder_of(tmp_path, "degraded/haze/a.png", "clean/haze/a.png")
    (tmp_path / "degraded" / "haze" / "back").symlink_to(tmp_path / "degraded")
    assert len(dataset("pairs/folder", path=str(tmp_path)).items()) == 1


def test_sides_of_unequal_size_are_told_with_both(tmp_path: Path) -> None:
    folder_of(tmp_path, "degraded/haze/a.png")
    (tmp_path / "clean" / "haze").mkdir(parents=True)
    Image.fromarray(picture(12)[:, :9]).save(tmp_path / "clean" / "haze" / "a.png")
    with pytest.raises(RRFrameError, match="differ in size: degraded 12 x 12, clean 9 x 12"):
        dataset("pairs/folder", path=str(tmp_path)).read(0)


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    (tmp_path / "degraded").mkdir()
    reasons = write_bad_files(tmp_path / "degraded")
    wanted = ["corrupt", "empty", "text", "zeros"]
    for name in wanted:
        folder_of(tmp_path, f"clean/{name}.png")
    found = dataset("pairs/folder", path=str(tmp_path), task="noise")
    assert [item.key for item in found.items()] == wanted
    for number, name in enumerate(("corrupt.png", "empty.jpg", "text.jpg", "zeros.jpg")):
        with pytest.raises(RRFrameError) as error:
            found.read(number)
        assert reasons[name] in error.value.message


def test_sixteen_bits_stay_sixteen(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (40, 40, 3), dtype=np.uint16)
    for name in ("degraded/haze/a.png", "clean/haze/a.png", "degraded/haze/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(encode_png(deep))
    (tmp_path / "clean/haze/b.png").write_bytes(encode_png(picture(40)))
    found = dataset("pairs/folder", path=str(tmp_path))
    assert np.array_equal(found.read(0).degraded, deep)
    assert np.array_equal(found.read(1).clean, picture(40).astype(np.uint16) * 257)  # the same share of white
    data = training(tmp_path / "t.yaml", {"made": used("pairs/folder", path=str(tmp_path))})
    example = data.example(0, 0, (32, 32))
    assert 0.3 < float(example.degraded.mean()) < 0.7


def test_a_folder_that_is_no_task_is_refused(tmp_path: Path) -> None:
    root = folder_of(tmp_path, *(f"{side}/hase/{name}.png" for side in ("degraded", "clean") for name in "abc"))
    with pytest.raises(RRFrameError, match=r"data\.made has pairs of 'hase', which is no task") as error:
        training(tmp_path / "t.yaml", {"made": used("pairs/folder", path=str(root))})
    assert "did you mean haze" in error.value.hint


# Parquet
# ----------------------------------------------------------------------------------------------------------------------


def parquet(path: Path, rows: int = 7, group: int = 3, **columns: Any) -> Path:
    """A file of pairs, degraded ones with even seeds, as bytes of PNG files."""
    pictures = {
        side: [encode_png(picture(seed=2 * row + number)) for row in range(rows)]
        for number, side in enumerate(("degraded", "clean"))
    }
    table = {**pictures, "task": [("haze", "noise")[row % 2] for row in range(rows)]} | columns
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), path, row_group_size=group)
    return path


def test_parquet_is_read_by_row_group(tmp_path: Path) -> None:
    parquet(tmp_path / "pairs" / "b.parquet")
    parquet(tmp_path / "pairs" / "more" / "a.parquet", rows=2)
    found = dataset("pairs/parquet", path=str(tmp_path / "pairs"))
    assert [item.key for item in found.items()] == [*(f"b:{row}" for row in range(7)), "more/a:0", "more/a:1"]
    assert [item.task for item in found.items()][:3] == ["haze", "noise", "haze"]
    for number in (5, 0, 8, 3, 6):
        row = number % 7
        assert np.array_equal(found.read(number).degraded, picture(seed=2 * row))
        assert np.array_equal(found.read(number).clean, picture(seed=2 * row + 1))
    same(found, pickle.loads(pickle.dumps(found)))
    one = dataset("pairs/parquet", path=str(tmp_path / "pairs" / "b.parquet"), task="rain", limit=4)
    assert [tuple(item) for item in one.items()] == [(f"b:{row}", "rain", f"b:{row}") for row in range(4)]


def test_parquet_as_datasets_writes_it(tmp_path: Path) -> None:
    import datasets  # takes seconds, and one test needs it

    features = datasets.Features(
        degraded=datasets.Image(),
        clean=datasets.Image(),
        kind=datasets.ClassLabel(names=["haze", "noise"]),
        photo=datasets.Value("int64"),
    )
    columns = {
        "degraded": [Image.fromarray(picture(seed=row)) for row in range(4)],
        "clean": [Image.fromarray(picture(seed=9 + row)) for row in range(4)],
        "kind": [0, 1, 1, 0],
        "photo": [10, 10, 11, 12],
    }
    datasets.Dataset.from_dict(columns, features=features).to_parquet(tmp_path / "train.parquet", batch_size=2)
    found = dataset("pairs/parquet", path=str(tmp_path), task_column="kind", picture="photo")
    assert [tuple(item) for item in found.items()] == [
        ("train:0", "haze", "10"),
        ("train:1", "noise", "10"),
        ("train:2", "noise", "11"),
        ("train:3", "haze", "12"),
    ]
    assert np.array_equal(found.read(2).degraded, picture(seed=2))
    assert np.array_equal(found.read(3).clean, picture(seed=12))


def test_parquet_behind_a_url(tmp_path: Path) -> None:
    content = parquet(tmp_path / "a.parquet").read_bytes()
    with fsspec.open("memory://test-datasets-parquet/a.parquet", "wb") as file:
        file.write(content)
    remote = dataset("pairs/parquet", path="memory://test-datasets-parquet")
    same(remote, dataset("pairs/parquet", path=str(tmp_path)))
    assert len(dataset("pairs/parquet", path="memory://test-datasets-parquet/a.parquet").items()) == 7
    fsspec.filesystem("memory").rm("/test-datasets-parquet", recursive=True)


@pytest.mark.parametrize(
    ("columns", "params", "said"),
    [
        ({}, {"degraded": "input"}, "has no column input: its columns are degraded, clean, task"),
        ({}, {"task_column": "kind"}, "has no column kind"),
        ({"task": ["haze", None] * 3 + ["haze"]}, {}, "3 rows with nothing in the column task"),
        ({"name": ["x"] * 7}, {"key": "name"}, "names in the column name of .* are not unique"),
    ],
)
def test_what_parquet_may_lack(columns: dict[str, Any], params: dict[str, Any], said: str, tmp_path: Path) -> None:
    parquet(tmp_path / "a.parquet", **columns)
    with pytest.raises(RRFrameError, match=said):
        dataset("pairs/parquet", path=str(tmp_path), **params).items()


def test_damaged_parquet_is_told(tmp_path: Path) -> None:
    with pytest.raises(RRFrameError, match="holds no Parquet file"):
        dataset("pairs/parquet", path=str(tmp_path)).items()
    (tmp_path / "a.parquet").write_bytes(b"PAR1")
    with pytest.raises(RRFrameError, match="is no whole Parquet file"):
        dataset("pairs/parquet", path=str(tmp_path)).items()
    nothing: list[Any] = [{"bytes": None, "path": "there.png"}, {"bytes": b"text", "path": None}]
    parquet(tmp_path / "a.parquet", rows=2, degraded=nothing)
    found = dataset("pairs/parquet", path=str(tmp_path))
    with pytest.raises(RRFrameError, match=r"a:0 holds only a path, there\.png in its column degraded"):
        found.read(0)
    with pytest.raises(RRFrameError, match=r"a:1 \(degraded\) is not a picture"):
        found.read(1)
    path = parquet(tmp_path / "a.parquet")
    content = bytearray(path.read_bytes())
    content[200:1200] = bytes(1000)
    path.write_bytes(content)
    with pytest.raises(RRFrameError):
        dataset("pairs/parquet", path=str(tmp_path)).read(0)


# Long lists
# ----------------------------------------------------------------------------------------------------------------------


def test_a_listing_is_a_sequence_of_items() -> None:
    rows = 20_000
    table = pa.table({"key": [str(row) for row in range(rows)], "task": ["haze", "noise"] * (rows // 2)})
    listing = Listing(table)
    assert len(listing) == rows
    assert listing[3] == Item("3", "noise", "3") == listing[3 - rows] == listing[2:5][1]
    assert [item.key for item in listing] == [str(row) for row in range(rows)]
    assert list(pickle.loads(pickle.dumps(listing))) == list(listing)
    with pytest.raises(IndexError):
        listing[rows]


def test_a_hundred_thousand_pairs_are_listed_in_few_bytes(tmp_path: Path) -> None:
    """What a process is sent of 100,000 pairs stays below 90 bytes each."""
    rows, shards = 100_000, tmp_path / "shards"
    shards.mkdir()
    names = pa.array([f"photographs/{row // 2:07d}.jpg" for row in range(rows)])
    columns: dict[str, Any] = {"key": [f"{row:08d}" for row in range(rows)], "source": names}
    columns |= {"task": ["haze", "noise"] * (rows // 2), "status": ["kept"] * rows}
    for part in ("degraded", "clean", "meta"):
        columns |= {f"{part}_offset": np.arange(rows) * 512, f"{part}_length": np.full(rows, 400)}
    pq.write_table(pa.table(columns), shards / "00000.parquet")
    found = dataset("pairs/webdataset", path=str(tmp_path))
    assert len(found.items()) == rows
    assert len(pickle.dumps(found)) < 90 * rows


# Their laws
# ----------------------------------------------------------------------------------------------------------------------


class Grey(Dataset):
    """Three pairs of one grey each."""

    tasks: tuple[str, ...] = ("haze", "noise", "haze")
    keys: tuple[str, ...] = ("a", "b", "c")

    def items(self) -> list[Item]:
        return [Item(key, task, key) for key, task in zip(self.keys, self.tasks, strict=True)]

    def read(self, number: int) -> Sample:
        return Sample(np.full((4, 5, 3), 80 + number, np.uint8), np.full((4, 5, 3), 90, np.uint8))


class Restless(Grey):
    """Another picture each time."""

    def read(self, number: int) -> Sample:
        return Sample(np.random.randint(0, 255, (4, 5, 3), np.uint8), np.zeros((4, 5, 3), np.uint8))


class Forgetful(Grey):
    """A list that grows."""

    _calls: int = PrivateAttr(0)

    def items(self) -> list[Item]:
        self._calls += 1
        return super().items() * 1 + [Item(f"more {call}", "haze", "x") for call in range(self._calls)]


class Floating(Grey):
    """Pairs of numbers in [0, 1]."""

    def read(self, number: int) -> Sample:
        return Sample(np.zeros((4, 5, 3), np.float32), np.zeros((4, 5, 3), np.float32))


@pytest.mark.parametrize(
    ("what", "law", "said"),
    [
        ((Grey, {}), "", ""),
        ((Grey, {"keys": ["a", "b", "a"]}), "lists-pairs", "2 items have the key 'a'"),
        ((Grey, {"keys": [], "tasks": []}), "lists-pairs", "an empty list"),
        ((Grey, {"tasks": ["haze", "nosie", "haze"]}), "tasks-are-known", "'nosie' is no task; did you mean noise"),
        ((Forgetful, {}), "lists-the-same-again", "the list at the second call is another"),
        ((Floating, {}), "gives-pairs", "neither uint8 nor uint16"),
        ((Restless, {}), "leaves-global-state-alone", "read changes"),
    ],
)
def test_broken_laws_are_found(what: Any, law: str, said: str) -> None:
    (subject,) = subjects_named(what, effort=QUICK)
    failed = {outcome.check.name: outcome.reason for outcome in Trial(subject).outcomes() if outcome.status == "failed"}
    assert set(failed) >= ({law} if law else set())
    assert not law or said in failed[law]
    assert bool(failed) == bool(law)


def test_a_kind_tells_two_of_one_name_apart(run: tuple[Path, Path], rrframe_here: Cli) -> None:
    params = ("-p", f"path={run[1]}", "--only", "lists-pairs")
    done = rrframe_here("check", "pairs/webdataset", *params)
    assert done.returncode == 2
    assert "it is a sink and a dataset: say which with --kind" in done.stderr
    done = rrframe_here("check", "pairs/webdataset", "--kind", "dataset", *params)
    assert done.returncode == 0, done.stderr
    assert "1 passed" in done.stdout


def test_info_shows_where_a_dataset_stands(rrframe_here: Cli) -> None:
    said = rrframe_here("info", "pairs/parquet").stdout
    assert "data:\n    synthetic:\n      use: pairs/parquet" in said
    assert "--set 'data.synthetic={use: pairs/parquet, params: {path: <string>}}'" in said


# Training on them
# ----------------------------------------------------------------------------------------------------------------------


def test_readers_are_sent_no_network_and_read_the_same(run: tuple[Path, Path], tmp_path: Path) -> None:
    data = training(tmp_path / "t.yaml", {"made": used("pairs/webdataset", path=str(run[1]))})
    _ = data.recipe.backbone.trainable()
    before = data.example(0, 5, (32, 32))
    sent = pickle.dumps(data)
    assert len(sent) < 20_000
    after = pickle.loads(sent).example(0, 5, (32, 32))
    assert (before.key, before.seed) == (after.key, after.seed)
    assert torch.equal(before.degraded, after.degraded)


@pytest.mark.slow
def test_training_on_the_fly_gives_the_losses_of_the_shards(
    run: tuple[Path, Path], tmp_path: Path, rrframe_here: Cli
) -> None:
    """On shards read by the process itself, and on the fly in a worker of its own."""
    recipe, shards = run
    losses = []
    for name, data, workers in (
        ("shards", used("pairs/webdataset", path=str(shards)), 0),
        ("flying", used("pairs/on-the-fly", recipe=str(recipe)), 1),
    ):
        training(tmp_path / f"{name}.yaml", {"made": data}, workers=workers)
        done = rrframe_here("run", tmp_path / f"{name}.yaml", "--out", name)
        assert done.returncode == 0, done.stderr
        losses.append([json.loads(line)["loss"] for line in (tmp_path / name / "steps.jsonl").read_text().splitlines()])
    assert losses[0] == losses[1]
    assert len(losses[0]) == 3
