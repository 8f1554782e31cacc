"""Fails if anything that rrframe consists of would be imported from the checkout given as the argument."""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from pathlib import Path

checkout = Path(sys.argv[1]).resolve()
names = {"rrframe", "rrframe_recipes", "rrframe_registry"}
names |= {point.module for point in importlib.metadata.entry_points(group="rrframe")}
for name in sorted(names):
    place = Path(importlib.import_module(name).__file__ or "").resolve()
    if checkout in place.parents:
        sys.exit(f"{name} was imported from the checkout: {place}")
print(f"{len(names)} packages, all from {sys.prefix}")
