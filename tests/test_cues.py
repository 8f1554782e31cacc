"""Cues: what the providers compute, and what is kept of it between runs."""

from __future__ import annotations

import json
import logging
import sys

import cv2
import numpy as np
import pytest
import tiny_models
import torch
from devices import DEVICES
from making import digests, made
from PIL import Image
from skimage import data

import rrframe
from rrframe import RRFrameError
from rrframe.contracts.engine import Unit
from rrframe.imaging.layout import to_batch
from rrframe.imaging.photograph import Photograph
from rrframe.recipe import load_recipe
from rrframe.run.cache import CACHE, cache_folder
from rrframe.synthesis.cues import cue_of
from rrframe.synthesis.plan import write_listing
from rrframe.synthesis.work import SynthesisWork


def compute(name, images, keys=None, **params):
    provider = rrframe.load(name, **params)
    return provider.compute(images, keys or [str(index) for index in range(len(images))])


def rank_correlation(one, other):
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return np.corrcoef(*ranks)[0, 1]


# Without weights
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def stereo():
    """A photograph and its true disparity; 0 where it is not known."""
    photograph, _, disparity = data.stereo_motorcycle()
    return to_batch(photograph), np.nan_to_num(disparity, posinf=0.0)


def test_the_gradient_agrees_with_true_depth_better_than_height_alone(stereo):
    images, disparity = stereo
    known = disparity > 0
    agreement = {
        detail: rank_correlation(
            -compute("depth/gradient", images, detail=detail)[0, 0].numpy()[known][::5], disparity[known][::5]
        )
        for detail in (0.0, 0.25)
    }
    assert agreement[0.25] > 0.7
    assert agreement[0.25] > agreement[0.0] + 0.03


def test_the_gradient_stays_between_its_ends_and_means_the_same_at_every_size(stereo):
    images, _ = stereo
    large = compute("depth/gradient", images, near=2, far=50)
    small = compute("depth/gradient", torch.nn.functional.avg_pool2d(images, 2), near=2, far=50)
    assert 2 <= float(large.min()) < float(large.max()) <= 50 + 1e-3
    shrunk = torch.nn.functional.avg_pool2d(1 / large, 2)
    assert float((shrunk - 1 / small).abs().mean()) < 0.02 * 0.5


def test_superpixels_seldom_straddle_two_depths(stereo):
    images, disparity = stereo
    labels = compute("segments/slic", images)[0, 0].numpy().astype(int)
    known = disparity > 0
    counts = np.bincount(labels[known])
    means = np.bincount(labels[known], disparity[known]) / np.maximum(counts, 1)
    assert 1 - np.var(disparity[known] - means[labels[known]]) / np.var(disparity[known]) > 0.6
    assert 30 <= len(np.unique(labels)) <= 150


def test_superpixels_are_found_at_one_size_whatever_the_image(photo):
    small = to_batch(cv2.resize(photo, (256, 256), interpolation=cv2.INTER_AREA))
    large = to_batch(cv2.resize(photo, (1024, 1024), interpolation=cv2.INTER_CUBIC))
    labels = [compute("segments/slic", images, side=256) for images in (small, large)]
    assert labels[1].shape == (1, 1, 1024, 1024)
    assert abs(len(labels[0].unique()) - len(labels[1].unique())) <= 12


# In files
# ---------------------------------------------------------------------------------------------------------------------


def write(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, values) if path.suffix == ".npy" else cv2.imwrite(str(path), values)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".npy", "_depth.npy"])
def test_metric_depth_is_read_for_each_picture(tmp_path, suffix):
    first, second = np.full((6, 8), 2500, np.uint16), np.full((6, 8), 4000, np.uint16)
    write(tmp_path / "maps" / f"a{suffix}", first)
    write(tmp_path / "maps" / "sub" / f"b{suffix}", second)
    settings = {"folder": str(tmp_path / "maps"), "suffix": suffix, "holds": "metric", "a": 0.001}
    found = compute("depth/file", torch.zeros(2, 3, 12, 16), ["a.jpg", "sub/b.jpeg"], **settings)
    assert found.shape == (2, 1, 12, 16)
    assert torch.allclose(found[0], torch.tensor(2.5))
    assert torch.allclose(found[1], torch.tensor(4.0))


def test_disparity_becomes_metres_by_its_law(tmp_path):
    disparity = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    write(tmp_path / "a.npy", disparity)
    settings = {"folder": str(tmp_path), "suffix": ".npy", "holds": "disparity", "a": 0.2, "b": 0.01}
    found = compute("depth/file", torch.zeros(1, 3, 3, 4), ["a.png"], **settings)[0, 0].numpy()
    assert np.allclose(found, 1 / (0.2 * disparity + 0.01), rtol=1e-5)
    capped = compute("depth/file", torch.zeros(1, 3, 3, 4), ["a.png"], **settings, far=50)
    assert float(capped.max()) == pytest.approx(50)


