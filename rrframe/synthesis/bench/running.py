"""A run's parts, and the run."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import psutil
import yaml
from rich.console import Console

from rrframe.contracts.component import create
from rrframe.contracts.trying import image_key
from rrframe.pairs.manifest import SHARDS
from rrframe.recipe import load_recipe
from rrframe.recipe.models import SynthesisRecipe
from rrframe.synthesis.bench.timing import milliseconds
from rrframe.synthesis.record import Origin, Record, render
from rrframe.synthesis.run import Options, run_synthesis

_SHARD = 25


def parts(recipe: SynthesisRecipe, folder: Path) -> dict[str, float]:
    """Milliseconds a pair of each part of a run, each in a loop of its own."""
    keys = recipe.source.keys()
    read = [recipe.source.read(key) for key in keys]
    photographs = [photograph.pixels for photograph in read]
    tasks = list(recipe.tasks.items())
    degraded = photographs[-1:] + photographs[:-1]

    def degrade(index: int) -> None:
        photograph, (task, mix) = read[index % len(read)], tasks[index % len(tasks)]
        source = Origin.of("photograph", photograph)
        record = Record.of(mix.chain, image_key(index), source=source, task=task, seed=0, cues=recipe.cues)
        render(record, photograph)

    def screen(index: int) -> None:
        for used in recipe.screen:
            used.screen(photographs[index % len(photographs)])

    def verify(index: int) -> None:
        for used in recipe.verify:
            used.verify(photographs[index % len(photographs)], degraded[index % len(photographs)])

    (folder / "parts" / SHARDS).mkdir(parents=True, exist_ok=True)
    with recipe.sink.open(folder / "parts", 0) as writer:
        return {
            "decode one": milliseconds(_counting(lambda index: recipe.source.read(keys[index % len(keys)]))),
            "screen": milliseconds(_counting(screen)),
            "degrade": milliseconds(_counting(degrade)),
            "verify": milliseconds(_counting(verify)),
            "encode two and write": milliseconds(
                _counting(
                    lambda index: writer.add(
                        f"{index:08d}", photographs[index % len(keys)], photographs[index % len(keys)], {}
                    )
                )
            ),
        }


def recipe_of(folder: Path, pairs: int, workers: int) -> SynthesisRecipe:
    """The recipe that the bench runs, on the photographs in ``folder``."""
    return cast(SynthesisRecipe, load_recipe(_recipe_file(folder, pairs, workers)).recipe)


def _recipe_file(folder: Path, pairs: int, workers: int) -> Path:
    tasks = {
        create(name).category: {"chain": [{"use": name}]}  # type: ignore[attr-defined]
        for name in ("compression/jpeg", "haze/scattering", "noise/poisson-gaussian")
    }
    pictures = len(list((folder / "photographs").iterdir()))
    recipe = {
        "kind": "synthesis",
        "variants": -(-pairs // pictures),
        "source": {"use": "images/folder", "params": {"path": str(folder / "photographs")}},
        "screen": [{"use": "filter/resolution"}, {"use": "filter/sharpness"}],
        "tasks": tasks,
        "verify": [{"use": "filter/visible-change"}],
        "sink": {"use": "pairs/webdataset", "params": {"pairs_per_shard": _SHARD}},
        "engine": {"use": "engine/local", "params": {"workers": workers}},
    }
    path = folder / f"bench-{pairs}-{workers}.yaml"
    path.write_text(yaml.safe_dump(recipe))
    return path


def timed_run(folder: Path, pairs: int, workers: int) -> tuple[float, dict[str, int]]:
    """The rate of a real run, and the peak memory of its workers by pairs made."""
    out = folder / f"run-{workers}"
    peaks: dict[str, int] = {}
    with _watched_children(peaks, out):
        run_synthesis(load_recipe(_recipe_file(folder, pairs, workers)), out, Options(), Console(quiet=True))
    events = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    begun = next(event["time"] for event in events if event["what"] == "working")
    ended = max(event["time"] for event in events if event["what"] == "shard")
    made = sum(sum(event["statuses"].values()) for event in events if event["what"] == "shard")
    return made / (ended - begun), peaks


@contextmanager
def _watched_children(peaks: dict[str, int], out: Path) -> Iterator[None]:
    """Note the largest resident size among this process's children, at 100 pairs and at the end."""
    stop = threading.Event()

    def watch() -> None:
        largest = 0
        while not stop.wait(0.2):
            for child in psutil.Process().children(recursive=True):
                try:
                    largest = max(largest, child.memory_info().rss)
                except psutil.Error:
                    continue
            if len(list((out / SHARDS).glob("*.parquet"))) * _SHARD >= 100:
                peaks.setdefault("100", largest)
        peaks.setdefault("100", largest)  # a run that ended between two looks
        peaks["all"] = largest

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _counting(function: Callable[[int], Any]) -> Callable[[], Any]:
    turn = iter(range(10**9))
    return lambda: function(next(turn))
