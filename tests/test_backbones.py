"""Backbones: patterns that freeze, weights in files, what saved folders bring, and the small restorers of the tree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from rrframe_backbones.nafnet import PRESETS, NAFNet, layout_of
from safetensors.torch import load_file, save_file
from torch import nn

import rrframe
from rrframe import Backbone, Pairs, RRFrameError
from rrframe.contracts.draw import Noise
from rrframe.contracts.freezing import parameters_named
from rrframe.contracts.weights import read_tensors, read_weights, write_weights
from rrframe.memory.footprint import footprint

CPU = torch.device("cpu")


def nafnet(**params: Any) -> Backbone:
    backbone = rrframe.load("backbone/nafnet", **{"preset": "tiny", "device": "cpu", **params})
    assert isinstance(backbone, Backbone)
    return backbone


def shaken(backbone: Backbone, seed: int = 0) -> Backbone:
    """``backbone`` with random weights everywhere, what starts at zero included."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in backbone.trainable().parameters():
            parameter.normal_(std=0.1, generator=generator)
    return backbone


def pictures(batch: int = 2, height: int = 20, width: int = 17) -> torch.Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(3))


# Patterns
# ----------------------------------------------------------------------------------------------------------------------


class Blocks(nn.Module):
    """As a Flux transformer has them: two lists of blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(1, 1) for _ in range(19))
        self.single_blocks = nn.ModuleList(nn.Linear(1, 1, bias=False) for _ in range(38))
        self.norm_out = nn.LayerNorm(1)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("norm_out", ["norm_out.weight", "norm_out.bias"]),
        ("norm_out.bias", ["norm_out.bias"]),
        ("single_blocks[:25%]", [f"single_blocks.{index}.weight" for index in range(9)]),  # a quarter of 38 is 9
        ("single_blocks[75%:]", [f"single_blocks.{index}.weight" for index in range(28, 38)]),
        ("single_blocks[36:]", ["single_blocks.36.weight", "single_blocks.37.weight"]),
        ("single_blocks[-2:]", ["single_blocks.36.weight", "single_blocks.37.weight"]),
        ("single_blocks[3]", ["single_blocks.3.weight"]),
        ("single_blocks[-1]", ["single_blocks.37.weight"]),
        ("single_blocks[0:1]", ["single_blocks.0.weight"]),
        ("blocks[:1].bias", ["blocks.0.bias"]),
        ("blocks.*.bias", [f"blocks.{index}.bias" for index in range(19)]),
        ("*_blocks[0]", ["single_blocks.0.weight"]),
        ("norm*", ["norm_out.weight", "norm_out.bias"]),
    ],
)
def test_a_pattern_means_these_parameters(pattern: str, expected: list[str]) -> None:
    assert parameters_named(Blocks(), pattern) == expected


def test_everything_is_a_star() -> None:
    assert len(parameters_named(Blocks(), "*")) == 19 * 2 + 38 + 2


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("single_block[:25%]", "did you mean single_blocks"),
        ("norm_ot", "did you mean norm_out"),
        ("single_blocks[38]", "no parameter is called"),
        ("single_blocks[:1%]", "no parameter is called"),  # rounded down: none of them
        ("norm_out[0]", "no parameter is called"),
        ("blocks[]", "is no pattern"),
        ("blocks[one]", "is no pattern"),
        ("blocks[0", "is no pattern"),
        ("blocks..weight", "is no pattern"),
        ("", "is no pattern"),
    ],
)
def test_a_pattern_that_means_nothing_is_an_error(pattern: str, said: str) -> None:
    with pytest.raises(RRFrameError) as caught:
        parameters_named(Blocks(), pattern)
    assert said in caught.value.render()


def test_freezing_keeps_the_parameters_that_it_names() -> None:
    backbone = nafnet()
    names = backbone.freeze(["encoders[:50%]", "intro", "intro.bias"])
    assert names[0] == "encoders.0.0.beta"
    assert len(set(names)) == len(names)
    frozen = {name for name, parameter in backbone.trainable().named_parameters() if not parameter.requires_grad}
    assert frozen == set(names)
    assert all(name.startswith(("encoders.0.", "intro.")) for name in frozen)


# Weights
# ----------------------------------------------------------------------------------------------------------------------


def test_all_that_does_not_fit_is_one_error(tmp_path: Path) -> None:
    tensors = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)).state_dict()
    tensors["2.weight"] = tensors.pop("1.bias")
    tensors["0.weight"] = torch.zeros(2, 3)
    save_file(tensors, tmp_path / "wrong.safetensors")
    with pytest.raises(RRFrameError) as caught:
        read_weights(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4)), tmp_path / "wrong.safetensors")
    assert caught.value.message.endswith(
        "does not fit: missing: 1.bias; extra: 2.weight; of another shape: 0.weight is 2 x 3, not 3 x 2"
    )


def test_many_names_are_counted(tmp_path: Path) -> None:
    save_file({f"{index:02}": torch.zeros(1) for index in range(12)}, tmp_path / "other.safetensors")
    with pytest.raises(RRFrameError, match="extra: 00, 01, 02, 03, 04 and 7 more"):
        read_weights(nn.Linear(1, 1), tmp_path / "other.safetensors")


def test_a_file_cut_short_is_told(tmp_path: Path) -> None:
    write_weights(nn.Linear(64, 64), tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(RRFrameError) as caught:
        read_tensors(tmp_path)
    assert "cannot be read as safetensors" in caught.value.message
    assert "cut short" in (caught.value.hint or "")


@pytest.mark.parametrize("name", ["weights.pth", "weights.pt", "weights.bin", "weights.ckpt"])
def test_a_pickle_is_read_only_where_allowed(tmp_path: Path, name: str) -> None:
    torch.save({"params": {"weight": torch.ones(2)}}, tmp_path / name)
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(RRFrameError, match="is a pickle"):
            read_tensors(path)
        assert torch.equal(read_tensors(path, allow_pickle=True)["weight"], torch.ones(2))


class Payload:
    """What a hostile pickle holds: code that runs when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("touched"),)


