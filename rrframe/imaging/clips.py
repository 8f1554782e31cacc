"""Clips: the frames of a video file, or the pictures of a folder as the frames of one."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
import torch

from rrframe.errors import RRFrameError
from rrframe.imaging.photograph import Photograph
from rrframe.imaging.reading import read_photograph

if TYPE_CHECKING:
    import av

VIDEOS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mts", ".ts", ".webm"})
"""The file extensions, lower case with their dot, of what is taken for a video."""
_FRAME = re.compile(r"(.+)#(\d+)")
_UNTAGGED, _HIGH_DEFINITION = 2, 720  # AVCOL_SPC_UNSPECIFIED; rows from which untagged video follows BT.709
_GAP = 1.5  # times the smallest step between the numbers of frames: beyond, one is missing


class Clip(Protocol):
    """Frames in the order of time."""

    def __len__(self) -> int:
        """How many frames there are."""

    def read(self, first: int, last: int) -> list[Photograph]:
        """Frames ``first`` to ``last``, both included, counted from 0.

        Raises:
            RRFrameError: One of them cannot be read, or is missing.
        """


def frame_of(path: str | os.PathLike[str]) -> tuple[Clip, int]:
    """The clip that a frame belongs to, and its place there: for ``clip.mp4#12``, frame 12 of that video; for a
    picture, its place among the pictures beside it that have its extension.

    Raises:
        RRFrameError: There is no such picture.
    """
    in_video = video_and_frame(path)
    if in_video:
        return Video(in_video[0]), in_video[1]
    picture = Path(path)
    clip = Folder(picture.parent, picture.suffix)
    if picture.name not in clip.names:
        raise RRFrameError(f"{picture} is not there")
    return clip, clip.names.index(picture.name)


def looked_up(codes: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """What ``values``, ``[B, 256]`` float32, have for each of an image's ``codes``, ``[B, C, H, W]`` uint8."""
    if codes.device.type != "cpu":
        return torch.stack([each[image.int()] for image, each in zip(codes, values, strict=True)])
    found = np.empty(codes.shape, np.float32)
    for image, each, out in zip(codes.numpy(), values.numpy(), found, strict=True):
        for plane, into in zip(image, out, strict=True):
            cv2.LUT(np.ascontiguousarray(plane), each.reshape(1, -1), dst=into)
    return torch.from_numpy(found)


def read_picture(path: str | os.PathLike[str], *, max_pixels: int = 100_000_000) -> Photograph:
    """The picture at ``path``: a file as ``read_photograph`` has it, or a frame of a video, ``clip.mp4#12``.

    Raises:
        RRFrameError: It cannot be read.
    """
    in_video = video_and_frame(path)
    if in_video is None:
        return read_photograph(path, max_pixels=max_pixels)
    video, frame = in_video
    return Video(video, max_pixels=max_pixels).read(frame, frame)[0]


def video_and_frame(path: str | os.PathLike[str]) -> tuple[Path, int] | None:
    """The file and the number in ``clip.mp4#12``; ``None`` for what is not written like that."""
    found = _FRAME.fullmatch(os.fspath(path))
    if found is None or Path(found[1]).suffix.lower() not in VIDEOS:
        return None
    return Path(found[1]), int(found[2])


class Folder:
    """The pictures of a folder that share an extension, in the order of the numbers in their names: 9 before 10."""

    def __init__(self, path: Path, suffix: str) -> None:
        self.path = path
        self.names = _names(path, suffix)

    def __len__(self) -> int:
        return len(self.names)

    def read(self, first: int, last: int) -> list[Photograph]:
        names = self.names[first : last + 1]
        _refuse_gaps(names)
        return [read_photograph(self.path / name) for name in names]


