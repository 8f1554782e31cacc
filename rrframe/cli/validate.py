"""``rrframe validate``: check a recipe without running it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from rrframe.contracts.chain import Chain
from rrframe.contracts.component import Component
from rrframe.recipe import EvaluationRecipe, LoadedRecipe, SynthesisRecipe, TrainingRecipe, load_recipe


@click.command()
@click.argument("recipe")
@click.option(
    "--set", "overrides", multiple=True, metavar="PATH=VALUE", help="Change the recipe: --set tasks.haze.weight=2"
)
def command(recipe: str, overrides: tuple[str, ...]) -> None:
    """Check RECIPE, a YAML file or the name of a shipped recipe, and say what it does.

    Every error in it is reported at once, with its line, and the exit code is then 2. Nothing is run or written.
    """
    loaded = load_recipe(recipe, overrides)
    click.echo(f"{loaded.origin} is a valid recipe")
    for name, value in _rows(loaded):
        click.echo(f"  {name + ':' if name else '':<10}{value}")


def _rows(loaded: LoadedRecipe) -> Iterator[tuple[str, str]]:
    recipe = loaded.recipe
    yield "kind", recipe.kind
    yield "name", recipe.name
    yield "seed", str(recipe.seed)
    if isinstance(recipe, TrainingRecipe):
        yield from _training(recipe)
    elif isinstance(recipe, EvaluationRecipe):
        yield from _evaluation(recipe)
    else:
        yield from _synthesis(recipe)


def _evaluation(recipe: EvaluationRecipe) -> Iterator[tuple[str, str]]:
    benchmark = recipe.benchmark
    where = benchmark.pairs.name if benchmark.pairs else benchmark.folder
    yield "on", f"{benchmark.card} in {where}" if benchmark.card else str(where)
    for name, choice in recipe.restorers.items():
        chosen = choice.backbone.name if choice.backbone else None
        what = choice.checkpoint or choice.folder or choice.published or ""
        yield "restorer", f"{name}: {' '.join(filter(None, [chosen or choice.kind, what]))}"
    if recipe.metrics:
        yield "metrics", _names(recipe.metrics, ", ")
    if recipe.scores:
        yield "scores", ", ".join(recipe.scores)
    if recipe.judge is not None:
        yield "judge", recipe.judge.name + (", a stand-in for a judge that looks" if recipe.judge.proxy else "")
    for name in recipe.slices:
        yield "slice", name


def _training(recipe: TrainingRecipe) -> Iterator[tuple[str, str]]:
    from rrframe.training.planning import said_mix

    yield "backbone", recipe.backbone.name
    for name, dataset in recipe.data.items():
        yield "data", f"{name} from {dataset.name}"
    for stage in recipe.stages:
        yield (
            "stage",
            f"{stage.name}, {_count(stage.steps, 'step')} of {_count(stage.batch, 'pair')}: {said_mix(stage)}",
        )
        warmup = f" after {_count(stage.warmup, 'step')} of warm-up" if stage.warmup else ""
        yield "", f"learning rate {stage.learning_rate:g}, {stage.schedule}{warmup}"
        if stage.freeze:
            yield "", f"frozen: {', '.join(stage.freeze)}"
    held = recipe.validation
    yield (
        "validate",
        f"every {_count(held.every, 'step')} on {_count(held.pairs, 'held-out pair')} at most, by {held.metric}",
    )


def _synthesis(recipe: SynthesisRecipe) -> Iterator[tuple[str, str]]:
    most = "" if recipe.limit is None else f", the first {recipe.limit} pictures"
    yield "source", f"{recipe.source.name}{most}, {_count(recipe.variants, 'pair')} a picture"
    if recipe.screen:
        yield "screen", _names(recipe.screen, ", ")
    total = sum(mix.weight for mix in recipe.tasks.values())
    for name, mix in recipe.tasks.items():
        yield "task", f"{name}, weight {mix.weight:g} ({mix.weight / total:.0%}): {_names(mix.chain.steps, ' > ')}"
    for name, cue in recipe.cues.items():
        yield "cue", f"{name} by {cue.name}"
    if recipe.verify:
        yield "verify", _names(recipe.verify, ", ")
    yield "sink", recipe.sink.name
    yield "engine", recipe.engine.name


def _names(components: Iterable[Component], joint: str) -> str:
    return joint.join(component.name + _held(component) for component in components)


def _held(component: Component) -> str:
    """The chains that an effect holds."""
    chains = [value for name in type(component).model_fields if isinstance(value := getattr(component, name), Chain)]
    return "".join(f"({_names(chain.steps, ' > ')})" for chain in chains)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"
