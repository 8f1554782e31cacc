"""What ends a run before its last step: a person, a machine that is wanted for other work, or gradients gone wild."""

from __future__ import annotations

import json
import math
import signal
import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from rrframe.pairs.files import write_whole
from rrframe.run.folder import RunFailed, RunFolder
from rrframe.training.data import Example

_SAME = 2.0  # seconds within which a second signal is the first one, handed on by a launcher
_EXPLODED = 1000.0  # times the usual norm of the gradient
_USUAL = 100  # steps that say what is usual
_FEWEST = 25  # below which nothing is usual yet


class Interrupts:
    """A first Ctrl-C, or SIGTERM as clusters send it, asks to end after the step at hand; a second one ends at once.

    Args:
        say: Tells people.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.asked = False
        self._say = say
        self._first = -math.inf
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            self._before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *error: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self.asked:
            self.asked, self._first = True, now
            self._say("stopping after this step; once more to stop at once")
        elif now - self._first > _SAME:
            self.__exit__()
            signal.raise_signal(number)


class Gradients:
    """Looks at the gradient of every step before the weights are changed with it.

    Args:
        folder: Where the pairs of a bad step are written.
        rank: Of this process.
    """

    def __init__(self, folder: RunFolder, rank: int) -> None:
        self._folder, self._rank = folder, rank
        self._norms: deque[float] = deque(maxlen=_USUAL)

    def check(self, step: int, loss: float, norm: float, examples: Sequence[Example], losses: Sequence[float]) -> None:
        """See that the gradient of ``step`` is usable.

        Args:
            step: From 1.
            loss: Of the whole batch.
            norm: Of the whole gradient, before it was clipped.
            examples: The pairs that this process had.
            losses: One for each of them.

        Raises:
            RunFailed: It is not finite, or 1,000 times the median of the last 100 steps. The pairs of the step lie in
                the run's folder, with their records.
        """
        usual = statistics.median(self._norms) if len(self._norms) >= _FEWEST else math.inf
        exploded = norm > _EXPLODED * max(usual, 1e-12)
        self._norms.append(norm)
        if math.isfinite(loss) and math.isfinite(norm) and not exploded:
            return
        what = f"{norm:g}, {norm / usual:.0f} times the usual" if exploded and math.isfinite(norm) else "not finite"
        path = self._folder.file(f"failed-step-{step}-{self._rank}.json")
        pairs = [_told(example, each) for example, each in zip(examples, losses, strict=True)]
        told = {"step": step, "loss": _json(loss), "gradient": _json(norm), "pairs": pairs}
        write_whole(path, json.dumps(told, indent=1) + "\n")
        raise RunFailed(
            f"the gradient of step {step} is {what} (loss {loss:g})",
            hint=f"{path.name} in the run's folder has its pairs and their records; a lower learning_rate or clip may "
            "help; the last checkpoint stays, and the same command goes on from there",
        )


def _told(example: Example, loss: float) -> dict[str, Any]:
    told = {"source": example.cell.source, "task": example.cell.task, "key": example.key, "loss": _json(loss)}
    return told | ({"record": example.meta} if example.meta else {})


def _json(number: float) -> float | str:
    return number if math.isfinite(number) else str(number)  # JSON has no word for these
