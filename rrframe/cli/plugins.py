"""``rrframe plugins``: what is installed, and what is broken with the reason.

Listing reads the specs alone. Only ``--check`` imports what they name.
"""

from __future__ import annotations

from typing import TypedDict

import click

from rrframe.cli.main import COMMANDS
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.manager import BrokenPlugin, Entry, Manager, get_manager
from rrframe.specs import KINDS

_BROKEN_KIND = "plugin"


class Row(TypedDict):
    """A component; or, of kind ``plugin``, a plugin that did not load."""

    kind: str
    name: str
    summary: str
    target: str
    plugin: str
    version: str
    status: str
    error: str | None


@click.command("plugins")
@click.option("--kind", metavar="KIND", help=f"List one kind: {', '.join((*KINDS, _BROKEN_KIND))} (broken ones).")
@click.option("--check", is_flag=True, help="Import everything too. Exits with 1 if anything is broken.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@click.pass_context
def command(context: click.Context, kind: str | None, check: bool, as_json: bool) -> None:
    """List every component by kind, and the plugin it comes from.

    A broken plugin is listed with the reason and stops nothing; RRFRAME_STRICT=1 makes it an error.
    """
    if kind not in (None, *KINDS, _BROKEN_KIND):
        known = (*KINDS, _BROKEN_KIND)
        raise RRFrameError(f"there is no kind {kind!r}", hint=did_you_mean(str(kind), known))
    rows = [row for row in list_rows(get_manager(), check=check) if kind in (None, row["kind"])]
    click.echo(_as_json(rows) if as_json else _as_table(rows))
    if check and any(row["error"] for row in rows):
        context.exit(1)


def list_rows(manager: Manager, *, check: bool = False) -> list[Row]:
    """Every component by kind and name, then the broken plugins. ``check`` imports the components."""
    manager.commands(taken=COMMANDS)  # those that clash are broken too
    rows = [
        _component_row(entry, _import_error(manager, entry) if check else entry.error) for entry in manager.entries()
    ]
    return rows + [_plugin_row(broken) for broken in manager.broken]


def _import_error(manager: Manager, entry: Entry) -> str | None:
    try:
        manager.load(entry)
    except RRFrameError as error:
        return f"{error.message} ({error.hint})" if error.hint else error.message
    return entry.error


def _component_row(entry: Entry, error: str | None) -> Row:
    return Row(
        kind=entry.kind,
        name=entry.spec.name,
        summary=entry.spec.summary,
        target=entry.spec.target,
        plugin=entry.plugin.distribution,
        version=entry.plugin.version,
        status="broken" if error else "ok",
        error=error,
    )


def _plugin_row(broken: BrokenPlugin) -> Row:
    plugin = broken.plugin
    return Row(
        kind=_BROKEN_KIND,
        name=plugin.name,
        summary="",
        target=plugin.target,
        plugin=plugin.distribution,
        version=plugin.version,
        status="broken",
        error=broken.reason,
    )


def _as_json(rows: list[Row]) -> str:
    import json

    return json.dumps(rows, indent=2)


def _as_table(rows: list[Row]) -> str:
    from rich.table import Table
    from rich.text import Text

    from rrframe.cli.screen import as_text

    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    kind = None
    for row in rows:
        if row["kind"] != kind:
            kind = row["kind"]
            table.add_row(Text(kind, style="bold"))
        says = Text(f"broken: {row['error']}", style="red") if row["error"] else Text(row["summary"])
        table.add_row(Text(f"  {row['name']}"), says, Text(f"{row['plugin']} {row['version']}", style="dim"))
    broken = sum(row["status"] == "broken" for row in rows)
    total = f"{len(rows) - broken} usable" + (f", {broken} broken" if broken else "")
    return f"{as_text(table, wide_in_pipes=True)}\n\n{total}"
