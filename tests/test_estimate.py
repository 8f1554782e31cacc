"""Estimates of memory, against sums done by hand, published arithmetic, and what a process really takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from conftest import Cli
from torch import nn

from rrframe import Backbone, Capabilities
from rrframe.contracts.component import create
from rrframe.errors import RRFrameError
from rrframe.memory.checking import check_memory
from rrframe.memory.footprint import Footprint, footprint
from rrframe.memory.gpus import GIB, GPUS, find_gpu, smallest_for
from rrframe.memory.tracing import kept_for_backward, on_meta, peak_of, repeated_blocks
from rrframe.memory.ways import RESERVE, ways_to_restore, ways_to_train

MIB = 2**20


# By hand
# ----------------------------------------------------------------------------------------------------------------------


class Squares(nn.Module):
    """Two squares, each of which keeps its input."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Identity()

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.inner(values.square()).square()


def test_what_squares_keep() -> None:
    with on_meta():
        network = nn.Sequential(*(Squares() for _ in range(5)))
        values = torch.zeros(MIB // 4, requires_grad=True)  # 1 MiB
        kept = kept_for_backward(network, lambda: network(values).sum())
    assert repeated_blocks(network) == list(network)
    assert kept.all == 10 * MIB  # the input of each square
    assert kept.checkpointed == (5 + 2) * MIB  # the input of each block, and one block computed again


def test_the_outermost_blocks_are_the_ones() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList([Squares(), Squares()])

    network = nn.ModuleDict({"a": nn.ModuleList([Outer(), Outer()]), "b": nn.Sequential(nn.ReLU(), nn.ReLU())})
    assert repeated_blocks(network) == list(network["a"])


def test_the_peak_of_a_chain() -> None:
    with on_meta():
        values = torch.zeros(MIB // 4)

        def run() -> torch.Tensor:
            there = values + 1  # one alive
            there = there * 2  # two, and then one
            return there.relu_()  # in place: no more

        assert peak_of(run) == 2 * MIB
        assert peak_of(lambda: values.view(2, -1)) == 0


def test_attention_holds_no_table() -> None:
    with on_meta():
        queries = torch.zeros(1, 8, 4096, 64, requires_grad=True)  # 8 MiB
        network = nn.Identity()
        attend = nn.functional.scaled_dot_product_attention
        assert peak_of(lambda: attend(queries, queries, queries)) == 8 * MIB
        kept = kept_for_backward(network, lambda: attend(queries, queries * 1, queries * 1))
    assert kept.all == 4 * 8 * MIB  # and not 8 x 4096 x 4096 x 4 bytes = 512 MiB


# The published arithmetic
# ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def full_size() -> Footprint:
    """Step1X-Edit at its full size, which has never been loaded: 1024 x 1024, so 8,192 and 640 tokens."""
    return footprint(create("backbone/step1x-edit", {"preset": "full"}), 1024, 1024)


@pytest.mark.slow
def test_the_full_size_is_counted_exactly(full_size: Footprint) -> None:
    assert full_size.trained.parameters == 12_427_800_384
    assert full_size.trained.bytes == pytest.approx(24.9e9, rel=0.005)
    parts = {part.name: part for part in full_size.frozen}
    assert parts["vae"].parameters == pytest.approx(83.8e6, rel=0.001)


@pytest.mark.slow
def test_the_activations_of_the_full_size(full_size: Footprint) -> None:
    assert full_size.kept.all == pytest.approx(80.9e9, rel=0.02)
    one_block = full_size.kept.all / 57
    assert full_size.kept.checkpointed - one_block == pytest.approx(3.3e9, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "gib", "rel"),
    [
        ("AdamW, stochastic rounding", 99, 0.02),
        ("Adafactor, no momentum", 53, 0.02),
        ("AdamW, states on the CPU", 53, 0.02),
        ("4-bit Adam", 65, 0.02),
        ("8-bit Adam in the backward pass", 54, 0.02),
        ("LoRA of rank 64", 33, 0.07),  # ours is on every matrix
        ("LoRA of rank 64, base in 8 bits", 22, 0.07),
    ],
)
def test_the_ways_to_train_the_full_size(full_size: Footprint, way: str, gib: float, rel: float) -> None:
    found = {each.name: each for each in ways_to_train(full_size, checkpointing=True)}[way]
    assert found.total / GIB == pytest.approx(gib, rel=rel)
    smallest = smallest_for(found.total)
    assert smallest is not None
    assert (smallest.size <= 80) == (gib <= 80)


@pytest.mark.slow
def test_the_float32_master_of_eight_cards(full_size: Footprint) -> None:
    found = next(iter(ways_to_train(full_size, checkpointing=True)))
    assert found.name == "AdamW, float32 master copy"
    assert (found.total - found.activations) / 8 == pytest.approx(25e9, rel=0.02)


# Reality
# ----------------------------------------------------------------------------------------------------------------------

MEASURED = """
import json, torch
from rrframe import Pairs
from rrframe import Backbone, Capabilities
from rrframe.contracts.component import create
from rrframe.contracts.draw import Noise

def size(name):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(name))

def risen(run):
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak begins anew
    before = size("VmRSS")
    done = run()
    return size("VmHWM") - before

def loss(images):
    pairs = Pairs(images, images.clone(), ("noise",))
    return backbone.loss(backbone.encode(pairs), Noise([0], torch.device("cpu"))).sum()

backbone = create("backbone/nafnet", {"preset": "small", "device": "cpu"})
small, large = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 512, 512)
loss(small).backward()  # what is made once
with torch.inference_mode():
    backbone.restore(small, "noise")
    working = risen(lambda: backbone.restore(large, "noise"))
kept = []
print(json.dumps([working, risen(lambda: kept.append(loss(large)))]))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process from /proc")
def test_a_real_process_takes_what_was_estimated() -> None:
    # Blocks of every size go back to the system when they are freed, so that the peak is that of the tensors alive.
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", MEASURED], env=env, capture_output=True, text=True, check=True)
    working, kept = json.loads(done.stdout)
    found = footprint(create("backbone/nafnet", {"preset": "small"}), 512, 512)
    assert found.working == pytest.approx(working, rel=0.15)
    assert found.kept.all == pytest.approx(kept, rel=0.1)


# Laws
# ----------------------------------------------------------------------------------------------------------------------


def nafnet(**params: Any) -> Any:
    return create("backbone/nafnet", {"preset": "tiny", **params})


def test_a_footprint_grows_as_it_should() -> None:
    one, four = footprint(nafnet(), 128, 128), footprint(nafnet(), 128, 128, batch=4)
    assert four.kept.all == pytest.approx(4 * one.kept.all, rel=0.01)
    assert four.trained == one.trained
    half = footprint(nafnet(dtype="bfloat16"), 128, 128)
    assert half.trained.bytes * 2 == one.trained.bytes
    assert half.kept.all < 0.7 * one.kept.all
    assert one.kept.checkpointed < one.kept.all
    tiled = footprint(nafnet(), 5000, 5000)
    assert (tiled.height, tiled.width) == (1024, 1024)  # it goes through in tiles


def test_no_weights_are_made_or_read() -> None:
    backbone = nafnet(checkpoint="/nowhere", device="cpu")
    assert footprint(backbone, 64, 64).trained.parameters > 0
    assert backbone._network is None


def test_the_reserve_is_in_every_sum() -> None:
    found = footprint(nafnet(), 64, 64)
    for way in [*ways_to_restore(found), *ways_to_train(found, checkpointing=False)]:
        assert way.total >= 2 * GIB


def test_cards() -> None:
    assert find_gpu("H100 80GB").size == 80
    assert find_gpu("24 GB").size == 24
    assert find_gpu("rtx-4090").size == 24
    assert [gpu.size for gpu in GPUS] == [8, 12, 16, 24, 32, 40, 48, 80, 141]
    assert smallest_for(15 * GIB) == GPUS[2]
    assert smallest_for(200 * GIB) is None
    with pytest.raises(RRFrameError, match="no card is known as 'Voodoo 2'"):
        find_gpu("Voodoo 2")


# Before a load
# ----------------------------------------------------------------------------------------------------------------------


def test_what_fits_is_let_through() -> None:
    assert check_memory(nafnet(device="cpu"), 64, 64, available=4 * GIB).total < 3 * GIB


def test_what_does_not_fit_is_refused_with_settings_that_do() -> None:
    backbone = nafnet(preset="small", device="cpu")
    needed = check_memory(backbone, 1024, 1024, 8, available=100 * GIB).total
    with pytest.raises(RRFrameError) as raised:
        check_memory(backbone, 1024, 1024, 8, available=needed - RESERVE - 1)
    error = raised.value
    assert "restoring with it takes about" in error.message
    assert "1024 x 1024, batch 8" in error.message
    assert error.component == "backbone/nafnet"
    settings = error.hint.split("; or ")
    assert len(settings) == 3
    assert [each.partition(" (")[0] for each in settings] == ["-p dtype=bfloat16", "--batch 1", "--tile 768"]
    assert backbone._network is None


def test_training_that_does_not_fit() -> None:
    backbone = nafnet(preset="small", device="cpu")
    needed = check_memory(backbone, 512, 512, 4, training="AdamW", available=100 * GIB).total
    with pytest.raises(RRFrameError, match=r"training it \(AdamW\) takes about") as raised:
        check_memory(backbone, 512, 512, 4, training="AdamW", available=needed - RESERVE - 1)
    assert raised.value.hint.startswith("gradient_checkpointing: true (")
    assert raised.value.hint.count("; or ") == 2
    with pytest.raises(RRFrameError, match="no way to train is called 'SGD'"):
        check_memory(backbone, 512, 512, training="SGD")
    with pytest.raises(RRFrameError) as nothing:
        check_memory(backbone, 512, 512, training="AdamW", available=GIB // 100)
    assert "a larger card" in nothing.value.hint


# The command
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command(rrframe_cli: Cli) -> None:
    done = rrframe_cli("estimate", "backbone/nafnet", "-p", "preset=tiny", "--size", "640x480", "--gpu", "RTX 4090")
    assert done.returncode == 0, done.stderr
    assert "One pass over 640 x 480 pixels, batch 1" in done.stdout
    assert "24 GB (RTX 4090): yes" in done.stdout
    found = json.loads(rrframe_cli("estimate", "backbone/nafnet", "-p", "preset=tiny", "--json").stdout)
    assert found["footprint"]["trained"]["parameters"] > 0
    assert {way["name"] for way in found["train"]} >= {"AdamW", "8-bit Adam"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("backbone/nafnet", "--size", "640"), "--size 640 is not WxH"),
        (("quickstart",), "the recipe quickstart holds no backbone"),
    ],
)
def test_what_the_command_refuses(rrframe_cli: Cli, args: tuple[str, ...], said: str) -> None:
    done = rrframe_cli("estimate", *args)
    assert done.returncode == 2
    assert said in done.stderr


class Fixed(Backbone):
    """A restorer that cannot be trained."""

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(trainable=False)

    def build(self) -> nn.Module:
        return nn.Conv2d(3, 3, 3, padding=1)

    def loss(self, batch: Any, rng: Any) -> torch.Tensor:
        raise AssertionError("it cannot be trained")

    def restore(self, images: torch.Tensor, task: str, **settings: Any) -> torch.Tensor:
        return self.network(images.to(self.torch_device))


def test_what_cannot_be_trained_is_estimated_for_restoring() -> None:
    found = footprint(Fixed(), 256, 256)
    assert found.trained.parameters == 3 * 3 * 9 + 3
    assert found.working == 3 * 256 * 256 * 4  # its result
    assert found.kept.all == 0
