"""``rrframe info``: all that a component says of itself, and how to use it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from textwrap import indent
from typing import Any

import click
import yaml
from pydantic_core import PydanticUndefined
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from rrframe.cli.screen import as_text
from rrframe.contracts.component import Component
from rrframe.contracts.degradation import Degradation
from rrframe.contracts.dials import Dial
from rrframe.contracts.filter import Filter
from rrframe.contracts.judge import Judge
from rrframe.contracts.metric import Metric
from rrframe.contracts.task import Task
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.manager import Entry, get_manager
from rrframe.pages.notes import notes_of
from rrframe.recipe.models import SynthesisRecipe
from rrframe.specs import KINDS


@click.command("info")
@click.argument("name")
@click.option("--kind", metavar="KIND", help="Which one is meant, where a name stands for two.")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
def command(name: str, kind: str | None, as_json: bool) -> None:
    """Describe the component NAME: what it does, its dials or params, its source, how to use it."""
    if kind is not None and kind not in KINDS:
        raise RRFrameError(f"there is no kind {kind!r}", hint=did_you_mean(kind, KINDS))
    entry = get_manager().find(name, *([kind] if kind else ()))
    described = describe(entry, get_manager().load(entry))
    if as_json:
        click.echo(json.dumps(described, indent=2, ensure_ascii=False))
    else:
        click.echo(_page(described))


def describe(entry: Entry, cls: type[Component]) -> dict[str, Any]:
    """The component that ``entry`` announces, as plain JSON values. What its kind does not have is left out."""
    text = inspect.cleandoc(cls.__doc__ or "")
    described: dict[str, Any] = {
        "kind": entry.kind,
        "name": entry.spec.name,
        "summary": entry.spec.summary,
        "plugin": entry.plugin.distribution,
        "version": entry.plugin.version,
        "target": entry.spec.target,
    }
    if issubclass(cls, Degradation):
        if entry.kind == "degradation":  # an effect's are those of what it holds
            described |= {"category": getattr(cls, "category", None), "light": cls.light}
        described["cues"] = sorted(cls.cues)
    if issubclass(cls, Filter):
        described["stages"] = sorted(cls.stages())
    if issubclass(cls, Judge):
        described["proxy"] = cls.proxy
    if issubclass(cls, Task):
        named_after = [name for name in get_manager().table("degradation") if name.startswith(f"{entry.spec.name}/")]
        described |= {"prompts": cls.prompts, "words": list(cls.words), "degradations": named_after}
    if entry.kind == "cue":
        described["default"] = entry.spec.default
    if issubclass(cls, Metric) and isinstance(cls.licence, str) and cls.licence:
        described["licence"] = cls.licence + ("; not for commercial use" if cls.commercial is False else "")
    dials = cls.declared_dials() if issubclass(cls, Degradation) else {}
    described |= {
        "description": text,
        "source": notes_of(cls).get("Source"),
        "dials": [_dial(name, dial) for name, dial in dials.items()],
        "params": [_param(cls, name) for name in cls.model_fields if name not in dials],
    }
    return described | _usage(described)


def _dial(name: str, dial: Dial) -> dict[str, Any]:
    return {
        "name": name,
        "values": str(dial),
        "distribution": dial.law.written(),
        "mild": dial.mild,
        "severe": dial.severe,
        "low": dial.low,
        "high": dial.high,
        "options": list(dial.options),
        "unit": dial.unit,
        "about": dial.about,
    }


def _param(cls: type[Component], name: str) -> dict[str, Any]:
    field = cls.model_fields[name]
    schema = cls.model_json_schema()
    said = schema["properties"][name]
    default = None if field.default is PydanticUndefined else said.get("default")
    return {
        "name": name,
        "type": _type_text(said, schema.get("$defs", {})),
        "required": field.is_required(),
        "default": default,
        "about": field.description or "",
    }


_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


def _type_text(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """A JSON Schema in a few words: ``integer >= 1 or null``."""
    if "$ref" in schema:
        return _type_text(definitions[schema["$ref"].rsplit("/", 1)[-1]], definitions)
    if "x-rrframe-kinds" in schema:
        return " or ".join(schema["x-rrframe-kinds"])
    if "anyOf" in schema:
        return " or ".join(_type_text(option, definitions) for option in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return " or ".join(json.dumps(option) for option in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return f"list of {_type_text(schema['items'], definitions)}"
    bounds = [f"{sign} {schema[bound]:g}" for bound, sign in _BOUNDS.items() if bound in schema]
    return " ".join([schema.get("type", "any"), " and ".join(bounds)]).strip()


# How to use it
# ---------------------------------------------------------------------------------------------------------------------


class _Flow(dict[str, Any]):
    """A mapping that is written on one line."""


class _Dumper(yaml.SafeDumper):
    """Writes a ``_Flow`` on one line, and everything else as usual."""


_Dumper.add_representer(
    _Flow, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)
)


def _usage(described: dict[str, Any]) -> dict[str, str]:
    """A piece of a recipe, with every setting, and a command to try it with."""
    kind, name = described["kind"], described["name"]
    required = {param["name"]: f"<{param['type']}>" for param in described["params"] if param["required"]}
    defaults = {param["name"]: param["default"] for param in described["params"] if not param["required"]}
    dials = {dial["name"]: _one_line(dial["distribution"]) for dial in described["dials"]}
    usage = {"recipe": _yaml(_placed(described, _use(name, required | dials | defaults)))}
    if kind in ("degradation", "effect"):
        given = "".join(f" -p '{param}={value}'" for param, value in required.items())
        usage["command"] = f"rrframe degrade photo.jpg degraded.png --op {name}{given} --severity 0.5 --seed 7"
    elif kind == "dataset":
        usage["command"] = (
            f"rrframe run training/quickstart --set 'data.synthetic={_yaml(_use(name, required), flow=True)}'"
        )
    elif kind in SynthesisRecipe.model_fields or kind in ("cue", "filter", "task"):
        (key, value), *_ = _placed(described, _use(name, required)).items()
        usage["command"] = f"rrframe run quickstart --set '{key}={_yaml(value, flow=True)}'"
    return usage


def _use(name: str, params: dict[str, Any]) -> dict[str, Any]:
    return {"use": name} | ({"params": params} if params else {})


def _placed(described: dict[str, Any], use: dict[str, Any]) -> dict[str, Any]:
    """``use`` where a recipe has components of that kind."""
    kind, name = described["kind"], described["name"]
    if kind in ("degradation", "effect"):
        return {"chain": [use]}
    if kind == "filter":
        return {stage: [use] for stage in described["stages"]}
    if kind == "dataset":
        return {"data": {"synthetic": use}}
    if kind == "cue":
        return {"cues": {name.split("/")[0]: use}}
    if kind == "task":
        return {
            "tasks": {name: {"chain": [{"use": step} for step in described["degradations"][:1] or ["<degradation>"]]}}
        }
    return {kind: use}


def _one_line(value: Any) -> Any:
    return _Flow(value) if isinstance(value, dict) else value


def _yaml(value: Any, *, flow: bool | None = None) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, default_flow_style=flow, sort_keys=False, allow_unicode=True, width=1000
    )
    return text.strip()


# As a page
# ---------------------------------------------------------------------------------------------------------------------

_FACTS = ("category", "light", "cues", "stages", "default", "proxy", "licence", "degradations", "target")
_DIAL_COLUMNS = ("name", "values", "mild -> severe", "bounds", "unit", "what it is")
_PARAM_COLUMNS = ("name", "type", "default", "what it is")


def _page(described: dict[str, Any]) -> str:
    title = Text.assemble(
        (described["name"], "bold"), f"  {described['kind']} of {described['plugin']} {described['version']}"
    )
    parts: list[RenderableType] = [title, described["summary"], ""]
    facts = {fact: described[fact] for fact in _FACTS if described.get(fact) not in (None, [])}
    parts.append(_table((), ((f"{fact}:", _plain(value)) for fact, value in facts.items())))
    if described["description"]:
        parts += ["", *_paragraphs(described["description"])]
    if "prompts" in described:
        words = enumerate(described["words"], start=1)
        parts += ["", _heading("Prompts"), _table((), described["prompts"].items())]
        parts += [
            "",
            _heading("Severity, 1 extreme to 5 none"),
            _table((), ((str(level), word) for level, word in words)),
        ]
    if described["dials"]:
        parts += ["", _heading("Dials"), _table(_DIAL_COLUMNS, map(_dial_cells, described["dials"]))]
    if described["params"]:
        parts += ["", _heading("Params"), _table(_PARAM_COLUMNS, map(_param_cells, described["params"]))]
    # What is there to be copied is not cut, however narrow the screen.
    copied = {"In a recipe": described["recipe"], "At the command line": described.get("command")}
    sections = [f"{click.style(title, bold=True)}\n{indent(text, '  ')}" for title, text in copied.items() if text]
    return "\n\n".join([as_text(Group(*parts)), *sections])


def _dial_cells(dial: dict[str, Any]) -> list[str]:
    walk = "" if dial["mild"] is None else f"{_plain(dial['mild'])} -> {_plain(dial['severe'])}"
    low, high = ("" if dial[end] is None else _plain(dial[end]) for end in ("low", "high"))
    return [
        dial["name"],
        dial["values"],
        walk,
        f"{low}..{high}" if low or high else "",
        dial["unit"],
        dial["about"],
    ]


def _param_cells(param: dict[str, Any]) -> list[str]:
    return [param["name"], param["type"], "required" if param["required"] else _plain(param["default"]), param["about"]]


def _paragraphs(text: str) -> Iterator[RenderableType]:
    """A docstring, its lines joined again to fit any screen; code stays as it is."""
    for number, paragraph in enumerate(text.split("\n\n")):
        yield from [""] if number else []
        is_code = "```" in paragraph or paragraph.startswith(" ")
        yield paragraph if is_code else re.sub(r"\n(?![A-Z][a-z]+: |[-*] )", " ", paragraph)


def _table(columns: Sequence[str], rows: Iterable[Iterable[str]]) -> Padding:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=bool(columns), header_style="dim")
    for number, column in enumerate(columns or ("", "")):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        table.add_row(*row)
    return Padding(table, (0, 0, 0, 2))


def _heading(text: str) -> Text:
    return Text(text, style="bold")


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)
