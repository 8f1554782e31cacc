"""The degradations that come with rrframe."""

from collections.abc import Iterator

from rrframe import Spec, hookimpl


@hookimpl
def register_degradations() -> Iterator[Spec]:
    yield Spec(
        "compression/jpeg", "rrframe_degradations.compression:Jpeg", "JPEG at a quality and a chroma subsampling."
    )
    yield Spec(
        "haze/scattering", "rrframe_degradations.haze:Scattering", "Uniform haze by atmospheric scattering over depth."
    )
    yield Spec(
        "noise/poisson-gaussian",
        "rrframe_degradations.noise:PoissonGaussian",
        "Shot and read noise of a sensor, in linear light.",
    )
