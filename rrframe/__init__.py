"""rrframe: an open, plugin-based framework to build real-world image restorers.

Everything here is imported at first use, so that ``import rrframe`` and the command line start at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rrframe.contracts.backbone import Backbone as Backbone
    from rrframe.contracts.backbone import Capabilities as Capabilities
    from rrframe.contracts.backbone import Pairs as Pairs
    from rrframe.contracts.chain import Chain as Chain
    from rrframe.contracts.component import Component as Component
    from rrframe.contracts.cue import Cue as Cue
    from rrframe.contracts.cue import Cues as Cues
    from rrframe.contracts.dataset import Dataset as Dataset
    from rrframe.contracts.dataset import Item as Item
    from rrframe.contracts.dataset import Sample as Sample
    from rrframe.contracts.degradation import Degradation as Degradation
    from rrframe.contracts.degradation import FileDegradation as FileDegradation
    from rrframe.contracts.dials import Dial as Dial
    from rrframe.contracts.dials import choice as choice
    from rrframe.contracts.dials import fixed as fixed
    from rrframe.contracts.dials import integers as integers
    from rrframe.contracts.dials import log_uniform as log_uniform
    from rrframe.contracts.dials import truncated_normal as truncated_normal
    from rrframe.contracts.dials import uniform as uniform
    from rrframe.contracts.draw import Draw as Draw
    from rrframe.contracts.draw import Draws as Draws
    from rrframe.contracts.effect import Effect as Effect
    from rrframe.contracts.engine import Engine as Engine
    from rrframe.contracts.filter import Filter as Filter
    from rrframe.contracts.filter import Verdict as Verdict
    from rrframe.contracts.judge import Judge as Judge
    from rrframe.contracts.judge import Unanswered as Unanswered
    from rrframe.contracts.metric import Metric as Metric
    from rrframe.contracts.sink import Sink as Sink
    from rrframe.contracts.source import Photograph as Photograph
    from rrframe.contracts.source import Source as Source
    from rrframe.contracts.task import Task as Task
    from rrframe.contracts.trying import load as load
    from rrframe.errors import RRFrameError as RRFrameError
    from rrframe.hookspecs import hookimpl as hookimpl
    from rrframe.rng import Key as Key
    from rrframe.specs import Spec as Spec

_HOMES = {
    "Backbone": "contracts.backbone",
    "Capabilities": "contracts.backbone",
    "Pairs": "contracts.backbone",
    "Chain": "contracts.chain",
    "Component": "contracts.component",
    "Cue": "contracts.cue",
    "Cues": "contracts.cue",
    "Dataset": "contracts.dataset",
    "Item": "contracts.dataset",
    "Sample": "contracts.dataset",
    "Degradation": "contracts.degradation",
    "FileDegradation": "contracts.degradation",
    "Dial": "contracts.dials",
    "choice": "contracts.dials",
    "fixed": "contracts.dials",
    "integers": "contracts.dials",
    "log_uniform": "contracts.dials",
    "truncated_normal": "contracts.dials",
    "uniform": "contracts.dials",
    "Draw": "contracts.draw",
    "Draws": "contracts.draw",
    "Effect": "contracts.effect",
    "Engine": "contracts.engine",
    "Filter": "contracts.filter",
    "Verdict": "contracts.filter",
    "Judge": "contracts.judge",
    "Unanswered": "contracts.judge",
    "Metric": "contracts.metric",
    "Sink": "contracts.sink",
    "Photograph": "contracts.source",
    "Source": "contracts.source",
    "Task": "contracts.task",
    "load": "contracts.trying",
    "RRFrameError": "errors",
    "hookimpl": "hookspecs",
    "Key": "rng",
    "Spec": "specs",
}
__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("rrframe")
    if name in _HOMES:
        value = getattr(import_module(f"rrframe.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'rrframe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
