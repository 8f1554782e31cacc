"""Do two stages and mixing help? The four ablations, three seeds each, on a CPU.

    python benchmarks/two_stages.py --write docs/experiments/two-stages.md

Every part is a command that anyone can give: `rrframe run` makes the pairs and trains each network. What is finished is
not run again, so that it can be stopped and go on. Then the last weights of each, not the best, so that nothing is
chosen by what it is scored on, restore the held-out pairs of the second set.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rrframe.evaluation.statistics import interval
from rrframe.pages.plots import Curve
from rrframe.pairs.files import write_whole
from rrframe.run.machine import machine

ABLATIONS = {
    "transfer-only": ("synthetic", "synthetic"),
    "real-only": ("stand-in", "stand-in"),
    "unmixed": ("synthetic", "stand-in"),
    "mixed": ("synthetic", "2 : 8"),
}
TASKS = ("compression", "haze", "noise")
VARIANTS = 8  # pairs of each photograph, in each set
SIDE = 256  # of what is scored, cut from the middle
SECOND = "stand-in"

Scores = list[dict[str, Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/two-stages"), help="where pairs and runs lie")
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3], help="of the runs")
    parser.add_argument("--write", type=Path, help="the page")
    options = parser.parse_args()
    make_pairs(options.out)
    runs = {(name, seed): trained(options.out, name, seed) for seed in options.seeds for name in ABLATIONS}
    scores = {key: scored(folder) for key, folder in runs.items()}
    page = written(scores, runs, options.seeds)
    print(page)
    if options.write:
        options.write.parent.mkdir(parents=True, exist_ok=True)
        write_whole(options.write, page)
        write_whole(options.write.with_suffix(".svg"), drawn(runs, options.seeds))


# Runs
# ----------------------------------------------------------------------------------------------------------------------


def make_pairs(out: Path) -> None:
    for recipe, name in (("quickstart", "synthetic"), ("synthesis/stand-in", SECOND)):
        run(recipe, out / name, f"variants={VARIANTS}")


def trained(out: Path, name: str, seed: int) -> Path:
    """The folder of a finished run."""
    folder = out / f"{name}-{seed}"
    run(
        f"training/ablation/{name}",
        folder,
        f"seed={seed}",
        f"data.synthetic.params.path={out / 'synthetic'}",
        f"data.stand-in.params.path={out / SECOND}",
    )
    return folder


def run(recipe: str, folder: Path, *settings: str) -> None:
    told = folder / "run.json"
    if told.exists() and json.loads(told.read_text())["status"] == "finished":
        return
    changes = [word for setting in settings for word in ("--set", setting)]
    command = [sys.executable, "-m", "rrframe", "run", recipe, "--out", str(folder), *changes]
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


def scored(folder: Path) -> Scores:
    """PSNR of each held-out pair of the second set, degraded and restored by the run's last weights."""
    kept = folder / "scores.json"
    if not kept.exists():
        kept.write_text(json.dumps(list(_scored(folder)), indent=1))
    found: Scores = json.loads(kept.read_text())
    return found


def _scored(folder: Path) -> Iterator[dict[str, Any]]:
    import torch

    import rrframe
    from rrframe.recipe import load_recipe
    from rrframe.training.data import TrainingData
    from rrframe.training.validation import psnr

    torch.set_num_threads(1)
    data = TrainingData(load_recipe(folder / "recipe.resolved.yaml").recipe)
    network: Any = rrframe.load("backbone/nafnet", checkpoint=str(folder / "final"))
    for number, (source, index) in enumerate(data.held_out):
        if source != SECOND:
            continue
        example = data.held_out_example(number, (SIDE, SIDE))
        with torch.inference_mode():
            restored = network.restore(example.degraded, example.cell.task)
        yield {
            "picture": data.picture_of(source, index),
            "key": example.key,
            "task": example.cell.task,
            "degraded": psnr(example.degraded, example.clean),
            "restored": psnr(restored, example.clean),
        }


