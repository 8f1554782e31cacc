"""The laws of blur from clips, and the way of a clip through a run."""

from __future__ import annotations

import json
import tarfile
from io import BytesIO
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as parquet
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from skimage import data

import rrframe
from rrframe import RRFrameError
from rrframe.contracts.chain import Chain
from rrframe.contracts.cue import Cues
from rrframe.contracts.draw import Draw, Draws
from rrframe.imaging.clips import Video
from rrframe.imaging.colour import encoded_to_linear, linear_to_encoded

SOME = settings(max_examples=20, deadline=None)
COUNT, SIDE = 24, 64


def frames(count: int = COUNT, step: int = 2) -> list[np.ndarray]:
    """A camera that pans over a real photograph: ``[SIDE, SIDE, 3]`` uint8 each."""
    sheet = data.chelsea()
    return [np.ascontiguousarray(sheet[60 : 60 + SIDE, 90 + step * i : 90 + step * i + SIDE]) for i in range(count)]


def write_video(path: Path, pictures: list[np.ndarray], **settings: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=120, options={"g": "8", "bf": "2", "crf": "8", **settings})
        stream.height, stream.width, stream.pix_fmt = *pictures[0].shape[:2], "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def write_folder(path: Path, pictures: list[np.ndarray], suffix: str = ".png") -> Path:
    path.mkdir(parents=True)
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(path / f"frame{number}{suffix}")
    return path


def exposed(images: torch.Tensor, neighbours: list[torch.Tensor], **values: float) -> torch.Tensor:
    """Linear ``images`` among linear ``neighbours``, exposed."""
    maps = {"frames": torch.cat([linear_to_encoded(each) for each in neighbours], dim=1)}
    draw = Draw(seed=0, values={"exposure": 1.0, "highlights": 0.0} | values)
    return rrframe.load("blur/clip").apply(images, Draws([draw] * len(images)), Cues(maps))


def flashes(count: int, light: float = 0.7) -> list[torch.Tensor]:
    """A point of light that is elsewhere in each frame."""
    made = [torch.zeros(1, 3, 16, 16) for _ in range(count)]
    for index, each in enumerate(made):
        each[..., 8, 2 + index] = light
    return made


# Light
# ---------------------------------------------------------------------------------------------------------------------


@SOME
@given(st.floats(0.0, 1.0), st.integers(1, 4), st.integers(0, 99))
def test_the_mean_of_frames_of_the_same_light_has_that_light(exposure: float, reach: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    first = torch.rand(2, 3, 9, 12, generator=generator)
    around = [first.flatten(2)[..., torch.randperm(108, generator=generator)].view_as(first) for _ in range(2 * reach)]
    done = exposed(first, around, exposure=exposure)
    assert torch.allclose(done.sum(dim=(2, 3)), first.sum(dim=(2, 3)), rtol=1e-4)


def test_black_and_white_mix_as_light_does() -> None:
    done = exposed(torch.zeros(1, 3, 4, 4), [torch.ones(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)])
    assert torch.allclose(done, torch.tensor(1 / 3), atol=1e-5)  # encoded, 0.61 rather than 0.33


def test_each_frame_weighs_the_time_that_it_is_seen_for() -> None:
    before, middle, after = flashes(5)[:2], flashes(5)[2], flashes(5)[3:]
    for exposure, weights in ((1.0, [1, 1, 1, 1, 1]), (0.6, [0, 1, 1, 1, 0]), (0.5, [0, 0.75, 1, 0.75, 0])):
        line = exposed(middle, [*before, *after], exposure=exposure)[0, 0, 8, 2:7]
        assert torch.allclose(line, 0.7 * torch.tensor(weights) / sum(weights), atol=1e-5)


@pytest.mark.parametrize("exposure", [0.0, 0.2])
def test_a_short_exposure_is_the_middle_frame_to_the_bit(exposure: float) -> None:
    *around, middle = [torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(i)) * 0.79 for i in range(5)]
    assert torch.equal(exposed(middle, around, exposure=exposure), middle)


