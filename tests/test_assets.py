"""Cards, and fetching what they tell of: real processes against a server that imitates the hub."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import pytest
from conftest import Cli
from hub import COMMIT, Hub, serving

from rrframe.cards.downloading import DownloadFailed, download, sha256_of
from rrframe.cards.loading import load_card, model_cards, shipped_cards
from rrframe.errors import RRFrameError, RRFrameErrors
from rrframe.manager import get_manager

WEIGHTS = bytes(range(256)) * 100_000  # 25.6 MB: the hub's client writes 10 MB at a time
DPT = {
    "config.json": b"{}",
    "preprocessor_config.json": b'{"size": 384}',
    "model.safetensors": WEIGHTS,
    "pytorch_model.bin": b"never asked for",
}


# Cards
# ----------------------------------------------------------------------------------------------------------------------


def test_every_card_is_valid() -> None:
    folder = files("rrframe_registry")
    kinds = ("models", "datasets", "benchmarks")
    names = {file.name.removesuffix(".yaml") for kind in kinds for file in (folder / kind).iterdir()}
    assert set(shipped_cards()) == names - {"__pycache__"}
    assert len(model_cards()) >= 20


def test_every_component_on_a_card_exists() -> None:
    known = {entry.spec.name for entry in get_manager().entries()}
    named = {(card.name, component) for card in shipped_cards().values() for component in card.used_by}
    assert not {(card, component) for card, component in named if component not in known}


def test_every_component_that_loads_published_weights_is_on_a_card() -> None:
    on_cards = {component for card in model_cards().values() for component in card.used_by}
    takes_any = {"backbone/chain", "backbone/spandrel"}  # whatever weights file its user has
    manager = get_manager()
    ours = [entry for entry in manager.entries() if entry.plugin.distribution == "rrframe" and not entry.error]
    backbones = {entry.spec.name for entry in ours if entry.kind == "backbone"}
    cues = {entry.spec.name for entry in ours if entry.kind == "cue" and "model" in manager.load(entry).model_fields}
    assert {"depth/transformers", "segments/sam2"} <= cues
    assert (backbones | cues) - takes_any - {"backbone/opencv-denoise"} <= on_cards  # which has no weights


def test_what_is_told_of_a_card_can_be_checked() -> None:
    for card in model_cards().values():
        assert card.facts, card.name
        no_hashes = not any(file.sha256 for file in card.files)
        assert not (no_hashes and not card.unverified), f"{card.name} has no hash and does not say so"


CARD = """\
kind: model
name: card
title: A card
summary: Of nothing.
page: https://example.org
files:
  - {path: a.safetensors, url: https://example.org/a.safetensors}
licence: {name: MIT}
facts: [made up for a test]
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("kind: model", "kind: modle", 1, "no kind of card is called 'modle'"),
        ("licence: {name: MIT}", "licence: {name: MIT, comercial: yes}", 8, "unknown key 'comercial'"),
        ("facts: [made up for a test]", "", 1, "'facts' is missing"),
        ("path: a.safetensors", "path: ../a", 7, "does not lie inside"),
        ("{path: a.safetensors, url: https://example.org/a.safetensors}", "path: a", 1, "where a is fetched from"),
        ("title: A card", "title: A card\nopens: b.safetensors", 1, "opens names b.safetensors"),
        ("name: card", "name: other", 2, "named after its file"),
        ("{path: a.safetensors", "{path: a.safetensors, sha256: abc", 7, "match pattern"),
    ],
)
def test_a_wrong_card_is_told_with_its_line(tmp_path: Path, old: str, new: str, line: int, message: str) -> None:
    file = tmp_path / "card.yaml"
    file.write_text(CARD)
    assert load_card(file).name == "card"
    file.write_text(CARD.replace(old, new))
    with pytest.raises(RRFrameErrors) as raised:
        load_card(file)
    assert message in str(raised.value)
    assert f"card.yaml:{line})" in str(raised.value)


