"""Graphics cards by the memory on their box."""

from __future__ import annotations

import re
from typing import NamedTuple

from rrframe.errors import RRFrameError

GIB = 2**30


class Gpu(NamedTuple):
    """A size of card, in GB as the box says (which is GiB, nearly), and some that have it."""

    size: int
    examples: str

    @property
    def bytes(self) -> int:
        """What a program can have: a card keeps about half a GiB in forty for itself."""
        return int(self.size * GIB * 0.9875)

    def __str__(self) -> str:
        return f"{self.size} GB ({self.examples})"


GPUS = (
    Gpu(8, "RTX 3070, RTX 4060"),
    Gpu(12, "RTX 3060, RTX 4070"),
    Gpu(16, "RTX 4080, T4"),
    Gpu(24, "RTX 3090, RTX 4090, A10"),
    Gpu(32, "RTX 5090"),
    Gpu(40, "A100 40 GB"),
    Gpu(48, "A6000, L40S"),
    Gpu(80, "A100 80 GB, H100"),
    Gpu(141, "H200"),
)

# Dense products in bfloat16, as the makers' data sheets have them, by a part of the name that the driver gives.
_PEAKS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100 NVL": 835e12,
    "H100": 989e12,
    "H800": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "A6000": 155e12,
    "RTX 4090": 165e12,
    "RTX 3090": 71e12,
}


def stated_peak(name: str) -> float | None:
    """The operations a second in bfloat16 that the card called ``name`` is said to do; ``None`` if it is not known."""
    return next((peak for part, peak in _PEAKS.items() if part in name), None)


def find_gpu(text: str) -> Gpu:
    """The card that ``text`` tells of: ``"H100 80GB"``, ``"24 GB"``, ``"RTX 4090"``.

    Raises:
        RRFrameError: It tells of no size, and is no card of the table.
    """
    if size := re.search(r"(\d+)\s*(GB|GiB|G)\b", text, re.IGNORECASE):
        return Gpu(int(size[1]), text[: size.start()].strip() or "a card of yours")
    wanted = re.sub(r"\W", "", text).lower()
    for gpu in GPUS:
        if any(wanted == re.sub(r"\W", "", name).lower() for name in gpu.examples.split(", ")):
            return Gpu(gpu.size, text)
    raise RRFrameError(f"no card is known as {text!r}", hint='say how much memory it has: --gpu "24 GB"')


def smallest_for(needed: int) -> Gpu | None:
    """The smallest card of the table with so many bytes; ``None`` if it takes more than one card."""
    return next((gpu for gpu in GPUS if gpu.bytes >= needed), None)
