"""``rrframe schema``: the JSON Schema of recipes."""

from __future__ import annotations

import json

import click

from rrframe.recipe.schema import recipe_schema


@click.command()
@click.argument("kind", required=False)
def command(kind: str | None) -> None:
    """Print the JSON Schema of recipes of KIND (by default of all), the params of installed plugins included.

    Editors use it to complete and check recipes as they are typed.
    """
    click.echo(json.dumps(recipe_schema(kind), indent=2))
