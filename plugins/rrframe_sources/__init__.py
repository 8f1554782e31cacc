"""The sources that come with rrframe."""

from collections.abc import Iterator

from rrframe import Spec, hookimpl


@hookimpl
def register_sources() -> Iterator[Spec]:
    yield Spec("images/clips", "rrframe_sources.clips:Clips", "Frames of videos and of folders of frames.")
    yield Spec("images/folder", "rrframe_sources.folder:Folder", "Every picture in a folder and its sub-folders.")
    yield Spec(
        "images/samples",
        "rrframe_sources.samples:Samples",
        "Photographs that come inside scikit-image and scikit-learn: no download.",
    )
