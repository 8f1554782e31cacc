"""Pairs as WebDataset shards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rrframe import RRFrameError, Sink
from rrframe.imaging.codec import encode_jpeg, encode_png, encode_webp_lossless
from rrframe.pairs.files import whole_file
from rrframe.pairs.manifest import SHARDS
from rrframe.pairs.tar import TarShard

_EXTENSIONS = {"jpeg": "jpg", "png": "png", "webp": "webp"}


class ImageFormat(BaseModel):
    """How both sides of a pair are encoded."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal["jpeg", "webp", "png"] = Field(
        "jpeg", description="webp and png are lossless; webp is smaller and slower"
    )
    quality: int = Field(95, ge=1, le=100, description="of JPEG")
    chroma: Literal["4:4:4", "4:2:2", "4:2:0"] = Field("4:4:4", description="chroma subsampling of JPEG")

    def encode(self, pixels: np.ndarray) -> bytes:
        """``[H, W, 3]`` uint8 as a file."""
        if self.format == "jpeg":
            return encode_jpeg(pixels, self.quality, self.chroma)
        return encode_png(pixels) if self.format == "png" else encode_webp_lossless(pixels)


class WebDataset(Sink):
    """A tar a shard, with ``KEY.degraded.jpg``, ``KEY.clean.jpg`` and ``KEY.json`` for each pair, keys rising.

    The format is WebDataset's (Aizman et al. 2019, "High performance I/O for large scale deep learning"); the tar is
    USTAR with time 0.
    """

    places: ClassVar[dict[str, str]] = {
        **{f"{part}_{measure}": "int64" for part in ("degraded", "clean", "meta") for measure in ("offset", "length")},
        "degraded_format": "string",
        "clean_format": "string",
    }
    pairs_per_shard: int = Field(1000, ge=1, description="pairs tried for a shard")
    image: ImageFormat = ImageFormat()

    def path(self, folder: Path, shard: int) -> Path:
        return folder / SHARDS / f"{shard:05d}.tar"

    @contextmanager
    def open(self, folder: Path, shard: int) -> Iterator[_Writer]:
        with whole_file(self.path(folder, shard)) as file:
            tar = TarShard(file)
            yield _Writer(tar, self.image)
            tar.close()


class _Writer:
    def __init__(self, tar: TarShard, image: ImageFormat) -> None:
        self._tar = tar
        self._image = image

    def add(self, key: str, degraded: np.ndarray, clean: np.ndarray, meta: Mapping[str, Any]) -> dict[str, int | str]:
        extension = _EXTENSIONS[self._image.format]
        try:  # both before the first is written: a pair is in the shard whole or not at all
            files = {
                f"clean.{extension}": self._image.encode(clean),
                f"degraded.{extension}": self._image.encode(degraded),
            }
        except Exception as error:
            raise RRFrameError(
                f"a {clean.shape[1]} x {clean.shape[0]} picture cannot be written as {self._image.format}: {error}"
            ) from error
        files["json"] = json.dumps(meta, sort_keys=True, separators=(",", ":")).encode()
        place: dict[str, int | str] = {"degraded_format": self._image.format, "clean_format": self._image.format}
        for suffix, data in files.items():  # in the order of their names, as readers like it
            part = "meta" if suffix == "json" else suffix.split(".")[0]
            place[f"{part}_offset"], place[f"{part}_length"] = self._tar.add(f"{key}.{suffix}", data)
        return place
