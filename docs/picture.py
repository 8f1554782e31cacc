"""Makes docs/assets/degradations.jpg, the strip at the top of the README: one photograph and what the degradations
make of it.

    python docs/picture.py
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

import rrframe

SIDE = 400
SHOWN = [
    ("haze/scattering", 0.6, {}),
    ("noise/poisson-gaussian", 0.9, {}),
    ("compression/jpeg", None, {"quality": 12}),
]


def main() -> None:
    # The launch of DSCOVR, 2015: by SpaceX, in the public domain, shipped with scikit-image.
    clean = Image.fromarray(data.rocket())
    panels = [("clean", clean)]
    for name, severity, params in SHOWN:
        panels.append((name, rrframe.load(name, **params)(clean, severity=severity, seed=7)))
    strip = np.concatenate([np.asarray(_panel(label, picture)) for label, picture in panels], axis=1)
    out = Path(__file__).parent / "assets" / "degradations.jpg"
    Image.fromarray(strip).save(out, quality=84, optimize=True)
    print(f"{out}: {out.stat().st_size / 1000:.0f} kB")


def _panel(label: str, picture: Image.Image) -> Image.Image:
    """The middle of ``picture`` at its own size, so that noise and blocks are seen as they are, under ``label``."""
    left = (picture.width - SIDE) // 2
    panel = picture.crop((left, 0, left + SIDE, SIDE))
    draw = ImageDraw.Draw(panel)
    font = ImageFont.load_default(18)
    box = draw.textbbox((12, 10), label, font=font)
    draw.rectangle((box[0] - 6, box[1] - 5, box[2] + 6, box[3] + 5), fill="black")
    draw.text((12, 10), label, fill="white", font=font)
    return panel


if __name__ == "__main__":
    main()