def test_a_pickle_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"params": Payload()}, tmp_path / "hostile.pth")
    with pytest.raises(RRFrameError, match="holds more than weights"):
        read_tensors(tmp_path / "hostile.pth", allow_pickle=True)
    assert not (tmp_path / "touched").exists()


def test_no_weights_is_told(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("none here")
    with pytest.raises(RRFrameError, match="holds no safetensors file"):
        read_tensors(tmp_path)
    with pytest.raises(RRFrameError, match="is not there"):
        read_tensors(tmp_path / "nowhere")


def test_large_weights_go_to_several_files_and_come_back(tmp_path: Path) -> None:
    network = nn.Sequential(*(nn.Linear(32, 32) for _ in range(6)))
    write_weights(network, tmp_path, largest_file=10_000)
    assert len(list(tmp_path.glob("model-*.safetensors"))) == 3
    assert (tmp_path / "model.safetensors.index.json").is_file()
    other = nn.Sequential(*(nn.Linear(32, 32) for _ in range(6)))
    read_weights(other, tmp_path)
    assert all(torch.equal(one, two) for one, two in zip(network.parameters(), other.parameters(), strict=True))
    write_weights(network, tmp_path)  # saved again in one piece: no file of the first time is left to be read
    assert [file.name for file in tmp_path.glob("*.safetensors")] == ["model.safetensors"]


def test_weights_are_read_into_a_network_on_the_meta_device(tmp_path: Path) -> None:
    write_weights(nn.Linear(2, 3), tmp_path)
    with torch.device("meta"):
        network = nn.Linear(2, 3).half()
    read_weights(network, tmp_path)
    assert (network.weight.device, network.weight.dtype) == (CPU, torch.float16)


# Saved folders
# ----------------------------------------------------------------------------------------------------------------------


def test_a_saved_folder_brings_its_params_and_others_may_be_given(tmp_path: Path) -> None:
    shaken(nafnet(tasks=["noise", "haze"], seed=5)).save(str(tmp_path))
    again = rrframe.load("backbone/nafnet", checkpoint=tmp_path, device="cpu", dtype="bfloat16")
    assert (again.preset, again.tasks, again.seed, again.dtype) == ("tiny", ("noise", "haze"), 5, "bfloat16")
    assert next(again.network.parameters()).dtype == torch.bfloat16


def test_a_folder_that_holds_all_weights_needs_nothing_else(tmp_path: Path) -> None:
    first = shaken(nafnet())
    first.save(tmp_path / "first")
    second = shaken(nafnet(checkpoint=tmp_path / "first"), seed=1)
    second.save(tmp_path / "second")
    (tmp_path / "first").rename(tmp_path / "gone")
    third = nafnet(checkpoint=tmp_path / "second")
    assert torch.equal(third.restore(pictures(), "noise"), second.restore(pictures(), "noise"))
    described = json.loads((tmp_path / "second" / "backbone.json").read_text())
    assert described["params"]["checkpoint"] == str(tmp_path / "first")  # kept as a note of where they came from
    assert not {"device", "allow_pickle"} & described["params"].keys()


def test_a_saved_folder_cannot_allow_itself_a_pickle(tmp_path: Path) -> None:
    backbone = nafnet()
    backbone.save(tmp_path)
    torch.save(load_file(tmp_path / "model.safetensors"), tmp_path / "model.pth")
    (tmp_path / "model.safetensors").unlink()
    described = json.loads((tmp_path / "backbone.json").read_text())
    described["params"]["allow_pickle"] = True
    (tmp_path / "backbone.json").write_text(json.dumps(described))
    with pytest.raises(RRFrameError, match="is a pickle"):
        _ = nafnet(checkpoint=tmp_path).network


def test_a_damaged_description_is_told_at_first_use(tmp_path: Path) -> None:
    nafnet().save(tmp_path)
    (tmp_path / "backbone.json").write_text("{")
    backbone = nafnet(checkpoint=tmp_path)
    with pytest.raises(RRFrameError, match="cannot be read"):
        _ = backbone.network
    (tmp_path / "backbone.json").write_text("[]")
    with pytest.raises(RRFrameError, match="describes no saved weights"):
        _ = backbone.network


def test_a_failed_read_is_tried_again(tmp_path: Path) -> None:
    backbone = nafnet(checkpoint=tmp_path / "later")
    with pytest.raises(RRFrameError, match="is not there"):
        _ = backbone.network
    nafnet().save(tmp_path / "later")
    assert backbone.restore(pictures(), "noise").shape == (2, 3, 20, 17)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_backbone_is_called_on_any_image(mode: str) -> None:
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 14, 3), np.uint8)).convert(mode)
    restored = nafnet()(image, "noise")
    assert (restored.mode, restored.size) == (mode, (14, 9))
    assert restored.tobytes() == image.tobytes()  # untrained, it changes nothing