# What came out
# ----------------------------------------------------------------------------------------------------------------------


def gain(scores: Scores, task: str | None = None) -> float:
    """The mean gain in dB over pairs, tasks alike."""
    by_task = {each: [row["restored"] - row["degraded"] for row in scores if row["task"] == each] for each in TASKS}
    means = {each: statistics.mean(gains) for each, gains in by_task.items() if gains}
    return means.get(task, math.nan) if task else statistics.mean(means.values())


def written(
    scores: Mapping[tuple[str, int], Scores], runs: Mapping[tuple[str, int], Path], seeds: Sequence[int]
) -> str:
    columns = ["ablation", "first stage", "second stage", *TASKS, "all"]
    rows = [
        [
            f"`{name}`",
            *ABLATIONS[name],
            *(_spread([gain(scores[name, seed], task) for seed in seeds]) for task in (*TASKS, None)),
        ]
        for name in ABLATIONS
    ]
    pairs = [len(scores["mixed", seed]) for seed in seeds]
    held_out = sorted({row["picture"] for seed in seeds for row in scores["mixed", seed]})
    minutes = sum(_seconds(folder) for folder in runs.values()) / 60
    facts = json.loads((runs["mixed", seeds[0]] / "run.json").read_text())
    others = [name for name in ABLATIONS if name != "mixed"]
    differences = [["mixed", name, *_difference(scores, "mixed", name, seeds)] for name in others]
    differences.append(["unmixed", "real-only", *_difference(scores, "unmixed", "real-only", seeds)])
    differences.append(["unmixed", "transfer-only", *_difference(scores, "unmixed", "transfer-only", seeds)])
    known = machine()
    clear = [f"`{row[0]}` over `{row[1]}`, {row[2]} dB" for row in differences if row[4]]
    return PAGE.format(
        clear="; ".join(clear) or "none",
        gains=_table(columns, rows),
        differences=_table(["", "over", "dB", "95 % interval"], [row[:4] for row in differences]),
        pairs=" + ".join(map(str, pairs)),
        pictures=len(held_out),
        comparisons=len(differences),
        names=", ".join(held_out),
        seeds=", ".join(map(str, seeds)),
        minutes=f"{minutes:.0f}",
        machine=f"{known['processor']}, {known['cores']} cores, shared with other work",
        versions=", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
    )


def _difference(scores: Mapping[tuple[str, int], Scores], one: str, other: str, seeds: Sequence[int]) -> list[str]:
    """The mean difference over pairs, and its interval, all pairs of a photograph going together."""
    values, clusters = [], []
    for seed in seeds:
        theirs = {row["key"]: row["restored"] for row in scores[other, seed]}
        for row in scores[one, seed]:
            values.append(row["restored"] - theirs[row["key"]])
            clusters.append(row["picture"])
    found = interval(values, clusters=clusters)
    assert found.low is not None
    assert found.high is not None
    return [
        f"{found.value:+.2f}",
        f"{found.low:+.2f} to {found.high:+.2f}",
        "" if found.low <= 0 <= found.high else "*",
    ]


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):+.2f} ± {statistics.stdev(values) if len(values) > 1 else 0:.2f}"