class Video:
    """The frames of a video file: upright, and encoded sRGB where the video is of standard dynamic range.

    A frame's ``sha256`` is that of its pixels. Frames are found by their time stamps, so that none before the last key
    frame is decoded for one.
    """

    def __init__(self, path: Path, *, max_pixels: int = 100_000_000) -> None:
        self.path = path
        self.max_pixels = max_pixels

    def __len__(self) -> int:
        return len(self._times)

    def read(self, first: int, last: int) -> list[Photograph]:
        if not 0 <= first <= last < len(self):
            raise RRFrameError(f"{self.path.name} has frames 0 to {len(self) - 1}, and {first} to {last} are wanted")
        wanted = self._times[first : last + 1]
        found = self._decoded(wanted, wanted[0])
        if len(found) < len(wanted):  # some containers seek past the frame that was asked for
            found = self._decoded(wanted)
        for index, time in enumerate(wanted, start=first):
            if time not in found:
                raise RRFrameError(f"frame {index} of {self.path.name} is damaged")
        return [Photograph(found[time], hashlib.sha256(found[time].data).hexdigest()) for time in wanted]

    @property
    def _times(self) -> Sequence[int]:
        try:
            status = self.path.stat()
        except OSError as error:
            raise RRFrameError(f"{self.path.name} cannot be read: {error.strerror}") from error
        return _time_stamps(self.path, status.st_size, status.st_mtime_ns)

    def _decoded(self, wanted: Sequence[int], start: int | None = None) -> dict[int, np.ndarray]:
        """The pixels of the frames at the times ``wanted``, decoded from ``start`` on, or from the beginning."""
        found: dict[int, np.ndarray] = {}
        with _opened(self.path) as (container, stream):
            if stream.width * stream.height > self.max_pixels:
                raise RRFrameError(
                    f"{self.path.name} has {stream.width} x {stream.height} pixels, more than the "
                    f"{self.max_pixels:,} allowed",
                    hint="where there is memory for it, the source's max_pixels raises the limit",
                )
            if start is not None:
                container.seek(start, stream=stream)
            for frame in container.decode(stream):
                if frame.pts is not None and frame.pts in wanted:
                    found[frame.pts] = _pixels(frame)
                if frame.pts is not None and frame.pts >= wanted[-1]:
                    break
        return found


def _names(folder: Path, suffix: str) -> Sequence[str]:
    try:
        return _sorted_names(folder, suffix.lower(), folder.stat().st_mtime_ns)
    except OSError as error:
        raise RRFrameError(f"the folder {folder} cannot be listed: {error.strerror}") from error


@lru_cache(maxsize=64)
def _sorted_names(folder: Path, suffix: str, changed: int) -> tuple[str, ...]:
    """What is in ``folder`` with that ``suffix``. When it changed tells whether it is as it was before."""
    shown = [name for name in os.listdir(folder) if not name.startswith(".") and Path(name).suffix.lower() == suffix]
    return tuple(sorted(shown, key=lambda name: (re.sub(r"\d+", lambda number: number[0].zfill(20), name), name)))


def _refuse_gaps(names: Sequence[str]) -> None:
    numbers = [re.findall(r"\d+", Path(name).stem)[-1:] for name in names]
    if not all(numbers):
        return
    steps = [abs(int(after[0]) - int(before[0])) for before, after in pairwise(numbers)]
    for index, step in enumerate(steps):
        if step > _GAP * max(min(steps), 1):
            raise RRFrameError(f"a frame is missing between {names[index]} and {names[index + 1]}")


@lru_cache(maxsize=64)
def _time_stamps(path: Path, size: int, changed: int) -> tuple[int, ...]:
    """When each frame of the video at ``path`` is shown, in the order of time; read without decoding any. Its size and
    when it changed tell a new file from one that was read before.
    """
    with _opened(path) as (container, stream):
        packets = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
    if any(packet.pts is None for packet in packets):
        raise RRFrameError(
            f"{path.name} does not say when its frames are shown",
            hint="copy it into an MP4 or MKV file",
        )
    if not packets:
        raise RRFrameError(f"{path.name} has no frames")
    return tuple(sorted({packet.pts for packet in packets if packet.pts is not None}))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    try:
        import av
    except ModuleNotFoundError:
        raise RRFrameError("reading video needs PyAV", hint="pip install 'rrframe[video]'") from None
    try:
        with av.open(os.fspath(path)) as container:
            if not container.streams.video:
                raise RRFrameError(f"{path.name} has no video in it")
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1  # the cores go to worker processes
            yield container, stream
    except av.FFmpegError as error:
        raise RRFrameError(f"{path.name} cannot be read as a video: {error.strerror}") from error


def _pixels(frame: av.VideoFrame) -> np.ndarray:
    from av.video.reformatter import Colorspace

    untagged_hd = frame.colorspace == _UNTAGGED and frame.height >= _HIGH_DEFINITION
    source = Colorspace.ITU709 if untagged_hd else None
    pixels = frame.to_ndarray(format="rgb24", src_colorspace=source)
    # The angle that the picture is turned by to the left, in degrees; phones note how they were held.
    return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
