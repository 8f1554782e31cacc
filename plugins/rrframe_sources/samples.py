"""Photographs that are on every machine that runs rrframe."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from pydantic import Field, field_validator

from rrframe import Photograph, RRFrameError, Source
from rrframe.errors import did_you_mean
from rrframe.imaging.reading import read_photograph

_SCIKIT_IMAGE = "skimage/data"
_SCIKIT_LEARN = "sklearn/datasets/images"
_FILES = {  # the photographs among what the two packages carry; diagrams, scans and microscopy are left out
    "astronaut": f"{_SCIKIT_IMAGE}/astronaut.png",
    "brick": f"{_SCIKIT_IMAGE}/brick.png",
    "camera": f"{_SCIKIT_IMAGE}/camera.png",
    "chelsea": f"{_SCIKIT_IMAGE}/chelsea.png",
    "china": f"{_SCIKIT_LEARN}/china.jpg",
    "coffee": f"{_SCIKIT_IMAGE}/coffee.png",
    "coins": f"{_SCIKIT_IMAGE}/coins.png",
    "flower": f"{_SCIKIT_LEARN}/flower.jpg",
    "gravel": f"{_SCIKIT_IMAGE}/gravel.png",
    "motorcycle": f"{_SCIKIT_IMAGE}/motorcycle_left.png",
    "rocket": f"{_SCIKIT_IMAGE}/rocket.jpg",
}


class Samples(Source):
    """Eleven photographs inside scikit-image and scikit-learn, which rrframe needs anyway: nothing is downloaded.

    They are small (0.1 to 0.4 megapixels), and four are grey. ``registry/datasets/sample-photographs.yaml`` tells what
    each shows, where it comes from and its licence.
    """

    names: list[str] | None = Field(None, description="which of them; all where nothing is said")

    @field_validator("names")
    @classmethod
    def _known(cls, names: list[str] | None) -> list[str] | None:
        for name in names or ():
            if name not in _FILES:
                raise ValueError(f"no sample is called {name!r}; {did_you_mean(name, _FILES)}")
        if names == []:
            raise ValueError("at least one name is needed; leave names out for all of them")
        return names

    def keys(self) -> list[str]:
        return sorted(set(self.names or _FILES))

    def read(self, key: str) -> Photograph:
        if key not in _FILES:
            raise RRFrameError(f"no sample is called {key!r}", component=self.name, hint=did_you_mean(key, _FILES))
        package, _, file = _FILES[key].partition("/")
        spec = find_spec(package)  # finds it without importing it, which would take seconds
        if spec is None or spec.origin is None:
            raise RRFrameError(f"{key} is missing: {package} is not installed", component=self.name)
        return read_photograph(Path(spec.origin).parent / file)
