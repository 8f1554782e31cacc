"""Fits what `rrframe restore --task auto` guesses by: from nine estimates of severity to one of nine tasks.

python benchmarks/guessing.py            says how often it guesses right on photographs left out of the fit
python benchmarks/guessing.py --write    writes rrframe/restoring/guessing.json again, fitted to all of them

The photographs are the samples, 384 pixels wide, each made worse in twenty ways at three severities. A linear
classifier (multinomial logistic regression) sees the log odds of the nine severities and nothing else.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

import rrframe
from rrframe.contracts.cue import PARTNER, Cues
from rrframe.contracts.trying import compute_cues
from rrframe.imaging.layout import to_batch
from rrframe.imaging.resample import resize_pixels
from rrframe.restoring.guessing import log_odds

OUT = Path(__file__).parent.parent / "rrframe" / "restoring" / "guessing.json"
DIALS = [
    *("blur/camera-shake", "blur/defocus", "blur/motion"),
    *("compression/jpeg", "compression/recompress", "compression/webp"),
    *("flare/lens", "flare/veil", "haze/heterogeneous", "haze/scattering", "lowlight/exposure", "lowlight/gamma"),
    *("moire/pattern", "moire/screen", "noise/granular", "noise/poisson-gaussian", "noise/sensor"),
    *("rain/storm", "rain/streaks", "reflection/glass"),
]
TASKS = sorted({dial.partition("/")[0] for dial in DIALS})
SEVERITIES = (0.5, 0.75, 1.0)
SIDE = 384


def main() -> None:
    names, photographs = _photographs()
    estimators = {task: rrframe.load(f"severity/{task}") for task in TASKS}
    rows, tasks, of, severities = [], [], [], []
    for index, photograph in enumerate(photographs):
        for dial in DIALS:
            step = rrframe.load(dial)
            cues = _cues(step, photograph, photographs[(index + 2) % len(photographs)])
            for number, severity in enumerate(SEVERITIES):
                worse = to_batch(step(photograph, severity=severity, seed=10 * index + number, cues=cues))
                scores = {task: float(estimator(worse)) for task, estimator in estimators.items()}
                rows.append([log_odds(scores[task]) for task in TASKS])
                tasks.append(dial.partition("/")[0])
                of.append(names[index])
                severities.append(severity)
        print(f"{names[index]}: measured", flush=True)
    x, y = np.array(rows), np.array(tasks)
    _tell(x, y, np.array(of), np.array(severities))
    if "--write" in sys.argv:
        fitted = _fitted(x, y)
        table = {
            task: {"offset": round(offset, 2), **dict(zip(TASKS, np.round(weights, 2).tolist(), strict=True))}
            for task, offset, weights in zip(fitted.classes_, fitted.intercept_, fitted.coef_, strict=True)
        }
        OUT.write_text(json.dumps(table, indent=1) + "\n")
        print(OUT)


def _fitted(x: np.ndarray, y: np.ndarray) -> LogisticRegression:
    return LogisticRegression(C=0.1, max_iter=5000, class_weight="balanced").fit(x, y)


def _tell(x: np.ndarray, y: np.ndarray, of: np.ndarray, severities: np.ndarray) -> None:
    """How often each photograph is guessed right by what was fitted to the others."""
    right: dict[object, list[bool]] = defaultdict(list)
    for name in sorted(set(of)):
        out = of == name
        guessed = _fitted(x[~out], y[~out]).predict(x[out])
        for task, severity, guess in zip(y[out], severities[out], guessed, strict=True):
            right[str(task)].append(guess == task)
            right[float(severity)].append(guess == task)
    for key, found in sorted(right.items(), key=str):
        print(f"{key}: {np.mean(found):.0%} of {len(found)}")


def _photographs() -> tuple[list[str], list[np.ndarray]]:
    source = rrframe.load("images/samples")
    names, found = [], []
    for name in sorted(source.keys()):
        pixels = source.read(name).eight_bit()
        if len(np.unique(pixels.reshape(-1, 3).std(axis=1).round())) > 1:  # colour tells moire and haze: no grey ones
            scale = SIDE / max(pixels.shape)
            names.append(name)
            found.append(resize_pixels(pixels, *(round(length * scale) for length in pixels.shape[:2])))
    return names, found


def _cues(step: rrframe.Degradation, photograph: np.ndarray, other: np.ndarray) -> Cues | None:
    if PARTNER not in step.needs():
        return None
    images = to_batch(photograph)
    maps = {name: getattr(compute_cues([name], images, ["0"]), name) for name in step.needs() - {PARTNER}}
    return Cues({**maps, PARTNER: to_batch(resize_pixels(other, *photograph.shape[:2]))})


if __name__ == "__main__":
    main()