# One file
# ----------------------------------------------------------------------------------------------------------------------


def test_a_download_goes_on_after_the_connection_broke(tmp_path: Path) -> None:
    target = tmp_path / "weights"
    with serving({"weights": WEIGHTS}) as hub:
        url = f"{hub.address}/x/y/resolve/main/weights"
        hub.cut_after = 16_000_000
        (tmp_path / "weights.rrframe-part").write_bytes(WEIGHTS[:1_000_000])  # of an earlier day
        download(url, target, size=len(WEIGHTS))
    assert target.read_bytes() == WEIGHTS
    assert hub.ranges[0] == "bytes=1000000-"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weights"]


def test_a_wrong_file_is_not_kept(tmp_path: Path) -> None:
    target = tmp_path / "weights"
    with serving({"weights": WEIGHTS}) as hub:
        url = f"{hub.address}/x/y/resolve/main/weights"
        with pytest.raises(DownloadFailed, match="not the file that its card tells of"):
            download(url, target, sha256="0" * 64)
        (tmp_path / "weights.rrframe-part").write_bytes(b"something else")
        with pytest.raises(DownloadFailed, match="not the file"):
            download(url, target, size=len(WEIGHTS), sha256=sha256_of(_written(tmp_path / "right", WEIGHTS)))
    assert not target.exists()
    assert not (tmp_path / "weights.rrframe-part").exists()


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


# Through the command
# ----------------------------------------------------------------------------------------------------------------------


def environment(hub: Hub | None, home: Path) -> dict[str, str]:
    return {"HF_HOME": str(home), "HF_ENDPOINT": hub.address if hub else "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0"}


def snapshot(home: Path) -> Path:
    return home / "hub" / "models--Intel--dpt-large" / "snapshots" / COMMIT


