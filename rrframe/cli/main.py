"""The ``rrframe`` command: finds the module of each command at its first use, and turns every failure into a
message a person can act on.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from typing import NoReturn

import click

from rrframe.errors import RRFrameError

# Name -> module under rrframe.cli (which holds ``command``) and the line that --help shows. Listing them imports none.
COMMANDS = {
    "assets": ("assets", "List, fetch and check published weights."),
    "bench": ("bench", "Measure speed and memory on this machine."),
    "check": ("check", "Run the conformance checks on components."),
    "compare": ("compare", "Put evaluations side by side."),
    "cp": ("recipes", "Copy a shipped recipe to a file of your own."),
    "degrade": ("degrade", "Degrade one image."),
    "estimate": ("estimate", "Estimate what memory a backbone takes, and which card it fits."),
    "gallery": ("gallery", "Show every degradation at five severities on your image, as one page."),
    "info": ("info", "Describe a component: dials, ranges, cues, source."),
    "new": ("new", "Write a new plugin to start from."),
    "plugins": ("plugins", "List what is installed, broken plugins included."),
    "recipes": ("recipes", "List the shipped recipes."),
    "replay": ("replay", "Make a degraded image again from its record."),
    "restore": ("restore", "Restore photographs."),
    "run": ("run", "Run a recipe, or continue a run."),
    "schema": ("schema", "Print the JSON Schema of recipes, installed plugins included."),
    "study": ("study", "Analyse rankings by people."),
    "validate": ("validate", "Check a recipe and report every error in it."),
}
_ATTRIBUTES = {"cp": "copy_command"}  # where a module holds two commands


class Commands(click.Group):
    """The commands above, imported when they are called, and after them those that plugins add."""

    def list_commands(self, context: click.Context) -> list[str]:
        return sorted({*COMMANDS, *self._plugin_commands()})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return self._plugin_commands().get(name)
        module, _ = COMMANDS[name]
        command = getattr(importlib.import_module(f"rrframe.cli.{module}"), _ATTRIBUTES.get(name, "command"))
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        rows = {name: line for name, (_, line) in COMMANDS.items()}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows.items()))
        added = self._plugin_commands()
        if added:
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, command.get_short_help_str(100)) for name, command in sorted(added.items())])

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and self.get_command(context, name) is None:
            from rrframe.errors import did_you_mean
            from rrframe.manager import get_manager

            near = did_you_mean(name, self.list_commands(context), listing="rrframe --help")
            raise RRFrameError(f"no command is called {name!r}", hint=near + get_manager().broken_hint())
        return super().resolve_command(context, args)

    def _plugin_commands(self) -> Mapping[str, click.Command]:
        from rrframe.manager import get_manager

        return get_manager().commands(taken=COMMANDS)


def _print_version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        import rrframe

        click.echo(f"rrframe {rrframe.__version__}")
        context.exit()


def _leave_out_plugins(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        os.environ["RRFRAME_NO_PLUGINS"] = "1"  # worker processes read it too


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--no-plugins",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_leave_out_plugins,
    help="Load no plugins but rrframe's own.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Print the version."
)
def cli() -> None:
    """Build restorers for real photographs: synthesise degradations, train, restore, evaluate.

    Start with: rrframe run quickstart
    """


def main() -> NoReturn:
    """Run the command line and exit: 0 done, 1 the run failed, 2 the input is wrong, 130 interrupted."""
    try:
        code = cli(standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except RRFrameError as error:
        code = _report(error)
    except KeyboardInterrupt:
        click.echo("stopped", err=True)
        code = 130
    except BrokenPipeError:  # the reader of a pipe, such as head, has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _report_unexpected(error)
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: RRFrameError) -> int:
    if os.environ.get("RRFRAME_TRACEBACK") == "1":
        raise error
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error.render()}", err=True)
    return error.exit_code


def _report_unexpected(error: Exception) -> int:
    if os.environ.get("RRFRAME_TRACEBACK") == "1":
        raise error
    said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    _report(RRFrameError(said, hint="RRFRAME_TRACEBACK=1 shows where it came from"))
    return 1
