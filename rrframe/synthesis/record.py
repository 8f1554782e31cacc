"""Records: all that made one pair.

A pair is drawn as a record and rendered from it, so that replaying is rendering again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Self

import cv2
import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from rrframe.contracts.chain import Chain
from rrframe.contracts.component import Used
from rrframe.contracts.cue import PARTNER, Cue, Cues
from rrframe.contracts.draw import Draw
from rrframe.contracts.problems import translate
from rrframe.contracts.source import Photograph
from rrframe.contracts.trying import default_provider
from rrframe.errors import RRFrameError, RRFrameErrors
from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.rng import Key
from rrframe.run.versions import installed_version
from rrframe.synthesis.cues import cue_of
from rrframe.synthesis.versions import versions_of


class Origin(BaseModel):
    """A picture that went in: its key, the hash of its file's bytes, and what had to be done to read it."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    key: str
    sha256: str
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, key: str, photograph: Photograph) -> Self:
        return cls(key=key, sha256=photograph.sha256, notes=photograph.notes)


class Record(BaseModel):
    """How one pair came to be: enough to make it again, to the byte."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: Origin
    task: str
    seed: int
    variant: int = 0
    severity: float | None = None
    partner: Origin | None = None
    cues: dict[str, Annotated[Cue, Used("cue")]] = {}
    chain: Chain
    draw: Draw
    versions: dict[str, str] = {}

    @staticmethod
    def of(
        chain: Chain,
        key: Key,
        *,
        source: Origin,
        task: str,
        seed: int,
        variant: int = 0,
        severity: float | None = None,
        partner: Origin | None = None,
        cues: dict[str, Cue] | None = None,
    ) -> Record:
        """Draw the settings of ``chain`` at ``key`` and note all that goes into the pair.

        ``cues`` may hold more than the chain needs.
        """
        used = {name: (cues or {}).get(name) or default_provider(name) for name in sorted(chain.needs() - {PARTNER})}
        return Record.model_construct(
            source=source,
            task=task,
            seed=seed,
            variant=variant,
            severity=severity,
            partner=partner,
            cues=used,
            chain=chain,
            draw=chain.draw(key, severity),
            versions=versions_of([*chain.parts(), *used.values()]),
        )

    @classmethod
    def read(cls, text: str) -> Self:
        """The record written in ``text``: by ``rrframe degrade --record``, or the JSON file of a pair.

        Raises:
            RRFrameErrors: It is no record, or needs a component that is not installed.
        """
        try:
            data = json.loads(text)
        except ValueError as error:
            raise RRFrameError(f"not a record: {error}", hint="rrframe degrade --record FILE writes one") from None
        if isinstance(data, dict):
            data = data.get("record", data)  # in a pair's JSON file the record is one of its parts
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            found = [each for _, each in translate(error, model=cls, given=data)]
            raise RRFrameErrors(found, message="the record cannot be used") from None

    def written(self) -> dict[str, Any]:
        """The record as JSON-able data; parts that it does not have are left out."""
        return {name: value for name, value in self.model_dump(mode="json").items() if value is not None}


@dataclass(frozen=True)
class Rendered:
    """Both sides of a pair: ``[H, W, 3]`` uint8, encoded sRGB."""

    degraded: np.ndarray
    clean: np.ndarray


def render(
    record: Record,
    photograph: Photograph,
    *,
    partner: Photograph | None = None,
    known: dict[str, torch.Tensor] | None = None,
) -> Rendered:
    """Make the pair that ``record`` describes.

    Args:
        record: What to make.
        photograph: The clean picture.
        partner: The second picture, where the chain wants one.
        known: Cues of this picture computed before; what is missing is computed and added.

    Raises:
        RRFrameError: A component failed, or a second picture is wanted and not given.
    """
    maps = known if known is not None else {}
    for name, provider in record.cues.items():
        if name not in maps:
            maps[name] = cue_of(name, provider, photograph, record.source.key)
    cues = {name: maps[name] for name in record.cues}
    if PARTNER in record.chain.needs():
        if partner is None:
            raise RRFrameError(
                "a second picture is needed", component=record.chain.ids[0], hint="use a source of two pictures or more"
            )
        cues[PARTNER] = to_batch(fitted(partner.pixels, photograph.pixels.shape[0], photograph.pixels.shape[1]))
    with torch.inference_mode():
        degraded = record.chain.apply_pixels(photograph.pixels, record.draw, Cues(cues))
        if record.chain.retargets():
            target = record.chain.retarget(to_batch(photograph.pixels), [record.draw], Cues(cues))
            return Rendered(degraded, to_pixels(target[0]))
    return Rendered(degraded, photograph.eight_bit())


def fitted(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """``pixels`` scaled to cover ``height`` x ``width`` and cut to it around the centre."""
    own_height, own_width = pixels.shape[:2]
    scale = max(height / own_height, width / own_width)
    size = (max(width, round(own_width * scale)), max(height, round(own_height * scale)))
    scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    top, left = (scaled.shape[0] - height) // 2, (scaled.shape[1] - width) // 2
    return np.ascontiguousarray(scaled[top : top + height, left : left + width])


def differing_versions(record: Record) -> Iterator[str]:
    """What is installed in another version than made the record, a sentence each."""
    for name, then in record.versions.items():
        now = installed_version(name)
        if now not in (None, then):
            yield f"the record was made with {name} {then}, and {now} is installed"
