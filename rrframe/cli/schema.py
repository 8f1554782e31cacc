"""``rrframe schema``: the JSON Schema of recipes and of results."""

from __future__ import annotations

import json

import click

from rrframe.recipe.schema import recipe_schema


@click.command()
@click.argument("kind", required=False)
def command(kind: str | None) -> None:
    """Print the JSON Schema of recipes of KIND (by default of all), the params of installed plugins included.

    Editors use it to complete and check recipes as they are typed. With KIND "results" it is that of the results.json
    of an evaluation.
    """
    if kind == "results":
        from rrframe.evaluation.results import results_schema

        schema = results_schema()
    else:
        schema = recipe_schema(kind)
    click.echo(json.dumps(schema, indent=2))
