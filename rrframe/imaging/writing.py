"""Writing pictures to files that people open."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from rrframe.errors import RRFrameError, did_you_mean

SETTINGS: dict[str, dict[str, object]] = {
    "JPEG": {"quality": 95, "subsampling": "4:4:4"},
    "AVIF": {"quality": 95, "subsampling": "4:4:4"},
    "WEBP": {"lossless": True, "exact": True},
    "PNG": {"compress_level": 4},
}
"""How each format is written where the user did not say: as good as it gets."""


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """Write ``[H, W, 3]`` uint8, encoded sRGB, in the format that the ending of ``path`` names; lossless where that
    can be.

    Raises:
        RRFrameError: The ending names no format, or the file cannot be written.
    """
    Image.init()
    format_name = Image.registered_extensions().get(path.suffix.lower())
    if format_name not in Image.SAVE:
        hint = did_you_mean(path.suffix.lower(), [".png", ".jpg", ".webp", ".tif"])
        raise RRFrameError(f"{path.name!r} does not end in a picture format", hint=hint)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, format=format_name, **SETTINGS.get(format_name, {}))
    except (OSError, ValueError) as error:
        raise RRFrameError(f"{path} cannot be written: {error}") from error
