"""Ways to train: optimizers, precisions, adapters, kept encodings and shared networks. Networks are tiny and random."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from beside import run_beside
from conftest import Cli
from rich.console import Console
from rrframe_backbones.step1x import sizes
from rrframe_backbones.step1x.restorer import Step1XEdit
from safetensors.torch import load_file
from skimage import data
from test_training import TASKS, losses, stage, written
from test_training import pairs as pairs
from torch import nn

import rrframe
from rrframe import Pairs, RRFrameError
from rrframe.contracts.draw import Noise
from rrframe.contracts.freezing import parameters_named
from rrframe.recipe import load_recipe
from rrframe.recipe.modes import AdapterChoice, OptimizerChoice
from rrframe.recipe.training import Stage, TrainingRecipe
from rrframe.rng import Key
from rrframe.training import adapters, optimizers
from rrframe.training.run import run_training
from rrframe.training.work import Work, work_of

CPU = torch.device("cpu")
NARROW = {"use": "backbone/nafnet", "params": {"preset": "tiny", "tasks": TASKS, "dtype": "bfloat16"}}
EDITOR = {"use": "backbone/step1x-edit", "params": {"preset": "tiny"}}
ROUNDED = {"name": "adamw", "stochastic_rounding": True}


def train(recipe: Path, folder: Path) -> list[float]:
    run_training(load_recipe(recipe), folder, Console(quiet=True))
    return losses(folder)


def optimizer(parameters: list[nn.Parameter], rate: float, **choice: Any) -> torch.optim.Optimizer:
    found = Stage.model_validate({"name": "x", "steps": 1, "batch": 1, "mix": {"a": 1}, "learning_rate": rate})
    return optimizers.optimizer_for(found, OptimizerChoice(**choice), parameters)


# Precision
# ----------------------------------------------------------------------------------------------------------------------


def test_rounding_by_chance_gives_a_neighbour_and_the_value_on_average() -> None:
    torch.manual_seed(0)
    value = torch.tensor([1.0 + 2**-10, -3.0 - 2**-9, 1e-20, 0.0, 5.0])
    rounded = torch.stack([optimizers.rounded(value) for _ in range(4000)])
    for index, exact in enumerate(value.tolist()):
        distance = 2.0**-7 * abs(exact)  # at most, between neighbours
        assert (rounded[:, index].double() - exact).abs().max() <= distance
        assert rounded[:, index].double().mean() == pytest.approx(exact, abs=distance / 20)
    assert (rounded[:, 4] == 5).all()  # what can be said exactly stays
    assert len(rounded[:, 0].unique()) == 2


def moved(dtype: torch.dtype, steps: int = 200, **choice: Any) -> tuple[float, float]:
    """How far weights went along a gradient, as a share of the distance to go, and how many never moved."""
    generator = torch.Generator().manual_seed(1)
    begin = (torch.randn(64, 64, generator=generator) * 0.5).to(dtype)
    weights = nn.Parameter(begin.clone())
    rate = 1e-5
    made = optimizer([weights], rate, **choice)
    for step in range(steps):
        weights.grad = torch.ones_like(weights)
        optimizers.step(made, step)
    change = (begin.float() - weights.detach().float()).double()
    return float(change.mean()) / (rate * steps), float((change == 0).double().mean())


def test_plain_bfloat16_does_not_move_and_rounded_by_chance_it_moves_as_far_as_float32() -> None:
    exact, still = moved(torch.float32, name="adamw")
    assert exact == pytest.approx(1, abs=0.01)
    assert still == 0
    plain, still = moved(torch.bfloat16, name="adamw")
    assert plain < 0.3
    assert still > 0.8
    by_chance, still = moved(torch.bfloat16, **ROUNDED)
    assert by_chance == pytest.approx(1, abs=0.05)
    offloaded, _ = moved(torch.bfloat16, name="adamw-offloaded")
    assert offloaded == pytest.approx(1, abs=0.3)  # seen through weights that are rounded to the nearest
    factored, _ = moved(torch.float32, name="adafactor")
    assert moved(torch.bfloat16, name="adafactor", stochastic_rounding=True)[0] == pytest.approx(factored, rel=0.05)


@pytest.mark.parametrize("name", ["adamw", "adamw-offloaded"])
def test_every_adamw_is_adamw(name: str) -> None:
    torch.manual_seed(0)
    begin, gradients = torch.randn(8, 8), torch.randn(5, 8, 8)
    ends = []
    for make in (lambda p: torch.optim.AdamW(p, lr=1e-2, betas=(0.9, 0.95), weight_decay=0.0), None):
        weights = nn.Parameter(begin.clone())
        made = make([weights]) if make else optimizer([weights], 1e-2, name=name)
        for gradient in gradients:
            weights.grad = gradient.clone()
            made.step()
        ends.append(weights.detach())
    torch.testing.assert_close(ends[0], ends[1])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"backbone": NARROW}, ["optimizer.stochastic_rounding", "bfloat16 do not move", "autocast: true"]),
        (
            {"backbone": NARROW, "optimizer": ROUNDED, "stages": [stage(optimizer={"name": "adafactor"})]},
            ["stages[0].optimizer.stochastic_rounding"],
        ),
        ({"optimizer": {"name": "adamw-offloaded", "stochastic_rounding": True}}, ["needs no stochastic rounding"]),
        ({"parallel": "fsdp", "optimizer": {"name": "adafactor"}}, ["optimizer.name", "fsdp takes apart"]),
        ({"parallel": "fsdp", "adapter": {}}, ["parallel", "too small to be shared out"]),
        ({"optimizer": {"name": "adam"}}, ["optimizer.name", "adamw"]),
    ],
)
def test_modes_that_cannot_be_are_refused(changes: dict[str, Any], said: list[str], tmp_path: Path) -> None:
    with pytest.raises(RRFrameError) as caught:
        load_recipe(written(tmp_path / "t.yaml", tmp_path, **changes))
    for words in said:
        assert words in caught.value.render()


@pytest.mark.slow
def test_quantized_moments_are_kept_as_they_are(tmp_path: Path) -> None:
    assert run_beside("import json, quantized; print(json.dumps(quantized.check()))", cwd=tmp_path) == {
        "adamw-8bit": True,
        "adamw-4bit": True,
    }


# Runs
# ----------------------------------------------------------------------------------------------------------------------

MODES: dict[str, Mapping[str, Any]] = {
    "adamw in main memory": {"backbone": NARROW, "optimizer": {"name": "adamw-offloaded"}, "ema": 0.5},
    "adafactor, rounded by chance": {"backbone": NARROW, "optimizer": ROUNDED | {"name": "adafactor"}},
    "lora, autocast": {"adapter": {"rank": 2}, "autocast": True, "ema": 0.5},
    "dora beside bfloat16, kept encodings": {
        "backbone": NARROW,
        "adapter": {"kind": "dora", "rank": 2},
        "cache": "disk",
    },
}


@pytest.mark.slow
def test_every_mode_goes_on_to_the_bit(pairs: Path, tmp_path: Path, subtests: pytest.Subtests) -> None:
    for name, changes in MODES.items():
        with subtests.test(name):
            goes_on_to_the_bit(pairs, tmp_path / name, changes)


def goes_on_to_the_bit(pairs: Path, folder: Path, changes: Mapping[str, Any]) -> None:
    folder.mkdir()
    settings = {
        "stages": [stage(steps=4, freeze=["intro"])],
        "keep": {"every": 2},
        "validation": {"every": 4, "pairs": 1},
    }
    recipe = written(folder / "t.yaml", pairs, **settings, **changes)
    train(recipe, folder / "whole")
    train(recipe, folder / "again")
    last = folder / "again/checkpoints/step-0000004"
    for path in sorted(last.rglob("*"), reverse=True):  # as if it had been killed after the second step
        path.rmdir() if path.is_dir() else path.unlink()
    last.rmdir()
    train(recipe, folder / "again")
    for name in ("steps.jsonl", "final/model.safetensors", "checkpoints/step-0000004/optimizer.safetensors"):
        assert (folder / "again" / name).read_bytes() == (folder / "whole" / name).read_bytes(), name
    found = losses(folder / "whole")
    assert len(found) == 4
    assert len(set(found)) == 4


@pytest.mark.slow
def test_kept_encodings_are_used_again_and_change_nothing(
    pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = written(tmp_path / "t.yaml", pairs, cache="disk", stages=[stage(steps=8)], tasks={"haze": 1})
    nafnet = type(rrframe.load("backbone/nafnet", preset="tiny"))
    encode, sizes_of = nafnet.encode, []
    monkeypatch.setattr(
        nafnet, "encode", lambda self, pairs: (sizes_of.append(len(pairs.tasks)), encode(self, pairs))[1]
    )
    found = train(recipe, tmp_path / "run")
    kept = list((tmp_path / "run/encoded").rglob("*.safetensors"))
    assert 0 < len(kept) < 8  # of one task there are fewer pairs than were drawn
    validated = 3 * 3
    assert (
        sizes_of.count(1) <= len(kept) + validated
    )  # whole batches are encoded to estimate memory, before the first step
    assert len(set(found)) == 8  # the same pictures, with weights that change
    kept[0].write_bytes(b"damaged")
    for path in (tmp_path / "run").iterdir():
        if path.name != "encoded":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert train(recipe, tmp_path / "run") == found


# Adapters
# ----------------------------------------------------------------------------------------------------------------------


def editor(**params: Any) -> Step1XEdit:
    """A tiny editor with random weights, for pictures of 32 x 32 pixels."""
    return Step1XEdit(preset="tiny", seed=1, pixels=32 * 32, **params)


@functools.cache
def eight_pairs() -> dict[str, torch.Tensor]:
    picture = torch.from_numpy(data.astronaut()[:32, :32].copy()).permute(2, 0, 1).float() / 255
    clean = torch.stack([picture.roll(4 * index, -1) for index in range(8)])
    encoded = editor().encode(Pairs(clean * 0.5 + 0.3, clean, ("haze", "rain") * 4))
    # a few of the slots for text, for a part of the time
    return {name: tensor[:, :8] if name in ("hidden", "mask") else tensor for name, tensor in encoded.items()}


def loss_of(restorer: Step1XEdit) -> torch.Tensor:
    """Of eight pairs, each at one noise level with one noise, always the same."""
    return restorer.loss(eight_pairs(), Noise(list(range(8)), CPU))


def adapted(kind: str, rank: int = 4) -> Step1XEdit:
    restorer = editor()
    adapters.add_adapter(restorer.trainable(), AdapterChoice(kind=kind, rank=rank, alpha=6), Key.of(1))
    return restorer


@pytest.mark.parametrize("kind", ["lora", "dora"])
def test_diffusers_loads_an_adapter_and_merged_it_does_the_same(kind: str, tmp_path: Path) -> None:
    restorer = adapted(kind)
    module = restorer.trainable()
    assert torch.allclose(loss_of(restorer), loss_of(editor()), atol=1e-6)  # it begins with no change
    torch.manual_seed(0)
    for name, parameter in module.named_parameters():
        if "lora_B" in name or "magnitude" in name:
            parameter.data += 0.1 * torch.randn_like(parameter)
    expected = loss_of(restorer).detach()
    assert not torch.allclose(expected, loss_of(editor()), atol=1e-3)

    adapters.write_adapter(module, tmp_path)
    loaded = editor()
    loaded.network.load_lora_adapter(tmp_path, weight_name=adapters.FILE, prefix="transformer")
    torch.testing.assert_close(loss_of(loaded), expected)

    whole = editor()
    own = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    whole.network.load_state_dict(adapters.merged(module))
    torch.testing.assert_close(loss_of(whole), expected, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(own[name], tensor) for name, tensor in module.state_dict().items())

    again = adapted(kind)
    adapters.read_adapter(again.trainable(), tmp_path)
    assert torch.equal(loss_of(again), expected)


def test_an_adapter_goes_where_patterns_say_and_none_beside_what_divides_by_zero() -> None:
    module = editor().trainable()
    found = adapters.layers(module, AdapterChoice(targets=("single_transformer_blocks.*.attn",)))
    assert found
    assert all(name.startswith("single_transformer_blocks.") and ".attn." in name for name in found)
    with pytest.raises(RRFrameError, match="means no layer that can have an adapter"):
        adapters.layers(module, AdapterChoice(targets=("single_transformer_blocks.*.attn.norm_q",)))
    every, with_length = (adapters.layers(module, AdapterChoice(kind=kind)) for kind in ("lora", "dora"))
    closed = set(every) - set(with_length)
    assert closed
    assert all((module.get_submodule(name).weight == 0).all(1).any() for name in closed)


def test_an_adapter_beside_bfloat16_is_stored_wide_and_multiplies_narrow() -> None:
    restorer = Step1XEdit(preset="tiny", dtype="bfloat16", pixels=32 * 32)
    module = restorer.trainable()
    adapters.add_adapter(module, AdapterChoice(rank=2), Key.of(1))
    halves = {
        name: part for name, part in module.named_modules() if name.endswith(("lora_A.default", "lora_B.default"))
    }
    halves = {name: part for name, part in halves.items() if "global_proj_out" not in name}  # which stays in float32
    seen = set()
    for part in halves.values():
        part.register_forward_hook(lambda _, arguments, out: seen.update({arguments[0].dtype, out.dtype}))
    loss_of(restorer).mean().backward()
    assert seen == {torch.bfloat16}
    gradients = [part.weight.grad for name, part in halves.items() if "lora_B" in name]
    assert all(part.weight.dtype == torch.float32 for part in halves.values())
    assert {gradient.dtype for gradient in gradients if gradient is not None} == {torch.float32}


@pytest.mark.slow
def test_a_run_trains_an_adapter_and_leaves_weights_that_restore(pairs: Path, tmp_path: Path) -> None:
    stages = [stage(freeze=["single_transformer_blocks[:1]"])]
    recipe = written(
        tmp_path / "t.yaml", pairs, backbone=EDITOR, adapter={"rank": 2}, gradient_checkpointing=True, stages=stages
    )
    found = train(recipe, tmp_path / "run")
    assert len(found) == 3
    final = tmp_path / "run/final"
    tensors = load_file(final / "adapter" / adapters.FILE)
    for name, tensor in tensors.items():
        if "lora_B" in name:  # an adapter beside a frozen weight stays at nothing
            assert bool(tensor.any()) != name.startswith("transformer.single_transformer_blocks.0."), name
    begun, trained = Step1XEdit(preset="tiny"), Step1XEdit(checkpoint=final)
    assert trained.network.state_dict().keys() == begun.network.state_dict().keys()
    begun.network.load_lora_adapter(final / "adapter", weight_name=adapters.FILE, prefix="transformer")
    for restorer in (begun, trained):
        restorer.network.eval()
    torch.testing.assert_close(loss_of(trained), loss_of(begun), rtol=1e-4, atol=1e-5)


# What it takes
# ----------------------------------------------------------------------------------------------------------------------


def test_what_only_encodes_leaves_and_comes_back() -> None:
    restorer = editor()
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    pairs, network = Pairs(picture, picture, ("haze",)), restorer.network
    before, encoder = restorer.encode(pairs), restorer.part("text_encoder")
    restorer.release_companions()
    after = restorer.encode(pairs)
    assert restorer.network is network
    assert restorer.part("text_encoder") is not encoder
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    restorer.hold(network, vae=restorer.part("vae"))  # what was given cannot be made again
    held = restorer.part("vae")
    restorer.release_companions()
    assert restorer.part("vae") is held


def test_work_is_that_of_what_is_trained(tmp_path: Path) -> None:
    def work(**changes: Any) -> Work:
        recipe = load_recipe(written(tmp_path / "t.yaml", tmp_path, backbone=EDITOR, **changes)).recipe
        assert isinstance(recipe, TrainingRecipe)
        return work_of(recipe, recipe.stages[0])

    whole = work()
    assert whole.needed == whole.done
    again = work(gradient_checkpointing=True)
    assert again.needed == whole.needed < again.done < 4 / 3 * again.needed
    assert work(stages=[stage(freeze=["single_transformer_blocks[:50%]"])]).needed < whole.needed
    assert 2 / 3 < work(adapter={"rank": 2}).needed / whole.needed < 1


# Over-fitting
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "steps"), [("full", 30), ("frozen", 30), ("lora", 80)])
def test_eight_pairs_are_learnt_by_heart(mode: str, steps: int) -> None:
    """With its noise fixed a tiny network learns eight pairs by heart: gradients reach what is trained, in every mode.
    It says nothing of how well real weights learn.
    """
    restorer = adapted("lora", rank=16) if mode == "lora" else editor()
    module = restorer.trainable().train()
    frozen = restorer.freeze(["single_transformer_blocks[:50%]"]) if mode == "frozen" else []
    if mode == "lora":
        for name, parameter in module.named_parameters():
            parameter.requires_grad_(adapters.is_adapters(name))
    stays = {name: each.detach().clone() for name, each in module.named_parameters() if not each.requires_grad}
    assert len(stays) >= len(frozen)
    assert bool(stays) == (mode != "full")
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    made = optimizer(trained, 1e-2, name="adamw")
    begin = loss_of(restorer).mean().item()
    for step in range(steps):
        loss_of(restorer).mean().backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizers.step(made, step)
    assert loss_of(restorer).mean().item() < begin / 10
    after = dict(module.named_parameters())
    assert all(torch.equal(after[name], tensor) for name, tensor in stays.items())


def test_a_quarter_of_the_published_single_blocks_is_nine() -> None:
    with torch.device("meta"):
        network = sizes.transformer("full", "v1.1")
    names = parameters_named(network, "single_transformer_blocks[:25%]")
    assert len(network.single_transformer_blocks) == 38
    assert {name.split(".")[1] for name in names} == {str(number) for number in range(9)}
    count = sum(network.get_parameter(name).numel() for name in names)
    assert count == sum(each.numel() for block in network.single_transformer_blocks[:9] for each in block.parameters())


# Several processes
# ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_network_shared_out_trains_as_one_and_goes_on_alone(pairs: Path, tmp_path: Path, rrframe_cli: Cli) -> None:
    """Processes on a CPU, over gloo: the four pairs of a step in one process, in four rounds of one, and in two
    processes that hold a half of each weight, with two rounds each. In the midst of a stage averaged weights are
    validated.
    """
    stages = [stage(steps=2), stage(name="two", steps=2, freeze=["encoders[:50%]"])]
    path = written(tmp_path / "t.yaml", pairs, stages=stages, ema=0.5, keep={"every": 2})
    expected = train(path, tmp_path / "one")
    rounds = written(tmp_path / "rounds.yaml", pairs, stages=stages, ema=0.5, keep={"every": 2}, micro_batch=1)
    assert train(rounds, tmp_path / "rounds") == pytest.approx(expected, abs=1e-5)
    halves = ("run", rounds, "--out", "halves", "--set", "parallel=fsdp", "--launch", 2)
    done = rrframe_cli(*halves)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "halves"
    assert losses(folder) == pytest.approx(expected, abs=1e-5)
    for name in ("final/model.safetensors", "best/model.safetensors", "checkpoints/step-0000004/optimizer.safetensors"):
        whole, found = load_file(tmp_path / "one" / name), load_file(folder / name)
        assert whole.keys() == found.keys()
        for key, tensor in whole.items():
            # Adam divides by small gradients, and so makes more of the order of a sum; a step is 1e-3.
            torch.testing.assert_close(found[key], tensor, rtol=0, atol=2e-4)

    shutil.rmtree(folder / "checkpoints/step-0000004")
    assert train(rounds, folder) == pytest.approx(expected, abs=1e-5)  # from where two stood, as one
    assert len(losses(folder)) == 4


@pytest.mark.slow
def test_blocks_are_compiled_where_asked(pairs: Path, tmp_path: Path) -> None:
    """That compiling was asked for: what a compiler makes of it is torch's affair, and takes minutes here."""
    recipe = load_recipe(written(tmp_path / "t.yaml", pairs, backbone=EDITOR, compile=True, stages=[stage(steps=1)]))
    with torch.compiler.set_stance("force_eager"):
        run_training(recipe, tmp_path / "run", Console(quiet=True))
    blocks = recipe.recipe.backbone.network.single_transformer_blocks
    assert all(block._compiled_call_impl is not None for block in blocks)


def test_a_network_without_blocks_to_compute_again_says_so(pairs: Path, tmp_path: Path) -> None:
    with pytest.raises(RRFrameError, match="cannot compute its blocks again"):
        train(written(tmp_path / "t.yaml", pairs, gradient_checkpointing=True), tmp_path / "run")
