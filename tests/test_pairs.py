"""Files that are there whole or not at all, and pairs found by their offsets."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rrframe
from rrframe.contracts.component import create
from rrframe.pairs.files import remove_partial, whole_file, write_whole
from rrframe.pairs.manifest import SHARDS, write_manifest
from rrframe.pairs.reading import PairFolder
from rrframe.pairs.tar import TarShard


@given(st.lists(st.binary(max_size=2000), max_size=6))
def test_offsets_find_what_was_put_in_and_bytes_repeat(contents):
    files = []
    for _ in range(2):
        file = io.BytesIO()
        tar = TarShard(file)
        places = [tar.add(f"{number:04d}.bin", data) for number, data in enumerate(contents)]
        tar.close()
        files.append(file.getvalue())
    assert files[0] == files[1]
    assert [files[0][offset : offset + length] for offset, length in places] == contents
    with tarfile.open(fileobj=io.BytesIO(files[0])) as read:
        assert [read.extractfile(member).read() for member in read.getmembers()] == contents


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "kept.txt"
    write_whole(path, "before")

    def fail() -> None:
        with whole_file(path) as file:
            file.write(b"half of")
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        fail()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_leftovers_of_dead_writers_are_removed(tmp_path):
    (tmp_path / ".00001.tar.4711.tmp").write_bytes(b"half")
    (tmp_path / "00000.tar").write_bytes(b"whole")
    assert remove_partial(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["00000.tar"]


@pytest.fixture
def written(tmp_path):
    """A shard of two pairs, the second dropped, written through the sink's contract."""
    (tmp_path / SHARDS).mkdir()
    sink = create("pairs/webdataset", {"image": {"format": "png"}}, kinds=("sink",))
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    rows = [
        {
            "index": index,
            "key": f"{index:08d}",
            "source": f"{index}.png",
            "variant": 0,
            "task": "haze",
            "status": status,
        }
        for index, status in enumerate(("kept", "failed"))
    ]
    with sink.open(tmp_path, 0) as writer:
        rows[0] |= writer.add("00000000", pixels, pixels[::-1], {"task": "haze"})
    rows[1]["reason"] = "no picture"
    write_manifest(tmp_path, 0, rows, sink.places)
    return tmp_path


def test_pairs_come_back(written):
    folder = PairFolder(written)
    kept, failed = folder.rows()
    assert folder.member(kept, "degraded")[:4] == b"\x89PNG"
    assert folder.member(kept, "meta") == b'{"task":"haze"}'
    assert (failed["status"], failed["reason"]) == ("failed", "no picture")
    with pytest.raises(rrframe.RRFrameError, match="was failed"):
        folder.member(failed, "clean")


def test_a_cut_or_missing_shard_is_told(written):
    kept = next(iter(PairFolder(written).rows()))
    tar = written / SHARDS / "00000.tar"
    tar.write_bytes(tar.read_bytes()[:600])
    with pytest.raises(rrframe.RRFrameError, match="ends before pair 00000000"):
        PairFolder(written).member(kept, "degraded")
    tar.unlink()
    with pytest.raises(rrframe.RRFrameError, match="cannot be read"):
        PairFolder(written).member(kept, "degraded")


def test_a_folder_without_shards_is_told(tmp_path):
    with pytest.raises(rrframe.RRFrameError, match="holds no finished shard"):
        PairFolder(tmp_path)


def test_a_writer_that_fails_leaves_no_shard(tmp_path):
    (tmp_path / SHARDS).mkdir()
    sink = create("pairs/webdataset", kinds=("sink",))

    def fail() -> None:
        with sink.open(tmp_path, 0) as writer:
            writer.add("00000000", np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8), {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list((tmp_path / SHARDS).iterdir())


def test_a_picture_too_large_for_its_format_fails_alone(tmp_path):
    (tmp_path / SHARDS).mkdir()
    sink = create("pairs/webdataset", kinds=("sink",))
    long = np.zeros((1, 70_000, 3), np.uint8)  # JPEG ends at 65,535
    with sink.open(tmp_path, 0) as writer:
        with pytest.raises(rrframe.RRFrameError, match="cannot be written as jpeg"):
            writer.add("00000000", long, long, {})
        place = writer.add("00000001", long[:, :9], long[:, :9], {})
    assert place["clean_offset"] == tarfile.BLOCKSIZE, "nothing of the first pair is in the shard"
