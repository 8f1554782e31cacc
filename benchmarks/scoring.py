"""How long 1,000 pairs of 512 x 512 take to score by PSNR, SSIM and the nine severity estimators.

    python benchmarks/scoring.py [--pairs 1000] [--workers 2]

The pairs are fifty different crops of the sample photographs with noise, each under many names: every one is read,
decoded and scored.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml
from PIL import Image
from rich.console import Console

import rrframe
from rrframe.evaluation.run import run_evaluation
from rrframe.recipe import load_recipe

DIFFERENT, SIDE = 50, 512
CATEGORIES = ("blur", "compression", "flare", "haze", "lowlight", "moire", "noise", "rain", "reflection")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_pairs(folder / "images", asked.pairs)
        written = {
            "kind": "evaluation",
            "benchmark": {"folder": str(folder / "images"), "layout": {"noise": {"degraded": "lq", "clean": "gt"}}},
            "restorers": {"nothing": {"identity": True}},
            "metrics": [
                {"use": name} for name in ("metric/psnr", "metric/ssim", *map("severity/{}".format, CATEGORIES))
            ],
            "engine": {"use": "engine/local", "params": {"workers": asked.workers}},
        }
        (folder / "scoring.yaml").write_text(yaml.safe_dump(written))
        began = time.monotonic()
        summary = run_evaluation(load_recipe(folder / "scoring.yaml"), folder / "run", Console())
        seconds = time.monotonic() - began
    rows = len(summary.results.rows)
    print(
        f"{rows} pairs of {SIDE} x {SIDE}, {len(written['metrics'])} scores each, with intervals, tables and the page:"
    )
    print(f"{seconds:.0f} s by the clock, {1000 * seconds / rows:.0f} ms a pair, with {asked.workers} workers")
    print(f"load of the machine: {os.getloadavg()[0]:.1f} processes on {os.cpu_count()} processors")


def write_pairs(folder: Path, count: int) -> None:
    """``count`` pairs under ``lq`` and ``gt``, of which fifty are different."""
    source = rrframe.load("images/samples")
    pictures = [source.read(key).pixels for key in sorted(source.keys())]
    pictures = [pixels for pixels in pictures if min(pixels.shape[:2]) >= SIDE // 2]
    generator = np.random.default_rng(0)
    for side in ("lq", "gt"):
        (folder / side).mkdir(parents=True)
    for number in range(min(count, DIFFERENT)):
        pixels = np.pad(pictures[number % len(pictures)], [(0, SIDE), (0, SIDE), (0, 0)], mode="reflect")
        top, left = (int(generator.integers(0, length - SIDE + 1)) for length in pixels.shape[:2])
        clean = pixels[top : top + SIDE, left : left + SIDE].astype(np.uint8)
        noisy = np.clip(clean + generator.normal(0, 15, clean.shape), 0, 255).astype(np.uint8)
        for side, one in (("lq", noisy), ("gt", clean)):
            Image.fromarray(one).save(folder / side / f"{number:05d}.png", compress_level=1)
    for number in range(DIFFERENT, count):
        for side in ("lq", "gt"):
            os.link(folder / side / f"{number % DIFFERENT:05d}.png", folder / side / f"{number:05d}.png")


if __name__ == "__main__":
    main()
