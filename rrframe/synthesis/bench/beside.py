"""Others' operators and chains beside ours: a picture of 8 bits in, one of 8 bits out, on both sides, seed by seed."""

from __future__ import annotations

import importlib
import os
import runpy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from rrframe.contracts.chain import Chain
from rrframe.contracts.component import create
from rrframe.contracts.cue import Cue, Cues
from rrframe.contracts.degradation import Degradation
from rrframe.contracts.trying import compute_cues, image_key
from rrframe.errors import RRFrameError
from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.recipe import load_recipe
from rrframe.recipe.models import SynthesisRecipe
from rrframe.synthesis.bench.timing import Times

# Ours, its settings, the library, its transform, its settings. Those that do the same thing, at like strengths.
_PEERS: tuple[tuple[str, dict[str, Any], str, str, dict[str, Any]], ...] = (
    ("noise/poisson", {}, "albumentations", "ShotNoise", {}),
    ("noise/sensor", {}, "albumentations", "ISONoise", {}),
    ("noise/gaussian", {}, "albumentations", "GaussNoise", {}),
    ("noise/gaussian", {}, "kornia", "RandomGaussianNoise", {"std": 0.1}),
    ("noise/salt-pepper", {}, "albumentations", "SaltAndPepper", {}),
    ("noise/salt-pepper", {}, "kornia", "RandomSaltAndPepperNoise", {}),
    ("blur/defocus", {"radius": {"uniform": [3, 10]}}, "albumentations", "Defocus", {}),
    ("blur/motion", {"extent": {"uniform": [3, 21]}}, "albumentations", "MotionBlur", {"blur_limit": [3, 21]}),
    ("blur/motion", {"extent": 21}, "kornia", "RandomMotionBlur", {"kernel_size": 21, "angle": 35.0, "direction": 0.5}),
    (
        "blur/gaussian",
        {"shape": "isotropic", "sigma": {"uniform": [0.5, 3]}},
        "albumentations",
        "GaussianBlur",
        {"sigma_limit": [0.5, 3.0]},
    ),
    (
        "blur/gaussian",
        {"shape": "isotropic", "sigma": {"uniform": [0.5, 3]}},
        "kornia",
        "RandomGaussianBlur",
        {"kernel_size": (21, 21), "sigma": (0.5, 3.0)},
    ),
    ("haze/heterogeneous", {}, "albumentations", "RandomFog", {}),
    ("rain/streaks", {}, "albumentations", "RandomRain", {}),
    ("rain/streaks", {}, "kornia", "RandomRain", {}),
    ("snow/flakes", {}, "albumentations", "RandomSnow", {}),
    ("snow/flakes", {}, "kornia", "RandomSnow", {}),
    ("flare/lens", {}, "albumentations", "RandomSunFlare", {}),
    (
        "compression/jpeg",
        {"quality": {"integers": [30, 95]}, "chroma": "4:2:0"},
        "albumentations",
        "ImageCompression",
        {"quality_range": [30, 95]},
    ),
    (
        "compression/jpeg",
        {"quality": {"integers": [30, 95]}, "chroma": "4:2:0"},
        "kornia",
        "RandomJPEG",
        {"jpeg_quality": (30.0, 95.0)},
    ),
)


@dataclass(frozen=True)
class Beside:
    """One of ours beside one of others."""

    ours: str
    theirs: str
    our_times: Times
    their_times: Times

    @property
    def ratio(self) -> float:
        """How many times as fast ours is."""
        return self.their_times.mean / self.our_times.mean

    def as_json(self) -> dict[str, Any]:
        return {
            "ours": self.ours,
            "theirs": self.theirs,
            "our_rate": self.our_times.rate,
            "their_rate": self.their_times.rate,
            "ratio": self.ratio,
        }


def peers(pixels: np.ndarray, draws: int = 20) -> list[Beside]:
    """The same degradation in albumentations or kornia and in ours, where both have it.

    Raises:
        RRFrameError: One of the libraries is not installed.
    """
    rows = []
    modules = {"albumentations": _imported("albumentations"), "kornia": _imported("kornia.augmentation")}
    for name, params, library, transform, settings in _PEERS:
        theirs = _transform(modules[library], library, transform, settings, pixels)
        chain = Chain((cast(Degradation, create(name, params)),))
        rows.append(_timed(f"{library} {transform}", theirs, name, _ours(chain, {}, pixels), draws))
    return rows


