"""Every component in the tree obeys the laws of its kind."""

from __future__ import annotations

import tempfile
from pathlib import Path

from networks import save_darkener

from rrframe.testing import conformance

_FOLDER = tempfile.TemporaryDirectory(prefix="rrframe-weights-")  # removed when the process ends
_DARKENER = save_darkener(Path(_FOLDER.name) / "darkener.safetensors")

test_conformance = conformance("rrframe", ("lowlight/learned", {"weights": str(_DARKENER)}))
