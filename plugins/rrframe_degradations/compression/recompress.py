"""Pictures that were saved again and again."""

from __future__ import annotations

import cv2
import numpy as np

from rrframe import Cues, Dial, Draw, Draws, FileDegradation, Key, choice, integers, uniform
from rrframe.imaging.codec import CHROMA, through_jpeg
from rrframe.imaging.resample import resize_pixels

_BLOCK = 8


class Recompress(FileDegradation):
    """Several generations of JPEG, as a picture gathers them on its way from site to site: each of its own size,
    quality and chroma, each with its 8 x 8 grid in another place. The last one's picture has the first one's size.

    A file saved twice at one quality, its grid in one place, is the same file. So every generation after the first is
    shifted by up to 7 pixels either way, as a crop would do; but the picture is not cropped: its border goes on outside
    for that generation.

    Source: Bianchi and Piva 2012, "Detection of nonaligned double JPEG compression", for shifted grids; Jiang et al.
    2021, "Towards flexible blind JPEG artifacts removal" (FBCNN), section 3.4, for their degradation model.
    Cannot: other codecs between the generations: chain compression/webp and the like for those.
    """

    category = "compression"
    generations: Dial = integers(2, 5, mild=1, low=1, high=50, about="how often it is saved")
    quality: Dial = integers(20, 90, mild=100, low=1, high=100, power=0.6, about="libjpeg's scale, each time anew")
    chroma: Dial = choice(*CHROMA, mild="4:4:4", about="chroma subsampling, each time anew")
    scale: Dial = uniform(0.5, 1.0, mild=1.0, low=0.02, high=4.0, about="size against the first one's, each time anew")
    method: Dial = choice("area", "linear", "cubic", about="how it is resized, each time anew")

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        count = int(self.generations.take(key.child("generations").random(), severity))
        return Draw(seed=key.seed, values={"generations": [self._generation(key, n, severity) for n in range(count)]})

    def _generation(self, key: Key, number: int, severity: float | None) -> dict[str, float | int | str]:
        # Keyed by their numbers: one more generation leaves those before it as they were.
        own = key.child(number)
        dials = {name: dial for name, dial in self.dials().items() if name != "generations"}
        drawn = {name: dial.take(own.child(name).random(), severity) for name, dial in dials.items()}
        places = own.child("grid").random()
        shift = {side: places.randrange(_BLOCK) if number else 0 for side in ("down", "right")}
        return drawn | shift

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        (generations,) = draw.each("generations")
        height, width, _ = pixels.shape
        for each in generations:
            size = max(1, round(height * each["scale"])), max(1, round(width * each["scale"]))
            pixels = saved_at(resize_pixels(pixels, *size, each["method"]), each)
        return resize_pixels(pixels, height, width, generations[-1]["method"])


def saved_at(pixels: np.ndarray, values: dict) -> np.ndarray:
    """``[H, W, 3]`` uint8 after a JPEG file of ``quality`` and ``chroma`` whose grid begins ``down`` and ``right``
    pixels before the picture.
    """
    down, right = values["down"], values["right"]
    wider = cv2.copyMakeBorder(pixels, down, 0, right, 0, cv2.BORDER_REPLICATE)
    return through_jpeg(wider, values["quality"], values["chroma"])[down:, right:]
