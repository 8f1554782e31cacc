"""Ground fog for rrframe."""

from collections.abc import Iterator

from rrframe import Spec, hookimpl


# Imported whenever rrframe lists its plugins: name the class, do not import it.
@hookimpl
def register_degradations() -> Iterator[Spec]:
    yield Spec("haze/ground-fog", "rrframe_ground_fog.fog:GroundFog", "Fog that lies low and thins out with height.")


@hookimpl
def register_backbones() -> Iterator[Spec]:
    yield Spec("backbone/fog-lifter", "rrframe_ground_fog.lifter:FogLifter", "A few wide convolutions against fog.")