def _seconds(folder: Path) -> float:
    lines = [json.loads(line) for line in (folder / "timings.jsonl").read_text().splitlines()]
    return float(sum(line["seconds"] for line in lines))


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def drawn(runs: Mapping[tuple[str, int], Path], seeds: Sequence[int]) -> str:
    """The mean gain on held-out pairs of the second set after each validation, as SVG."""
    lines = {name: _gains([runs[name, seed] for seed in seeds]) for name in ABLATIONS}
    curve = Curve("", "step", lines)
    colours = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
    low = min(y for points in lines.values() for _, y in points)
    high = max(y for points in lines.values() for _, y in points)
    steps = [x for x, _ in next(iter(lines.values()))]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="-60 -40 {curve.width + 200} {curve.height + 90}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect x="-60" y="-40" width="{curve.width + 200}" height="{curve.height + 90}" fill="#fff"/>',
        '<text x="0" y="-18">gain on held-out pairs of the second set, dB, mean of the seeds</text>',
        f'<text x="-8" y="5" text-anchor="end">{high:+.2f}</text>',
        f'<text x="-8" y="{curve.height + 5}" text-anchor="end">{low:+.2f}</text>',
        f'<path d="M0,0V{curve.height}H{curve.width}" fill="none" stroke="#999"/>',
    ]
    for step in steps:
        x = curve.width * (step - steps[0]) / (steps[-1] - steps[0])
        parts.append(f'<text x="{x:.0f}" y="{curve.height + 20}" text-anchor="middle">{step:.0f}</text>')
    for number, (name, colour) in enumerate(zip(ABLATIONS, colours, strict=True)):
        parts.append(f'<path d="{curve.path(name)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(f'<text x="{curve.width + 12}" y="{20 + 22 * number}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, f'<text x="{curve.width / 2}" y="{curve.height + 42}">step</text>', "</svg>"]) + "\n"


def _gains(folders: Sequence[Path]) -> list[tuple[float, float]]:
    by_step: dict[int, list[float]] = {}
    for folder in folders:
        for line in map(json.loads, (folder / "validations.jsonl").read_text().splitlines()):
            cells = [cell for name, cell in line["cells"].items() if name.startswith(f"{SECOND}/")]
            gains = [cell["psnr"] - cell["degraded_psnr"] for cell in cells]
            by_step.setdefault(line["step"], []).append(statistics.mean(gains))
    return [(float(step), statistics.mean(gains)) for step, gains in sorted(by_step.items())]


PAGE = """# Two stages, mixed: a small experiment

Does it help to train on synthetic pairs first, and to keep some among the real ones after? This is a check of the
machinery on a CPU, **not a result about real photographs**: the second set is no real one. `synthesis/stand-in` makes
it from the same photographs by other operators, and it stands in for real pairs. The page is written by

<!-- not run: it takes most of an hour -->
```console
$ python benchmarks/two_stages.py --write docs/experiments/two-stages.md
```

which runs the four recipes `training/ablation/...` with the seeds {seeds}: `backbone/nafnet`, preset small, 100 and
then 300 steps of 8 pairs of 48 x 48 pixels. All have the same steps, rates, frozen parts and held-out photographs; they
differ in their mixes alone.

## What came out

How much nearer the restored pairs of the second set are to the clean ones than the degraded, in dB of PSNR: the mean of
the seeds, and their standard deviation. "All" weighs the tasks alike.

{gains}

Differences between two ablations on the same pairs of the same seed, the mean over all of them. In the bootstrap all
pairs of a photograph go together:

{differences}

![Gain over steps](two-stages.svg)

## What it says, and does not

Intervals that leave out zero: {clear}. The gain depends far more on the seed, which chooses the
photographs that are held out, than on the ablation: the deviations in the first table are several times the differences
in the second. So this does not show that two stages or mixing help, nor that they do not.

{pictures} photographs are few for a bootstrap, whose intervals are too narrow then, and {comparisons} comparisons were
made without a correction: a single interval beside zero is no proof. At 400 steps a network is far from trained. And
the two sets are alike, haze, noise and compression of the same kind of photographs, where the question is about two
that are not.

## How it was measured

- Held out: in each seed a quarter of the photographs, chosen by the seed, with all pairs of either set made of them; no
  network of that seed saw them. {pictures} photographs in all: {names}.
- Pairs of the second set that are scored, by seed: {pairs}.
- Scored: the last averaged weights of each run, on {side} x {side} pixels from the middle of each pair. Nothing was
  chosen by these pairs.
- Machine: {machine}.
- Versions: {versions}.
- {minutes} minutes of training in all, on one thread.
"""
PAGE = PAGE.replace("{side}", str(SIDE))


if __name__ == "__main__":
    main()
