"""Cues that lie in files, one a picture."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

import cv2
import numpy as np
import torch
from pydantic import Field

from rrframe import Cue, RRFrameError
from rrframe_cues.conversion import depth_at_size


class InFiles(Cue):
    """A map in a file that is called like the picture, in a folder of the same layout as the source's: the picture's
    own folder, or one beside it.
    """

    folder: str = Field(min_length=1, description="where the maps lie, as the pictures lie in the source's folder")
    suffix: str = Field(
        ".png", min_length=1, description="what a map's name has for the picture's extension: _depth.npy"
    )

    def read(self, key: str, height: int, width: int) -> np.ndarray:
        """The map for the picture called ``key``, ``[h, w]`` or ``[h, w, C]``, any type, in its own size.

        Raises:
            RRFrameError: There is none, it cannot be read, or its shape is not that of ``height`` x ``width`` pixels.
        """
        beside = PurePosixPath(key)
        path = Path(os.path.expanduser(self.folder), beside.with_name(beside.stem + self.suffix))
        if not path.is_file():
            raise RRFrameError(
                f"there is no map {path} for {key}",
                component=self.name,
                plugin=self.plugin,
                hint="see folder and suffix",
            )
        values = _read(path)
        if values is None or values.ndim not in (2, 3) or not values.size:
            raise RRFrameError(f"{path} is not an image or an array", component=self.name, plugin=self.plugin)
        scale = max(values.shape[:2]) / max(height, width)
        if any(abs(own - side * scale) > 1 for own, side in zip(values.shape, (height, width), strict=False)):
            raise RRFrameError(
                f"{path} is {values.shape[1]} x {values.shape[0]}, which is not the shape of {width} x {height}",
                component=self.name,
                plugin=self.plugin,
                hint="pictures are turned upright as their EXIF says; maps are taken as they are",
            )
        return values


class DepthFile(InFiles):
    """Depth maps beside the pictures: PNG or TIFF of 8 or 16 bits, PFM, or arrays of numpy (``.npy``).

    ``holds: metric`` takes a value as ``a`` metres times it, ``holds: disparity`` as z = 1 / (a d + b). Whole numbers
    are taken as they are: 16-bit millimetres need ``a: 0.001``. What is not finite, or not above 0 in a metric map, is
    unknown, and counts as far away. A map of another size is interpolated.

    Source: the conversion of disparity is that of Ranftl et al. 2020, "Towards robust monocular depth estimation".
    """

    holds: Literal["metric", "disparity"] = Field(description="what a value is: metres, or their inverse up to a and b")
    a: float = Field(1.0, gt=0, allow_inf_nan=False, description="metres a unit (metric), or a of 1 / (a d + b)")
    b: float = Field(0.0, allow_inf_nan=False, description="b of 1 / (a d + b)")
    far: float = Field(1000.0, gt=0, allow_inf_nan=False, description="the most metres that come out")

    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        height, width = images.shape[-2:]
        maps = []
        for key in keys:
            values = self.read(key, height, width)
            if values.ndim == 3:
                raise RRFrameError(
                    f"the depth map of {key} has {values.shape[2]} channels, and one is needed",
                    component=self.name,
                    plugin=self.plugin,
                )
            inverse = torch.from_numpy(self._inverse(values.astype(np.float64)).astype(np.float32))
            maps.append(depth_at_size(inverse[None, None].to(images.device), height, width, self.far))
        return torch.cat(maps)

    def _inverse(self, values: np.ndarray) -> np.ndarray:
        if self.holds == "disparity":
            return np.maximum(np.nan_to_num(self.a * values + self.b, nan=0.0, posinf=0.0, neginf=0.0), 0.0)
        known = np.isfinite(values) & (values > 0)
        return np.divide(1.0, self.a * values, out=np.zeros_like(values), where=known)


class SegmentsFile(InFiles):
    """Segments beside the pictures: label maps of 8 or 16 bits, colours, or arrays of whole numbers (``.npy``).

    What has the same value, or the same colour, is a segment; they are numbered from 0 in the order of their values.
    """

    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        height, width = images.shape[-2:]
        maps = []
        for key in keys:
            values = self.read(key, height, width)
            rows = np.arange(height) * values.shape[0] // height
            columns = np.arange(width) * values.shape[1] // width
            flat = values.reshape(values.shape[0] * values.shape[1], -1)
            _, labels = np.unique(flat, axis=0, return_inverse=True)
            labels = labels.reshape(values.shape[:2])[rows][:, columns]
            maps.append(torch.from_numpy(labels.astype(np.float32))[None, None].to(images.device))
        return torch.cat(maps)


def _read(path: Path) -> np.ndarray | None:
    if path.suffix == ".npy":
        try:
            return np.asarray(np.load(path, allow_pickle=False))
        except ValueError:
            return None
    data = np.fromfile(path, np.uint8)
    try:
        return cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except cv2.error:
        return None
