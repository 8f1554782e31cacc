"""The cues that come with rrframe."""

from collections.abc import Iterator

from rrframe import Spec, hookimpl


@hookimpl
def register_cues() -> Iterator[Spec]:
    yield Spec(
        "depth/plane",
        "rrframe_cues.depth:Plane",
        "A slanted plane, near at the bottom and far at the top.",
        default=True,
    )
