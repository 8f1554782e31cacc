"""What a hook returns: a light description of a component, never the component itself, so that listing imports
nothing heavy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# Every kind of component with the hook that registers it.
HOOKS = {
    "degradation": "register_degradations",
    "effect": "register_effects",
    "cue": "register_cues",
    "filter": "register_filters",
    "task": "register_tasks",
    "source": "register_sources",
    "sink": "register_sinks",
    "dataset": "register_datasets",
    "engine": "register_engines",
    "backbone": "register_backbones",
    "metric": "register_metrics",
    "judge": "register_judges",
}
KINDS = tuple(HOOKS)

_NAME = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*(/[a-z0-9]+([-_][a-z0-9]+)*)*")
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


@dataclass(frozen=True)
class Spec:
    """A component as its plugin announces it.

    Args:
        name: Lower case, words joined by ``-`` or ``_``, parts by slashes: ``"haze/scattering"``. The first part groups
            related components.
        target: Import path of the class: ``"rrframe_degradations.haze:Scattering"``. Imported at first use.
        summary: One line for listings.
        extra: What to install when the target cannot be imported, such as ``"rrframe[spandrel]"``.
        default: Whether a cue of this name is the one taken where a degradation needs the cue and nobody chose.

    Raises:
        ValueError: The name or the target is not of that form, or the summary is empty or longer than a line.
    """

    name: str
    target: str
    summary: str
    extra: str | None = None
    default: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"component name {self.name!r} is not lower-case words joined by '-', '_' and '/', such as "
                "'haze/scattering'"
            )
        if not _TARGET.fullmatch(self.target):
            raise ValueError(f"target {self.target!r} of {self.name} is not of the form 'package.module:Class'")
        if not self.summary.strip() or "\n" in self.summary:
            raise ValueError(f"summary of {self.name} must be one line of text")