@dataclass(frozen=True)
class Others:
    """Chains of someone else's, each named after the recipe of ours that it stands beside."""

    chains: Mapping[str, Callable[..., Any]] = field(default_factory=dict)

    def beside_ours(self, pixels: np.ndarray, draws: int = 20) -> list[Beside]:
        """Each of them and the chain of the first task of its recipe. Cues are computed before the clock starts.

        Raises:
            RRFrameError: One of them fails, or gives no such picture.
        """
        known = compute_cues(["depth", "segments"], to_batch(pixels), ["photograph"])
        maps = {name: getattr(known, name)[0, 0].numpy() for name in ("depth", "segments")}
        rows = []
        for name, function in self.chains.items():
            recipe = cast(SynthesisRecipe, load_recipe(name).recipe)
            (mix, *_) = recipe.tasks.values()

            def theirs(seed: int, function: Callable[..., Any] = function) -> Any:
                return function(pixels, np.random.default_rng(seed), maps["depth"], maps["segments"])

            _check(name, theirs, pixels)
            rows.append(_timed(f"{function.__name__}", theirs, name, _ours(mix.chain, recipe.cues, pixels), draws))
        return rows


def others_in(file: Path) -> Others:
    """The ``CHAINS`` of a Python file: by the name of a recipe, functions from a picture ``[H, W, 3]`` uint8, a numpy
    generator, the depth in metres and the segments, ``[H, W]`` float32, to a picture like the first.

    Raises:
        RRFrameError: It cannot be run, or has none.
    """
    try:
        found = runpy.run_path(str(file)).get("CHAINS")
    except Exception as error:  # it is somebody's program
        raise RRFrameError(f"{file.name} cannot be run: {type(error).__name__}: {error}", path=str(file)) from error
    if not isinstance(found, dict) or not all(callable(each) for each in found.values()):
        raise RRFrameError(
            f"{file.name} has no CHAINS",
            hint="it needs CHAINS = {'presets/released/blur': function, ...}; see benchmarks/published_baseline.py",
        )
    for name in found:
        load_recipe(name)
    return Others(found)


def _timed(
    their_name: str, theirs: Callable[[int], Any], our_name: str, ours: Callable[[int], Any], draws: int
) -> Beside:
    calls = [[partial(side, seed) for seed in range(draws)] for side in (ours, theirs)]
    with torch.inference_mode():
        our_times, their_times = Times.in_turns(*calls)
    return Beside(our_name, their_name, our_times, their_times)


def _ours(chain: Chain, providers: Mapping[str, Cue], pixels: np.ndarray) -> Callable[[int], np.ndarray]:
    cues = compute_cues(chain.needs(), to_batch(pixels), ["photograph"], dict(providers)) if chain.needs() else Cues()

    return lambda seed: chain.apply_pixels(pixels, chain.draw(image_key(seed)), cues)


def _check(name: str, theirs: Callable[[int], Any], pixels: np.ndarray) -> None:
    try:
        done = theirs(0)
    except Exception as error:  # it is somebody's program
        raise RRFrameError(f"the chain for {name} fails: {type(error).__name__}: {error}") from error
    if not isinstance(done, np.ndarray) or done.shape != pixels.shape or done.dtype != np.uint8:
        raise RRFrameError(f"the chain for {name} gives no {pixels.shape} uint8 picture")


def _imported(module: str) -> Any:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for news when imported
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise RRFrameError(
            f"--peers measures {library}, which cannot be imported: {error}", hint="pip install 'rrframe[augment]'"
        ) from error


def _transform(
    module: Any, library: str, name: str, settings: dict[str, Any], pixels: np.ndarray
) -> Callable[[int], Any]:
    made = getattr(module, name)(**settings, p=1.0)
    if library == "albumentations":
        return lambda seed: made(image=pixels)["image"]
    return lambda seed: to_pixels(made(to_batch(pixels))[0])
