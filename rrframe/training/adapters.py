"""Low-rank adapters beside the weights of a network, through peft."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from rrframe.contracts.freezing import parameters_named
from rrframe.errors import RRFrameError
from rrframe.recipe.modes import AdapterChoice
from rrframe.rng import Key

FILE = "pytorch_lora_weights.safetensors"
"""What pipelines of diffusers look for."""
_PREFIX = "transformer."  # and what they expect its keys to begin with
_NAME = "default"
_METADATA = "lora_adapter_metadata"


def add_adapter(module: nn.Module, choice: AdapterChoice, key: Key) -> None:
    """Put an adapter beside the weights of ``module``, stored in float32. It changes nothing yet.

    Args:
        module: Its own weights stay.
        choice: What is wanted.
        key: Names its random half; the other one begins at zero.

    Raises:
        RRFrameError: No layer can have one, or peft is not installed.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ModuleNotFoundError:
        raise RRFrameError("adapters need peft", hint="pip install 'rrframe[training]'") from None
    config = LoraConfig(
        r=choice.rank,
        lora_alpha=choice.rank if choice.alpha is None else choice.alpha,  # type: ignore[arg-type]
        target_modules=layers(module, choice),
        use_dora=choice.kind == "dora",
    )
    # Made where the weights are: peft would make it on the CPU and move it, but not to the meta device.
    with torch.random.fork_rng(devices=[]), next(module.parameters()).device:
        torch.manual_seed(key.seed)
        inject_adapter_in_model(config, module, _NAME)
    for name, parameter in module.named_parameters():
        if is_adapters(name):
            parameter.data = parameter.data.float()
    if choice.kind == "lora":
        _compute_as_wide_as_the_input(module)


def _compute_as_wide_as_the_input(module: nn.Module) -> None:
    """Let the adapters of linear layers compute in the type of what comes in, whatever they are stored in.

    peft would widen what comes in to float32 and multiply there, which beside weights in bfloat16 takes a GPU longer
    than the layers themselves.
    """
    from peft.tuners.lora import Linear

    for layer in module.modules():
        if isinstance(layer, Linear):
            layer.cast_input_dtype_enabled = False
            for half in (layer.lora_A[_NAME], layer.lora_B[_NAME]):
                half.__class__ = _Narrowed


class _Narrowed(nn.Linear):
    """A linear layer that computes in the type of what comes in."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # its name in torch
        return functional.linear(input, self.weight.to(input.dtype))


def layers(module: nn.Module, choice: AdapterChoice) -> list[str]:
    """The names of the layers of ``module`` that get an adapter.

    Raises:
        RRFrameError: There is none, or a pattern means none.
    """
    able = [name for name, layer in module.named_modules() if _can_have_one(layer, choice)]
    if not choice.targets:
        return able
    meant: set[str] = set()
    for pattern in choice.targets:
        named = {name.rpartition(".")[0] for name in parameters_named(module, pattern)}
        if not named.intersection(able):
            raise RRFrameError(f"{pattern!r} means no layer that can have an adapter", path="adapter.targets")
        meant |= named
    return [name for name in able if name in meant]


def _can_have_one(layer: nn.Module, choice: AdapterChoice) -> bool:
    if not (isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)):
        return False
    # DoRA divides each output's weights by their length.
    return choice.kind == "lora" or bool(layer.weight.detach().flatten(1).norm(dim=1).all())


def is_adapters(name: str) -> bool:
    """Whether the parameter ``name`` is an adapter's."""
    return ".lora_" in name


def own_name(name: str) -> str:
    """The name that the parameter ``name`` had before there were adapters: for an adapter's, the name of the weight it
    stands beside.
    """
    layer, adapters, _ = name.partition(".lora_")
    return f"{layer}.weight" if adapters else name.replace(".base_layer.", ".")


def adapter_tensors(module: nn.Module) -> dict[str, torch.Tensor]:
    """The adapter's own tensors, by the names that peft and diffusers have for them."""
    from peft import get_peft_model_state_dict

    found: dict[str, torch.Tensor] = get_peft_model_state_dict(module, adapter_name=_NAME, save_embedding_layers=False)
    return found


def write_adapter(module: nn.Module, folder: Path) -> None:
    """Write the adapter of ``module`` to ``folder``, such that diffusers loads it."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {_PREFIX + name: tensor.detach().cpu().contiguous() for name, tensor in adapter_tensors(module).items()}
    told = {_PREFIX + name: value for name, value in _plain(module.peft_config[_NAME].to_dict())}  # type: ignore[index,union-attr]
    save_file(tensors, folder / FILE, {"format": "pt", _METADATA: json.dumps(told, sort_keys=True)})


def read_adapter(module: nn.Module, folder: Path) -> None:
    """Take what ``write_adapter`` wrote.

    Raises:
        RRFrameError: It is another network's.
    """
    given = {name.removeprefix(_PREFIX): tensor for name, tensor in load_file(folder / FILE).items()}
    own = adapter_tensors(module)
    if given.keys() != own.keys():
        raise RRFrameError(f"{folder / FILE} is an adapter for other layers")
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(given[name])


def merged(module: nn.Module) -> dict[str, torch.Tensor]:
    """All tensors of ``module`` as they would be without an adapter, its change added to copies of them."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    tensors = {own_name(name): tensor for name, tensor in module.state_dict().items() if not is_adapters(name)}
    for name, layer in module.named_modules():
        if isinstance(layer, BaseTunerLayer):
            weight: Any = layer.get_base_layer().weight
            kept = weight.detach().clone()
            layer.merge()
            tensors[f"{name}.weight"] = weight.detach().clone()
            weight.data.copy_(kept)  # taking the change off again would not give the same bits
            layer.merged_adapters.clear()
    return tensors


def _plain(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """What JSON can hold of a configuration."""
    for name, value in config.items():
        yield name, sorted(value) if isinstance(value, set) else value
