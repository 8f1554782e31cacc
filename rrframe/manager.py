"""Finds plugins, one entry point at a time, and keeps one table a kind of what they announce.

pluggy's bulk loader stops at the first broken plugin without naming it, skips duplicate names in silence, and accepts
a misspelt hook until someone asks. Here a broken plugin becomes a row that says why, a collision names both sides,
and the rest goes on.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pluggy

from rrframe import hookspecs
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.specs import HOOKS, KINDS, Spec

if TYPE_CHECKING:
    from rrframe.contracts.component import Component

GROUP = "rrframe"
_OWN = "rrframe"
logger = logging.getLogger("rrframe")


@dataclass(frozen=True)
class Plugin:
    """Where a component comes from: the entry point's name and target, and the distribution that declares it."""

    name: str
    target: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class Entry:
    """One row of a table: a component and the plugin that announced it.

    ``error`` tells why it cannot be used, if so.
    """

    kind: str
    spec: Spec
    plugin: Plugin
    error: str | None = None


@dataclass(frozen=True)
class BrokenPlugin:
    """A plugin that could not be loaded, and why."""

    plugin: Plugin
    reason: str


class Manager:
    """The plugins of this environment and the lookup tables made from them, built once and sorted by name.

    Args:
        strict: Raise at the first broken plugin instead of listing it.
        third_party: Load plugins of other distributions too.
    """

    def __init__(self, *, strict: bool = False, third_party: bool = True) -> None:
        self.broken: list[BrokenPlugin] = []
        self._strict = strict
        self._pluggy = pluggy.PluginManager(GROUP)
        self._pluggy.add_hookspecs(hookspecs)
        self._plugins: dict[str, Plugin] = {}
        self._tables: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}
        for plugin, point in _entry_points():
            if third_party or plugin.distribution == _OWN:
                self._add(plugin, point)
        self._tables = {kind: dict(sorted(table.items())) for kind, table in self._tables.items()}

    # Looking up
    # ---------------------------------------------------------------------------------------------------------------

    def table(self, *kinds: str) -> Mapping[str, Entry]:
        """The components of ``kinds`` (all, if none is named) by name, sorted."""
        merged: dict[str, Entry] = {}
        for kind in kinds or KINDS:
            merged |= self._tables[kind]
        return dict(sorted(merged.items()))

    def find(self, name: str, *kinds: str) -> Entry:
        """The entry called ``name`` among ``kinds`` (all, if none is named).

        Raises:
            RRFrameError: No such component, with the nearest names; or two plugins announce it.
        """
        table = self.table(*kinds)
        entry = table.get(name)
        if entry is None:
            kind = " or ".join(kinds) or "component"
            raise RRFrameError(
                f"no {kind} is called {name!r}",
                hint=did_you_mean(name, table, listing="rrframe plugins") + self._broken_hint(),
            )
        if entry.error:
            raise RRFrameError(entry.error, component=name, plugin=str(entry.plugin), hint="uninstall one of the two")
        return entry

    def default_cue(self, name: str) -> Entry | None:
        """The provider of the cue ``name`` to take where nobody chose one."""
        providers = (entry for entry in self._tables["cue"].values() if entry.spec.name.split("/")[0] == name)
        return next((entry for entry in providers if entry.spec.default), None)

    def load(self, entry: Entry) -> type[Component]:
        """Import the class that ``entry`` names.

        Raises:
            RRFrameError: It cannot be imported, with what to install where the plugin says so; or it is not a
                component of that kind.
        """
        from rrframe.contracts.component import Component

        where: dict[str, Any] = {"component": entry.spec.name, "plugin": str(entry.plugin)}
        module, _, attribute = entry.spec.target.partition(":")
        try:
            cls = getattr(importlib.import_module(module), attribute)
        except Exception as error:
            hint = (
                f"pip install '{entry.spec.extra}'"
                if entry.spec.extra
                else "rrframe plugins shows what is installed; report this to the plugin"
            )
            raise RRFrameError(f"cannot import {entry.spec.target}: {_said(error)}", hint=hint, **where) from error
        if not (isinstance(cls, type) and issubclass(cls, Component)):
            raise RRFrameError(f"{entry.spec.target} is not a class derived from rrframe.Component", **where)
        if cls.kind not in (entry.kind, "degradation" if entry.kind == "effect" else entry.kind):
            raise RRFrameError(
                f"{entry.spec.target} is a {cls.kind}, but was announced by {HOOKS[entry.kind]}", **where
            )
        return cls

    def create(self, name: str, params: Mapping[str, Any] | None = None, *, kinds: Iterable[str] = ()) -> Component:
        """The component called ``name``, made from ``params``, which its own model validates.

        Raises:
            RRFrameError: It cannot be found or imported.
            pydantic.ValidationError: ``params`` do not fit; callers that report to people translate it with
            ``rrframe.recipe``.
        """
        entry = self.find(name, *kinds)
        component = self.load(entry).model_validate(dict(params or {}))
        component._entry = entry
        return component

    def entry_of(self, cls: type) -> Entry | None:
        """The entry that announces ``cls``, if one does."""
        target = f"{cls.__module__}:{cls.__qualname__}"
        return next((entry for entry in self.table().values() if entry.spec.target == target), None)

    # Observing
    # ----------------------------------------------------------------------------------------------------------------

    def notify(self, hook: str, **arguments: object) -> None:
        """Call an observer hook of every plugin.

        One that fails is logged with its plugin, and the rest are still called.
        """
        for implementation in getattr(self._pluggy.hook, hook).get_hookimpls():
            try:
                implementation.function(*(arguments[name] for name in implementation.argnames))
            except Exception as error:
                logger.warning(
                    "plugin %s failed in %s: %s", self._plugins[implementation.plugin_name], hook, _said(error)
                )

    # Loading
    # ------------------------------------------------------------------------------------------------------------------

    def _add(self, plugin: Plugin, point: importlib.metadata.EntryPoint) -> None:
        key = f"{plugin.distribution}:{plugin.name}"
        try:
            module = point.load()
            self._refuse_unknown_hooks(module)
            self._pluggy.register(module, name=key)
            self._plugins[key] = plugin
            entries = list(self._announced(key, plugin))
        except Exception as error:
            if self._strict:
                raise RRFrameError(
                    f"plugin {plugin.name} is broken: {_said(error)}",
                    plugin=str(plugin),
                    hint="unset RRFRAME_STRICT to go on without it",
                ) from error
            self.broken.append(BrokenPlugin(plugin, _said(error)))
            if self._pluggy.has_plugin(key):
                self._pluggy.unregister(name=key)
            return
        for entry in entries:
            self._insert(entry)

    def _refuse_unknown_hooks(self, module: ModuleType) -> None:
        known = {name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), f"{GROUP}_spec")}
        for name in dir(module):
            if self._pluggy.parse_hookimpl_opts(module, name) is not None and name not in known:
                raise ValueError(f"there is no hook {name!r}; {did_you_mean(name, known)}")

    def _announced(self, key: str, plugin: Plugin) -> Iterator[Entry]:
        seen: set[tuple[str, str]] = set()
        for kind, hook in HOOKS.items():
            for implementation in getattr(self._pluggy.hook, hook).get_hookimpls():
                if implementation.plugin_name != key:
                    continue
                for spec in implementation.function() or ():
                    if not isinstance(spec, Spec):
                        raise TypeError(f"{hook} gave {spec!r}, which is not a rrframe.Spec")
                    if (kind, spec.name) in seen:
                        raise ValueError(f"{hook} announces {spec.name} twice")
                    seen.add((kind, spec.name))
                    yield Entry(kind, spec, plugin)

    def _insert(self, entry: Entry) -> None:
        table, name = self._tables[entry.kind], entry.spec.name
        other = table.get(name)
        if other is None:
            table[name] = entry
            return
        reason = f"{name} is announced by both {other.plugin} and {entry.plugin}"
        if self._strict:
            raise RRFrameError(reason, component=name, plugin=str(entry.plugin), hint="uninstall one of the two")
        # Neither wins: whichever was meant, taking the other in silence would change somebody's results.
        table[name] = Entry(other.kind, other.spec, other.plugin, reason)
        self.broken.append(BrokenPlugin(entry.plugin, reason))

    def add_commands(self, cli: Any) -> None:
        """Let every plugin add its commands. One that fails is logged and left out."""
        self.notify("register_commands", cli=cli)

    def _broken_hint(self) -> str:
        if not self.broken:
            return ""
        names = ", ".join(sorted({broken.plugin.name for broken in self.broken}))
        return f" (broken plugins: {names}; rrframe plugins tells why)"


