"""The documentation is played from top to bottom, a folder a page: blocks with a title are written as files, Python
and ``$ rrframe`` and ``$ python`` lines are run, and what a page shows of their output must be in it. The README's are
run by a shell; elsewhere what needs no shell is run by tests/warm.py, which is the same in a tenth of the time.

A block under ``<!-- not run: REASON -->`` is only read.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import pytest
import warm
from PIL import Image

from rrframe.cli.main import cli

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SHELL = {*"|<>&;$*?~#`"}  # what a shell reads in a command
RUN = ("rrframe", "python")  # commands of other programs are for the reader's eyes
BLOCK = re.compile(
    r"(?:<!-- not run: (?P<reason>[^>]*) -->\n+)?"
    r"^(?P<indent> *)```(?P<language>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Block:
    line: int
    language: str
    title: str | None
    reason: str | None
    text: str

    def commands(self) -> Iterator[tuple[str, list[str]]]:
        """Each command of a console block with the lines shown of its output."""
        shown: list[str] = []
        command = ""
        for line in self.text.replace("\\\n", "").splitlines():
            if line.startswith("$ "):
                if command:
                    yield command, shown
                command, shown = line.removeprefix("$ ").partition("  #")[0], []
            elif line.strip():
                shown.append(line)
        if command:
            yield command, shown


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    return [
        Block(
            text.count("\n", 0, match.start("language")) + 1,
            match["language"],
            match["title"],
            match["reason"],
            re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE),
        )
        for match in BLOCK.finditer(text)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_shows_is_so(page: Path, tmp_path: Path, photo: np.ndarray) -> None:
    _lay_out(tmp_path, photo)
    for block in blocks(page):
        at = f"{page.name}:{block.line}"
        if block.reason is not None:
            assert block.reason.strip(), f"{at} does not say why it is not run"
        elif block.title:
            (tmp_path / block.title).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            _run(["python", "-c", block.text], tmp_path, at)
        elif block.language == "console":
            for command, shown in block.commands():
                if command.split()[0] in RUN:
                    fails = any(line.startswith("error:") for line in shown)
                    plain = command.startswith("rrframe ") and not SHELL & {*command} and page.name != "README.md"
                    words = shlex.split(command) if plain else ["bash", "-c", command]
                    _expect(shown, _run(words, tmp_path, f"{at}: $ {command}", fails=fails), f"{at}: $ {command}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_shown_exists(page: Path) -> None:
    for block in blocks(page):
        for command, _ in block.commands() if block.language == "console" else ():
            words = shlex.split(command.partition("|")[0], comments=True)
            if words[0] == "rrframe":
                _parse(words[1:])


def test_generated_pages_are_up_to_date() -> None:
    _run([sys.executable, "docs/generate.py", "--check"], ROOT, "docs/generate.py --check")


def test_every_hook_is_documented() -> None:
    from rrframe import hookspecs

    page = (ROOT / "docs" / "reference" / "hooks.md").read_text(encoding="utf-8")
    hooks = [name for name, hook in vars(hookspecs).items() if hasattr(hook, "rrframe_spec")]
    assert len(hooks) >= 16
    for name in hooks:
        section = page.partition(f"\n## {name}\n")[2].partition("\n## ")[0]
        assert f"@hookimpl\ndef {name}(" in section, f"{name} has no example"


def _lay_out(folder: Path, photo: np.ndarray) -> None:
    """What the pages take for granted: a photograph, and a folder of some."""
    (folder / "photos").mkdir()
    Image.fromarray(photo).save(folder / "photo.jpg", quality=95)
    for number in range(3):
        Image.fromarray(np.roll(photo, 100 * number, axis=1)).save(folder / "photos" / f"{number}.jpg", quality=95)


def _run(command: list[str], folder: Path, at: str, *, fails: bool = False) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "COLUMNS": "120", "NO_COLOR": "1"}
    if command[0] in RUN:
        done = warm.run(command, cwd=folder, env=env)
    else:
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600, check=False)
    output = done.stdout + done.stderr
    assert (done.returncode != 0) == fails, f"{at} ended with {done.returncode}:\n{output}"
    return output


def _expect(shown: list[str], output: str, at: str) -> None:
    """Each line shown is in the output, in order; ``...`` stands for anything."""
    rest = output
    for line in shown:
        pattern = ".*".join(re.escape(part) for part in line.rstrip().split("..."))
        found = re.search(rf"^{pattern}\s*$", rest, re.MULTILINE)
        assert found, f"{at} shows\n{line}\nand prints\n{output}"
        rest = rest[found.end() :]


def _parse(words: list[str]) -> None:
    command: click.Command = cli
    context = click.Context(cli, info_name="rrframe")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(context, words[0])
        if inner is None:
            return  # a command of a plugin that a page installs
        command, words = inner, words[1:]
        context = click.Context(command, context)
    if "--help" not in words:
        command.make_parser(context).parse_args(list(words))
