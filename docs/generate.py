"""Writes the pages of docs/reference and docs/degradations from the code that they describe.

python docs/generate.py            write them
python docs/generate.py --check    fail if any would change
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FunctionType
from typing import Any

os.environ["RRFRAME_NO_PLUGINS"] = "1"  # the pages tell what everyone has, whatever is installed here

import click
import yaml

from rrframe import Component, Degradation, Dial, Effect, hookspecs
from rrframe.cli.main import cli
from rrframe.manager import Entry, get_manager
from rrframe.specs import HOOKS, KINDS

FOLDER = Path(__file__).parent
STRIPS = "assets/strips"  # the pictures, drawn by docs/strips.py
WIDTH = 100
HELD = "Category and light are those of what it holds"
PLURALS = {"degradation": "Degradations", "effect": "Effects", "cue": "Cues", "filter": "Filters", "task": "Tasks"} | {
    kind: f"{kind.capitalize()}s" for kind in ("source", "sink", "dataset", "engine", "backbone", "metric", "judge")
}


def pages() -> dict[str, str]:
    """The text of every generated page by its path below docs/."""
    made = {
        "reference/hooks.md": hooks(),
        "reference/command-line.md": command_line(),
        "reference/components.md": components(),
        "degradations/index.md": degradations(),
    }
    for name in get_manager().table("degradation"):
        made[f"degradations/{_file(name)}.md"] = degradation(name)
    return {name: "\n".join(lines).rstrip() + "\n" for name, lines in made.items()}


# Hooks
# ---------------------------------------------------------------------------------------------------------------------


def hooks() -> Iterator[str]:
    yield from ["# Hooks", "", inspect.cleandoc(hookspecs.__doc__ or ""), ""]
    for name, hook in vars(hookspecs).items():  # in the order of the file
        if hasattr(hook, "rrframe_spec"):
            yield from [f"## {name}", "", "```python", _signature(hook), "```", ""]
            yield from [inspect.getdoc(hook) or "", ""]


def _signature(function: FunctionType) -> str:
    parameters = ", ".join(str(parameter) for parameter in inspect.signature(function).parameters.values())
    return f"def {function.__name__}({parameters.replace(chr(39), '')}) -> {function.__annotations__['return']}"


# Command line
# ---------------------------------------------------------------------------------------------------------------------


def command_line() -> Iterator[str]:
    yield from ["# Command line", "", "What `rrframe COMMAND --help` prints.", ""]
    yield from _help(cli, click.Context(cli, info_name="rrframe", terminal_width=WIDTH, **cli.context_settings))


def _help(command: click.Command, context: click.Context) -> Iterator[str]:
    yield from [f"## {context.command_path}", "", "```text", command.get_help(context), "```", ""]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _help(inner, click.Context(inner, context, info_name=name, terminal_width=WIDTH))


# Degradations
# ---------------------------------------------------------------------------------------------------------------------


def degradations() -> Iterator[str]:
    yield from [
        "# Degradations",
        "",
        "Every page tells the law, its source, the dials, and what the operator cannot do, and shows five severities",
        "from 0 to 1 on a photograph. `rrframe gallery IMAGE OUT.html` shows the same on a photograph of yours.",
        "",
    ]
    by_category: dict[str, dict[str, Entry]] = {}
    for name, entry in get_manager().table("degradation").items():
        by_category.setdefault(get_manager().load(entry).category, {})[name] = entry
    for category, table in sorted(by_category.items()):
        yield from [f"## {category}", "", *_links(table, "")]


def degradation(name: str) -> Iterator[str]:
    entry = get_manager().find(name, "degradation")
    yield from [f"# {name}", "", entry.spec.summary, ""]
    strip = f"{STRIPS}/{_file(name)}.webp"
    if (FOLDER / strip).exists():
        picture = f"![{name} at severities 0, 0.25, 0.5, 0.75 and 1](../{strip})"
        yield from [f"[{picture}](../{strip})", ""]  # the whole of it, pixel by pixel, is a click away
    yield from _described(get_manager().load(entry), entry.spec.summary)


def _links(table: Mapping[str, Entry], to: str) -> Iterator[str]:
    yield from _table(["name", "what it is"], [[f"[{n}]({to}{_file(n)}.md)", e.spec.summary] for n, e in table.items()])


def _file(name: str) -> str:
    return name.replace("/", "-")


# Components
# ---------------------------------------------------------------------------------------------------------------------


def components() -> Iterator[str]:
    yield from [
        "# Components",
        "",
        "What comes with rrframe. `rrframe info NAME` tells the same, and of plugins too.",
        "",
    ]
    manager = get_manager()
    for kind in KINDS:
        table = manager.table(kind)
        if not table:
            continue
        yield from [f"## {PLURALS[kind]}", "", f"Announced by the hook [`{HOOKS[kind]}`](hooks.md#{HOOKS[kind]}).", ""]
        if kind == "task":
            yield from _tasks({name: manager.load(entry) for name, entry in table.items()})
            continue
        if kind == "degradation":
            yield from _links(table, "../degradations/")
            continue
        for name, entry in table.items():
            yield from _component(name, entry.spec.summary, manager.load(entry))


def _component(name: str, summary: str, cls: type[Component]) -> Iterator[str]:
    yield from [f"### {name}", "", *_described(cls, summary)]


def _described(cls: type[Component], summary: str) -> Iterator[str]:
    yield from [_paragraphs(inspect.getdoc(cls) or summary), ""]
    if issubclass(cls, Degradation):
        needs = ", ".join(f"`{cue}`" for cue in sorted(cls.cues)) or "none"
        known = f"Category `{cls.category}` · works in {cls.light} light"
        yield from [f"{HELD if issubclass(cls, Effect) else known} · cues: {needs}", ""]
        yield from _dials(cls.declared_dials())
    yield from _settings(cls)
    for check, reason in getattr(cls, "expected_failures", {}).items():
        yield from [f"**Excused from the check `{check}`:** {reason}", ""]


def _paragraphs(text: str) -> str:
    """A docstring whose ``Source:`` and ``Cannot:`` begin paragraphs of their own."""
    return re.sub(r"\n+(Source|Cannot):", r"\n\n**\1:**", text)


def _dials(dials: dict[str, Dial]) -> Iterator[str]:
    rows = [
        [f"`{name}`", f"`{_yaml(dial.law.written())}`", _end(dial.mild), _end(dial.severe), dial.unit, dial.about]
        for name, dial in dials.items()
    ]
    yield from _table(["dial", "by default", "mild", "severe", "unit", "what it is"], rows)


def _settings(cls: type[Component]) -> Iterator[str]:
    rows = [
        [f"`{name}`", _form(schema), f"`{_yaml(schema['default'])}`" if "default" in schema else "needed", about]
        for name, schema, about in _properties(cls.model_json_schema(), "")
        if not (issubclass(cls, Degradation) and name in cls.declared_dials())
    ]
    yield from _table(["setting", "takes", "by default", "what it is"], rows)


def _properties(schema: dict[str, Any], prefix: str) -> Iterator[tuple[str, dict[str, Any], str]]:
    """The settings that ``schema`` describes, those of inner models under dotted names."""
    for name, own in schema.get("properties", {}).items():
        reference = own.get("$ref", "").removeprefix("#/$defs/")
        if reference:
            inner = schema["$defs"][reference]
            yield from _properties(inner | {"$defs": schema["$defs"]}, f"{prefix}{name}.")
        else:
            yield prefix + name, own, own.get("description", "")


def _form(schema: dict[str, Any]) -> str:
    """What a setting takes, in words."""
    if "anyOf" in schema:
        return " or ".join(_form(option) for option in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    bounds = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    told = [f"{word} {schema[key]:g}" for key, word in bounds.items() if key in schema]
    words = {"integer": "whole number", "null": "`null`", "string": "text", "array": "list", "boolean": "true or false"}
    kind = schema.get("type", "anything")
    return " ".join([words.get(kind, kind), *told])


def _tasks(tasks: dict[str, type[Any]]) -> Iterator[str]:
    rows = [
        [f"`{name}`", "<br>".join(cls.prompts.values()), " → ".join(cls.words)] for name, cls in sorted(tasks.items())
    ]
    yield from _table(["task", "prompts", "how bad it looks, from 1 to 5"], rows)


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    if rows:
        for cells in [head, ["---"] * len(head), *rows]:
            yield "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"
        yield ""


def _yaml(value: object) -> str:
    """``value`` as a recipe would write it in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()


def _end(value: object) -> str:
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def main() -> None:
    made = pages()
    stale = [name for name, text in made.items() if not _same(FOLDER / name, text)]
    gone = [path for path in (FOLDER / "degradations").glob("*.md") if f"degradations/{path.name}" not in made]
    if "--check" in sys.argv[1:]:
        if stale or gone:
            names = ", ".join([*stale, *(path.name for path in gone)])
            sys.exit(f"out of date under docs: {names}; write them again with: make pages")
        return
    for path in gone:
        path.unlink()
    for name in stale:
        (FOLDER / name).parent.mkdir(exist_ok=True)
        (FOLDER / name).write_text(made[name], encoding="utf-8")
        print(f"docs/{name}")


def _same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    main()