@pytest.mark.slow
def test_plan_fetch_and_verify(rrframe_cli: Cli, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving(DPT) as hub:
        env = environment(hub, home)
        planned = rrframe_cli("assets", "fetch", "--plan", "dpt-large", env=env)
        assert planned.returncode == 0, planned.stderr
        assert "dpt-large: 3 entries, as the hub lists them" in planned.stdout
        assert "to fetch: 25.6 MB" in planned.stdout
        assert not home.joinpath("hub").exists() or not list(home.rglob("*.safetensors"))

        fetched = rrframe_cli("assets", "fetch", "dpt-large", env=env)
        assert fetched.returncode == 0, fetched.stderr
        assert str(snapshot(home)) in fetched.stdout
        assert {path.name for path in snapshot(home).iterdir()} == set(DPT) - {"pytorch_model.bin"}
        assert (snapshot(home) / "model.safetensors").read_bytes() == WEIGHTS

    offline = {**env, "HF_HUB_OFFLINE": "1"}
    again = rrframe_cli("assets", "fetch", "dpt-large", env=offline)  # all of it is here
    assert again.returncode == 0, again.stderr
    listed = json.loads(rrframe_cli("assets", "list", "--json", env=offline).stdout)
    assert {card["name"] for card in listed if card["cached"] == "yes"} == {"dpt-large"}

    good = rrframe_cli("assets", "verify", "dpt-large", env=offline)
    assert good.returncode == 0
    assert "ok       model.safetensors  sha256 as the hub says" in good.stdout
    blob = (snapshot(home) / "model.safetensors").resolve()
    blob.write_bytes(WEIGHTS[:-1] + b"!")
    bad = rrframe_cli("assets", "verify", "dpt-large", env=offline)
    assert bad.returncode == 1
    assert "wrong    model.safetensors" in bad.stdout
    (snapshot(home) / "model.safetensors").unlink()
    assert "missing  model.safetensors" in rrframe_cli("assets", "verify", "dpt-large", env=offline).stdout
    shown = rrframe_cli("assets", "show", "dpt-large", env=offline).stdout
    assert "here:          partly" in shown


@pytest.mark.slow
def test_a_killed_fetch_goes_on(tmp_path: Path, rrframe_cli: Cli) -> None:
    home = tmp_path / "home"
    with serving(DPT) as hub:
        env = environment(hub, home)
        hub.stop_after = 16_000_000
        command = [sys.executable, "-m", "rrframe", "assets", "fetch", "dpt-large"]
        process = subprocess.Popen(command, env={**os.environ, **env}, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            until(lambda: any(part.stat().st_size > 0 for part in home.rglob("*.rrframe-part")) and hub.ranges)
            until(lambda: sum(part.stat().st_size for part in home.rglob("*.rrframe-part")) > 1_000)
            process.send_signal(signal.SIGKILL)
        finally:
            process.kill()
            process.communicate()
        arrived = sum(part.stat().st_size for part in home.rglob("*.rrframe-part"))
        assert arrived > 0
        hub.stop_after = None
        hub.go_on.set()
        hub.ranges.clear()
        done = rrframe_cli("assets", "fetch", "dpt-large", env=env)
        assert done.returncode == 0, done.stderr
        assert f"bytes={arrived}-" in hub.ranges
        assert (snapshot(home) / "model.safetensors").read_bytes() == WEIGHTS
        assert not list(home.rglob("*.rrframe-part*"))


def until(true, seconds: float = 240) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_file_that_is_not_the_card_s(rrframe_cli: Cli, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving({**DPT, "model.safetensors": b"something else"}) as hub:
        done = rrframe_cli("assets", "fetch", "depth-anything-v2-small", env=environment(hub, home))
    assert done.returncode == 1
    assert "model.safetensors is not the file that its card tells of" in done.stderr
    assert not list(home.rglob("model.safetensors"))


@pytest.mark.parametrize("offline", ["0", "1"])
def test_without_a_network_it_says_what_to_do(rrframe_cli: Cli, tmp_path: Path, offline: str) -> None:
    env = {**environment(None, tmp_path / "home"), "HF_HUB_OFFLINE": offline}
    done = rrframe_cli("assets", "fetch", "dpt-large", env=env)
    assert done.returncode == 1
    assert "Missing: config.json, preprocessor_config.json, model.safetensors" in done.stderr
    assert "on a machine with a network, run: rrframe assets fetch dpt-large" in done.stderr
    assert str(tmp_path / "home" / "hub" / "models--Intel--dpt-large") in done.stderr
    planned = rrframe_cli("assets", "fetch", "--plan", "dpt-large", env=env)
    assert planned.returncode == 0
    assert "the hub was not reached" in planned.stdout


@pytest.mark.slow
def test_what_is_refused(rrframe_cli: Cli, tmp_path: Path) -> None:
    home = tmp_path / "home"
    with serving({"NAFNet-GoPro-width32.pth": b"a pickle"}) as hub:
        env = environment(hub, home)
        pickle = rrframe_cli("assets", "fetch", "nafnet-gopro-32", env=env)
        assert pickle.returncode == 2
        assert "a pickle can run code" in pickle.stderr
        assert "--allow-pickle" in pickle.stderr
        allowed = rrframe_cli("assets", "fetch", "nafnet-gopro-32", "--allow-pickle", env=env)
        assert "is not the file that its card tells of" in allowed.stderr  # so it was fetched, and compared
        hub.gated = True
        gated = rrframe_cli("assets", "fetch", "flux-kontext-dev", env=env)
    assert gated.returncode == 2
    assert "not for commercial use (FLUX.1 [dev] Non-Commercial License)" in gated.stderr
    assert "accept its terms on https://huggingface.co/black-forest-labs/FLUX.1-Kontext-dev" in gated.stderr
    by_hand = rrframe_cli("assets", "fetch", "unidemoire", env=env)
    assert "cannot be fetched" in by_hand.stderr
    unknown = rrframe_cli("assets", "fetch", "realrestore", env=env)
    assert unknown.returncode == 2
    assert "did you mean realrestorer?" in unknown.stderr


def test_a_checkpoint_by_the_name_of_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    from rrframe.cards.cached import located

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(RRFrameError, match=r"the weights of sam2\.1-hiera-large are not on this machine") as raised:
        located(Path("sam2.1-hiera-large"), component="segments/sam2")
    assert raised.value.hint == "rrframe assets fetch sam2.1-hiera-large"
    assert raised.value.component == "segments/sam2"
    commit = "665f8e2ad61cf5f53d65644ff27c8ee525124610"
    folder = tmp_path / "hub" / "models--facebook--sam2.1-hiera-large" / "snapshots" / commit
    folder.mkdir(parents=True)
    for name in ("config.json", "preprocessor_config.json", "processor_config.json"):
        (folder / name).write_text("{}")
    with pytest.raises(RRFrameError, match=r"it lacks model\.safetensors"):
        located(Path("sam2.1-hiera-large"))
    (folder / "model.safetensors").write_bytes(b"")
    assert located(Path("sam2.1-hiera-large")) == folder
    monkeypatch.chdir(tmp_path)
    Path("sam2.1-hiera-large").mkdir()  # what is there counts first
    assert located(Path("sam2.1-hiera-large")) == Path("sam2.1-hiera-large")
    assert located(Path("my/weights")) == Path("my/weights")
    shutil.rmtree(tmp_path / "hub")


def test_a_shard_that_an_index_names_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    from rrframe.cards.cached import state

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    card = model_cards()["longcat-image-edit"]
    folder = tmp_path / "hub" / "models--meituan-longcat--LongCat-Image-Edit" / "snapshots" / card.hub.revision
    for name in ("text_encoder/a.safetensors", "transformer/one.safetensors", "vae/b.safetensors", "model_index.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    assert state(card) == "yes"
    index = {"weight_map": {"x": "one.safetensors", "y": "two.safetensors"}}
    (folder / "transformer" / "model.safetensors.index.json").write_text(json.dumps(index))
    assert state(card) == "partly"


def test_a_backbone_begins_with_what_a_card_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from huggingface_hub import constants

    from rrframe.contracts.component import create

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    params = {"checkpoint": "nafnet-sidd-32", "allow_pickle": True, "device": "cpu"}
    absent = create("backbone/nafnet", params)  # a recipe is valid on a machine that has not the weights
    with pytest.raises(RRFrameError, match="the weights of nafnet-sidd-32 are not on this machine") as raised:
        _ = absent.network
    assert raised.value.hint == "rrframe assets fetch nafnet-sidd-32 --allow-pickle"
    card = model_cards()["nafnet-sidd-32"]
    folder = tmp_path / "hub" / "models--mikestealth--nafnet-models" / "snapshots" / card.hub.revision
    folder.mkdir(parents=True)
    stand_in = create("backbone/nafnet", {"preset": "tiny", "tasks": (), "device": "cpu", "seed": 5}).network
    torch.save({"params": stand_in.state_dict()}, folder / card.opens)
    found = create("backbone/nafnet", params)
    assert found.tasks == ()
    assert torch.equal(found.network.intro.weight, stand_in.intro.weight)


def test_a_cue_by_the_name_of_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import tiny_models
    from huggingface_hub import constants

    from rrframe.contracts.component import create

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    cue = create("depth/transformers", {"model": "depth-anything-v2-small"})
    with pytest.raises(RRFrameError, match="are not on this machine"):
        cue.network("AutoModelForDepthEstimation")
    revision = model_cards()["depth-anything-v2-small"].hub.revision
    home = tmp_path / "hub" / "models--depth-anything--Depth-Anything-V2-Small-hf" / "snapshots"
    home.mkdir(parents=True)
    shutil.copytree(tiny_models.kept(tiny_models.depth_anything), home / revision)
    assert cue.network("AutoModelForDepthEstimation").config.model_type == "depth_anything"
