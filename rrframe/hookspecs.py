"""Every hook of the host, each with an example. A plugin implements any of them as functions marked with
``rrframe.hookimpl``.

A plugin is a module (or object) named by an entry point in the group ``rrframe``:

```toml
[project.entry-points.rrframe]
fog = "rrframe_fog"
```
"""

# Hooks are signatures: their bodies are empty and their arguments unused.
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from rrframe.run.observed import PairWritten, RunFinished, RunStarted, StepEnded
    from rrframe.specs import Spec

hookspec = pluggy.HookspecMarker("rrframe")
hookimpl = pluggy.HookimplMarker("rrframe")


@hookspec
def register_degradations() -> Iterable[Spec]:  # type: ignore[empty-body]
    """Announce degradations: operators that make an image worse in one physical way.

    ```python
    @hookimpl
    def register_degradations():
        yield Spec("haze/fog-bank", "rrframe_fog.bank:FogBank", "A bank of fog along the ground.")
    ```
    """


@hookspec
def register_effects() -> Iterable[Spec]:  # type: ignore[empty-body]
    """Announce effects: degradations that hold a chain of others and decide where, whether or how often it applies.

    ```python
    @hookimpl
    def register_effects():
        yield Spec("effect/checkerboard", "rrframe_board:Checkerboard", "Applies its chain to every second square.")
    ```
    """


@hookspec
def register_cues() -> Iterable[Spec]:  # type: ignore[empty-body]
    """Announce cues: what is computed once from the clean image and used by degradations. The part before the slash
    names the cue.

    ```python
    @hookimpl
    def register_cues():
        yield Spec("depth/stereo", "rrframe_stereo:Stereo", "Metric depth from a second photograph beside the first.")
    ```
    """


@hookspec
def register_filters() -> Iterable[Spec]:  # type: ignore[empty-body]
    """Announce filters, which keep or drop a clean image (screen) or a finished pair (verify), and say why.

    ```python
    @hookimpl
    def register_filters():
        yield Spec("filter/faces", "rrframe_faces:Faces", "Keeps photographs with at least one face.")
    ```
    """


@hookspec
def register_tasks() -> Iterable[Spec]:  # type: ignore[empty-body]
    """Announce tasks: categories of degradation, with the prompts and the severity words that go with them.

    ```python
    @hookimpl
    def register_tasks():
        yield Spec("underwater", "rrframe_sea:Underwater", "Blue cast, back-scatter and lost contrast.")
    ```
    """


@hookspec
def register_sources() -> Iterable[Spec]:  # type: ignore[empty-body]
    """Announce sources of clean images.

    ```python
    @hookimpl
    def register_sources():
        yield Spec("images/catalogue", "rrframe_catalogue:Catalogue", "Photographs of a Lightroom catalogue.")
    ```
    """


@hookspec
def register_sinks() -> Iterable[Spec]:  # type: ignore[empty-body]
    """Announce sinks, which write finished pairs, a shard at a time.

    ```python
    @hookimpl
    def register_sinks():
        yield Spec("pairs/folder", "rrframe_folders:Folder", "Two folders of image files, degraded and clean.")
    ```
    """


@hookspec
def register_datasets() -> Iterable[Spec]:  # type: ignore[empty-body]
    """Announce datasets: finished pairs to train on or to measure with.

    ```python
    @hookimpl
    def register_datasets():
        yield Spec("pairs/lmdb", "rrframe_lmdb:Lmdb", "Pairs in an LMDB file.")
    ```
    """


@hookspec
def register_engines() -> Iterable[Spec]:  # type: ignore[empty-body]
    """Announce engines, which spread the shards of a run over processes or machines.

    ```python
    @hookimpl
    def register_engines():
        yield Spec("engine/slurm", "rrframe_slurm:Slurm", "One array job a range of shards.")
    ```
    """


@hookspec
def register_backbones() -> Iterable[Spec]:  # type: ignore[empty-body]
    """Announce backbones: restorers that can be trained.

    ```python
    @hookimpl
    def register_backbones():
        yield Spec("backbone/unet", "rrframe_unet:UNet", "A plain U-Net.")
    ```
    """


@hookspec
def register_metrics() -> Iterable[Spec]:  # type: ignore[empty-body]
    """Announce metrics: numbers that score a restored image.

    ```python
    @hookimpl
    def register_metrics():
        yield Spec("metric/psnr-linear", "rrframe_linear:Psnr", "PSNR in linear light.")
    ```
    """


@hookspec
def register_judges() -> Iterable[Spec]:  # type: ignore[empty-body]
    """Announce judges: metrics that look at one image and score the severity of a named degradation.

    ```python
    @hookimpl
    def register_judges():
        yield Spec("judge/panel", "rrframe_panel:Panel", "The mean of several judges.")
    ```
    """


@hookspec
def register_commands(cli: click.Group) -> None:
    """Add commands to ``rrframe``. Import what they need inside them: this runs for ``rrframe --help`` too.

    ```python
    @hookimpl
    def register_commands(cli):
        @cli.command()
        def weather():
            "Print the weather of every record in a run."
    ```
    """


@hookspec
def on_run_started(run: RunStarted) -> None:
    """A run begins, or continues. Observers are logged when they fail and never stop a run.

    ```python
    @hookimpl
    def on_run_started(run):
        print("writing to", run.folder)
    ```
    """


@hookspec
def on_pair_written(pair: PairWritten) -> None:
    """A pair is safely on disk: its shard is committed. Called in the process that supervises the run.

    ```python
    @hookimpl
    def on_pair_written(pair):
        counts[pair.task] += 1
    ```
    """


@hookspec
def on_step_ended(step: StepEnded) -> None:
    """A unit of a run ended: a shard of a synthesis run, an optimizer step of a training run. A validation after a step
    is told of likewise, with figures whose names begin with ``validation/``.

    ```python
    @hookimpl
    def on_step_ended(step):
        log(step.number, **step.figures)
    ```
    """


@hookspec
def on_run_finished(run: RunFinished) -> None:
    """A run ended, whole or not.

    ```python
    @hookimpl
    def on_run_finished(run):
        notify(f"{run.folder}: {run.status}")
    ```
    """
