"""``backbone/spandrel``: what spandrel recognises restores, and what it does not is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from beside import run_beside
from rrframe_backbones.nafnet import PRESETS, NAFNet
from safetensors.torch import save_file

import rrframe
from rrframe import RRFrameError

# All in one process: importing torchvision and spandrel takes seconds. Every network has random weights.
_SCRIPT = """
import json
import rrframe
from rrframe.testing import Trial, subjects_named
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact
from spandrel.architectures.DnCNN import DnCNN
from spandrel.architectures.NAFNet import NAFNet
from spandrel.architectures.SwinIR import SwinIR

def saved(name, network, scale=1.0):
    torch.manual_seed(0)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=scale * 0.05)
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, name)
    return network.eval()

def restored(name, images):
    return rrframe.load("backbone/spandrel", checkpoint=name, device="cpu").restore(images, "noise")

def apart(one, other):
    return float((one - other).abs().max())

told = {}
torch.manual_seed(1)
images = torch.rand(2, 3, 20, 33)

colour = saved("colour.safetensors", DnCNN(in_nc=3, out_nc=3, nc=4, nb=9, act_mode="R"))
told["colour"] = apart(restored("colour.safetensors", images), colour(images).clamp(0, 1))

grey = saved("grey.safetensors", DnCNN(in_nc=1, out_nc=1, nc=4, nb=9, act_mode="R"))
expected = torch.cat([grey(images[:, [channel]]) for channel in range(3)], dim=1).clamp(0, 1)
told["grey"] = apart(restored("grey.safetensors", images), expected)

double = saved("double.safetensors", Compact(num_in_ch=3, num_out_ch=3, num_feat=4, num_conv=2, upscale=2))
enlarged = double(images).clamp(0, 1)
means = enlarged.unflatten(3, (33, 2)).unflatten(2, (20, 2)).mean((3, 5))
told["double"] = apart(restored("double.safetensors", images), means)

saved("swin.safetensors", SwinIR(img_size=16, window_size=8, depths=[2], embed_dim=8, num_heads=[2], mlp_ratio=2))
told["swin"] = list(restored("swin.safetensors", images[..., :3, :5]).shape)

ours = rrframe.load("backbone/nafnet", checkpoint="nafnet.safetensors").restore(images[..., :16, :32], "noise")
told["nafnet"] = apart(ours, restored("nafnet.safetensors", images[..., :16, :32]))

rrframe.load("backbone/spandrel", checkpoint="grey.safetensors", device="cpu").save(__import__("pathlib").Path("again"))
told["again"] = apart(restored("again", images), restored("grey.safetensors", images))

def error(**params):
    try:
        rrframe.load("backbone/spandrel", device="cpu", **params).network
    except rrframe.RRFrameError as found:
        return found.render()

save_file({"some.weight": torch.zeros(3)}, "unknown.safetensors")
told["unknown"] = error(checkpoint="unknown.safetensors")
told["half"] = error(checkpoint="colour.safetensors", dtype="float16")
tensors = colour.state_dict()
tensors["model.0.weight"] = torch.zeros(5, 3, 3, 3)
save_file(tensors, "broken.safetensors")
told["broken"] = error(checkpoint="broken.safetensors")

(subject,) = subjects_named(("backbone/spandrel", {"checkpoint": "colour.safetensors"}))
told["checks"] = {outcome.check.name: [outcome.status, outcome.reason] for outcome in Trial(subject).outcomes()}
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("spandrel")
    torch.manual_seed(2)
    network = NAFNet(PRESETS["tiny"])
    for parameter in network.parameters():  # with what starts at zero, blocks included
        torch.nn.init.normal_(parameter, std=0.1)
    save_file(network.state_dict(), folder / "nafnet.safetensors")
    found: dict[str, Any] = run_beside(_SCRIPT, cwd=folder)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("network", ["colour", "grey", "double", "again"])
def test_a_network_restores_as_it_does_by_itself(told: dict[str, Any], network: str) -> None:
    assert told[network] < 1e-6


@pytest.mark.slow
def test_a_network_that_needs_certain_sizes_takes_any(told: dict[str, Any]) -> None:
    assert told["swin"] == [2, 3, 3, 5]


@pytest.mark.slow
def test_our_nafnet_is_theirs(told: dict[str, Any]) -> None:
    assert told["nafnet"] < 1e-5


@pytest.mark.slow
def test_what_cannot_be_used_is_told(told: dict[str, Any]) -> None:
    assert "spandrel recognises no architecture in unknown.safetensors" in told["unknown"]
    assert "colour.safetensors is a DnCNN that cannot compute in float16" in told["half"]
    assert "broken.safetensors looks like a network that spandrel knows, and is not" in told["broken"]


@pytest.mark.slow
def test_it_passes_the_checks(told: dict[str, Any]) -> None:
    assert [name for name, (status, _) in told["checks"].items() if status == "failed"] == []
    assert told["checks"]["same-seed-same-image"][0] == "passed"
    assert told["checks"]["loss-falls"] == ["skipped", "it says that it cannot be trained"]


def test_without_weights_it_says_what_it_needs() -> None:
    backbone = rrframe.load("backbone/spandrel")
    with pytest.raises(RRFrameError, match="name a file of weights"):
        backbone.restore(torch.zeros(1, 3, 8, 8), "noise")
    with pytest.raises(RRFrameError, match="cannot be trained"):
        backbone.loss({}, None)


def test_without_spandrel_it_says_what_to_install(tmp_path: Path) -> None:
    save_file({"some.weight": torch.zeros(3)}, tmp_path / "some.safetensors")
    with pytest.raises(RRFrameError, match=r"pip install 'rrframe\[spandrel\]'"):
        _ = rrframe.load("backbone/spandrel", checkpoint=tmp_path / "some.safetensors").network