def test_what_is_not_known_is_far(tmp_path):
    write(tmp_path / "a.npy", np.array([[0.0, -1.0, np.nan, np.inf, 7.0]], np.float32))
    settings = {"folder": str(tmp_path), "suffix": ".npy", "holds": "metric", "far": 300}
    found = compute("depth/file", torch.zeros(1, 3, 1, 5), ["a.png"], **settings)
    assert found.flatten().tolist() == pytest.approx([300, 300, 300, 300, 7])


def test_planes_stay_planes_when_a_map_is_enlarged(tmp_path):
    inverse = np.linspace(0.01, 0.2, 20, dtype=np.float32)[:, None].repeat(10, axis=1)
    write(tmp_path / "a.npy", 1 / inverse)
    found = compute(
        "depth/file", torch.zeros(1, 3, 80, 40), ["a.png"], folder=str(tmp_path), suffix=".npy", holds="metric"
    )
    steps = (1 / found)[0, 0, 4:-4, 20].diff()
    assert torch.allclose(steps, steps.mean(), rtol=0.01)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (None, "there is no map"),
        (b"no image", "is not an image or an array"),
        (np.zeros((6, 8, 3), np.uint8), "3 channels, and one is needed"),
        (np.zeros((8, 6), np.uint8), "6 x 8, which is not the shape of 8 x 6"),
    ],
)
def test_a_map_that_does_not_fit_is_refused(tmp_path, values, said):
    if isinstance(values, bytes):
        (tmp_path / "a.png").write_bytes(values)
    elif values is not None:
        write(tmp_path / "a.png", values)
    with pytest.raises(RRFrameError, match=said):
        compute("depth/file", torch.zeros(1, 3, 6, 8), ["a.jpg"], folder=str(tmp_path), holds="metric")


def test_arrays_that_would_run_code_are_not_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([print], dtype=object), allow_pickle=True)
    with pytest.raises(RRFrameError, match="is not an image or an array"):
        compute("depth/file", torch.zeros(1, 3, 1, 1), ["a.jpg"], folder=str(tmp_path), suffix=".npy", holds="metric")


def test_segments_are_numbered_by_value_or_colour(tmp_path):
    write(tmp_path / "grey.png", np.array([[700, 700, 9], [9, 700, 40000]], np.uint16))
    write(tmp_path / "colour.png", np.array([[[0, 0, 9], [0, 9, 0]], [[0, 0, 9], [9, 9, 9]]], np.uint8))
    grey = compute("segments/file", torch.zeros(1, 3, 2, 3), ["grey.jpg"], folder=str(tmp_path))
    assert grey[0, 0].tolist() == [[1, 1, 0], [0, 1, 2]]
    colour = compute("segments/file", torch.zeros(1, 3, 4, 4), ["colour.jpg"], folder=str(tmp_path))
    assert len(colour.unique()) == 3
    assert torch.equal(colour[..., ::2, ::2], colour[..., 1::2, 1::2])  # enlarged without mixing


# Networks
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [tiny_models.dpt, tiny_models.depth_anything])
def test_disparity_of_a_network_becomes_depth_between_near_and_far(make):
    images = torch.rand(2, 3, 40, 60, generator=torch.Generator().manual_seed(0))
    found = compute("depth/transformers", images, model=str(tiny_models.kept(make)), near=3, far=90)
    assert found.shape == (2, 1, 40, 60)
    assert 3 <= float(found.min()) < 6
    assert 45 < float(found.max()) <= 90 + 1e-3


def test_a_picture_is_prepared_as_the_network_was_trained():
    """At the network's own size, where nothing is resized, the depth is that of the network called by hand."""
    from transformers import AutoModelForDepthEstimation

    folder = str(tiny_models.kept(tiny_models.dpt))
    images = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        disparity = AutoModelForDepthEstimation.from_pretrained(folder)(pixel_values=(images - 0.5) / 0.5)
    disparity = disparity.predicted_depth
    share = (disparity - disparity.min()) / (disparity.max() - disparity.min())
    expected = 1 / (share * (1 / 5 - 1 / 150) + 1 / 150)
    found = compute("depth/transformers", images, model=folder)
    assert torch.allclose(found[:, 0], expected, rtol=1e-4)


@pytest.mark.parametrize(("height", "width", "expected"), [(28, 56, (28, 56)), (100, 50, (56, 28)), (1, 7, (14, 28))])
def test_sizes_keep_the_aspect_in_whole_patches(height, width, expected):
    from rrframe_cues.networks import _wanted_size

    settings = {"size": {"height": 28, "width": 28}, "keep_aspect_ratio": True, "ensure_multiple_of": 14}
    assert _wanted_size(height, width, settings) == expected


