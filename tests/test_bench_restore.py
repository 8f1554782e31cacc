"""The bench of restoring, on tiny random networks: what was skipped is counted, and what cannot run is told."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from conftest import Cli
from rrframe_backbones.editing.speed import Speed, apply
from rrframe_backbones.step1x import sizes
from torch import nn

import rrframe
from rrframe import Backbone, Capabilities, RRFrameError
from rrframe.contracts.accelerator import Accelerator
from rrframe.contracts.component import create
from rrframe.memory.checking import TooLarge
from rrframe.recipe.training import Stage, TrainingRecipe
from rrframe.restoring import restorer as restoring
from rrframe.restoring.bench import Gate, bench_restoring
from rrframe.restoring.measuring import likeness, work_of
from rrframe.restoring.restorer import Asked, Restorer
from rrframe.restoring.variants import find_variants
from rrframe.training.planning import refuse_too_large

GIB = 2**30


class Polisher(Backbone):
    """Three steps through three layers; accelerators that skip some, spoil the picture, or break."""

    accelerators = {
        "lazy": Accelerator({"how": {"skip": True}}, skips=True),
        "idle": Accelerator({"how": {"noted": True}}, skips=True),
        "spoilt": Accelerator({"how": {"add": 0.05}}),
        "spoilt-more": Accelerator({"how": {"add": 0.2}}),
        "broken": Accelerator({"how": {"fail": True}}),
        "blank": Accelerator({"how": {"add": math.nan}}),
        "plain": Accelerator({"how": {"add": 0.0}}),
    }
    how: dict[str, Any] = {"skip": False, "noted": False, "add": 0.0, "fail": False}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(steps=3)

    def build(self) -> nn.Module:
        return nn.Sequential(*(nn.Sequential(nn.Conv2d(3, 3, 1), nn.ReLU()) for _ in range(3)))

    def loss(self, batch, rng):
        return self.network(batch["degraded"]).mean((1, 2, 3))

    def restore(self, images, task, *, steps=None, **settings):
        if self.how["fail"]:
            raise RuntimeError("no such kernel here")
        for step in range(steps or 3):
            if step == 0 or not self.how["skip"]:
                self.network(images)
        return images + self.how["add"]


def bench_of(names: list[str] | None = None, steps: tuple[int, ...] = (), **given: Any) -> dict[str, Any]:
    backbone = Polisher(device="cpu")
    images = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0)) / 2
    variants = find_variants(backbone, names, steps)
    bench = bench_restoring(backbone, Asked("noise"), variants, images, runs=1, **given)
    return {row.name: row for row in bench.rows} | {"bench": bench}


# What is measured
# ----------------------------------------------------------------------------------------------------------------------


def test_a_variant_that_skips_nothing_is_told_and_one_that_does_is_counted():
    rows = bench_of(["lazy", "idle"], (3, 2))
    assert rows["exact"].work.layers == 9  # three steps of three layers
    assert rows["2 steps"].work.layers == 6
    assert rows["lazy"].work.layers == 3
    assert rows["lazy"].remarks == "skips 67%"
    assert rows["idle"].remarks == "skips nothing"
    assert rows["2 steps"].skipped is None  # nobody said it would
    assert rows["exact"].work.operations == 9 * 2 * 24 * 32 * 3 * 3


def test_likeness_is_against_the_exact_run_and_the_gate_marks_what_fails():
    rows = bench_of(["spoilt", "spoilt-more"], gate=Gate(psnr=20, ssim=0.5))
    assert rows["spoilt"].likeness.psnr == pytest.approx(-20 * math.log10(0.05), abs=1e-3)
    assert rows["spoilt"].failures == ()
    assert rows["spoilt-more"].failures == ("PSNR below 20",)
    assert "FAILS: PSNR below 20" in rows["spoilt-more"].remarks
    assert rows["bench"].failed == ["spoilt-more"]
    assert bench_of(["spoilt"], gate=Gate(ssim=1.0))["bench"].failed == ["spoilt"]


def test_what_cannot_run_is_told_and_costs_only_itself():
    rows = bench_of()
    assert "no such kernel here" in rows["broken"].reason
    assert "not finite" in rows["blank"].reason
    assert rows["plain"].reason == "the exact run is so already"
    assert rows["spoilt"].seconds > 0
    assert rows["bench"].failed == []
    found = rows["bench"].as_json()
    json.dumps(found, allow_nan=False)
    told = {row["name"]: row for row in found["rows"]}
    assert told["broken"] == {"name": "broken", "reason": rows["broken"].reason}
    assert (told["idle"]["psnr"], told["idle"]["same_as_exact"]) == (None, True)


def test_variants_that_do_not_exist_or_clash_are_refused():
    with pytest.raises(RRFrameError, match="no variant 'lasy'") as found:
        find_variants(Polisher(), ["lasy"], [])
    assert found.value.hint == "did you mean lazy?"
    with pytest.raises(RRFrameError, match=r"spoilt and spoilt-more both set how\.add"):
        find_variants(Polisher(), ["spoilt+spoilt-more"], [])
    (_, both) = find_variants(Polisher(), ["lazy+spoilt"], [])
    assert (both.params["how"]["skip"], both.params["how"]["add"], both.skips) == (True, 0.05, True)
    assert both.params["how"]["noted"] is False  # what nobody changed stays


def test_likeness_knows_the_same_and_the_shifted():
    one = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)) / 2
    assert likeness(one, one.clone()) == likeness(one, one)
    assert likeness(one, one).psnr == math.inf
    brighter = likeness(one + 0.1, one)
    assert brighter.psnr == pytest.approx(20, abs=1e-3)
    assert likeness(one.flip(3), one).ssim < brighter.ssim < 1


# Editors
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_on_a_tiny_editor(rrframe_cli: Cli, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Prose.\n<!-- bench: restore -->\nold\n<!-- end -->\nMore.\n")
    variants = "first-block,flash-3,fp8"
    params = ("-p", "preset=tiny", "-p", "device=cpu", "-p", "speed={threshold: 0}", "-p", "pixels=1024")
    options = ("--size", 48, "--steps", "2,1", "--variants", variants, "--runs", 1, "--least-psnr", 99, "--json")
    done = rrframe_cli("bench", "restore", "--backbone", "backbone/step1x-edit", *params, *options, "--write", page)
    assert done.returncode == 1, done.stderr  # the gate: nothing in 8 bits is that near
    assert "1 step, fp8: below what was asked for" in done.stderr
    assert "weights of backbone/step1x-edit are random" in done.stderr.replace("\n", " ")
    found = json.loads(done.stdout)
    rows = {row["name"]: row for row in found["rows"]}
    assert list(rows) == ["exact", "1 step", "first-block", "flash-3", "fp8"]
    assert found["untrained"] == ["backbone/step1x-edit"]
    assert all(rows[name]["memory"] > 0 for name in ("exact", "fp8"))
    assert rows["first-block"]["skipped"] == 0
    assert rows["first-block"]["same_as_exact"]
    assert "Flash" in rows["flash-3"]["reason"]
    assert 20 < rows["fp8"]["psnr"] < 99
    written = page.read_text()
    assert written.startswith("Prose.\n")
    assert written.endswith("More.\n")
    assert "skips nothing" in written
    assert "FAILS: PSNR below 99" in written
    assert "are random" in written


def test_a_cache_with_a_huge_threshold_skips_blocks():
    params = {"preset": "tiny", "device": "cpu", "pixels": 1024, "speed": {"threshold": 1e9}}
    backbone = create("backbone/step1x-edit", params)
    variants = find_variants(backbone, ["first-block"], [3])
    bench = bench_restoring(backbone, Asked("haze"), variants, torch.rand(1, 3, 32, 32), runs=1)
    exact, cached = bench.rows
    assert cached.skipped == pytest.approx(1 - cached.work.layers / exact.work.layers)
    assert cached.skipped > 0.3
    assert cached.work.operations < exact.work.operations


def test_a_kernel_for_one_network_is_not_the_choice_of_all():
    from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry

    network = sizes.transformer("tiny", "v1.1")
    apply(network, Speed(attention="_native_math"), torch.float32, torch.device("cpu"))
    (processor,) = {block.attn.processor._attention_backend for block in network.transformer_blocks}
    assert processor == AttentionBackendName("_native_math")
    assert _AttentionBackendRegistry._active_backend == AttentionBackendName.NATIVE


def test_work_is_that_of_the_layers_within_blocks():
    blocks = nn.ModuleList(nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(3))
    work = work_of(nn.ModuleDict({"blocks": blocks}), lambda: blocks[1](torch.rand(1, 4)))
    assert (work.layers, work.operations) == (1, 2 * 4 * 4)


def test_nafnet_has_bfloat16_and_compiling():
    backbone = create("backbone/nafnet", {"preset": "tiny", "device": "cpu"})
    variants = find_variants(backbone, ["bf16"], [])
    bench = bench_restoring(backbone, Asked("noise"), variants, torch.rand(1, 3, 32, 32), runs=1)
    assert [row.reason for row in bench.rows] == ["", ""]
    assert bench.rows[1].likeness.psnr > 40
    assert set(backbone.accelerators) == {"bf16", "compiled"}


def test_a_page_without_a_place_and_steps_of_a_single_pass_are_refused(rrframe_here: Cli, tmp_path):
    (tmp_path / "page.md").write_text("Prose.\n")
    command = ("bench", "restore", "--backbone", "backbone/nafnet", "-p", "preset=tiny")
    for options, told in (
        (("--write", "page.md"), "no place for restore"),
        (("--steps", "8,4"), "it has no steps to set"),
        (("--steps", "8,no"), "is not a list of numbers"),
        (("--variants", "compile"), "did you mean compiled?"),
        (("--image", "none.png"), "none.png"),
    ):
        done = rrframe_here(*command, *options)
        assert done.returncode == 2, done.stderr
        assert told in done.stderr
        assert "measuring" not in done.stderr


# Memory before a load
# ----------------------------------------------------------------------------------------------------------------------


def test_a_load_that_cannot_fit_is_refused_before_it_begins(monkeypatch, rrframe_here: Cli, photo, tmp_path):
    from PIL import Image

    Image.fromarray(photo).save(tmp_path / "photo.png")
    monkeypatch.setattr("rrframe.memory.checking.available_on", lambda device: GIB // 100)
    command = ("restore", "photo.png", "--backbone", "backbone/nafnet", "-p", "preset=tiny", "-p", "device=cpu")
    done = rrframe_here(*command, "--task", "noise")
    assert done.returncode == 2
    assert "at 512 x 512, batch 1" in done.stderr
    assert "--tile 128" in done.stderr
    assert not list(tmp_path.glob("restored-noise/*.png"))
    forced = rrframe_here(*command, "--task", "noise", "--no-memory-check")
    assert forced.returncode == 0, forced.stderr
    assert rrframe_here(*command, "--task", "noise", "--tile", "64", "--batch", "1").returncode == 2  # other settings


def test_an_editor_that_does_not_fit_is_told_of_three_settings_that_would():
    editor = create("backbone/step1x-edit", {"preset": "tiny", "device": "cuda"})
    needed = restoring.check_memory(editor, 512, 512, available=GIB * 9).total
    with pytest.raises(TooLarge) as refused:
        restoring.check_memory(editor, 512, 512, available=needed - 1)
    settings = refused.value.hint.split("; or ")
    assert len(settings) == 3
    assert "offload: idle" in refused.value.hint
    obeyed = create("backbone/step1x-edit", {"preset": "tiny", "device": "cuda", "speed": {"offload": "idle"}})
    assert restoring.check_memory(obeyed, 512, 512, available=needed - 1).total < needed


def test_what_cannot_be_estimated_is_not_refused():
    class Stubborn(Polisher):
        def build(self):
            raise RuntimeError("not without content")

    Restorer(Stubborn(device="cpu"), Asked("noise")).check_memory([(64, 64)])


def test_the_largest_pieces_and_how_many_go_together_are_what_counts(monkeypatch):
    seen = []
    monkeypatch.setattr(restoring, "check_memory", lambda backbone, *size: seen.append(size))
    nafnet = rrframe.load("backbone/nafnet", preset="tiny")
    Restorer(nafnet, Asked("noise")).check_memory([(64, 64), (64, 64), (3000, 2000)])
    Restorer(nafnet, Asked("noise")).check_memory([(256, 256)] * 40)
    Restorer(nafnet, Asked("noise", batch=2)).check_memory([(256, 256)] * 40)
    Restorer(nafnet, Asked("noise")).check_memory([])
    assert seen == [(1024, 1024, 1), (256, 256, 16), (256, 256, 2)]


def test_training_that_cannot_fit_is_refused_before_the_network_is_made(monkeypatch):
    monkeypatch.setattr("rrframe.memory.checking.available_on", lambda device: GIB // 50)
    backbone = create("backbone/nafnet", {"preset": "tiny", "device": "cpu"})
    plain = {
        "stages": (Stage(name="one", steps=1, batch=4, learning_rate=1e-3, mix={"some": 1}),),
        "backbone": backbone,
    }
    recipe = TrainingRecipe.model_construct(**plain, resolution=512)
    with pytest.raises(TooLarge, match=r"training it \(AdamW\) takes about") as refused:
        refuse_too_large(recipe, 1)
    assert "crops of 128 x 128" in refused.value.hint
    assert backbone._network is None
    refuse_too_large(recipe.model_copy(update={"resolution": 16}), 1)
    refuse_too_large(recipe.model_copy(update={"autocast": True}), 1)  # takes less than the estimate says
