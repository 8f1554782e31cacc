"""Results of an evaluation that never ran, with all that a report has to cope with."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rrframe.evaluation.results import Results

HOSTILE = "</style></script><b>\"'&"
TASKS = ("noise", "haze")
SAME, OURS, WILD, READY = "same", "ours", "wild", f"ready {HOSTILE}"


def _measure(name: str, title: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "title": title, "higher_is_better": True, "reads": "full-reference", **more}


def _average(values: list[float | None]) -> dict[str, Any] | None:
    scored = [value for value in values if value is not None]
    if not scored:
        return None
    mean = statistics.fmean(scored)
    complete = len(scored) == len(values)
    ends = {} if complete else {"low": mean - 3, "high": mean + 3}
    counts = {"asked": len(values), "scored": len(scored), "images_asked": len(values), "images_scored": len(scored)}
    label = {"of": "images", "label": f"mean over {len(scored)} images", "complete": complete}
    return {"value": mean, "interval_low": mean - 1, "interval_high": mean + 1, **counts, **label, **ends}


def results_of(folder: Path, photo: np.ndarray, *, each: int = 4, proxy: bool = True, side: int = 48) -> Results:
    """``each`` images of two tasks under four restorers: one does nothing, one has random weights, one has no output
    for the second image and an answer of the judge that could not be read for the third.
    """
    names = [SAME, OURS, WILD, READY]
    rows = []
    for number in range(2 * each):
        image, task = f"{number:03d} {HOSTILE}" if number == 5 else f"{number:03d}", TASKS[number % 2]
        for place in range(2 + len(names)):
            step = (23 * number) % (photo.shape[0] - side)
            pixels = photo[step : step + side, step : step + side] // (place + 1)
            (folder / str(place)).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / str(place) / f"{number:03d} #.png")
        for place, name in enumerate(names, 2):
            missing, unread = name == READY and number == 1, name == READY and number == 2
            psnr = None if missing else 20.0 + number + 2 * (name == OURS) - (name == WILD)
            row = {
                "image": image,
                "restorer": name,
                "task": task,
                "slices": {"size": "small" if number < each else "large"},
                "status": "missing" if missing else "failed" if unread else "scored",
                "reason": "there is no such file" if missing else "no answer could be read" if unread else "",
                "scores": {"metric/psnr": psnr, "FS": None if missing or unread else 0.1 * (name == OURS)},
                "degraded": f"0/{number:03d} #.png",
                "clean": f"1/{number:03d} #.png",
                "restored": None if missing else f"{place}/{number:03d} #.png",
                "width": side,
                "height": side,
            }
            if not missing:
                row["severities"] = {"degraded": 2, "restored": None if unread else 3}
                row["answers"] = {"degraded": ["2 of 5"], "restored": [HOSTILE, "hm"] if unread else ["3 of 5"]}
            rows.append(row)
    groups = [{"name": name, "kind": "task", "images": each} for name in TASKS]
    groups.append({"name": "mean over images", "kind": "images", "images": 2 * each})
    groups += [{"name": f"size: {size}", "kind": "slice", "images": each} for size in ("small", "large")]
    measures = [_measure("metric/psnr", "PSNR", unit="dB"), _measure("FS", "FS", proxy=proxy, reads="judged")]

    def inside(group: dict[str, Any], row: dict[str, Any]) -> bool:
        return group["kind"] == "images" or group["name"] in (row["task"], f"size: {row['slices']['size']}")

    averages = {
        name: {
            group["name"]: {
                measure["name"]: found
                for measure in measures
                if (
                    found := _average(
                        [r["scores"][measure["name"]] for r in rows if r["restorer"] == name and inside(group, r)]
                    )
                )
            }
            for group in groups
        }
        for name in names
    }
    pair = {"low": None, "high": None, "images": 8, "p": 0.01}
    judge = {"name": "judge/some", "proxy": proxy, "identity": {"revision": "abc123"}, "asked": 7, "hits": 5}
    printed = {"RealRestorer": {"noise": 0.09, "average": 0.146}}
    problem = {"kind": "extra", "message": f"nothing asks for {HOSTILE}.png", "restorer": READY}
    return Results.model_validate(
        {
            "name": f"run {HOSTILE}",
            "made": {"rrframe": "9.9", "date": "2026-03-01", "seconds": 1, "versions": {"torch": "8.8"}},
            "benchmark": {"name": "b", "title": "Bench", "tasks": TASKS, "references": True, "images_asked": 2 * each},
            "settings": {"kind": "evaluation", "name": HOSTILE},
            "judge": judge,
            "measures": measures,
            "restorers": [
                {"name": SAME, "kind": "identity"},
                {"name": OURS, "kind": "backbone", "backbone": "backbone/ours"},
                {"name": WILD, "kind": "backbone", "backbone": "backbone/wild", "untrained": ["backbone/wild"]},
                {"name": READY, "kind": "folder", "source": "outputs"},
            ],
            "groups": groups,
            "rows": rows,
            "averages": averages,
            "differences": {
                "metric/psnr": [
                    {"one": SAME, "other": OURS, "value": -2.0, "adjusted_p": 0.03, "holds": True, **pair},
                    {"one": OURS, "other": WILD, "value": 0.5, "adjusted_p": 0.4, "holds": False, **pair},
                ]
            },
            "standings": {
                "metric/psnr": [
                    {"name": OURS, "value": 25.5, "best": 1, "worst": 2, "label": "1-2"},
                    {"name": SAME, "value": 23.5, "best": 3, "worst": 3, "label": "3"},
                ]
            },
            "published": [
                {"measure": "FS", "higher_is_better": True, "source": "a paper", "decimals": 3, "scores": printed}
            ],
            "problems": [problem],
        }
    )
