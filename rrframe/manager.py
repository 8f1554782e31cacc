"""Finds plugins, one entry point at a time, and keeps one table a kind of what they announce.

pluggy's bulk loader stops at the first broken plugin without naming it, skips duplicate names in silence, and accepts
a misspelt hook until someone asks. Here a broken plugin becomes a row that says why, a collision names both sides,
and the rest goes on.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import itertools
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import pluggy

from rrframe import hookspecs
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.specs import HOOKS, KINDS, Spec

if TYPE_CHECKING:
    import click

    from rrframe.contracts.component import Component

GROUP = "rrframe"
_OWN = "rrframe"
# A plugin may do anything when it is imported or called, calling sys.exit() included.
_FAILURES = (Exception, SystemExit)
_UNINSTALL = "uninstall all but one of them, or leave plugins out with --no-plugins"
_CHOOSE_CUE = "choose one under cues: in a recipe, or uninstall the other"


class Plugin(NamedTuple):
    """Where a component comes from: the entry point's name and target, and the distribution that declares it."""

    name: str
    target: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


class Entry(NamedTuple):
    """One row of a table: a component and the plugin that announced it.

    ``error`` tells why it cannot be used, if so.
    """

    kind: str
    spec: Spec
    plugin: Plugin
    error: str | None = None


class BrokenPlugin(NamedTuple):
    """A plugin that could not be loaded, or a part of it, and why."""

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
        self._commands: dict[str, click.Command] | None = None
        self._tables: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}
        for plugin, point in _entry_points():
            if third_party or plugin.distribution == _OWN:
                self._add(plugin, point)
        self._tables = {kind: dict(sorted(table.items())) for kind, table in self._tables.items()}

    # Looking up
    # ---------------------------------------------------------------------------------------------------------------

    def table(self, *kinds: str) -> Mapping[str, Entry]:
        """The components of ``kinds`` (all, if none is named) by name, sorted."""
        return dict(sorted((entry.spec.name, entry) for entry in self.entries(*kinds)))

    def entries(self, *kinds: str) -> list[Entry]:
        """The same, kind after kind: a name may stand in two of them."""
        return [entry for kind in kinds or KINDS for entry in self._tables[kind].values()]

    def find(self, name: str, *kinds: str) -> Entry:
        """The entry called ``name`` among ``kinds`` (all, if none is named).

        Raises:
            RRFrameError: No such component, with the nearest names; or more than one.
        """
        found = [self._tables[kind][name] for kind in kinds or KINDS if name in self._tables[kind]]
        if not found:
            kind = " or ".join(kinds) or "component"
            listing = f"rrframe plugins --kind {kinds[0]}" if len(kinds) == 1 else "rrframe plugins"
            raise RRFrameError(
                f"no {kind} is called {name!r}",
                hint=did_you_mean(name, self.table(*kinds), listing=listing) + self.broken_hint(),
            )
        if len(found) > 1:
            owners = " and ".join(f"a {entry.kind} of {entry.plugin}" for entry in found)
            raise RRFrameError(f"{name} names {owners}", component=name, hint="name the kind, or uninstall one")
        if found[0].error:
            raise RRFrameError(found[0].error, component=name, hint=_UNINSTALL)
        return found[0]

    def default_cue(self, name: str) -> Entry | None:
        """The provider of the cue ``name`` to take where nobody chose one.

        Raises:
            RRFrameError: Two claim to be.
        """
        providers = (entry for entry in self._tables["cue"].values() if entry.spec.name.split("/")[0] == name)
        defaults = [entry for entry in providers if entry.spec.default]
        if len(defaults) > 1:
            claims = " and ".join(f"{entry.spec.name} of {entry.plugin}" for entry in defaults)
            raise RRFrameError(f"more than one default provides the cue {name!r}: {claims}", hint=_CHOOSE_CUE)
        return defaults[0] if defaults else None

    def broken_hint(self) -> str:
        """What to add to a hint about a name that is not known: a broken plugin may have brought it."""
        if not self.broken:
            return ""
        names = ", ".join(sorted({broken.plugin.name for broken in self.broken}))
        return f" (broken plugins: {names}; rrframe plugins tells why)"

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
        except _FAILURES as error:
            hint = f"pip install '{entry.spec.extra}'" if entry.spec.extra else f"tell the authors of {entry.plugin}"
            raise RRFrameError(f"cannot import {entry.spec.target}: {_said(error)}", hint=hint, **where) from error
        if not (isinstance(cls, type) and issubclass(cls, Component)):
            raise RRFrameError(f"{entry.spec.target} is not a class derived from rrframe.Component", **where)
        if cls.kind not in (entry.kind, "degradation" if entry.kind == "effect" else entry.kind):
            raise RRFrameError(
                f"{entry.spec.target} is a {cls.kind}, but was announced by {HOOKS[entry.kind]}", **where
            )
        if unwritten := sorted(cls.__abstractmethods__):
            raise RRFrameError(f"{entry.spec.target} does not implement {', '.join(unwritten)}", **where)
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
        return next((entry for entry in self.entries() if entry.spec.target == target), None)

    # Observing
    # ----------------------------------------------------------------------------------------------------------------

    def notify(self, hook: str, **arguments: object) -> None:
        """Call an observer hook of every plugin.

        One that fails is logged with its plugin, and the rest are still called.
        """
        for implementation in getattr(self._pluggy.hook, hook).get_hookimpls():
            try:
                implementation.function(*(arguments[name] for name in implementation.argnames))
            except _FAILURES as error:
                import logging  # only failures need it

                plugin = self._plugins[implementation.plugin_name]
                logging.getLogger(GROUP).warning("plugin %s failed in %s: %s", plugin, hook, _said(error))

    # Commands
    # ------------------------------------------------------------------------------------------------------------------

    def commands(self, taken: Collection[str]) -> Mapping[str, click.Command]:
        """The commands that plugins add, by name.

        A plugin that fails here, or whose command is called as one of ``taken`` (the host's own) or as another
        plugin's, is listed as broken, and nobody gets that command.
        """
        if self._commands is None:
            owners: dict[str, Plugin] = {}
            self._commands = {}
            for implementation in self._pluggy.hook.register_commands.get_hookimpls():
                plugin = self._plugins[implementation.plugin_name]
                for name, command in self._offered(implementation.function, plugin).items():
                    if name in taken:
                        self._break(plugin, ValueError(f"command {name!r} is rrframe's own"))
                    elif name in owners:
                        self._commands.pop(name, None)
                        self._break(plugin, ValueError(f"command {name!r} is added by {owners[name]} and {plugin}"))
                    else:
                        owners[name], self._commands[name] = plugin, command
        return self._commands

    def _offered(self, register: Any, plugin: Plugin) -> Mapping[str, click.Command]:
        import click

        scratch = click.Group()
        try:
            register(scratch)
        except _FAILURES as error:
            self._break(plugin, error)
            return {}
        return scratch.commands

    # Loading
    # ------------------------------------------------------------------------------------------------------------------

    def _add(self, plugin: Plugin, point: importlib.metadata.EntryPoint) -> None:
        key = f"{plugin.distribution}:{plugin.name}"
        try:
            module = point.load()
            self._check_hooks(module)
            self._pluggy.register(module, name=key)
            self._plugins[key] = plugin
            entries = list(self._announced(key, plugin))
        except _FAILURES as error:
            if self._pluggy.has_plugin(key):
                self._pluggy.unregister(name=key)
            self._break(plugin, error)
            return
        for entry in entries:
            self._insert(entry)

    def _break(self, plugin: Plugin, error: BaseException) -> None:
        if self._strict:
            hint = "unset RRFRAME_STRICT to go on without it"
            raise RRFrameError(
                f"plugin {plugin.name} is broken: {_said(error)}", plugin=str(plugin), hint=hint
            ) from error
        self.broken.append(BrokenPlugin(plugin, _said(error)))

    def _check_hooks(self, module: ModuleType) -> None:
        known = {name for name in vars(hookspecs) if hasattr(getattr(hookspecs, name), f"{GROUP}_spec")}
        found = 0
        for name in dir(module):
            options = self._pluggy.parse_hookimpl_opts(module, name)
            hook = options and (options.get("specname") or name)
            if hook and hook not in known:
                raise ValueError(f"there is no hook {hook!r}; {did_you_mean(hook, known)}")
            if not hook and name in known:
                raise ValueError(f"{name} is not marked with @rrframe.hookimpl")
            found += bool(hook)
        if not found:
            raise ValueError("it has no hook: nothing in it is marked with @rrframe.hookimpl")

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
        other = table.setdefault(name, entry)
        if other is entry:
            return
        # Nobody wins: whichever was meant, taking another in silence would change somebody's results.
        reason = f"{other.error or f'{name} is announced by {other.plugin}'} and {entry.plugin}"
        if self._strict:
            raise RRFrameError(reason, component=name, plugin=str(entry.plugin), hint=_UNINSTALL)
        table[name] = other._replace(error=reason)


