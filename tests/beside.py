"""Python with what lies in ``.venv/beside``: torchvision, and what needs it.

torchvision is not among the other packages, since all that finds it imports it, and a torchvision built for CUDA cannot
be imported beside a torch built for CPUs: its operators are missing. Here they are declared, and none is ever called.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(sys.prefix) / "beside"
_OPERATORS = """
import torch

_library = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _library.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def run_beside(code: str, *, cwd: Path) -> Any:
    """Run ``code`` in a process of its own, and give what it prints last, a line of JSON.

    Raises:
        AssertionError: The folder is not there, or the code fails.
    """
    assert FOLDER.is_dir(), f"{FOLDER} is not there; make it with: make .venv/ready-to-develop"
    path = os.pathsep.join([str(FOLDER), str(Path(__file__).parent)])
    done = subprocess.run(
        [sys.executable, "-c", _OPERATORS + code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])
