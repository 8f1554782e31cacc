"""Another process, started once and kept: importing torch takes seconds, and a check asks only for bytes."""

from __future__ import annotations

import functools
import multiprocessing
import pickle
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

from rrframe.contracts.worker import settle_worker
from rrframe.testing.calls import Call, digest
from rrframe.testing.checks import Broken


def digests_elsewhere(groups: Sequence[Sequence[Call]]) -> list[list[str]]:
    """``digest`` of what each call of each group gives in a process that shares nothing with this one but the code.

    Raises:
        Broken: The process died of them.
    """
    try:
        # Pickled here: handed over as they are, tensors would travel as shared memory.
        return _other_process().submit(_digests, pickle.dumps(groups)).result()
    except BrokenProcessPool:
        _other_process.cache_clear()
        raise Broken("the other process died of it") from None


@functools.cache
def _other_process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=settle_worker)


def _digests(payload: bytes) -> list[list[str]]:
    return [[digest(call.run()) for call in group] for group in pickle.loads(payload)]