def test_metres_of_a_network_are_taken_at_their_word(tmp_path):
    folder = tiny_models.depth_anything(tmp_path, depth_estimation_type="metric", max_depth=80)
    images = torch.rand(1, 3, 28, 28, generator=torch.Generator().manual_seed(0))
    metric = compute("depth/transformers", images, model=str(folder), far=1000)
    from transformers import AutoModelForDepthEstimation

    network = AutoModelForDepthEstimation.from_pretrained(folder)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = network((images - mean.view(1, 3, 1, 1)) / deviation.view(1, 3, 1, 1)).predicted_depth
    assert torch.allclose(metric[:, 0], expected, rtol=1e-3)
    told = compute("depth/transformers", images, model=str(folder), gives="disparity", near=1, far=2)
    assert float(told.min()) >= 1
    assert float(told.max()) <= 2


def test_sam2_paints_small_masks_over_large_ones():
    images = torch.rand(2, 3, 50, 70, generator=torch.Generator().manual_seed(0))
    folder = str(tiny_models.kept(tiny_models.sam2))
    found = compute("segments/sam2", images, model=folder, points=4, least_score=0, least_stability=0)
    assert found.shape == (2, 1, 50, 70)
    assert bool((found == found.round()).all())
    assert len(found.unique()) > 1
    unsure = compute("segments/sam2", images, model=folder, points=2, least_score=1.0)
    assert not unsure.any()  # nothing is segment 0


def test_masks_that_are_nearly_the_same_count_once():
    from rrframe_cues.networks import _differing

    logits = torch.full((3, 10, 10), -5.0)
    logits[0, :5], logits[1, :5, :9], logits[2, 5:] = 5, 5, 5
    assert torch.equal(_differing(logits), logits[[0, 2]])


@pytest.mark.parametrize("device", DEVICES)
def test_a_network_is_loaded_once_and_sees_a_batch_at_once(device, tmp_path, monkeypatch):
    """Bugs of public code: a model that is built again for every picture, and called for each alone."""
    from transformers import AutoModelForDepthEstimation, DPTForDepthEstimation

    loads, batches = [], []
    load, forward = AutoModelForDepthEstimation.from_pretrained, DPTForDepthEstimation.forward
    monkeypatch.setattr(
        AutoModelForDepthEstimation, "from_pretrained", lambda *args, **more: loads.append(args) or load(*args, **more)
    )
    monkeypatch.setattr(
        DPTForDepthEstimation,
        "forward",
        lambda self, pixel_values, **more: (
            batches.append((len(pixel_values), pixel_values.device.type)) or forward(self, pixel_values, **more)
        ),
    )
    images, folder = torch.rand(3, 3, 40, 60), str(tiny_models.dpt(tmp_path))
    for _ in range(2):
        found = compute("depth/transformers", images, model=folder, device=device)
        assert found.device == images.device
    assert len(loads) == 1
    assert batches == [(3, device)] * 2


@pytest.mark.parametrize("name", ["depth/transformers", "segments/sam2"])
def test_a_network_is_not_looked_for_before_it_is_used(name, tmp_path):
    provider = rrframe.load(name, model=str(tmp_path / "nowhere"))
    with pytest.raises(RRFrameError, match=r"cannot load .*nowhere"):
        provider.compute(torch.zeros(1, 3, 8, 8), ["0"])


def test_a_missing_library_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(RRFrameError, match=r"pip install 'rrframe\[transformers\]'"):
        compute("depth/transformers", torch.zeros(1, 3, 8, 8), model=str(tmp_path))


# Kept between runs
# ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE, str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def photograph(photo):
    return Photograph(photo[:96, :80].copy(), "0" * 64)


def counted(monkeypatch, provider):
    """A list that grows by one at each call of ``provider``."""
    calls, compute = [], type(provider).compute
    monkeypatch.setattr(
        type(provider), "compute", lambda self, images, keys: calls.append(keys) or compute(self, images, keys)
    )
    return calls


def test_a_costly_cue_is_computed_once_and_recalled_to_the_byte(cache, photograph, monkeypatch):
    calls = counted(monkeypatch, rrframe.load("segments/slic"))
    first = cue_of("segments", rrframe.load("segments/slic"), photograph, "a.jpg")
    again = cue_of("segments", rrframe.load("segments/slic"), photograph, "other/name.jpg")
    assert calls == [["a.jpg"]]
    assert torch.equal(first, again)
    assert again.dtype == torch.float32
    assert again.shape == (1, 1, 96, 80)


def test_depth_in_floats_is_recalled_to_the_byte(cache, photograph, monkeypatch):
    provider = rrframe.load("depth/transformers", model=str(tiny_models.kept(tiny_models.dpt)))
    calls = counted(monkeypatch, provider)
    first, again = (cue_of("depth", provider, photograph, "a") for _ in range(2))
    assert len(calls) == 1
    assert torch.equal(first, again)
    assert len(first.unique()) > 1000