def test_a_clip_that_stands_still_stays_as_it_is() -> None:
    still = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)) * 0.79
    assert torch.allclose(exposed(still, [still] * 6, highlights=1.5), still, atol=1e-5)


def test_clipped_highlights_come_back_in_the_trail() -> None:
    for light, gain in ((1.0, 2.5), (0.93, 1.0)):
        *around, middle = flashes(5, light)
        plain, bright = exposed(middle, around), exposed(middle, around, highlights=1.5)
        assert float(bright.sum()) == pytest.approx(gain * float(plain.sum()), rel=1e-4)


def test_codes_of_eight_bits_are_the_light_that_they_stand_for() -> None:
    codes = torch.randint(0, 256, (2, 18, 70, 20), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    middle = torch.rand(2, 3, 70, 20, generator=torch.Generator().manual_seed(2))
    draws = Draws([Draw(seed=0, values={"exposure": 0.8, "highlights": each}) for each in (0.0, 1.5)])
    clip = rrframe.load("blur/clip")
    as_codes, as_floats = (clip.apply(middle, draws, Cues({"frames": each})) for each in (codes, codes / 255))
    assert torch.allclose(as_codes, as_floats, atol=1e-6)


def test_images_of_a_batch_have_exposures_of_their_own() -> None:
    *around, middle = [torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    maps = torch.cat([linear_to_encoded(each) for each in around], dim=1)
    draws = [Draw(seed=0, values={"exposure": value, "highlights": 0.0}) for value in (0.0, 1.0)]
    done = rrframe.load("blur/clip").apply(middle, Draws(draws), Cues({"frames": maps}))
    assert torch.allclose(done[0], middle[0], atol=1e-6)
    assert torch.allclose(done[1], (middle[1] + around[0][1] + around[1][1]) / 3, atol=1e-5)


def test_the_target_is_the_picture_itself() -> None:
    chain = Chain((rrframe.load("blur/clip"),))
    assert not chain.retargets()


# Neighbours
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["video", "folder"])
def test_neighbours_come_in_the_order_of_time(kind: str, tmp_path: Path) -> None:
    made = frames()
    key = "clip.mp4#000011" if kind == "video" else "clip/frame11.png"  # 9 is before 10
    write_video(tmp_path / "clip.mp4", made)
    write_folder(tmp_path / "clip", made)
    middle = rrframe.load("images/clips", path=str(tmp_path)).read(key).pixels
    assert np.abs(middle.astype(int) - made[11]).mean() < (4 if kind == "video" else 1e-9)
    images = torch.from_numpy(middle).permute(2, 0, 1)[None] / 255
    found = rrframe.load("frames/beside", folder=str(tmp_path), reach=3).compute(images, [key])
    assert found.shape == (1, 18, SIDE, SIDE)
    assert found.dtype == torch.uint8
    found = found / 255
    for place, index in enumerate((8, 9, 10, 12, 13, 14)):
        expected = torch.from_numpy(made[index]).permute(2, 0, 1) / 255
        errors = [
            float((found[0, 3 * place : 3 * place + 3] - torch.from_numpy(other).permute(2, 0, 1) / 255).abs().mean())
            for other in made
        ]
        assert int(np.argmin(errors)) == index
        assert float((found[0, 3 * place : 3 * place + 3] - expected).abs().mean()) < 0.02


def test_any_frame_of_a_video_is_the_same_read_alone_and_in_a_row(tmp_path: Path) -> None:
    video = Video(write_video(tmp_path / "clip.mp4", frames()))
    together = video.read(0, len(video) - 1)
    assert len(video) == COUNT
    for index in range(COUNT):
        assert np.array_equal(video.read(index, index)[0].pixels, together[index].pixels)
    assert len({each.sha256 for each in together}) == COUNT


def test_colours_of_a_video_are_right_large_and_small(tmp_path: Path) -> None:
    for height, matrix in ((64, "smpte170m"), (720, "bt709")):  # what players take where nothing is said
        frame = np.full((height, 64, 3), (200, 60, 40), np.uint8)
        path = tmp_path / f"{height}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.height, stream.width, stream.pix_fmt = height, 64, "yuv420p"
            target = "ITU709" if matrix == "bt709" else "ITU601"
            plain = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuv420p", dst_colorspace=target)
            plain.colorspace = 2  # unspecified
            container.mux(stream.encode(plain))
            container.mux(stream.encode(None))
        assert np.abs(Video(path).read(0, 0)[0].pixels[5, 5].astype(int) - frame[5, 5]).max() <= 4


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("clip.mp4#000002", "clip.mp4#000002 has 2 frames before it and 21 after it, and needs 3 of each"),
        ("clip/frame22.png", "clip/frame22.png has 22 frames before it and 1 after it"),
        ("clip.mp4#000099", "0 after it"),
        ("clip/frame99.png", "frame99.png is not there"),
        ("gap/frame12.png", "a frame is missing between frame9.png and frame11.png"),
        ("sizes/frame12.png", "sizes/frame12.png differ in size: 60 x 64 and 64 x 64"),
        ("none/frame12.png", "cannot be listed"),
        ("words.mp4#000001", "words.mp4 cannot be read as a video"),
        ("other/frame12.png", "40 x 64, which is not the shape of 64 x 64"),
    ],
)
def test_what_is_wrong_with_a_clip_names_the_picture(key: str, told: str, tmp_path: Path) -> None:
    made = frames()
    write_video(tmp_path / "clip.mp4", made)
    write_folder(tmp_path / "clip", made)
    write_folder(tmp_path / "gap", made)
    (tmp_path / "gap" / "frame10.png").unlink()
    write_folder(tmp_path / "sizes", [*made[:14], made[14][:, :60], *made[15:]])
    write_folder(tmp_path / "other", [each[:, :40] for each in made])
    (tmp_path / "words.mp4").write_text("no video")
    with pytest.raises(RRFrameError, match=told):
        rrframe.load("frames/beside", folder=str(tmp_path), reach=3).compute(torch.zeros(1, 3, SIDE, SIDE), [key])


