"""The figures of a training run, a line a step, on disk as they come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rrframe.pairs.files import write_whole

STEPS = "steps.jsonl"
VALIDATIONS = "validations.jsonl"
TIMINGS = "timings.jsonl"
"""What differs from run to run, in a file of its own: the others come out the same to the byte."""


class Curves:
    """The figures of the run in ``folder``, and their copy for TensorBoard where that is installed.

    Args:
        folder: The run's folder.
        done: How many steps count: what was written of later ones, by a run that was killed, goes.
    """

    def __init__(self, folder: Path, done: int) -> None:
        self._folder = folder
        for name in (STEPS, VALIDATIONS, TIMINGS):
            kept = [line for line in read_curve(folder, name) if line["step"] <= done]
            write_whole(folder / name, "".join(json.dumps(line) + "\n" for line in kept))
        self._board = _board(folder / "tensorboard", done)

    def step(self, number: int, **figures: Any) -> None:
        """Add the figures of step ``number``, from 1."""
        self._add(STEPS, "train", number, figures)

    def timing(self, number: int, **figures: Any) -> None:
        """Add what step ``number`` took."""
        self._add(TIMINGS, "speed", number, figures)

    def validation(self, number: int, **figures: Any) -> None:
        """Add the figures of a validation after step ``number``."""
        self._add(VALIDATIONS, "validation", number, figures)

    def close(self) -> None:
        if self._board is not None:
            self._board.close()

    def _add(self, name: str, group: str, number: int, figures: dict[str, Any]) -> None:
        with open(self._folder / name, "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": number, **figures}) + "\n")
        if self._board is not None:
            for figure, value in figures.items():
                if isinstance(value, (int, float)):
                    self._board.add_scalar(f"{group}/{figure}", value, number)


def read_curve(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The lines of a curve; one that was cut off ends it."""
    path = folder / name
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            return


def _board(folder: Path, done: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=done + 1)