def test_what_is_not_finite_is_no_picture() -> None:
    backbone = nafnet()
    with torch.no_grad():
        backbone.trainable().ending.bias.fill_(float("nan"))  # type: ignore[union-attr, operator]
    with pytest.raises(RRFrameError, match="not finite"):
        backbone(pictures(), "noise")


# NAFNet
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["tiny", "small"])
def test_an_untrained_nafnet_changes_nothing(preset: str) -> None:
    assert torch.equal(nafnet(preset=preset).restore(pictures(), "noise"), pictures())


@pytest.mark.parametrize(
    ("preset", "millions"), [("32", 29.16), ("64", 115.98), ("32-gopro", 17.11), ("64-gopro", 67.89)]
)
def test_the_presets_are_as_large_as_the_published_networks(preset: str, millions: float) -> None:
    with torch.device("meta"):
        network = NAFNet(PRESETS[preset])
    assert sum(parameter.numel() for parameter in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_layout_is_read_from_the_names_of_weights(preset: str) -> None:
    with torch.device("meta"):
        network = NAFNet(PRESETS[preset])
    assert layout_of(network.state_dict()) == PRESETS[preset]


def published(path: Path, layout: str = "tiny") -> NAFNet:
    """A file as the authors publish theirs, with random weights."""
    torch.manual_seed(0)
    network = NAFNet(PRESETS[layout])
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    torch.save({"params": network.state_dict()}, path)
    return network.eval()


def test_published_weights_are_loaded_whatever_the_preset(tmp_path: Path) -> None:
    network = published(tmp_path / "NAFNet-width8.pth")
    settings = {"checkpoint": tmp_path / "NAFNet-width8.pth", "device": "cpu"}
    with pytest.raises(RRFrameError, match="is a pickle"):
        _ = rrframe.load("backbone/nafnet", **settings).network
    backbone = rrframe.load("backbone/nafnet", **settings, allow_pickle=True, preset="small")
    assert backbone.capabilities.tasks is None
    with torch.inference_mode():
        expected = network(pictures(), torch.zeros(2)).clamp(0, 1)
        assert torch.equal(backbone.restore(pictures(), "any task"), expected)
    backbone.save(tmp_path / "saved")
    (tmp_path / "NAFNet-width8.pth").unlink()
    again = rrframe.load("backbone/nafnet", checkpoint=tmp_path / "saved", device="cpu")
    with torch.inference_mode():
        assert torch.equal(again.restore(pictures(), "noise"), expected)


def test_weights_of_another_network_are_told(tmp_path: Path) -> None:
    save_file({"conv.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(RRFrameError, match=r"missing: decoders.*extra: conv\.weight"):
        _ = nafnet(checkpoint=tmp_path / "other.safetensors").network


def test_a_nafnet_learns_which_task_is_which() -> None:
    backbone = nafnet(tasks=["noise", "haze"])
    clean = pictures(8, 16, 16)
    tasks = ("noise", "haze") * 4
    degraded = torch.stack([clean[index] * (0.5 if task == "haze" else 0.9) for index, task in enumerate(tasks)])
    batch = backbone.encode(Pairs(degraded, clean, tasks))
    optimizer = torch.optim.AdamW(backbone.trainable().parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        backbone.loss(batch, None).mean().backward()
        optimizer.step()
    with torch.inference_mode():
        as_noise, as_haze = (backbone.restore(0.5 * clean, task).mean() for task in tasks[:2])
    assert as_haze > as_noise


def test_an_unknown_task_is_told_with_those_near() -> None:
    with pytest.raises(RRFrameError) as caught:
        nafnet().restore(pictures(), "nois")
    assert "'nois'" in caught.value.message
    assert caught.value.hint == "did you mean noise?"
    with pytest.raises(RRFrameError, match="nois"):
        nafnet().encode(Pairs(pictures(), pictures(), ("noise", "nois")))


# Chains
# ----------------------------------------------------------------------------------------------------------------------


def part(seed: int, **params: Any) -> dict[str, Any]:
    return {"use": "backbone/nafnet", "params": {"preset": "tiny", "seed": seed, **params}}


def chain(**params: Any) -> Any:
    return rrframe.load("backbone/chain", device="cpu", **params)


def test_a_chain_gives_each_task_to_its_own_backbone() -> None:
    chained = shaken(chain(tasks={"noise": part(0), "haze": part(1)}))
    for task in ("noise", "haze"):
        own = nafnet()
        own.trainable().load_state_dict(chained.trainable()[task].state_dict())  # type: ignore[index]
        assert torch.equal(chained.restore(pictures(), task), own.restore(pictures(), task))
    assert not torch.equal(chained.restore(pictures(), "noise"), chained.restore(pictures(), "haze"))


def test_a_chain_without_otherwise_refuses_other_tasks() -> None:
    chained = chain(tasks={"noise": part(0)})
    assert chained.capabilities.tasks == {"noise"}
    with pytest.raises(RRFrameError) as caught:
        chained.restore(pictures(), "noyse")
    assert "did you mean noise?" in (caught.value.hint or "")
    with_otherwise = chain(tasks={"noise": part(0)}, otherwise=part(1))
    assert with_otherwise.capabilities.tasks is None
    assert with_otherwise.restore(pictures(), "haze").shape == pictures().shape


def test_the_loss_of_a_chain_is_that_of_the_part_of_each_row() -> None:
    chained = shaken(chain(tasks={"noise": part(0), "haze": part(1)}))
    tasks = ("haze", "noise", "haze")
    pairs = Pairs(pictures(3), pictures(3).flip(0), tasks)
    losses = chained.loss(chained.encode(pairs), Noise([1, 2, 3], CPU))
    for index, task in enumerate(tasks):
        row = Pairs(pairs.degraded[index : index + 1], pairs.clean[index : index + 1], (task,))
        own = chained.parts[task]
        assert torch.allclose(losses[index], own.loss(own.encode(row), Noise([index + 1], CPU))[0])
    losses[[0, 2]].sum().backward()
    parameters = chained.trainable().named_parameters()
    assert {name.partition(".")[0] for name, each in parameters if each.grad.any()} == {"haze"}


def test_a_chain_is_saved_a_folder_a_part_and_frozen_by_task(tmp_path: Path) -> None:
    chained = shaken(chain(tasks={"noise": part(0)}, otherwise=part(1)))
    assert all(name.startswith("noise.encoders.0.") for name in chained.freeze(["noise.encoders[0]"]))
    chained.save(tmp_path / "chain")
    assert {file.name for file in (tmp_path / "chain").iterdir()} == {"backbone.json", "noise", "otherwise"}
    again = rrframe.load("backbone/chain", checkpoint=tmp_path / "chain", device="cpu")
    alone = rrframe.load("backbone/nafnet", checkpoint=tmp_path / "chain" / "otherwise", device="cpu")
    for backbone in (again, alone):
        assert torch.equal(backbone.restore(pictures(), "haze"), chained.restore(pictures(), "haze"))


def test_the_memory_of_a_chain_is_that_of_its_parts() -> None:
    alone = footprint(nafnet(), 32, 32)
    both = footprint(chain(tasks={"noise": part(0), "haze": part(1)}), 32, 32)
    assert both.weights == 2 * alone.weights
    assert both.working >= alone.working > 0


def test_what_a_chain_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RRFrameError, match=r"haze\.fog"):
        chain(tasks={"haze.fog": part(0)})
    with pytest.raises(RRFrameError) as caught:
        chain(tasks={"noise": {"use": "backbone/nafnett"}})
    assert "did you mean backbone/nafnet?" in caught.value.render()
    assert "tasks.noise.use" in caught.value.render()
    chained = chain(tasks={"noise": part(0)}, checkpoint=tmp_path)
    with pytest.raises(RRFrameError, match="is no folder of a saved chain"):
        chained.restore(pictures(), "noise")


def test_the_parts_of_a_chain_follow_it_unless_they_say_otherwise() -> None:
    chained = chain(tasks={"noise": part(0), "haze": part(1, dtype="float16")}, dtype="bfloat16")
    assert {name: each.dtype for name, each in chained.parts.items()} == {"noise": "bfloat16", "haze": "float16"}
    assert next(chained.network["noise"].parameters()).dtype == torch.bfloat16
    assert {each.device for each in chained.parts.values()} == {"cpu"}
