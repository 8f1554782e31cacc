"""Cues: what is computed once from the clean image and used by degradations, such as depth and segments."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from pydantic import JsonValue

from rrframe.contracts.component import Component
from rrframe.errors import RRFrameError

PARTNER = "partner"
"""The cue that no component computes: a second picture of the source, which the host provides."""

FRAMES = "frames"
"""The cue that lies in clips alone, so that it has no default provider: what was before and after a frame."""


class Cue(Component):
    """Computes one map an image.

    The part of its name before the slash (``depth`` of ``depth/plane``) is the cue that it provides.
    """

    kind: ClassVar[str] = "cue"
    costly: ClassVar[bool] = False
    """Whether its maps are worth keeping on the disk between runs. Then they depend on the pixels alone, not on
    ``keys``."""

    def depends_on(self) -> JsonValue:
        """What its maps depend on besides ``params`` and versions, such as the files of a model.

        Kept maps are used only while this is the same.
        """
        return None

    @property
    def at_once(self) -> int:
        """How many pictures of one size it would rather be given together, such as eight for a network on a GPU.

        Where that is more than 1, a run looks ahead in its shard for them. Their maps should be those that each would
        get alone; on a GPU they may differ in their last bits.
        """
        return 1

    @abstractmethod
    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        """The maps of a batch.

        Args:
            images: ``[B, 3, H, W]`` float32 in [0, 1], encoded sRGB, clean.
            keys: The images' keys in their source, for cues that lie in files beside them.

        Returns:
            ``[B, C, H, W]`` float32. ``depth`` is metric, in metres, C = 1. ``segments`` are whole numbers from 0, C
            = 1. ``frames`` are the neighbours of a frame, encoded, three channels each, as many before it as after, and
            may be uint8 codes.
        """


class Cues:
    """The cues of a batch by name: ``cues.depth`` is ``[B, 1, H, W]``.

    A second image of the source arrives as ``cues.partner``, ``[B, 3, H, W]``, encoded.
    """

    def __init__(self, maps: Mapping[str, torch.Tensor] | None = None) -> None:
        self._maps = dict(maps or {})

    def __getattr__(self, name: str) -> torch.Tensor:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._maps[name]
        except KeyError:
            raise RRFrameError(
                f"the cue {name!r} was not computed",
                hint=f"add {name!r} to the operator's cues, and to cues: in the recipe",
            ) from None

    def __contains__(self, name: str) -> bool:
        return name in self._maps

    def select(self, indices: Sequence[int]) -> Cues:
        """The cues of some of the images."""
        return Cues({name: maps[list(indices)] for name, maps in self._maps.items()})
