"""How fast synthesis is on this machine: every component, the parts of a run, and the run itself, measured in one
call.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
import psutil
import torch
import yaml
from rich.console import Console

from rrframe.contracts.chain import Chain
from rrframe.contracts.component import create
from rrframe.contracts.cue import Cue, Cues
from rrframe.contracts.degradation import Degradation
from rrframe.contracts.filter import Filter
from rrframe.contracts.source import Source
from rrframe.contracts.stand_ins import STAND_INS, stand_in
from rrframe.contracts.trying import compute_cues, image_key
from rrframe.errors import RRFrameErrors
from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.imaging.writing import write_picture
from rrframe.manager import get_manager
from rrframe.pairs.manifest import SHARDS
from rrframe.recipe import load_recipe
from rrframe.recipe.models import SynthesisRecipe
from rrframe.synthesis.record import Origin, Record, fitted, render
from rrframe.synthesis.run import Options, run_synthesis

_SHARD = 25


@dataclass
class Bench:
    """What was measured. Times are milliseconds for one image on one core; rates are images a second."""

    size: int
    components: dict[str, float] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)
    run_rate: float = 0.0
    """Pairs a second of a real run with one worker, from its first pair to its last."""
    two_worker_rate: float = 0.0
    peak_memory: dict[str, int] = field(default_factory=dict)
    """The largest resident size of a worker in bytes, by the number of pairs made."""

    @property
    def parts_rate(self) -> float:
        """Pairs a second that the parts add up to."""
        return 1000 / sum(self.parts.values())

    def as_json(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "components_ms": self.components,
            "parts_ms": self.parts,
            "parts_rate": self.parts_rate,
            "run_rate": self.run_rate,
            "run_of_parts": self.run_rate / self.parts_rate,
            "two_worker_rate": self.two_worker_rate,
            "two_workers_of_one": self.two_worker_rate / self.run_rate,
            "peak_memory_bytes": self.peak_memory,
        }


def bench_synthesis(size: int, pairs: int, folder: Path, say: Callable[[str], None]) -> Bench:
    """Measure synthesis at ``size`` x ``size`` pixels.

    Args:
        size: Side of the pictures, in pixels.
        pairs: How many pairs the longest run makes.
        folder: An empty folder for pictures and shards.
        say: Told what is being measured.
    """
    bench = Bench(size)
    photographs = make_photographs(folder / "photographs", size)
    with _one_thread():
        say("components")
        bench.components = dict(_components(photographs[0]))
        recipe = _recipe(folder, 1, 1)
        say("parts of a run")
        before = _parts(recipe, folder)
        say(f"a run of {pairs} pairs with one worker")
        bench.run_rate, bench.peak_memory = _run(folder, pairs, 1)
        after = _parts(recipe, folder)  # before and after, since a machine's speed drifts
        bench.parts = {part: (before[part] + after[part]) / 2 for part in before}
        say(f"a run of {pairs} pairs with two workers")
        bench.two_worker_rate, _ = _run(folder, pairs, 2)
    return bench


def make_photographs(folder: Path, size: int) -> list[np.ndarray]:
    """The sample photographs cut to ``size`` x ``size``, written to ``folder`` as JPEG, and given back."""
    source = cast(Source, create("images/samples", kinds=("source",)))
    cut = []
    for key in source.keys():  # noqa: SIM118 not a mapping
        pixels = to_pixels(to_batch(source.read(key).pixels)[0])
        cut.append(fitted(pixels, size, size))
        write_picture(folder / f"{key}.jpg", cut[-1])
    return cut


def _components(pixels: np.ndarray) -> Iterator[tuple[str, float]]:
    images = to_batch(pixels)
    turned = np.ascontiguousarray(pixels[::-1])
    for entry in get_manager().table("degradation", "cue", "filter").values():
        try:
            component = create(entry.spec.name)
        except RRFrameErrors:  # it needs something of the user's, such as a file of weights
            continue
        if isinstance(component, Degradation):
            yield entry.spec.name, _milliseconds(_degrading(component, images))
        elif isinstance(component, Cue):
            yield entry.spec.name, _milliseconds(lambda cue=component: cue.compute(images, ["photograph"]))  # type: ignore[misc]
        elif isinstance(component, Filter):
            if "screen" in component.stages():
                yield entry.spec.name, _milliseconds(lambda used=component: used.screen(pixels))  # type: ignore[misc]
            else:
                yield entry.spec.name, _milliseconds(lambda used=component: used.verify(pixels, turned))  # type: ignore[misc]


def _degrading(component: Degradation, images: torch.Tensor) -> Callable[[], Any]:
    chain = Chain((component,))
    needed = chain.needs()
    maps = {name: stand_in(name, images) for name in needed & STAND_INS.keys()}
    computed = {name: getattr(compute_cues([name], images, ["photograph"]), name) for name in needed - maps.keys()}
    cues = Cues(maps | computed)
    draws = [chain.draw(image_key(seed)) for seed in range(16)]
    turn = iter(range(10**9))
    return lambda: chain.apply(images, [draws[next(turn) % len(draws)]], cues)


def _parts(recipe: SynthesisRecipe, folder: Path) -> dict[str, float]:
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
            "decode one": _milliseconds(_counting(lambda index: recipe.source.read(keys[index % len(keys)]))),
            "screen": _milliseconds(_counting(screen)),
            "degrade": _milliseconds(_counting(degrade)),
            "verify": _milliseconds(_counting(verify)),
            "encode two and write": _milliseconds(
                _counting(
                    lambda index: writer.add(
                        f"{index:08d}", photographs[index % len(keys)], photographs[index % len(keys)], {}
                    )
                )
            ),
        }


def _recipe(folder: Path, pairs: int, workers: int) -> SynthesisRecipe:
    return load_recipe(_recipe_file(folder, pairs, workers)).recipe


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


def _run(folder: Path, pairs: int, workers: int) -> tuple[float, dict[str, int]]:
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
    import threading

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


def _milliseconds(function: Callable[[], Any], seconds: float = 0.6) -> float:
    """The median time of a call after a warm-up, over about ``seconds``."""
    function()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        began = time.perf_counter()
        function()
        times.append(time.perf_counter() - began)
    return statistics.fmean(times) * 1000


@contextmanager
def _one_thread() -> Iterator[None]:
    torch_threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        torch.set_num_threads(torch_threads)
        cv2.setNumThreads(cv2_threads)
