"""The sinks that come with rrframe."""

from collections.abc import Iterator

from rrframe import Spec, hookimpl


@hookimpl
def register_sinks() -> Iterator[Spec]:
    yield Spec(
        "pairs/webdataset", "rrframe_sinks.webdataset:WebDataset", "Tar shards that webdataset and datasets read."
    )
