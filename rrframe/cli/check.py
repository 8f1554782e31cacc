"""``rrframe check``: the conformance checks on components, from the command line."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from rrframe.errors import RRFrameError, did_you_mean


@click.command()
@click.argument("names", nargs=-1, metavar="NAME|MODULE...")
@click.option("-p", "--param", "params", multiple=True, metavar="KEY=VALUE", help="A param of the one component named.")
@click.option("--kind", metavar="KIND", help="Which one is meant, where a name stands for two.")
@click.option("--only", multiple=True, metavar="CHECK", help="Run this check alone; may be given again.")
@click.option("--quick", is_flag=True, help="Fewer examples, and no other process.")
@click.option("--seed", default=0, show_default=True, help="Of the choice of examples.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def command(
    names: tuple[str, ...],
    params: tuple[str, ...],
    kind: str | None,
    only: tuple[str, ...],
    quick: bool,
    seed: int,
    as_json: bool,
) -> int:
    """Check that components obey the laws of their kind.

    NAME is a component, such as haze/scattering; MODULE a Python module, a plugin or a distribution, meaning all its
    components. Exits with 1 if a check fails or nothing ran, 2 if a name is not known.
    """
    from dataclasses import replace

    from rrframe.testing import Effort, Report, Trial, subjects_named
    from rrframe.testing.report import told
    from rrframe.testing.subjects import QUICK, known

    if not names:
        raise RRFrameError(
            "name what to check", hint="one or more of:\n" + "\n".join(f"    {name}" for name in known())
        )
    if params and len(names) > 1:
        raise RRFrameError("params are for one component, and several are named", hint="check one at a time")
    sys.path.insert(0, str(Path.cwd()))  # a module beside its author, as python itself would find it
    effort = replace(QUICK if quick else Effort(), seed=seed)
    given = dict(_param(text) for text in params)
    subjects = {
        (subject.kind, subject.name): subject
        for name in names
        for subject in subjects_named((name, given) if given else name, kind=kind, effort=effort)
    }
    trials = [Trial(subject) for subject in subjects.values()]
    _refuse_unknown(only, {name for trial in trials for name in trial.checks})
    outcomes = []
    with _without_hypothesis_folder():
        for trial in trials:
            checks = [name for name in trial.checks if not only or name in only]
            if checks and not as_json:
                click.echo(f"{trial.subject.name}  ({trial.subject.plugin or 'not announced by a plugin'})")
            for name in checks:
                outcomes.append(trial.outcome(name))
                if not as_json:
                    click.echo(told(outcomes[-1]))
    report = Report(outcomes)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=2))
    else:
        click.echo("\n".join([report.summary(), *report.problems]))
    return 1 if report.problems else 0


def _refuse_unknown(only: tuple[str, ...], known: set[str]) -> None:
    for name in only:
        if name not in known:
            raise RRFrameError(f"no check is called {name!r}", hint=did_you_mean(name, known))


def _param(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals:
        raise RRFrameError(f"{text!r} is not of the form KEY=VALUE")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


@contextmanager
def _without_hypothesis_folder() -> Iterator[None]:
    """Keeps Hypothesis from leaving a folder of its own in the working directory."""
    from hypothesis.configuration import set_hypothesis_home_dir

    with tempfile.TemporaryDirectory() as folder:
        set_hypothesis_home_dir(folder)
        yield