def test_nothing_stands_in_for_a_clip_that_nobody_named(photo: np.ndarray) -> None:
    with pytest.raises(RRFrameError, match="nothing provides the cue 'frames'"):
        rrframe.load("blur/clip")(photo)


# Listing
# ---------------------------------------------------------------------------------------------------------------------


def test_frames_are_taken_away_from_the_ends_of_each_clip(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", frames())
    write_folder(tmp_path / "sub" / "b", frames())
    write_folder(tmp_path / "short", frames(6))
    (tmp_path / "words.mov").write_text("no video")
    (tmp_path / "notes.txt").write_text("nothing")
    source = rrframe.load("images/clips", path=str(tmp_path), every=8, margin=4)
    keys = source.keys()
    videos = ["a.mp4#000004", "a.mp4#000012"]
    assert keys == [*videos, "sub/b/frame12.png", "sub/b/frame4.png", "words.mov#000000"]
    with pytest.raises(RRFrameError, match=r"words\.mov cannot be read as a video"):
        source.read(keys[-1])
    with pytest.raises(RRFrameError, match="more than the 1,000 allowed"):
        rrframe.load("images/clips", path=str(tmp_path), max_pixels=1000).read(keys[0])
    with pytest.raises(RRFrameError, match=r"no clip in .* has more than 12 frames"):
        rrframe.load("images/clips", path=str(tmp_path / "short"), margin=6).keys()


# Runs
# ---------------------------------------------------------------------------------------------------------------------


def pairs_of(run: Path) -> dict[str, dict[str, np.ndarray]]:
    """Both sides of each pair of a run, and its record, by the key of its source."""
    found: dict[str, dict] = {}
    for shard in sorted((run / "shards").glob("*.tar")):
        with tarfile.open(shard) as archive:
            for member in archive.getmembers():
                found.setdefault(member.name.partition(".")[0], {})[member.name.partition(".")[2]] = (
                    archive.extractfile(member).read()
                )
    return {json.loads(parts["json"])["record"]["source"]["key"]: parts for parts in found.values()}


def test_a_video_and_a_folder_of_frames_go_through_a_run(tmp_path: Path, rrframe_cli) -> None:
    made = frames()
    write_folder(tmp_path / "clips" / "still", made)
    write_video(tmp_path / "clips" / "pan.mp4", made)
    recipe = {
        "kind": "synthesis",
        "source": {"use": "images/clips", "params": {"path": "clips", "every": 7, "margin": 4}},
        "cues": {"frames": {"use": "frames/beside", "params": {"folder": "clips", "reach": 4}}},
        "tasks": {"blur": {"chain": [{"use": "blur/clip", "params": {"exposure": 1, "highlights": 0}}]}},
        "sink": {"use": "pairs/webdataset", "params": {"image": {"format": "png"}}},
        "engine": {"use": "engine/local", "params": {"workers": 1}},
    }
    (tmp_path / "clips.yaml").write_text(yaml.safe_dump(recipe))
    done = rrframe_cli("run", "clips.yaml", "--out", "run")
    assert done.returncode == 0, done.stderr
    pairs = pairs_of(tmp_path / "run")
    assert sorted(pairs) == [f"pan.mp4#{i:06d}" for i in (4, 11, 18)] + [f"still/frame{i}.png" for i in (11, 18, 4)]
    parts = pairs["still/frame11.png"]
    clean, degraded = (np.asarray(Image.open(BytesIO(parts[f"{side}.png"]))) for side in ("clean", "degraded"))
    assert np.array_equal(clean, made[11])
    light = encoded_to_linear(torch.from_numpy(np.stack(made[7:16])).permute(0, 3, 1, 2) / 255).mean(dim=0)
    expected = (linear_to_encoded(light[None])[0].permute(1, 2, 0) * 255).numpy()
    assert np.abs(degraded - expected).max() < 1
    # A frame of a video is named as such, and its record makes it again.
    (tmp_path / "pair.json").write_bytes(pairs["pan.mp4#000011"]["json"])
    again = rrframe_cli("replay", "clips/pan.mp4#000011", "pair.json", "again.png")
    assert again.returncode == 0, again.stderr
    first = Image.open(BytesIO(pairs["pan.mp4#000011"]["degraded.png"]))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "again.png")), np.asarray(first))


