"""What was before and after a frame of a clip."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch
from pydantic import Field

from rrframe import Cue, RRFrameError
from rrframe.imaging.clips import frame_of
from rrframe.imaging.layout import to_batch
from rrframe.imaging.resample import resize, resize_pixels


class Beside(Cue):
    """The neighbours of a frame in its clip: ``[B, 6 reach, H, W]`` encoded sRGB, three channels a frame, from the
    earliest to the latest, the frame itself left out. As uint8 codes where the frames have eight bits, else float32.

    The clip of a picture is the folder that it lies in: all its pictures with the same extension, in the order of the
    numbers in their names. The clip of ``clip.mp4#000123``, as images/clips names frames of videos, is that file.
    Frames of another size than the picture's are resized, where all have its shape. A frame too near an end of its
    clip, a gap in the numbers and frames that differ in size are errors: nothing is made up.

    A megapixel takes 3 MB a neighbour, so 4096 x 4096 with ``reach`` 5 take half a gigabyte; frames of 16 bits four
    times as much.
    """

    folder: str = Field(min_length=1, description="where the clips lie: the path of the source")
    reach: int = Field(5, ge=1, le=100, description="how many frames before the picture, and how many after it")

    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        height, width = images.shape[-2:]
        return torch.cat([self._neighbours(key, height, width) for key in keys]).to(images.device)

    def _neighbours(self, key: str, height: int, width: int) -> torch.Tensor:
        clip, place = frame_of(os.path.join(os.path.expanduser(self.folder), key))
        after = len(clip) - 1 - place
        if not self.reach <= place <= len(clip) - 1 - self.reach:
            raise self._failure(
                f"{key} has {place} frames before it and {max(after, 0)} after it, and needs {self.reach} of each",
                "a smaller reach, or a source that leaves the ends of clips out: images/clips and its margin",
            )
        frames = [photograph.pixels for photograph in clip.read(place - self.reach, place + self.reach)]
        sizes = sorted({frame.shape[:2] for frame in frames})
        if len(sizes) > 1:
            told = " and ".join(f"{columns} x {rows}" for rows, columns in sizes)
            raise self._failure(f"the frames beside {key} differ in size: {told}", "one folder for each clip")
        rows, columns = sizes[0]
        scale = max(rows, columns) / max(height, width)
        if abs(rows - height * scale) > 1 or abs(columns - width * scale) > 1:
            raise self._failure(
                f"the frames beside {key} are {columns} x {rows}, which is not the shape of {width} x {height}",
                "folder is to be the path of the source",
            )
        del frames[self.reach]
        eight_bits = all(frame.dtype == np.uint8 for frame in frames)
        found = torch.empty(1, 3 * len(frames), height, width, dtype=torch.uint8 if eight_bits else torch.float32)
        for index in range(len(frames)):
            # Taken off the list, so that none is held twice.
            found[0, 3 * index : 3 * index + 3] = _fitted(frames.pop(0), height, width, eight_bits)
        return found

    def _failure(self, message: str, hint: str) -> RRFrameError:
        return RRFrameError(message, component=self.name, plugin=self.plugin, hint=hint)


def _fitted(pixels: np.ndarray, height: int, width: int, eight_bits: bool) -> torch.Tensor:
    """``[H, W, 3]`` as ``[3, height, width]``: of its own codes, or as float32 in [0, 1]."""
    if eight_bits:
        return torch.from_numpy(resize_pixels(pixels, height, width, "area")).permute(2, 0, 1)
    return resize(to_batch(pixels), height, width, "area")[0]