@functools.lru_cache(maxsize=1)
def get_manager() -> Manager:
    """The manager of this process.

    ``RRFRAME_STRICT=1`` makes broken plugins raise; ``RRFRAME_NO_PLUGINS=1`` leaves out other distributions'.
    """
    return Manager(
        strict=os.environ.get("RRFRAME_STRICT") == "1", third_party=os.environ.get("RRFRAME_NO_PLUGINS") != "1"
    )


def _entry_points() -> list[tuple[Plugin, importlib.metadata.EntryPoint]]:
    versions: dict[int, tuple[str, str]] = {}  # reading a distribution's metadata is the slow part: once each
    found = []
    for point in importlib.metadata.entry_points(group=GROUP):
        distribution = point.dist
        if distribution is None:
            continue
        if id(distribution) not in versions:
            metadata = distribution.metadata
            versions[id(distribution)] = (metadata["Name"], metadata["Version"])
        name, version = versions[id(distribution)]
        found.append((Plugin(point.name, point.value, name, version), point))
    # The framework's own plugins come first, so that in a collision the newcomer is named second.
    return sorted(found, key=lambda pair: (pair[0].distribution != _OWN, pair[0].distribution, pair[0].name))


def _said(error: BaseException) -> str:
    """The error as one line: its type where the message alone would puzzle."""
    text = str(error).strip().splitlines()
    return (
        text[0]
        if text and isinstance(error, RRFrameError)
        else f"{type(error).__name__}: {' '.join(text) or 'no message'}"
    )