def test_a_frame_without_neighbours_costs_a_row(tmp_path: Path, rrframe_cli) -> None:
    write_folder(tmp_path / "clip", frames(7))
    recipe = {
        "kind": "synthesis",
        "source": {"use": "images/folder", "params": {"path": "clip"}},
        "cues": {"frames": {"use": "frames/beside", "params": {"folder": "clip", "reach": 2}}},
        "tasks": {"blur": {"chain": [{"use": "blur/clip"}]}},
        "engine": {"use": "engine/local", "params": {"workers": 1}},
    }
    (tmp_path / "clip.yaml").write_text(yaml.safe_dump(recipe))
    done = rrframe_cli("run", "clip.yaml", "--out", "run")
    assert done.returncode == 0, done.stderr
    (manifest,) = (tmp_path / "run" / "shards").glob("*.parquet")
    rows = {row["source"]: row for row in parquet.read_table(manifest).to_pylist()}
    kept = [key for key, row in rows.items() if row["status"] == "kept"]
    assert kept == ["frame2.png", "frame3.png", "frame4.png"]
    assert "frame0.png has 0 frames before it and 6 after it" in rows["frame0.png"]["reason"]
    recipe.pop("cues")
    (tmp_path / "clip.yaml").write_text(yaml.safe_dump(recipe))
    told = rrframe_cli("validate", "clip.yaml")
    assert told.returncode == 2
    assert "frames/beside" in told.stderr
