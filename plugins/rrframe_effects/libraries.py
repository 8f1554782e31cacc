"""Transforms of albumentations and kornia under one roof: found by name, seeded for each image, without touching the
global generators.
"""

from __future__ import annotations

import importlib
import inspect
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from rrframe import RRFrameError
from rrframe.errors import did_you_mean
from rrframe.imaging.layout import from_hwc, hwc_view

# Subpackages of albumentations whose transforms say where a pixel comes from, and the one in there that does not.
_GEOMETRY = ("albumentations.augmentations.geometric", "albumentations.augmentations.crops")
_NOT_GEOMETRY = ("Morphological",)
# In kornia these are of no class of their own.
_KORNIA_GEOMETRY = ("RandomElasticTransform", "RandomFisheye", "RandomThinPlateSpline")


@dataclass(frozen=True)
class Transform:
    """A transform, made anew for every use: those of both libraries remember what they did last.

    Args:
        name: Library and name, for people.
        run: Gives an image, ``[1, 3, H, W]`` float32 in [0, 1], for such an image and a seed.
        moves_pixels: Whether it moves pixels, so that the target has to move too.
    """

    name: str
    run: Callable[[torch.Tensor, int], torch.Tensor]
    moves_pixels: bool

    def __call__(self, image: torch.Tensor, seed: int) -> torch.Tensor:
        """``image`` transformed.

        Raises:
            RRFrameError: What comes out is of another size or type, or not finite.
        """
        done = self.run(image, seed)
        if done.shape != image.shape:
            raise RRFrameError(
                f"{self.name} gives {_size(done)} for {_size(image)}, and images keep their size here",
                hint="take a transform that keeps it, or change the size of the source's pictures",
            )
        if not done.is_floating_point():
            raise RRFrameError(f"{self.name} gives {done.dtype}, and floats are needed here")
        if not bool(done.isfinite().all()):
            raise RRFrameError(f"{self.name} gives values that are not finite")
        return done.to(torch.float32)


def transform_of(library: str, name: str, settings: Mapping[str, Any]) -> Transform:
    """The transform called ``name`` in ``library``, ``albumentations`` or ``kornia``, set by ``settings``.

    Raises:
        RRFrameError: The library is not installed, has no such transform or one that cannot be used here, or
            ``settings`` do not fit.
    """
    return (_albumentations if library == "albumentations" else _kornia)(name, settings)


def _albumentations(name: str, settings: Mapping[str, Any]) -> Transform:
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network for news when imported
    module = _imported("albumentations")
    bases = (module.ImageOnlyTransform, module.DualTransform)
    cls = _class("albumentations", _concrete(module, bases, (module.Transform3D, module.Lambda)), module, name)
    transform = _made(cls, "albumentations", settings)

    def run(image: torch.Tensor, seed: int) -> torch.Tensor:
        pixels = hwc_view(image[0].cpu()).copy()
        transform.set_random_seed(seed)
        # OpenCV's global generator, which some transforms seed, is one a thread.
        with ThreadPoolExecutor(1) as elsewhere:
            done = elsewhere.submit(transform, image=pixels).result()["image"]
        return from_hwc([np.atleast_3d(done)]).to(image.device)

    moves = any(base.__module__.startswith(_GEOMETRY) for base in cls.__mro__) and name not in _NOT_GEOMETRY
    return Transform(f"albumentations.{name}", run, moves)


def _kornia(name: str, settings: Mapping[str, Any]) -> Transform:
    module = _imported("kornia.augmentation")
    cls = _class("kornia", _concrete(module, (module.AugmentationBase2D,), ()), module, name)
    transform = _made(cls, "kornia", {key: _tuples(value) for key, value in settings.items()})

    def run(image: torch.Tensor, seed: int) -> torch.Tensor:
        # It draws from the global generators alone: seeded, and put back.
        on_gpu = image.device.type == "cuda"
        with torch.random.fork_rng(devices=[image.device] if on_gpu else []), torch.no_grad():
            torch.default_generator.manual_seed(seed)
            if on_gpu:
                with torch.cuda.device(image.device):
                    torch.cuda.manual_seed(seed)
            done: torch.Tensor = transform(image)
        return done

    moves = issubclass(cls, module.GeometricAugmentationBase2D) or name in _KORNIA_GEOMETRY
    return Transform(f"kornia.augmentation.{name}", run, moves)


def _imported(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise RRFrameError(f"cannot import {library}: {error}", hint="pip install 'rrframe[augment]'") from error


def _concrete(module: Any, bases: tuple[type, ...], refused: tuple[type, ...]) -> dict[str, type]:
    """The transforms of ``module`` derived from ``bases`` and not from ``refused``, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, bases) and not issubclass(value, refused)
        if value not in bases and "Base" not in name
    }


def _class(library: str, known: Mapping[str, type], module: Any, name: str) -> type:
    if name in known:
        return known[name]
    if inspect.isclass(getattr(module, name, None)):
        raise RRFrameError(f"{library}'s {name} does not take one image and give one, which is needed here")
    raise RRFrameError(f"{library} has no transform called {name!r}", hint=did_you_mean(name, known))


def _made(cls: Any, library: str, settings: Mapping[str, Any]) -> Any:
    """One of ``cls``, always applied unless ``settings`` say otherwise."""
    known = inspect.signature(cls).parameters
    unknown = sorted(set(settings) - set(known))  # albumentations only warns of them
    if unknown:
        raise RRFrameError(
            f"{library}'s {cls.__name__} has no parameter {unknown[0]!r}", hint=did_you_mean(unknown[0], known)
        )
    try:
        return cls(**({"p": 1.0} if "p" in known else {}) | settings)
    except Exception as error:  # each library has its own ways to refuse
        said = " ".join(str(error).split())
        raise RRFrameError(f"{library}'s {cls.__name__} cannot be made from these settings: {said}") from error


def _tuples(value: Any) -> Any:
    """``value`` with tuples for its lists, which kornia tells apart."""
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _size(image: torch.Tensor) -> str:
    return f"{image.shape[-1]} x {image.shape[-2]}"
