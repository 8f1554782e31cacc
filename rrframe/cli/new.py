"""``rrframe new``: writes a plugin to start from."""

from __future__ import annotations

import importlib.util
import keyword
import re
import shlex
import sys
from pathlib import Path
from typing import NamedTuple

import click
import jinja2

from rrframe.errors import RRFrameError
from rrframe.manager import get_manager

# The file to write -> its template. A name may hold the module's.
_FILES = {
    "README.md": "README.md.jinja",
    "pyproject.toml": "pyproject.toml.jinja",
    "{module}/__init__.py": "package.py.jinja",
    "{module}/speckle.py": "speckle.py.jinja",
    "tests/test_speckle.py": "tests.py.jinja",
    ".github/workflows/test.yml": "workflow.yml.jinja",
    ".gitignore": "gitignore.jinja",
}


class Names(NamedTuple):
    """What a new plugin is called, all from one name."""

    distribution: str
    module: str
    component: str


@click.group("new")
def command() -> None:
    """Write something new to start from."""


@command.command("plugin")
@click.argument("name")
@click.option(
    "--dir", "parent", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where to put its folder."
)
def plugin(name: str, parent: Path) -> None:
    """Write a plugin called NAME, such as rrframe-fog.

    It holds a degradation that works, its tests from the conformance kit, a README and a CI workflow.
    """
    names = names_for(name)
    folder = parent / names.distribution
    if folder.exists():
        raise RRFrameError(f"{folder} exists already", hint="choose another name, or another place with --dir")
    try:
        _write(folder, names)
    except OSError as error:
        raise RRFrameError(f"cannot write {folder}: {error.strerror}", hint="choose a place with --dir") from None
    click.echo(f"Wrote {folder}: a plugin with one degradation, {names.component}.\n\nNext:")
    for line in (
        f"cd {shlex.quote(str(folder))}",
        "pip install --editable '.[testing]'",
        f"rrframe info {names.component}",
        f"rrframe check {names.component}",
        "pytest",
    ):
        click.echo(f"  {line}")


def names_for(distribution: str) -> Names:
    """The names that a plugin called ``distribution`` uses.

    Raises:
        RRFrameError: It cannot be called that, with what to call it instead.
    """
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", distribution):
        raise RRFrameError(
            f"{distribution!r} cannot name a distribution",
            hint="use letters, digits and single hyphens, such as rrframe-fog",
        )
    words = [word.lower() for word in re.split(r"[._-]+", distribution)]
    module = "_".join(words)
    instead = f"a name such as rrframe-{'-'.join(words)}"
    if not module.isidentifier() or keyword.iskeyword(module):
        raise RRFrameError(f"Python cannot import a module called {module!r}", hint=instead)
    if module in sys.stdlib_module_names or importlib.util.find_spec(module):
        raise RRFrameError(f"there is a module called {module!r} already", hint=instead)
    component = "-".join(words[1:] if words[0] == "rrframe" and len(words) > 1 else words) + "/speckle"
    if component in get_manager().table():
        raise RRFrameError(f"its degradation would be {component}, which exists already", hint=instead)
    return Names(distribution, module, component)


def _write(folder: Path, names: Names) -> None:
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("rrframe.cli", "templates/plugin"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
    )
    for name, template in _FILES.items():
        path = folder / name.format(module=names.module)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(templates.get_template(template).render(names._asdict()), encoding="utf-8")
