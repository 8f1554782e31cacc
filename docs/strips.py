"""Draws the picture of each degradation's page: five severities on a real photograph.

python docs/strips.py [NAME ...]    draw them all, or those named
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import cast

os.environ["RRFRAME_NO_PLUGINS"] = "1"  # the pages tell what everyone has

import cv2
import numpy as np
from PIL import Image

import rrframe
from rrframe.contracts.chain import Chain
from rrframe.contracts.cue import FRAMES, PARTNER, Cues
from rrframe.contracts.degradation import Degradation
from rrframe.contracts.stand_ins import stand_in
from rrframe.contracts.trying import image_key
from rrframe.errors import RRFrameError
from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.imaging.photograph import Photograph
from rrframe.manager import get_manager
from rrframe.synthesis.record import Origin, Record, render

FOLDER = Path(__file__).parent / "assets" / "strips"
SEVERITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
WIDTH = 480  # of one picture
GAP = 8
# The photograph that shows a category best: sky and distance for weather, a face for glass, a lit scene for lamps.
PHOTOGRAPHS = {
    "haze": "china",
    "rain": "china",
    "snow": "china",
    "flare": "rocket",
    "noise": "chelsea",
    "moire": "coffee",
}
PARTNER_PHOTOGRAPH = "flower"
LEARNED = Path(__file__).parent.parent / "examples" / "learned_degradations"
PARAMS = {  # of those that need something of the user's: tiny networks that have learnt our own formulas
    "lowlight/learned": {"weights": LEARNED / "darkener.safetensors"},
    "reflection/learned": {"weights": LEARNED / "mixer.safetensors"},
}


def draw_strip(name: str) -> None:
    """Draw the strip of the degradation called ``name``."""
    step = cast(Degradation, rrframe.load(name, **PARAMS.get(name, {})))
    photograph = _photograph(PHOTOGRAPHS.get(step.category, "astronaut"))
    partner = _photograph(PARTNER_PHOTOGRAPH) if PARTNER in step.needs() else None
    pictures = []
    for severity in SEVERITIES:
        if FRAMES in step.needs():
            pictures.append(_of_a_clip(step, photograph, severity))
            continue
        record = Record.of(
            Chain((step,)),
            image_key(1),
            source=Origin.of("p", photograph),
            task=step.category,
            seed=1,
            severity=severity,
        )
        pictures.append(render(record, photograph, partner=partner).degraded)
    height = pictures[0].shape[0]
    gap = np.full((height, GAP, 3), 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)][:-1]
    FOLDER.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate(parts, axis=1)).save(FOLDER / f"{name.replace('/', '-')}.webp", quality=82, method=6)


def _of_a_clip(step: Degradation, photograph: Photograph, severity: float) -> np.ndarray:
    """There is no clip here: the photograph, moved sideways, stands in for one."""
    chain, images = Chain((step,)), to_batch(photograph.pixels)
    cues = Cues({FRAMES: stand_in(FRAMES, images)})
    return to_pixels(chain.apply(images, [chain.draw(image_key(1), severity)], cues)[0])


def _photograph(key: str) -> Photograph:
    pixels = rrframe.load("images/samples").read(key).eight_bit()
    scale = WIDTH / pixels.shape[1]
    small = cv2.resize(pixels, (WIDTH, round(pixels.shape[0] * scale)), interpolation=cv2.INTER_AREA)
    return Photograph(small, key)


def main() -> None:
    names = sys.argv[1:] or list(get_manager().table("degradation"))
    for name in names:
        try:
            draw_strip(name)
        except RRFrameError as error:  # one that needs files of the user's has no picture
            print(f"{name}: {error.message}")


if __name__ == "__main__":
    main()
