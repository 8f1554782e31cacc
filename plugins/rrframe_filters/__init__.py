"""The filters that come with rrframe."""

from collections.abc import Iterator

from rrframe import Spec, hookimpl


@hookimpl
def register_filters() -> Iterator[Spec]:
    yield Spec(
        "filter/resolution", "rrframe_filters.size:Resolution", "Keeps images whose sides and shape lie within limits."
    )
    yield Spec("filter/sharpness", "rrframe_filters.sharpness:Sharpness", "Keeps images that are in focus somewhere.")
    yield Spec(
        "filter/visible-change",
        "rrframe_filters.change:VisibleChange",
        "Keeps pairs whose degradation shows and leaves something to restore.",
    )
