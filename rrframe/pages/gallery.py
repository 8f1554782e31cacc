"""The gallery: degradations on one photograph, from mild to severe."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch

from rrframe.contracts.chain import Chain
from rrframe.contracts.component import create
from rrframe.contracts.cue import PARTNER, Cues
from rrframe.contracts.degradation import Degradation, check_severity
from rrframe.contracts.dials import Dial
from rrframe.contracts.draw import Draw
from rrframe.contracts.trying import compute_cues, default_provider, image_key
from rrframe.errors import RRFrameError, RRFrameErrors
from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.manager import Entry
from rrframe.pages.notes import notes_of
from rrframe.pages.page import Page
from rrframe.pages.pictures import Picture, picture
from rrframe.pages.pieces import Cell, Facts, Piece, Section, Strip, Table, Text


class Gallery:
    """Collects a row a degradation, and makes a page of them.

    Args:
        pixels: The clean picture, ``[H, W, 3]`` uint8 or uint16 encoded sRGB, in the size to show.
        severities: From 0 (mild) to 1 (severe).
        seed: The same seed gives the same page.

    Raises:
        RRFrameError: A severity is not between 0 and 1.
    """

    def __init__(self, pixels: np.ndarray, severities: Sequence[float], seed: int = 0) -> None:
        self.severities = [severity for severity in severities if check_severity(severity) is not None]
        self.seed = seed
        self.broken: dict[str, str] = {}
        """The degradations that could not be shown, with the reason."""
        self.waiting: dict[str, str] = {}
        """Those that need params of the user's own, such as a file of weights, and which."""
        self._images = to_batch(pixels)
        self._clean = to_pixels(self._images[0])
        # No component provides a second picture: the mirrored first one stands in.
        self._maps: dict[str, torch.Tensor] = {PARTNER: self._images.flip(-1)}
        self._categories: defaultdict[str, list[Section]] = defaultdict(list)

    def add(self, entry: Entry) -> Iterator[float]:
        """Add a row, and tell of each severity once it is done. A degradation that fails gets a row with the reason."""
        category, pieces, tags = entry.spec.name.split("/")[0], cast(list[Piece], []), cast(list[str], [])
        try:
            step = cast(Degradation, create(entry.spec.name, kinds=(entry.kind,)))
            category, tags = step.category, [f"{step.light} light", *(f"needs {cue}" for cue in sorted(step.needs()))]
            draws, pictures = [], [picture(self._clean, "The clean picture", "Clean")]
            for severity in self.severities:
                draw, shown = self._degraded(step, severity)
                draws.append(draw)
                pictures.append(shown)
                yield severity
            pieces = [Strip(f"{step.name} by severity", pictures), self._dials(step, draws), Facts(_about(step))]
        except RRFrameErrors as error:  # made from no params
            self.waiting[entry.spec.name] = str(error)
            pieces = [Text(str(error))]
            tags.append("needs params")
        except Exception as error:  # whatever a plugin does wrong, the other rows are worth having
            reason = str(error) if isinstance(error, RRFrameError) else f"{type(error).__name__}: {error}"
            self.broken[entry.spec.name] = reason
            pieces = [Text(reason, "alarm")]
            tags.append("broken")
        row = Section(entry.spec.name, [Text(entry.spec.summary), *pieces], tags, is_name=True)
        self._categories[category].append(row)

    def page(self, name: str) -> Page:
        """All rows so far, by category. ``name`` is the picture's."""
        height, width = self._clean.shape[:2]
        rows = sum(map(len, self._categories.values()))
        intro = (
            f"{rows} degradation{'s' if rows != 1 else ''} from mild to severe, with the PSNR to the clean picture. "
            "Press a picture to see it at 100 %, then walk along its row with the arrow keys."
        )
        facts: dict[str, Cell] = {"Picture": name, "Shown at": f"{width} × {height}", "Seed": str(self.seed)}
        sections = [Section(category, rows) for category, rows in sorted(self._categories.items())]
        return Page(f"Degradations of {name}", sections, intro, facts)

    def _degraded(self, step: Degradation, severity: float) -> tuple[Draw, Picture]:
        chain = Chain((step,))
        draw = chain.draw(image_key(self.seed), severity)
        with torch.inference_mode():
            done = chain.apply(self._images, [draw], self._cues(step))
        if done.shape != self._images.shape:
            raise RRFrameError(
                f"it gave {tuple(done.shape)} for {tuple(self._images.shape)}", component=step.name, plugin=step.plugin
            )
        if not bool(done.isfinite().all()):
            raise RRFrameError("it gave values that are not finite", component=step.name, plugin=step.plugin)
        pixels = to_pixels(done[0])
        alt = f"{step.name} at severity {severity:g}"
        return draw.steps[0], picture(pixels, alt, f"Severity {severity:g}", _psnr(pixels, self._clean))

    def _cues(self, step: Degradation) -> Cues:
        for name in step.needs() - self._maps.keys():
            self._maps[name] = getattr(compute_cues([name], self._images, ["0"]), name)
        return Cues({name: self._maps[name] for name in step.needs()})

    def _dials(self, step: Degradation, draws: Sequence[Draw]) -> Table:
        columns = ["Dial", *(f"{severity:g}" for severity in self.severities), "Drawn from", "Mild to severe", "About"]
        dials = step.dials()
        rows: list[list[Cell]] = []
        for name in dict.fromkeys([*dials, *(name for draw in draws for name in draw.values)]):
            values = [_cell(draw.values.get(name)) for draw in draws]
            rows.append([name, *values, *(_range(dials[name]) if name in dials else ("the other dials", "", ""))])
        return Table(f"What the dials of {step.name} are set to at each severity", columns, rows, sortable=False)


def _about(step: Degradation) -> dict[str, Cell]:
    facts: dict[str, Cell] = dict(notes_of(type(step)))
    for cue in sorted(step.needs()):
        if cue == PARTNER:
            facts["Partner"] = "the picture itself, mirrored: a stand-in for a second photograph"
        else:
            entry = default_provider(cue).entry
            facts[cue.capitalize()] = f"{entry.spec.name}: {entry.spec.summary}" if entry else ""
    return facts | {"Plugin": step.plugin}


def _range(dial: Dial) -> tuple[str, str, str]:
    about = f"{dial.about} [{dial.unit}]" if dial.unit else dial.about
    follows = dial.mild is not None and dial.law.name != "fixed"
    return str(dial), f"{_short(dial.mild)} to {_short(dial.severe)}" if follows else "", about


def _cell(value: Any) -> Cell:
    if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
        return value
    return ", ".join(str(_cell(part)) for part in value) if isinstance(value, list) else str(value)


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _psnr(pixels: np.ndarray, clean: np.ndarray) -> str:
    error = float(np.square(pixels.astype(np.float32) - clean).mean())
    return f"{10 * math.log10(255**2 / error):.1f} dB" if error else "identical"
