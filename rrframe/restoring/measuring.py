"""What a restoration takes: memory at its peak, layers and operations; and how near two images are."""

from __future__ import annotations

import gc
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import torch
from skimage.metrics import structural_similarity
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from rrframe.memory.tracing import repeated_blocks

_SIDE = 8192  # of the matrices that a GPU's best rate is measured with
_PRODUCTS = 30


@dataclass
class Peak:
    """The most bytes at once: of the GPU's memory, or of this process where there is none."""

    bytes: int = 0


@contextmanager
def peak_memory(device: torch.device) -> Iterator[Peak]:
    """Notes the peak between its beginning and its end, what is there before included."""
    peak = Peak()
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        yield peak
        peak.bytes = torch.cuda.max_memory_allocated(device)
        return
    stop, process = threading.Event(), psutil.Process()

    def watch() -> None:
        while not stop.wait(0.02):
            peak.bytes = max(peak.bytes, process.memory_info().rss)

    peak.bytes = process.memory_info().rss
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        stop.set()
        thread.join()
        peak.bytes = max(peak.bytes, process.memory_info().rss)


def seconds_of(run: Callable[[], Any], device: torch.device) -> float:
    """How long ``run`` takes, with all that it leaves the device to do."""
    _wait(device)
    began = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - began


@dataclass(frozen=True)
class Work:
    """What was computed.

    Args:
        layers: Calls of the layers in the blocks that the network repeats.
        operations: Multiplications and additions of all networks, as torch counts them; kernels that are not torch's
            own are left out.
    """

    layers: int
    operations: int


def work_of(network: nn.Module, run: Callable[[], Any]) -> Work:
    """The work of ``run``, nothing of it compiled.

    Layers are counted, not blocks: a cache lies within a block, which is called all the same.
    """
    blocks = repeated_blocks(network) or [network]
    layers = {layer for block in blocks for layer in block.modules() if _is_layer(layer)}
    calls = 0

    def called(*_: Any) -> None:
        nonlocal calls
        calls += 1

    handles = [layer.register_forward_pre_hook(called) for layer in layers]
    try:
        with torch.compiler.set_stance("force_eager"), FlopCounterMode(display=False) as counted:
            run()
    finally:
        for handle in handles:
            handle.remove()
    return Work(calls, int(counted.get_total_flops()))


def best_rate(device: torch.device) -> float:
    """Operations a second of products of large bfloat16 matrices: what a GPU can do."""
    one, other = (torch.randn(_SIDE, _SIDE, device=device, dtype=torch.bfloat16) for _ in range(2))
    spent = min(seconds_of(lambda: [one @ other for _ in range(_PRODUCTS)], device) for _ in range(3))
    return 2 * _SIDE**3 * _PRODUCTS / spent


@dataclass(frozen=True)
class Likeness:
    """How near an image is to the exact one.

    Args:
        psnr: In dB, over all channels; infinite where both are the same.
        ssim: The mean over the channels, with the Gaussian window of 1.5 pixels of Wang et al. 2004.
    """

    psnr: float = math.inf
    ssim: float = 1.0


def likeness(image: torch.Tensor, exact: torch.Tensor) -> Likeness:
    """Of two ``[1, 3, H, W]`` images of encoded sRGB in [0, 1], at least 11 pixels a side."""
    if torch.equal(image, exact):
        return Likeness()
    one, other = (each[0].movedim(0, -1).double().clamp(0, 1).cpu().numpy() for each in (image, exact))
    error = float(((one - other) ** 2).mean())
    window: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    similar = structural_similarity(one, other, data_range=1.0, channel_axis=-1, **window)  # type: ignore[no-untyped-call]
    return Likeness(-10 * math.log10(error) if error else math.inf, float(similar))


def _is_layer(module: nn.Module) -> bool:
    return next(module.children(), None) is None and next(module.parameters(), None) is not None


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