def test_what_a_map_depends_on_makes_it_another(cache, photograph, photo, monkeypatch):
    calls = counted(monkeypatch, rrframe.load("segments/slic"))
    for provider, picture in (
        (rrframe.load("segments/slic"), photograph),
        (rrframe.load("segments/slic", count=20), photograph),
        (rrframe.load("segments/slic"), Photograph(photo[1:97, :80].copy(), photograph.sha256)),
    ):
        cue_of("segments", provider, picture, "a")
    assert len(calls) == 3


def test_another_model_in_the_same_folder_is_noticed(cache, photograph, tmp_path):
    folder = tiny_models.dpt(tmp_path / "model")
    provider = rrframe.load("depth/transformers", model=str(folder))
    before = provider.depends_on()
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert provider.depends_on() != before


def test_cheap_cues_are_not_kept(cache, photograph):
    cue_of("depth", rrframe.load("depth/plane"), photograph, "a")
    assert not cache.exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data[: len(data) // 2] + bytes([255 - data[len(data) // 2]]) + data[len(data) // 2 + 1 :],
        lambda data: b"no archive at all",
    ],
)
def test_a_damaged_file_is_computed_again(cache, photograph, monkeypatch, damage):
    calls = counted(monkeypatch, rrframe.load("segments/slic"))
    first = cue_of("segments", rrframe.load("segments/slic"), photograph, "a")
    (kept,) = (path for path in cache.rglob("*") if path.is_file())
    kept.write_bytes(damage(kept.read_bytes()))
    assert torch.equal(first, cue_of("segments", rrframe.load("segments/slic"), photograph, "a"))
    assert len(calls) == 2
    cue_of("segments", rrframe.load("segments/slic"), photograph, "a")  # mended
    assert len(calls) == 2


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path, photograph, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv(CACHE, str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING, "rrframe"):
        found = cue_of("segments", rrframe.load("segments/slic"), photograph, "a")
    assert found.shape == (1, 1, 96, 80)
    assert "cannot keep the cue" in caplog.text


def test_where_it_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv(CACHE, "off")
    assert cache_folder() is None
    monkeypatch.setenv(CACHE, "~/here")
    assert cache_folder() == (tmp_path.home() / "here")
    monkeypatch.delenv(CACHE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "rrframe"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path.home() / ".cache" / "rrframe"


@pytest.mark.parametrize("again", [False, True])
def test_a_run_asks_for_several_at_once_where_the_provider_likes_that(again, tmp_path, monkeypatch):
    """And makes the same bytes. A shard that killed its worker is made again one by one."""
    provider = type(rrframe.load("depth/plane"))
    chain = [{"use": "haze/scattering"}]
    tasks = {"haze": {"chain": chain}, "noise": {"chain": [{"use": "noise/gaussian"}]}}
    path, run = made(tmp_path / "alone", tasks=tasks, variants=1)
    calls = counted(monkeypatch, provider())
    monkeypatch.setattr(provider, "at_once", 4)
    recipe = load_recipe(path).recipe
    batched = tmp_path / "batched"
    (batched / "shards").mkdir(parents=True)
    write_listing(batched, recipe.source.keys())
    work = SynthesisWork(recipe, batched)
    for number in range(work.plan.shards):
        work(Unit(number, again=again), lambda index: None)
    assert digests(batched) == digests(run)
    longest = max(len(keys) for keys in calls)
    assert longest == (1 if again else 4)
    assert sum(map(len, calls)) == 4  # half of eight pictures: no other needs it


@pytest.mark.slow
def test_a_run_keeps_its_segments_and_a_second_run_gives_the_same_bytes(rrframe_cli, tmp_path, photo):
    (tmp_path / "photos").mkdir()
    for index in range(2):
        Image.fromarray(photo[: 120 + index, :140]).save(tmp_path / "photos" / f"{index}.png")
    recipe = {
        "kind": "synthesis",
        "source": {"use": "images/folder", "params": {"path": "photos"}},
        "tasks": {
            "noise": {
                "chain": [
                    {
                        "use": "effect/region",
                        "params": {"cue": "segments", "chain": [{"use": "noise/poisson-gaussian"}]},
                    }
                ]
            }
        },
        "engine": {"use": "engine/local", "params": {"workers": 1}},
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    env = {CACHE: str(tmp_path / "cache")}
    shards = []
    for out in ("one", "two"):
        done = rrframe_cli("run", "recipe.yaml", "--out", out, env=env)
        assert done.returncode == 0, done.stderr
        shards.append((tmp_path / out / "shards" / "00000.tar").read_bytes())
        assert sum(path.is_file() for path in (tmp_path / "cache").rglob("*")) == 2
    assert shards[0] == shards[1]
