"""Watches what a component touches besides its arguments: cues, global generators, settings of the process."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch

from rrframe.contracts.cue import Cues

_CV2_SEED = 7_654_321  # one that nobody sets by chance


class WatchedCues(Cues):
    """Cues that remember which of them were read."""

    def __init__(self, cues: Cues) -> None:
        super().__init__(cues._maps)
        self._read: set[str] = set()

    def __getattr__(self, name: str) -> torch.Tensor:
        if not name.startswith("_"):
            self._read.add(name)
        return super().__getattr__(name)

    def read(self) -> set[str]:
        """The names of the cues that were asked for."""
        return set(self._read)


def global_state() -> dict[str, Any]:
    """What the process has of randomness and settings, in a form that compares equal when nothing moved."""
    generator = np.random.get_state(legacy=False)
    return {
        "the generator of the module random": random.getstate(),
        "numpy's global generator": repr((generator["bit_generator"], generator["state"]["pos"]))
        + generator["state"]["key"].tobytes().hex(),
        "torch's global generator": torch.get_rng_state().numpy().tobytes(),
        "torch's default dtype": torch.get_default_dtype(),
        "torch's number of threads": torch.get_num_threads(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "OpenCV's number of threads": cv2.getNumThreads(),
        "numpy's handling of floating-point errors": np.geterr(),
    }


def moved_by(action: Callable[[], Any]) -> list[str]:
    """The parts of the process's state that ``action`` changed, in words."""
    cv2.setRNGSeed(_CV2_SEED)
    before = global_state()
    action()
    after = global_state()
    moved = [what for what in before if before[what] != after[what]]
    # OpenCV's generator cannot be read, only drawn from.
    if not np.array_equal(_cv2_numbers(), _cv2_numbers(_CV2_SEED)):
        moved.append("OpenCV's global generator")
    return moved


@contextmanager
def other_global_seeds(seed: int) -> Iterator[None]:
    """Runs the body with every global generator seeded by ``seed``, and puts them back."""
    python, numpy, pytorch = random.getstate(), np.random.get_state(), torch.get_rng_state()
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    cv2.setRNGSeed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        torch.set_rng_state(pytorch)


@contextmanager
def generators_made() -> Iterator[list[str]]:
    """Collects the kinds of generator that the body makes, whether through ``draw.rng`` or on its own."""
    made: list[str] = []

    def recording(original: type, name: str) -> type:  # a class still: code tests isinstance
        def new(cls: type, *arguments: Any, **settings: Any) -> Any:
            made.append(name)
            return original.__new__(cls, *arguments, **settings)

        return type(original.__name__, (original,), {"__new__": new})

    def default_rng(*arguments: Any, original: Any = np.random.default_rng) -> Any:
        made.append("numpy.random.default_rng")
        return original(*arguments)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(np.random, "default_rng", default_rng))
        bits = [(np.random, name) for name in ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")]
        for module, name in ((torch, "Generator"), (np.random, "RandomState"), (random, "Random"), *bits):
            replacement = recording(getattr(module, name), f"{module.__name__}.{name}")
            stack.enter_context(mock.patch.object(module, name, replacement))
        yield made


def _cv2_numbers(seed: int | None = None) -> np.ndarray:
    if seed is not None:
        cv2.setRNGSeed(seed)
    return np.asarray(cv2.randu(np.zeros((1, 8), np.int32), np.array([0]), np.array([2**30])))
