"""Safe YAML that remembers its lines: plain mappings, lists and scalars, and nothing else.

The scalars are those of YAML 1.2's core schema, so that ``4:2:0``, ``no`` and ``2026-01-01`` stay strings and ``1e-5``
is a number. Tags, merge keys, duplicate keys and documents that unfold without end are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import yaml

from rrframe.errors import RRFrameError

MOST_BYTES = 1_000_000
MOST_NODES = 100_000
DEEPEST = 64

_NULL = re.compile(r"|~|null|Null|NULL")
_TRUE = re.compile(r"true|True|TRUE")
_FALSE = re.compile(r"false|False|FALSE")
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(frozen=True)
class Node:
    """A value with the line it lies on, counted from 1.

    Args:
        line: Of the key, for a value under a key.
        value: A scalar, a dict of nodes, or a list of nodes.
        size: How many nodes it is when its aliases are unfolded.
        height: How many levels lie below it.
    """

    line: int
    value: Any
    size: int = 1
    height: int = 0

    def plain(self) -> Any:
        """The value without lines; nothing in it is shared."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def line_of(self, location: Sequence[str | int]) -> int:
        """The line of the deepest part of ``location`` that exists."""
        here = self
        for part in location:
            try:
                here = here.value[part]
            except (KeyError, IndexError, TypeError):
                break
        return here.line


def read_yaml(text: str | bytes, origin: str) -> Node:
    """The one document in ``text``.

    Args:
        text: YAML; bytes are UTF-8.
        origin: What errors call the text: its file.

    Raises:
        RRFrameError: It is no YAML, or not of the safe kind described above, with the line.
    """
    if len(text) > MOST_BYTES:
        raise RRFrameError(f"{origin} is larger than {MOST_BYTES:,} bytes: this is no recipe", place=origin)
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise RRFrameError("the text is not UTF-8", place=f"{origin}:{line}", hint="save it as UTF-8") from None
    return _Reader(text, origin).document()


def parse_value(text: str, origin: str = "the command line") -> Any:
    """A value written on a command line.

    One that opens with ``[``, ``{``, ``"`` or ``'`` is YAML. Anything else is a plain scalar as it stands, so that a
    path may hold ``:``, ``#`` or ``=``: a number, ``true``, ``false`` or ``null`` where it reads as one, and nothing
    at all is null. Quotes keep a string a string: ``'"1"'``.

    Raises:
        RRFrameError: It is neither.
    """
    text = text.strip()
    try:
        return read_yaml(text, origin).plain() if text.startswith(("[", "{", '"', "'")) else _plain_scalar(text)
    except RRFrameError as error:
        error.place = origin  # lines and columns of one value tell nothing
        raise
    except ValueError:
        raise RRFrameError("this number has too many digits", place=origin) from None


def _plain_scalar(text: str) -> Any:
    if _NULL.fullmatch(text):
        return None
    if _TRUE.fullmatch(text):
        return True
    if _FALSE.fullmatch(text):
        return False
    if _INTEGER.fullmatch(text):
        return int(text, 0 if text.startswith(("0o", "0x")) else 10)
    if FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text


class _Reader:
    """Builds nodes straight from the parser's events, so that nothing unfolds before it is counted."""

    def __init__(self, text: str, origin: str) -> None:
        self._origin = origin
        self._anchors: dict[str, Node | None] = {}  # None while the anchored value is still open
        self._nodes = 0  # so far, aliases unfolded
        self._events = self._parse(text)

    def document(self) -> Node:
        next(self._events)  # the stream's start
        first = next(self._events)
        if isinstance(first, yaml.StreamEndEvent):
            return Node(1, None)
        root = self._node(next(self._events), 0)
        next(self._events)  # the document's end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            self._refuse(after, "a second document begins here: a recipe is one", hint="remove the line '---'")
        return root

    def _parse(self, text: str) -> Iterator[Any]:
        try:
            yield from yaml.parse(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = f"{self._origin}:{mark.line + 1}:{mark.column + 1}" if mark else self._origin
            said = ", ".join(part for part in (error.context, error.problem) if part)
            raise RRFrameError(f"this is not YAML: {said}", place=place, hint=_advice(said)) from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise RRFrameError(
                f"the character {error.character!r} cannot stand in YAML", place=f"{self._origin}:{line}"
            ) from None
        except (ValueError, OverflowError) as error:  # an escape or a version beyond what the parser foresaw
            raise RRFrameError(f"this is not YAML: {error}", place=self._origin) from None

    def _node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        self._limit(event, depth, 1)
        if event.tag is not None:
            self._refuse(event, f"the tag {event.tag!r} is refused: recipes hold plain values", hint="remove the tag")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            node = Node(_line(event), self._scalar(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            node = self._sequence(event, depth)
        else:
            node = self._mapping(event, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _scalar(self, event: Any) -> Any:
        if not event.implicit[0]:  # quoted or a block of text
            try:  # JSON writes some characters as two escapes
                return event.value.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError:
                self._refuse(event, "half of a surrogate pair is no character")
        try:
            return _plain_scalar(event.value)
        except ValueError:
            self._refuse(event, "this number has too many digits")

    def _sequence(self, start: Any, depth: int) -> Node:
        items: list[Node] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._node(event, depth + 1))
        return _collection(start, items, items)

    def _mapping(self, start: Any, depth: int) -> Node:
        items: dict[str, Node] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            value = self._node(next(self._events), depth + 1)
            if key in items:
                self._refuse(
                    event,
                    f"the key {key!r} is here twice: first on line {items[key].line}",
                    hint="keep one of the two",
                )
            items[key] = replace(value, line=_line(event))
        return _collection(start, items, list(items.values()))

    def _key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            self._refuse(event, "a key is one plain word here")
        node = self._node(event, 0)
        if not isinstance(node.value, str):
            self._refuse(event, f"the key {event.value!r} is no string", hint=f'quote it: "{event.value}"')
        if node.value == "<<" and event.implicit[0]:
            self._refuse(event, "merge keys are refused", hint="write the values out, or use an alias for the whole")
        return node.value

    def _alias(self, event: Any, depth: int) -> Node:
        if event.anchor not in self._anchors:
            self._refuse(event, f"nothing above is anchored as &{event.anchor}")
        node = self._anchors[event.anchor]
        if node is None:
            self._refuse(event, f"*{event.anchor} refers to what it is part of")
        self._limit(event, depth + node.height, node.size)
        return replace(node, line=_line(event))

    def _limit(self, event: Any, depth: int, more: int) -> None:
        self._nodes += more
        if self._nodes > MOST_NODES:
            self._refuse(event, f"up to here this unfolds to more than {MOST_NODES:,} values")
        if depth > DEEPEST:
            self._refuse(event, f"this is nested more than {DEEPEST} deep")

    def _refuse(self, event: Any, message: str, hint: str | None = None) -> NoReturn:
        raise RRFrameError(message, place=f"{self._origin}:{_line(event)}", hint=hint)


def _collection(start: Any, value: Any, items: Sequence[Node]) -> Node:
    size, height = sum(item.size for item in items), max((item.height for item in items), default=-1)
    return Node(_line(start), value, size + 1, height + 1)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _advice(said: str) -> str | None:
    if "'\\t'" in said:
        return "indent with spaces, not tabs"
    if "mapping values are not allowed" in said:
        return "quote a value that holds ': ', and line keys up under each other"
    return None
