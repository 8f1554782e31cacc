"""What a bench ran on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import cv2
import psutil
import torch

from rrframe.run.versions import installed_version


def machine() -> dict[str, str]:
    """Processor, memory, versions and how busy it was; nothing that names the machine or who it belongs to."""
    found = {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "OpenCV": cv2.__version__,
    }
    if torch.cuda.is_available():
        found["GPU"] = torch.cuda.get_device_name()
    for library in ("albumentations", "kornia"):
        version = installed_version(library)
        if version:
            found[library] = version
    found["load before"] = f"{psutil.getloadavg()[0]:.1f} processes"
    return found


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    lines = listed.read_text().splitlines() if listed.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()
