"""Frames of clips."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from pydantic import Field

from rrframe import Photograph, RRFrameError
from rrframe.imaging.clips import VIDEOS, Clip, Video, read_picture, video_and_frame
from rrframe.imaging.clips import Folder as FolderOfFrames
from rrframe.imaging.reading import extensions
from rrframe_sources.folder import Folder, key_of, path_of


class Clips(Folder):
    """Every so many frames of each clip in a folder, away from its ends: for operators that take the neighbours of a
    frame, such as blur/clip.

    A clip is a video file, or a folder whose pictures of one extension are its frames, in the order of the numbers in
    their names. The key of a frame of a video is ``clip.mp4#000123``, counted from 0; a picture's is that of
    images/folder. To count its frames a video is read through, and nothing decoded. What cannot be read as a video
    becomes a row with a reason; a clip that is too short gives no frame.

    Video is taken as standard dynamic range, its values as encoded sRGB.
    """

    every: int = Field(10, ge=1, description="takes each so-manieth frame of a clip")
    margin: int = Field(5, ge=0, description="how many frames at each end of a clip are left out")

    def keys(self) -> list[str]:
        keys = list[str]()
        folders = set[tuple[str, str]]()
        for path in self.listed(extensions() | VIDEOS, "pictures or videos"):
            extension = os.path.splitext(path)[1].lower()
            if extension in VIDEOS:
                keys += self._of_video(path)
            elif extension in extensions():
                folders.add((os.path.dirname(path), extension))
            else:  # a folder that cannot be listed
                keys.append(key_of(path))
        for folder, extension in folders:
            clip = FolderOfFrames(Path(self.root, folder), extension)
            keys += [key_of(os.path.join(folder, clip.names[index])) for index in self._taken(clip)]
        if not keys:
            raise self.failure(
                f"no clip in {self.root} has more than {2 * self.margin} frames",
                "a lower margin leaves fewer frames out at each end",
            )
        return sorted(keys)

    def read(self, key: str) -> Photograph:
        path = os.path.join(self.root, path_of(key))
        return read_picture(path, max_pixels=self.max_pixels) if video_and_frame(path) else super().read(key)

    def _of_video(self, path: str) -> Iterator[str]:
        try:
            taken = self._taken(Video(Path(self.root, path)))
        except RRFrameError:  # reading its first frame says why
            if find_spec("av") is None:
                raise
            taken = range(1)
        for index in taken:
            yield f"{key_of(path)}#{index:06d}"

    def _taken(self, clip: Clip) -> range:
        return range(self.margin, len(clip) - self.margin, self.every)
