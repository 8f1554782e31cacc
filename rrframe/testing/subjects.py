"""What is checked: components found by name, class, instance, module or distribution, with all they need to run."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import re
import shlex
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import torch

from rrframe.contracts.backbone import Backbone
from rrframe.contracts.component import Component
from rrframe.contracts.cue import FRAMES, PARTNER, Cue
from rrframe.contracts.stand_ins import stand_in
from rrframe.contracts.trying import compute_cues
from rrframe.errors import RRFrameError, did_you_mean
from rrframe.manager import Entry, get_manager
from rrframe.testing.pictures import Picture

T = TypeVar("T")
What = str | type[Component] | Component | tuple[str | type[Component], Mapping[str, Any]]
"""A component's name, a class (or ``module:Class``), an instance, a name or class with params; or a module,
distribution or plugin, meaning all that it has.
"""
_SHAKING = 0.03  # about what a short training moves weights by
Provider = Cue | Callable[[torch.Tensor], torch.Tensor]
"""Gives the maps ``[B, C, H, W]`` of a cue for images ``[B, 3, H, W]``, float32 in [0, 1], encoded."""


@dataclass(frozen=True)
class Effort:
    """How hard to look.

    Args:
        examples: How many examples each law is tried on.
        seed: Of the choice of examples. The same seed chooses the same ones.
        processes: Whether to start another process for the laws that need one; it takes seconds.
    """

    examples: int = 20
    seed: int = 0
    processes: bool = True


QUICK = Effort(examples=6, processes=False)


class BrokenPlugin(RRFrameError):
    """A plugin that was to be checked cannot even be loaded."""

    exit_code = 1


@dataclass(frozen=True)
class Subject:
    """A component to be checked.

    Args:
        name: As registered, or ``module:Class``.
        kind: One of ``rrframe.specs.KINDS``.
        cls: Its class, unless that cannot be had.
        entry: The row of the lookup table, if a plugin announces it.
        params: What it is made from.
        problem: Why its class cannot be had.
        providers: Cues of the author's own by name; the default providers give the rest.
        effort: How hard to look.
    """

    name: str
    kind: str
    cls: type[Component] | None
    entry: Entry | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    problem: RRFrameError | None = None
    providers: Mapping[str, Provider] = field(default_factory=dict)
    effort: Effort = field(default_factory=Effort)

    @cached_property
    def component(self) -> Component:
        """The component, the same one at each call: made once and used for many pictures, as a run does.

        Raises:
            RRFrameError: It cannot be made from its params.
        """
        return self.made()

    def made(self, changed: Mapping[str, Any] | None = None) -> Component:
        """A new component from the params, some of them ``changed``.

        Raises:
            RRFrameError: It cannot be made from them.
        """
        if self.cls is None:
            raise self.problem or RRFrameError(f"{self.name} cannot be imported")
        component = self.cls.make({**self.params, **(changed or {})})
        component._entry = self.entry
        return component

    def once(self, key: Hashable, compute: Callable[[], T]) -> T:
        """What ``compute`` gave at the first call with ``key``: laws that look at the same thing share it."""
        if key not in self._known:
            self._known[key] = compute()
        found: T = self._known[key]
        return found

    @cached_property
    def _known(self) -> dict[Hashable, Any]:
        return {}

    def backbone(self, **changed: Any) -> Backbone:
        """A new backbone on the CPU, where sums have one order, unless the params say where.

        Raises:
            RRFrameError: It cannot be made.
        """
        component = self.made({"device": self.params.get("device", "cpu"), **changed})
        assert isinstance(component, Backbone)
        return component

    @cached_property
    def shaken(self) -> Backbone:
        """A backbone with some noise on its weights, the same one at each call: one that starts out changing nothing
        would obey most laws whatever its network did.
        """
        backbone = self.backbone()
        if backbone.capabilities.trainable:
            generator = torch.Generator().manual_seed(0)
            with torch.no_grad():
                for parameter in backbone.trainable().parameters():
                    noise = torch.randn(parameter.shape, generator=generator).to(parameter)
                    parameter.add_(noise, alpha=_SHAKING)
        return backbone

    @property
    def plugin(self) -> str | None:
        return str(self.entry.plugin) if self.entry else None

    def maps(self, names: set[str], images: torch.Tensor) -> dict[str, torch.Tensor]:
        """The cues called ``names`` for clean ``images``, ``[B, 3, H, W]`` float32 in [0, 1], encoded."""
        maps: dict[str, torch.Tensor] = {}
        for name in sorted(names):
            provider = self.providers.get(name)
            if provider is not None and not isinstance(provider, Cue):
                maps[name] = provider(images)
            elif name == PARTNER and provider is None:
                batch, _, height, width = images.shape
                maps[name] = Picture(height, width, batch, seed=99).tensor()
            elif name == FRAMES and provider is None:
                maps[name] = stand_in(name, images)
            else:
                keys = [str(index) for index in range(len(images))]
                maps[name] = getattr(compute_cues([name], images, keys, {name: provider} if provider else None), name)
        return maps

    def command(self, check: str) -> str:
        """The command that runs one check of this subject again."""
        words = ["rrframe", "check", self.name]
        if sum(entry.spec.name == self.name for entry in get_manager().entries()) > 1:
            words += ["--kind", self.kind]
        words += [word for key, value in self.params.items() for word in ("-p", f"{key}={json.dumps(value)}")]
        return shlex.join([*words, "--only", check, "--seed", str(self.effort.seed)])


def subjects_named(
    what: What,
    *,
    kind: str | None = None,
    cues: Mapping[str, Provider] | None = None,
    effort: Effort | None = None,
) -> list[Subject]:
    """The components that ``what`` means, sorted by name; of ``kind`` alone, where it is given.

    Raises:
        RRFrameError: It means none.
        BrokenPlugin: It means a plugin that cannot be loaded.
    """
    common = {"providers": dict(cues or {}), "effort": effort or Effort()}
    params: Mapping[str, Any] | None = None
    if isinstance(what, tuple):
        what, params = what
    if isinstance(what, Component):
        return [_of_class(type(what), what.params(), what._entry, common)]
    if isinstance(what, type):
        return [_of_class(what, params, None, common)]
    found = [subject for subject in _named(what, params, common) if kind in (None, subject.kind)]
    if not found:
        raise RRFrameError(f"{what} is no {kind}", hint=f"rrframe plugins --kind {kind}")
    if params is not None and len(found) > 1:
        one_name = len({subject.name for subject in found}) == 1
        kinds = " and a ".join(subject.kind for subject in found)
        raise RRFrameError(
            f"{what} is not one component, so params cannot be given for it",
            hint=f"it is a {kinds}: say which with --kind" if one_name else None,
        )
    return sorted(found, key=lambda subject: subject.name)


def _named(what: str, params: Mapping[str, Any] | None, common: dict[str, Any]) -> list[Subject]:
    entries = get_manager().entries()
    announced = [entry for entry in entries if entry.spec.name == what] or [
        entry for entry in entries if _belongs(entry, what)
    ]
    if announced:
        return [_of_entry(entry, params, common) for entry in announced]
    for broken in get_manager().broken:
        if _same_distribution(broken.plugin.distribution, what) or what in (broken.plugin.name, broken.plugin.target):
            raise BrokenPlugin(f"plugin {broken.plugin.name} is broken: {broken.reason}", plugin=str(broken.plugin))
    module, _, attribute = what.partition(":")
    if _can_import(module):
        classes = _classes_of(module, attribute)
        if classes:
            return [_of_class(cls, params, None, common) for cls in classes]
    raise RRFrameError(
        f"no component, module or plugin is called {what!r}", hint=did_you_mean(what, known(), listing="rrframe check")
    )


def known() -> list[str]:
    """The names of all components and distributions that can be checked."""
    entries = get_manager().entries()
    return sorted({entry.spec.name for entry in entries} | {entry.plugin.distribution for entry in entries})


def _of_entry(entry: Entry, params: Mapping[str, Any] | None, common: dict[str, Any]) -> Subject:
    cls, problem = None, None
    try:
        if entry.error:
            raise RRFrameError(entry.error, component=entry.spec.name, plugin=str(entry.plugin))
        cls = get_manager().load(entry)
    except RRFrameError as error:
        problem = error
    return Subject(entry.spec.name, entry.kind, cls, entry, _params(cls, params), problem, **common)


def _of_class(
    cls: type[Component], params: Mapping[str, Any] | None, entry: Entry | None, common: dict[str, Any]
) -> Subject:
    entry = entry or get_manager().entry_of(cls)
    name = entry.spec.name if entry else f"{cls.__module__}:{cls.__qualname__}"
    return Subject(name, entry.kind if entry else cls.kind, cls, entry, _params(cls, params), **common)


def _params(cls: type[Component] | None, params: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return dict(params if params is not None else getattr(cls, "checked_with", {}))


def _belongs(entry: Entry, what: str) -> bool:
    module = entry.spec.target.partition(":")[0]
    names = (entry.plugin.name, entry.plugin.target, entry.spec.target, module)
    return what in names or module.startswith(f"{what}.") or _same_distribution(entry.plugin.distribution, what)


def _same_distribution(one: str, other: str) -> bool:
    return re.sub(r"[-_.]+", "-", one).lower() == re.sub(r"[-_.]+", "-", other).lower()


def _can_import(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _classes_of(module: str, attribute: str) -> list[type[Component]]:
    try:
        names = vars(importlib.import_module(module))
    except Exception as error:
        raise BrokenPlugin(f"cannot import {module}: {type(error).__name__}: {error}") from error
    return [
        cls
        for cls in names.values()
        if isinstance(cls, type)
        and issubclass(cls, Component)
        and cls.__module__ == module
        and not inspect.isabstract(cls)
        and attribute in ("", cls.__qualname__)
    ]
