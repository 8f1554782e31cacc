"""The gallery: degradations and effects on one photograph, from mild to severe."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
import yaml

from rrframe.contracts.chain import Chain
from rrframe.contracts.component import create
from rrframe.contracts.cue import Cues
from rrframe.contracts.degradation import Degradation, check_severity
from rrframe.contracts.dials import Dial
from rrframe.contracts.draw import Draw
from rrframe.contracts.effect import Effect
from rrframe.contracts.stand_ins import STAND_INS, stand_in
from rrframe.contracts.trying import compute_cues, default_provider, image_key
from rrframe.errors import RRFrameError, RRFrameErrors
from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.manager import Entry, get_manager
from rrframe.pages.notes import notes_of
from rrframe.pages.page import Page
from rrframe.pages.pictures import picture
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
        self._maps: dict[str, torch.Tensor] = {}
        self._categories: defaultdict[str, list[Section]] = defaultdict(list)

    def add(self, entry: Entry) -> Iterator[float]:
        """Add a row, and tell of each severity once it is done. A degradation that fails gets a row with the reason.

        One that needs params is made from those that it is checked with, its ``checked_with``. Where it changes the
        clean side too, that is shown below.
        """
        category, pieces, tags = entry.spec.name.split("/")[0], cast(list[Piece], []), cast(list[str], [])
        try:
            params = getattr(get_manager().load(entry), "checked_with", {})
            step = cast(Degradation, create(entry.spec.name, params, kinds=(entry.kind,)))
            category = step.category if entry.kind == "degradation" else category
            tags = [f"{step.light} light", *(f"needs {cue}" for cue in sorted(step.needs()))]
            draws, done, targets = list[Draw](), list[np.ndarray](), list[np.ndarray]()
            for severity in self.severities:
                draw, degraded, target = self._pair(step, severity)
                draws.append(draw)
                done.append(degraded)
                targets.append(target)
                yield severity
            pieces = [*self._strips(step, done, targets), *self._dials(step, draws), Facts(_about(step, params))]
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
            f"{rows} degradation{'s' if rows != 1 else ''} from mild to severe, with the PSNR to the clean side. "
            "Press a picture to see it at 100 %, then walk along its row with the arrow keys."
        )
        facts: dict[str, Cell] = {"Picture": name, "Shown at": f"{width} × {height}", "Seed": str(self.seed)}
        sections = [Section(category, rows) for category, rows in sorted(self._categories.items())]
        return Page(f"Degradations of {name}", sections, intro, facts)

    def _pair(self, step: Degradation, severity: float) -> tuple[Draw, np.ndarray, np.ndarray]:
        """What was drawn at ``severity``, and both sides of the pair that comes of it."""
        chain = Chain((step,))
        draw, cues = chain.draw(image_key(self.seed), severity), self._cues(step)
        with torch.inference_mode():
            degraded = self._sound(step, chain.apply(self._images, [draw], cues))
            target = self._clean
            if chain.retargets():
                target = self._sound(step, chain.retarget(self._images, [draw], cues))
        return draw.steps[0], degraded, target

    def _sound(self, step: Degradation, done: torch.Tensor) -> np.ndarray:
        if done.shape != self._images.shape:
            raise RRFrameError(
                f"it gave {tuple(done.shape)} for {tuple(self._images.shape)}", component=step.name, plugin=step.plugin
            )
        if not bool(done.isfinite().all()):
            raise RRFrameError("it gave values that are not finite", component=step.name, plugin=step.plugin)
        return to_pixels(done[0])

    def _strips(self, step: Degradation, done: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Iterator[Piece]:
        shown, cleaned = [picture(self._clean, "The clean picture", "Clean")], []
        for severity, pixels, target in zip(self.severities, done, targets, strict=True):
            alt, caption = f"{step.name} at severity {severity:g}", f"Severity {severity:g}"
            shown.append(picture(pixels, alt, caption, _psnr(pixels, target)))
            cleaned.append(picture(target, f"The clean side of {alt}", f"Clean side at {severity:g}"))
        yield Strip(f"{step.name} by severity", shown)
        if any(not np.array_equal(target, self._clean) for target in targets):
            yield Text("The clean side of the pair changes too. What is to come out of a restoration:", "quiet")
            yield Strip(f"The clean side of {step.name} by severity", cleaned)

    def _cues(self, step: Degradation) -> Cues:
        for name in step.needs() - self._maps.keys():
            if name in STAND_INS:
                self._maps[name] = stand_in(name, self._images)
            else:
                self._maps[name] = getattr(compute_cues([name], self._images, ["0"]), name)
        return Cues({name: self._maps[name] for name in step.needs()})

    def _dials(self, step: Degradation, draws: Sequence[Draw]) -> Iterator[Table]:
        columns = ["Dial", *(f"{severity:g}" for severity in self.severities), "Drawn from", "Mild to severe", "About"]
        drawn = [{label: (value, dial) for label, value, dial in _settings(step, draw)} for draw in draws]
        rows: list[list[Cell]] = []
        for label in dict.fromkeys(label for settings in drawn for label in settings):
            dial = next(settings[label][1] for settings in drawn if label in settings)
            values = [_cell(settings[label][0]) if label in settings else None for settings in drawn]
            rows.append([label, *values, *(_range(dial) if dial else ("the other dials", "", ""))])
        if rows:
            yield Table(f"What the dials of {step.name} are set to at each severity", columns, rows, sortable=False)


def _settings(step: Degradation, draw: Draw, prefix: str = "") -> Iterator[tuple[str, Any, Dial | None]]:
    """What was drawn for ``step`` and all that it holds: what it is called, its value, and its dial if it has one."""
    dials = step.dials()
    for name in dict.fromkeys([*dials, *draw.values]):
        for label, value in _flat(f"{prefix}{name}", draw.values.get(name)):
            yield label, value, dials.get(name)
    if isinstance(step, Effect):
        seen = Counter[str]()
        for chain, inner in step.passed(draw):
            for name, part, one in zip(chain.ids, chain.steps, inner.steps, strict=True):
                seen[name] += 1
                yield from _settings(part, one, f"{prefix}{name}{f'#{seen[name]}' if seen[name] > 1 else ''} ")


def _flat(label: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Each value of nested mappings, with the names on the way to it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{label} {name}", inner)
    else:
        yield label, value


def _about(step: Degradation, params: Mapping[str, Any]) -> dict[str, Cell]:
    facts: dict[str, Cell] = dict(notes_of(type(step)))
    if params:
        facts["Shown with"] = yaml.safe_dump(dict(params), default_flow_style=True, width=1000).strip()[1:-1]
    for cue in sorted(step.needs()):
        if cue in STAND_INS:
            facts[cue.capitalize()] = STAND_INS[cue]
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
