"""Versions of what a result depends on."""

from __future__ import annotations

from collections.abc import Iterable

from rrframe.contracts.component import Component
from rrframe.run.versions import installed_version


def versions_of(components: Iterable[Component]) -> dict[str, str]:
    """The version of each distribution that ``components`` come from or rely on, by name, sorted."""
    found: dict[str, str] = {}
    for component in components:
        if component.entry:
            found[component.entry.plugin.distribution] = component.entry.plugin.version
        for name in component.relies_on():
            if version := installed_version(name):
                found[name] = version
    return dict(sorted(found.items()))
