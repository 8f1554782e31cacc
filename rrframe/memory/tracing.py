"""What a computation allocates, found on the meta device, where tensors have shapes and no content."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


@dataclass(frozen=True)
class Kept:
    """What a forward pass keeps for the backward pass, in bytes.

    Args:
        all: Everything, weights aside.
        checkpointed: What is left if each repeated block keeps its inputs alone and is computed again when its turn
            comes: those inputs, all that is kept outside blocks, and the largest block once.
    """

    all: int
    checkpointed: int


def kept_for_backward(network: nn.Module, run: Callable[[], torch.Tensor]) -> Kept:
    """What ``run``, which calls ``network``, keeps.

    Args:
        network: On the meta device.
        run: Gives what would be differentiated.
    """
    weights = {tensor.untyped_storage()._cdata for tensor in [*network.parameters(), *network.buffers()]}
    seen: dict[int, tuple[torch.UntypedStorage, int]] = {}
    of_block: Counter[int] = Counter()
    inputs: dict[int, tuple[torch.UntypedStorage, int]] = {}
    now: list[int] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in weights and key not in seen:
            seen[key] = (storage, storage.nbytes())  # held, so that no other takes its address
            of_block[now[-1] if now else -1] += storage.nbytes()
        return tensor

    def entered(block: nn.Module, arguments: Any, keywords: Any) -> None:
        now.append(id(block))
        for tensor in _tensors((arguments, keywords)):
            storage = tensor.untyped_storage()
            inputs[storage._cdata] = (storage, storage.nbytes())

    blocks = repeated_blocks(network)
    handles = [block.register_forward_pre_hook(entered, with_kwargs=True) for block in blocks]
    handles += [block.register_forward_hook(lambda *_: now.pop() and None) for block in blocks]
    try:
        with _Attention(), torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), torch.enable_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()
    outside = of_block.pop(-1, 0)
    largest = max(of_block.values(), default=0)
    all_kept = outside + sum(of_block.values())
    boundaries = sum(size for _, size in inputs.values())
    return Kept(all_kept, min(all_kept, outside + boundaries + largest))


def peak_of(run: Callable[[], Any]) -> int:
    """The most bytes that are alive at once of what ``run`` allocates, nothing being kept for a backward pass."""
    with torch.no_grad(), _Attention(), _Live() as live:
        run()
    return int(live.peak)


def repeated_blocks(network: nn.Module) -> Sequence[nn.Module]:
    """The blocks that a network repeats: the outermost members of its lists whose class is there more than once."""
    members = [
        (f"{parent}.{key}", child)
        for parent, module in network.named_modules()
        if isinstance(module, (nn.ModuleList, nn.Sequential))
        for key, child in module.named_children()
        if not isinstance(child, (nn.ModuleList, nn.Sequential)) and next(child.children(), None) is not None
    ]
    counts = Counter(type(child) for _, child in members)
    blocks: dict[str, nn.Module] = {}
    for name, child in members:  # parents come before their children
        if counts[type(child)] > 1 and not any(name.startswith(f"{outer}.") for outer in blocks):
            blocks[name] = child
    return list(blocks.values())


def _tensors(nested: Any) -> Iterator[torch.Tensor]:
    if isinstance(nested, torch.Tensor):
        yield nested
    elif isinstance(nested, dict):
        yield from _tensors(list(nested.values()))
    elif isinstance(nested, (list, tuple)):
        for each in nested:
            yield from _tensors(each)


class _Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the storages that are made inside and still alive."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {tensor.untyped_storage()._cdata for tensor in _tensors((args, kwargs or {}))}
        result = func(*args, **(kwargs or {}))
        for tensor in _tensors(result):
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in before and key not in self._known:
                self._known.add(key)
                self._now += storage.nbytes()
                weakref.finalize(storage, self._gone, key, storage.nbytes())
        self.peak = max(self.peak, self._now)
        return result

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


class _Attention(TorchFunctionMode):
    """Attention as the fused kernels of a GPU do it, which never hold the table of every token against every other."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is not F.scaled_dot_product_attention:
            return func(*args, **kwargs)
        named = dict(zip(("query", "key", "value"), args, strict=False)) | kwargs
        return _Fused.apply(named["query"], named["key"], named["value"])  # type: ignore[no-untyped-call]


class _Fused(torch.autograd.Function):
    """Keeps what flash attention keeps: its inputs and its output."""

    @staticmethod
    def forward(ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        result = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.save_for_backward(query, key, value, result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(torch.empty_like(tensor) for tensor in ctx.saved_tensors[:3])


@contextmanager
def on_meta() -> Iterator[None]:
    """What is made inside has no content, and takes no memory."""
    with torch.device("meta"), torch.inference_mode(False):
        yield
