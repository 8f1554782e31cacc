"""The pictures to restore, from files, folders and patterns."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rrframe.errors import RRFrameError
from rrframe.imaging.reading import extensions
from rrframe.imaging.saving import EXTENSIONS, saved_as

KEPT = Path(".rrframe")
"""The folder, in one of results, that holds what is known of them."""


@dataclass(frozen=True)
class Input:
    """A picture to restore.

    Args:
        path: Its file.
        name: Its path below the folder of results; no other input has it, in any case of letters.
        alone: No other input has that path but for the ending.
    """

    path: Path
    name: Path
    alone: bool

    def output(self, format_name: str) -> Path:
        """The path of the result below its folder: its own name, with an ending of ``format_name``."""
        if self.name.suffix.lower() in EXTENSIONS[format_name]:
            return self.name
        usual = EXTENSIONS[format_name][0]
        return self.name.with_suffix(usual) if self.alone else self.name.with_name(self.name.name + usual)


def format_of_output(own: str, asked: str) -> str:
    """The format to save in: the one ``asked`` for, or for ``keep`` that of the file (as Pillow calls it) or PNG."""
    return saved_as(own) if asked == "keep" else asked.upper()


def find_inputs(words: Sequence[str], out: Path) -> list[Input]:
    """The pictures that ``words`` name: each once, in their order, those of a folder sorted.

    A folder is searched with all below it for files with the ending of a picture; hidden ones, ``out`` and the results
    of earlier runs are left out. Its tree is kept, and so is that of a pattern such as ``trip/**/*.jpg``, from the
    first part that has a star.

    Raises:
        RRFrameError: A word names nothing, there is no picture, or a result would replace one.
    """
    roots = [Path(word).expanduser() for word in words if os.path.isdir(os.path.expanduser(word))]
    seen: set[Path] = set()
    found: list[tuple[Path, Path]] = []
    for word in words:
        for path, name in _named(Path(word).expanduser(), out, len({root.resolve() for root in roots}) > 1):
            if (real := path.resolve()) not in seen:
                seen.add(real)
                found.append((path, name))
    if not found:
        raise RRFrameError("there is no picture to restore", hint=f"nothing in {', '.join(words)} ends like one")
    _refuse_replacing(out, found, seen)
    return _distinct(found)


def _named(word: Path, out: Path, several: bool) -> Iterator[tuple[Path, Path]]:
    """Files, and their path below the folder of results."""
    if word.is_dir():
        within = Path(word.resolve().name) if several else Path()
        for path in _below(word, out):
            yield path, within / path.relative_to(word)
    elif word.exists() or word.is_symlink():  # a link to nothing is told of when it is read
        yield word, Path(word.name)
    elif glob.has_magic(str(word)):
        base = Path(*_plain_parts(word))
        matches = [Path(match) for match in sorted(glob.glob(str(word), recursive=True))]
        if not matches:
            raise RRFrameError(f"nothing matches {str(word)!r}", hint=f"patterns start at {Path.cwd()}")
        for match in matches:
            paths = _below(match, out) if match.is_dir() and "**" not in word.parts else [match]
            yield from ((path, path.relative_to(base)) for path in paths if path.is_file() and _is_picture(path))
    else:
        raise RRFrameError(f"there is no file or folder {str(word)!r}", hint=f"relative paths start at {Path.cwd()}")


def _plain_parts(pattern: Path) -> list[str]:
    parts = list(pattern.parts)
    first = next(number for number, part in enumerate(parts) if glob.has_magic(part))
    return parts[:first]


def _below(folder: Path, out: Path) -> list[Path]:
    own, seen, found = out.resolve(), set[Path](), []

    def refuse(error: OSError) -> None:
        raise RRFrameError(f"{error.filename} cannot be listed: {error.strerror}", hint="check its owner and mode")

    for place, folders, files in os.walk(folder, followlinks=True, onerror=refuse):
        real = Path(place).resolve()
        is_result = Path(place) != folder and (real == own or (real / KEPT).is_dir())
        if real in seen or is_result:  # links may go in a circle
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(place, name) for name in sorted(files) if not name.startswith(".")]
    return [path for path in found if _is_picture(path)]


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in extensions()


def _refuse_replacing(out: Path, found: Sequence[tuple[Path, Path]], inputs: set[Path]) -> None:
    for _, name in found:
        if (out / name).resolve() in inputs:
            raise RRFrameError(f"{out / name} is to be restored and would be replaced", hint="choose another --out")


def _distinct(found: Sequence[tuple[Path, Path]]) -> list[Input]:
    taken: set[str] = set()
    named = []
    for path, name in found:
        number, own = 1, name
        while str(own).casefold() in taken:
            number += 1
            own = name.with_name(f"{name.stem}-{number}{name.suffix}")
        taken.add(str(own).casefold())
        named.append((path, own))
    stems = Counter(str(name.with_suffix("")).casefold() for _, name in named)
    return [Input(path, name, stems[str(name.with_suffix("")).casefold()] == 1) for path, name in named]
