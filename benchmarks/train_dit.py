"""How fast a large editor trains on this machine's GPU, and what it takes: each way to train in a run of its own.

    python benchmarks/train_dit.py --json train.json

Each row is `rrframe run` on a recipe of training, in a process of its own, on pairs that `rrframe run quickstart` made
of the sample photographs. After a few steps the run is killed: nothing is validated or saved. The weights are random,
which changes neither time nor memory. `--preset tiny` is a rehearsal for a CPU, whose figures mean nothing.

Work is counted by running the same step on the meta device (`rrframe/training/work.py`). "MFU" counts what loss and
gradient need; "with recomputing" adds what gradient checkpointing computes twice. Both leave out `encode`, whose time
counts all the same.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

SPEEDS = {"gradient_checkpointing": True, "compile": True}
ROUNDED = {"stochastic_rounding": True}
MODES: dict[str, dict[str, Any]] = {
    "LoRA r64": {"adapter": {"rank": 64}, "gradient_checkpointing": True, "cache": "disk"},
    "LoRA r64, compiled": {"adapter": {"rank": 64}, **SPEEDS, "cache": "disk"},
    "LoRA r64, compiled, encoded online": {"adapter": {"rank": 64}, **SPEEDS},
    "all weights, Adafactor, compiled": {"optimizer": {"name": "adafactor", **ROUNDED}, **SPEEDS, "cache": "disk"},
    "all weights, 4-bit Adam, compiled": {"optimizer": {"name": "adamw-4bit", **ROUNDED}, **SPEEDS, "cache": "disk"},
}
POLL = 0.2  # seconds


def main() -> int:
    options = asked()
    options.out.mkdir(parents=True, exist_ok=True)
    modes = [name for name in MODES if not options.modes or any(word in name for word in options.modes)]
    pairs = made_pairs(options.out)
    recipes = {name: written(options, name, pairs) for name in modes}
    machine = json.loads(output([sys.executable, __file__, "--machine"]))
    rows: list[dict[str, Any]] = []
    # Counting takes a core for half a minute: it goes on beside the runs.
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        works = {name: pool.submit(counted, str(path)) for name, path in recipes.items()}
        for name, path in recipes.items():
            print(f"{name} ...", file=sys.stderr, flush=True)
            rows.append({"mode": name, **measured(path, options)})
            told(options, machine, rows, works, finished=False)
        told(options, machine, rows, works, finished=True)
    return int(any(row.get("failed") for row in rows))


def asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="full", help="full, or tiny to rehearse")
    parser.add_argument("--side", type=int, default=1024, help="of the pairs, in pixels")
    parser.add_argument("--batch", type=int, default=4, help="pairs a step, one at a time")
    parser.add_argument("--warm", type=int, default=2, help="first steps that do not count")
    parser.add_argument("--steps", type=int, default=5, help="steps that count")
    parser.add_argument("--modes", nargs="*", default=[], help="words in the names of those to measure; all by default")
    parser.add_argument("--limit", type=float, default=240, help="seconds that one way may take")
    parser.add_argument("--out", type=Path, default=Path("runs/train-dit"), help="where runs and pairs lie")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    parser.add_argument("--machine", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.machine:
        print(json.dumps(told_of_machine()))
        raise SystemExit(0)
    return options


def output(command: list[str]) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def made_pairs(out: Path) -> Path:
    """Pairs of the sample photographs."""
    output([sys.executable, "-m", "rrframe", "run", "quickstart", "--out", str(out / "pairs")])
    return out / "pairs"


def written(options: argparse.Namespace, name: str, pairs: Path) -> Path:
    """The recipe of a way to train; it has more steps than are done, so that none is the last."""
    recipe = {
        "kind": "training",
        "backbone": {
            "use": "backbone/step1x-edit",
            "params": {"preset": options.preset, "dtype": "bfloat16", "pixels": options.side**2},
        },
        "data": {"pairs": {"use": "pairs/webdataset", "params": {"path": str(pairs)}}},
        "resolution": options.side,
        "stages": [
            {
                "name": "only",
                "steps": options.warm + options.steps + 100,
                "batch": options.batch,
                "mix": {"pairs": 1},
                "learning_rate": 1.0e-5,
            }
        ],
        "micro_batch": 1,
        "validation": {"every": 10_000},
        **MODES[name],
    }
    path = options.out / f"{''.join(letter if letter.isalnum() else '-' for letter in name)}.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


def measured(recipe: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Train as the recipe says for as many steps as are wanted. Gives what the steps that count took."""
    folder = recipe.with_suffix("")
    shutil.rmtree(folder, ignore_errors=True)
    steps, log = options.warm + options.steps, recipe.with_suffix(".log")
    environment = {**os.environ, "PYTORCH_ALLOC_CONF": "expandable_segments:True"}
    command = [sys.executable, "-m", "rrframe", "run", str(recipe), "--out", str(folder)]
    began = time.monotonic()
    with log.open("w") as file:
        run = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment, start_new_session=True)
        try:
            while run.poll() is None and len(list(timings(folder))) < steps:
                if time.monotonic() - began > options.limit:
                    break
                time.sleep(POLL)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            run.wait()
    lines = list(timings(folder))
    if len(lines) < steps:
        said = log.read_text().strip()[-1500:]
        return {"failed": f"{len(lines)} of {steps} steps in {time.monotonic() - began:.0f} s; its end: {said}"}
    lines = lines[options.warm : steps]
    figures = {
        part: statistics.median(line[part] for line in lines) for part in ("seconds", "waited", "encoding", "updating")
    }
    return {
        **figures,
        "seconds_a_pair": figures["seconds"] / options.batch,
        "waiting": sum(line["waited"] for line in lines) / sum(line["seconds"] for line in lines),
        "memory_gib": max(line["memory_gib"] for line in lines),
        "until_first_step": time.monotonic() - began - sum(line["seconds"] for line in lines),
        "steps": lines,
    }


