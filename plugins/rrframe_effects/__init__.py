"""The effects that come with rrframe."""

from collections.abc import Iterator

from rrframe import Spec, hookimpl


@hookimpl
def register_effects() -> Iterator[Spec]:
    yield Spec(
        "effect/augment",
        "rrframe_effects.augment:Augment",
        "Any transform of albumentations or kornia, by name.",
        extra="rrframe[augment]",
    )
    yield Spec("effect/maybe", "rrframe_effects.choosing:Maybe", "Applies its chain to a share of the images.")
    yield Spec("effect/one_of", "rrframe_effects.choosing:OneOf", "Applies one of several chains.")
    yield Spec("effect/region", "rrframe_effects.region:Region", "Applies its chain to a part of the image.")
    yield Spec("effect/repeat", "rrframe_effects.choosing:Repeat", "Applies its chain several times over.")
    yield Spec("effect/some_of", "rrframe_effects.choosing:SomeOf", "Applies some of several chains, in their order.")
    yield Spec(
        "effect/web", "rrframe_effects.web:Web", "A picture's way through the web: blur, resizing, noise, JPEG, twice."
    )
