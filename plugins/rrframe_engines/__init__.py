"""The engines that come with rrframe."""

from collections.abc import Iterator

from rrframe import Spec, hookimpl


@hookimpl
def register_engines() -> Iterator[Spec]:
    yield Spec(
        "engine/local", "rrframe_engines.local:Local", "Processes on this machine, one thread each, watched over."
    )