def timings(folder: Path) -> Iterator[dict[str, Any]]:
    path = folder / "timings.jsonl"
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            yield json.loads(line)
        except ValueError:  # half written
            return


def counted(recipe: str) -> tuple[int, int]:
    """Operations for one pair: needed, and done."""
    from rrframe.recipe import load_recipe
    from rrframe.training.work import work_of

    found = load_recipe(recipe).recipe
    work = work_of(found, found.stages[0])
    return work.needed, work.done


def told_of_machine() -> dict[str, Any]:
    """The GPU, its peak as its maker states it, and what products of large matrices reach."""
    import torch

    from rrframe.memory.gpus import stated_peak
    from rrframe.restoring.measuring import best_rate

    facts: dict[str, Any] = {"torch": torch.__version__}
    if not torch.cuda.is_available():
        return facts | {"device": "CPU", "stated": None, "reached": None}
    name = torch.cuda.get_device_name()
    return facts | {"device": name, "stated": stated_peak(name), "reached": best_rate(torch.device("cuda"))}


def told(
    options: argparse.Namespace,
    machine: dict[str, Any],
    rows: list[dict[str, Any]],
    works: dict[str, Future[tuple[int, int]]],
    *,
    finished: bool,
) -> None:
    """Print the table, once all is known, and keep the figures as they come."""
    for row in rows:
        work = works[row["mode"]]
        if finished or work.done():
            row["needed"], row["done"] = work.result()
            row.update(rates(row, machine))
    found = {"machine": machine, "weights": "random", "preset": options.preset, "side": options.side}
    found |= {"batch": options.batch, "micro_batch": 1, "rows": rows}
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if finished:
        print(table(found))


def rates(row: dict[str, Any], machine: dict[str, Any]) -> dict[str, float]:
    if "seconds_a_pair" not in row:
        return {}
    shares = {}
    for kind in ("needed", "done"):
        for peak in ("stated", "reached"):
            if machine[peak]:
                shares[f"{kind}_of_{peak}"] = row[kind] / row["seconds_a_pair"] / machine[peak]
    return shares


def table(found: dict[str, Any]) -> str:
    """The figures as a table in Markdown."""
    machine, side = found["machine"], found["side"]
    peaks = [f"{machine[peak] / 1e12:.0f} TFLOP/s {peak}" for peak in ("stated", "reached") if machine[peak]]
    intro = (
        f"`backbone/step1x-edit`, preset {found['preset']}, **random weights**, {side} x {side} pixels, bfloat16, a "
        f"batch of {found['batch']} pairs one at a time; "
        f"{', '.join([machine['device'], 'torch ' + machine['torch'], *peaks])}."
    )
    columns = [
        "way to train",
        "s a pair",
        "MFU",
        "with recomputing",
        "of what is reached",
        "GiB",
        "waiting",
        "encoding",
    ]
    columns.append("optimizer, s a step")
    lines = [columns, ["---"] * len(columns)]
    for row in found["rows"]:
        if "failed" in row:
            lines.append([row["mode"], *["-"] * (len(columns) - 2), row["failed"].splitlines()[-1]])
            continue
        share = [row.get(name) for name in ("needed_of_stated", "done_of_stated", "done_of_reached")]
        lines.append(
            [
                row["mode"],
                f"{row['seconds_a_pair']:.3g}",
                *("-" if each is None else f"{each:.1%}" for each in share),
                f"{row['memory_gib']:.1f}",
                f"{row['waiting']:.1%}",
                f"{row['encoding'] / row['seconds']:.1%}",
                f"{row['updating']:.2g}",
            ]
        )
    return intro + "\n\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