@functools.lru_cache(maxsize=1)
def get_manager() -> Manager:
    """The manager of this process.

    ``RRFRAME_STRICT=1`` makes broken plugins raise; ``RRFRAME_NO_PLUGINS=1`` leaves out other distributions'.
    """
    return Manager(
        strict=os.environ.get("RRFRAME_STRICT") == "1", third_party=os.environ.get("RRFRAME_NO_PLUGINS") != "1"
    )


def _entry_points() -> list[tuple[Plugin, importlib.metadata.EntryPoint]]:
    found: dict[str, list[tuple[Plugin, importlib.metadata.EntryPoint]]] = {}
    for distribution in importlib.metadata.distributions():
        # Parsing is the slow part of looking: most distributions are passed over after a glance at their text.
        if f"[{GROUP}]" not in (distribution.read_text("entry_points.txt") or ""):
            continue
        name, version = distribution.metadata["Name"], distribution.metadata["Version"]
        points = distribution.entry_points.select(group=GROUP)
        # Of two copies the first on the path counts, as it does for imports.
        found.setdefault(name, [(Plugin(point.name, point.value, name, version), point) for point in points])
    # The framework's own plugins come first, so that in a collision the newcomer is named second.
    return sorted(itertools.chain(*found.values()), key=lambda pair: (pair[0].distribution != _OWN, pair[0]))


def _said(error: BaseException) -> str:
    """The error as one line: its type where the message alone would puzzle."""
    text = str(error).strip().splitlines()
    return (
        text[0]
        if text and isinstance(error, RRFrameError)
        else f"{type(error).__name__}: {' '.join(text) or 'no message'}"
    )
