"""The memory that each degradation takes on a picture of 4096 x 4096 pixels.

    python benchmarks/memory.py [NAME ...] [--size 4096] [--draws 2] [--workers 2] [--write docs/performance.md]

Each is applied in a process of its own, settled as a worker is, at full severity, to a sample photograph repeated to
that size; what is told is the most memory that the process ever had (its peak resident size), Python, libraries, the
picture, its cues and its target included. The learned ones run the tiny networks of examples/learned_degradations.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rrframe.manager import get_manager
from rrframe.pages.markdown import filled, read_page, table

MOST = 2_000_000_000  # bytes that a worker may take
WEIGHTS = Path(__file__).parents[1] / "examples" / "learned_degradations"
GRAIN: dict[str, Any] = {"use": "noise/granular"}
SETTINGS: dict[str, dict[str, Any]] = {
    "effect/augment": {"transform": "GaussianBlur"},
    "effect/maybe": {"chain": [GRAIN], "p": 1.0},
    "effect/one_of": {"options": [GRAIN]},
    "effect/region": {"chain": [GRAIN]},
    "effect/repeat": {"chain": [GRAIN]},
    "effect/some_of": {"options": [GRAIN]},
    "lowlight/learned": {"weights": str(WEIGHTS / "darkener.safetensors")},
    "reflection/learned": {"weights": str(WEIGHTS / "mixer.safetensors")},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="by default all degradations and effects")
    parser.add_argument("--size", type=int, default=4096, help="side of the picture, in pixels")
    parser.add_argument("--draws", type=int, default=2, help="how many settings are tried")
    parser.add_argument("--workers", type=int, default=2, help="how many are measured at a time")
    parser.add_argument("--write", type=Path, help="a page whose place for memory is filled")
    parser.add_argument("--this", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.this:
        print(applied(asked.names[0], asked.size, asked.draws))
        return
    # This process imports nothing large before the end: a child begins with the peak of the one that starts it.
    names = asked.names or list(get_manager().table("degradation", "effect"))
    peaks: dict[str, int] = {}
    with ThreadPoolExecutor(asked.workers) as pool:
        for name, peak in zip(names, pool.map(lambda one: of_child(one, asked.size, asked.draws), names), strict=True):
            peaks[name] = peak
            print(f"{name:24} {peak / 2**20:6.0f} MiB", flush=True)
    over = ", ".join(f"`{name}`" for name, peak in peaks.items() if peak > MOST) or "none"
    print(f"Over {MOST / 1e9:g} GB: {over}.")
    if asked.write:
        text = f"{measured_on(asked.size, asked.draws)}\n\n"
        text += table(("component", "peak MiB"), [(f"`{name}`", f"{peak / 2**20:.0f}") for name, peak in peaks.items()])
        text += f"\n\nOver {MOST / 1e9:g} GB: {over}."
        asked.write.write_text(filled(read_page(asked.write), {"memory": text}, asked.write))


def measured_on(size: int, draws: int) -> str:
    """What was measured, and where, in a sentence."""
    from rrframe.run.machine import machine

    found = machine()
    versions = f"Python {found['Python']}, torch {found['torch']}, OpenCV {found['OpenCV']}"
    return (
        f"A picture of {size} x {size} pixels, {draws} settings each at full severity, on {found['processor']} with "
        f"{found['cores']} cores and {found['memory']}; {versions}."
    )


def of_child(name: str, size: int, draws: int) -> int:
    """The peak of a process that applies ``name``, in bytes; one that fails says why and ends the measuring."""
    command = [sys.executable, __file__, name, "--this", "--size", str(size), "--draws", str(draws)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def applied(name: str, size: int, draws: int) -> int:
    """Apply ``name`` here; the peak of this process, in bytes."""
    import numpy as np
    import torch

    import rrframe
    from rrframe import Chain, Cues
    from rrframe.contracts.component import create
    from rrframe.contracts.stand_ins import STAND_INS, stand_in
    from rrframe.contracts.trying import compute_cues, image_key
    from rrframe.contracts.worker import settle_worker
    from rrframe.imaging.layout import to_batch, to_pixels

    settle_worker()
    source = rrframe.load("images/samples")
    photograph = source.read(source.keys()[0]).pixels
    repeats = [-(-size // side) for side in photograph.shape[:2]]
    pixels = np.ascontiguousarray(np.tile(photograph, (*repeats, 1))[:size, :size])
    chain = Chain((create(name, SETTINGS.get(name, {})),))
    with torch.inference_mode():
        maps = {}
        for cue in chain.needs():
            images = to_batch(pixels)
            computed = cue not in STAND_INS
            maps[cue] = getattr(compute_cues([cue], images, ["photograph"]), cue) if computed else stand_in(cue, images)
            del images
        for seed in range(draws):
            draw = chain.draw(image_key(seed), 1.0)
            chain.apply_pixels(pixels, draw, Cues(maps))
            if chain.retargets():
                to_pixels(chain.retarget(to_batch(pixels), [draw], Cues(maps))[0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main()
