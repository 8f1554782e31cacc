"""What makes a backbone faster or smaller while it restores, at a price that a bench tells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Accelerator:
    """Params that make a backbone faster or smaller while it restores.

    Args:
        params: What it changes. Mappings are merged into those that are there.
        skips: It means to leave out part of the work, so that one that leaves out nothing is worth telling.
    """

    params: Mapping[str, Any]
    skips: bool = False
