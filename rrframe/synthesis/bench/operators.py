"""How long each component takes: one image at a time on one core, and in batches on a device."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from rrframe.contracts.chain import Chain
from rrframe.contracts.component import create
from rrframe.contracts.cue import Cue, Cues
from rrframe.contracts.degradation import Degradation
from rrframe.contracts.draw import Draw
from rrframe.contracts.filter import Filter
from rrframe.contracts.stand_ins import STAND_INS, stand_in
from rrframe.contracts.trying import compute_cues, image_key
from rrframe.errors import RRFrameErrors
from rrframe.imaging.layout import joined, to_batch
from rrframe.manager import get_manager
from rrframe.synthesis.bench.timing import Times, seconds

_ROUNDS = 3


@dataclass(frozen=True)
class Batches:
    """Operators on batches: images a second, and how far their images are from those made one by one."""

    device: str
    size: int
    rates: dict[str, float]
    differences: dict[str, float]


def components(pixels: np.ndarray, draws: int = 20) -> dict[str, Times]:
    """Each degradation with so many draws of its own distributions and as many at full severity, each cue and filter as
    it is: the mean is of the former, the worst of all.

    All are gone through several times, and the fastest time of each setting counts: whatever slows the machine for some
    minutes slows no component in all of them.
    """
    rounds = [dict(_once_each(pixels, draws)) for _ in range(_ROUNDS)]
    fastest = {name: np.min([each[name] for each in rounds], axis=0) * 1000 for name in rounds[0]}
    return {name: Times(float(times[0].mean()), float(times.max())) for name, times in fastest.items()}


def _once_each(pixels: np.ndarray, draws: int) -> Iterator[tuple[str, np.ndarray]]:
    """Seconds, ``[1, N]``, or for a degradation ``[2, N]``: first with its own draws, then with severe ones."""
    images = to_batch(pixels)
    turned = np.ascontiguousarray(pixels[::-1])
    for name, component in _created("degradation", "cue", "filter"):
        if isinstance(component, Degradation):
            yield name, _degrading(component, pixels, draws)
        elif isinstance(component, Cue):
            yield name, np.array([seconds([partial(component.compute, images, ["photograph"])] * 3)])
        elif isinstance(component, Filter):
            screens = "screen" in component.stages()
            call = partial(component.screen, pixels) if screens else partial(component.verify, pixels, turned)
            yield name, np.array([seconds([call] * 3)])


def batches(pixels: np.ndarray, device: str, size: int, least: float = 0.5) -> Batches:
    """Each degradation on a batch of ``size`` images that are copies of ``pixels``, every one with its own draw.

    A batch is timed until ``least`` seconds have passed, and three times at least; drawing settings is not counted.
    """
    single = to_batch(pixels).to(device)
    rates, differences = {}, {}
    with torch.inference_mode():
        images = single.expand(size, -1, -1, -1).contiguous(memory_format=torch.channels_last)
        for name, component in _created("degradation"):
            chain = Chain((component,))
            draws = [chain.draw(image_key(seed)) for seed in range(size)]
            cues, single_cues = _cues(chain, images), _cues(chain, single)
            done = chain.apply(images, draws, cues)
            alone = joined([chain.apply(single, [draw], single_cues) for draw in draws[:4]])
            differences[name] = float((done[:4] - alone).abs().max())
            rates[name] = size / _fastest(chain, images, draws, cues, least)
    return Batches(device, size, rates, differences)


def _fastest(chain: Chain, images: torch.Tensor, draws: Sequence[Draw], cues: Cues, least: float) -> float:
    times: list[float] = []
    while len(times) < 3 or sum(times) < least:
        _wait(images.device)
        began = time.perf_counter()
        chain.apply(images, draws, cues)
        _wait(images.device)
        times.append(time.perf_counter() - began)
    return min(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _created(*kinds: str) -> Iterator[tuple[str, object]]:
    for entry in get_manager().table(*kinds).values():
        try:
            yield entry.spec.name, create(entry.spec.name)
        except RRFrameErrors:  # it needs something of the user's, such as a file of weights
            continue


def _degrading(component: Degradation, pixels: np.ndarray, count: int) -> np.ndarray:
    """A picture of eight bits in, one of eight bits out, as in a run."""
    chain = Chain((component,))
    cues = _cues(chain, to_batch(pixels))
    kinds = [[chain.draw(image_key(seed), severity) for seed in range(count)] for severity in (None, 1.0)]
    with torch.inference_mode():
        return np.array([seconds([partial(chain.apply_pixels, pixels, one, cues) for one in each]) for each in kinds])


def _cues(chain: Chain, images: torch.Tensor) -> Cues:
    needed = chain.needs()
    keys = ["photograph"] * len(images)
    maps = {name: stand_in(name, images) for name in needed & STAND_INS.keys()}
    computed = {name: getattr(compute_cues([name], images, keys), name) for name in needed - maps.keys()}
    return Cues(maps | computed)
