"""The process of a worker."""

from __future__ import annotations

import platform
import resource

import numpy as np
import pytest

from rrframe.contracts.worker import keep_freed_memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="asks a C library that is not here")
def test_a_worker_uses_memory_again_that_it_freed() -> None:
    keep_freed_memory()

    def faults() -> int:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(20):
            two = [np.ones(3 << 20, np.float32) for _ in range(2)]
            del two
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    faults()
    assert faults() < 3000  # 6,000 for a single pass over 24 MiB in pages of 4 KiB
