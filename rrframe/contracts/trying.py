"""Trying a component on whatever image is at hand, from Python."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, cast

import numpy as np
import torch

from rrframe.contracts.backbone import Backbone
from rrframe.contracts.chain import Chain
from rrframe.contracts.component import attributed, create
from rrframe.contracts.cue import Cue, Cues
from rrframe.contracts.degradation import Degradation, Light, check_severity
from rrframe.contracts.draw import Draw
from rrframe.errors import RRFrameError
from rrframe.imaging.colour import convert_light, linear_to_pixels
from rrframe.imaging.layout import joined, to_batch, to_pixels
from rrframe.imaging.tiles import Tiling, Told
from rrframe.manager import get_manager
from rrframe.rng import Key

GiveBack = Callable[..., Any]


def load(name: str, **params: Any) -> Any:
    """The component called ``name``, set by ``params``.

    ```python
    hazy = rrframe.load("haze/scattering", beta=0.02)(image, severity=0.5, seed=7)
    ```

    Raises:
        RRFrameError: There is no such component, or ``params`` do not fit it.
    """
    return create(name, params)


def compute_cues(
    names: Iterable[str], images: torch.Tensor, keys: list[str], providers: dict[str, Cue] | None = None
) -> Cues:
    """The cues called ``names`` for clean ``images``, ``[B, 3, H, W]`` float32 in [0, 1] encoded, from ``providers``
    or else the default ones.

    Raises:
        RRFrameError: Nothing provides one of them.
    """
    maps = {}
    for name in sorted(names):
        provider = (providers or {}).get(name) or default_provider(name)
        with attributed(provider, f"computing the cue {name!r}"):
            maps[name] = provider.compute(images, keys)
    return Cues(maps)


def default_provider(name: str) -> Cue:
    """The provider of the cue ``name`` that is taken where nobody chose one.

    Raises:
        RRFrameError: There is none.
    """
    entry = get_manager().default_cue(name)
    if entry is None:
        raise RRFrameError(
            f"nothing provides the cue {name!r}",
            hint=f"pass cues={{{name!r}: ...}}, or see: rrframe plugins --kind cue",
        )
    return cast(Cue, create(entry.spec.name, kinds=("cue",)))


def degrade_any(component: Degradation, image: Any, *, severity: float | None, seed: int, cues: Cues | None) -> Any:
    """``Degradation.__call__``, where it is documented."""
    check_severity(severity)
    chain = Chain((component,))

    def drawn(index: int) -> Draw:
        return chain.draw(image_key(seed, index), severity)

    if (eight_bit := _eight_bit(image)) is not None:
        pictures, put_back = eight_bit
        found = cues or (_cues_of(component, _batch_of(pictures)) if component.needs() else Cues())
        new = [chain.apply_pixels(each, drawn(index), found.select([index])) for index, each in enumerate(pictures)]
        return put_back([one.copy() if one is old else one for one, old in zip(new, pictures, strict=True)])
    images, give_back = as_batch(image)
    draws = [drawn(index) for index in range(len(images))]
    done = chain.apply(images, draws, cues or _cues_of(component, images), light_out=component.light)
    # Left in the light of the last step: codes are made of it in one way, here and in a run.
    return give_back(done, component.light)


def _cues_of(component: Degradation, images: torch.Tensor) -> Cues:
    return compute_cues(component.needs(), images, [str(index) for index in range(len(images))])


def restore_any(
    backbone: Backbone, image: Any, task: str, *, tile: int | str = "auto", overlap: int | None = None, **settings: Any
) -> Any:
    """``Backbone.__call__``, where it is documented."""
    images, give_back = as_batch(image)
    restored = restore_batch(backbone, images, task, tiling_of(backbone, tile, overlap), **settings)
    if not bool(restored.isfinite().all()):
        raise RRFrameError("the restored image is not finite", component=backbone.name, plugin=backbone.plugin)
    return give_back(restored)


def tiling_of(backbone: Backbone, tile: int | str = "auto", overlap: int | None = None) -> Tiling:
    """How ``backbone`` takes images that are large.

    Args:
        backbone: What restores.
        tile: The longest side of a tile in pixels; ``auto`` for what the backbone says, ``off`` for no tiles.
        overlap: In pixels; by default an eighth of the tile.

    Raises:
        RRFrameError: The backbone does not take tiles of that size.
    """
    capabilities = backbone.capabilities
    side = {"auto": capabilities.largest_side, "off": None}.get(str(tile)) if isinstance(tile, str) else tile
    if isinstance(tile, str) and tile not in ("auto", "off"):
        raise RRFrameError(f"a tile is auto, off or a number of pixels, not {tile!r}")
    if isinstance(tile, int) and capabilities.largest_side and tile > capabilities.largest_side:
        raise RRFrameError(
            f"it takes at most {capabilities.largest_side} pixels a side, less than tiles of {tile}",
            component=backbone.name,
            plugin=backbone.plugin,
        )
    return Tiling(side, overlap, capabilities.multiple)


def restore_batch(
    backbone: Backbone,
    images: torch.Tensor,
    task: str,
    tiling: Tiling,
    *,
    batch: int | None = None,
    told: Told | None = None,
    **settings: Any,
) -> torch.Tensor:
    """``images`` ``[B, 3, H, W]`` float32 in [0, 1], encoded sRGB, of any size, restored; what comes out may not be
    finite.

    Args:
        backbone: What restores.
        images: All of one size.
        task: What is to be removed.
        tiling: How large ones are cut.
        batch: How many images or tiles go through together.
        told: Called with how many tiles are done, and of how many.
        **settings: ``prompt``, ``steps``, ``guidance`` and ``seed`` of ``Backbone.restore``.

    Raises:
        RRFrameError: The backbone failed, or gave another size.
    """

    def restore(some: torch.Tensor) -> torch.Tensor:
        with attributed(backbone, "restoring"):
            restored = backbone.restore(some, task, **settings)
        if restored.shape != some.shape:
            raise RRFrameError(
                f"it gave {tuple(restored.shape)} for {tuple(some.shape)}",
                component=backbone.name,
                plugin=backbone.plugin,
            )
        return restored.to(some)

    with torch.inference_mode():
        return tiling.apply(images, restore, batch, told)


def image_key(seed: int, index: int | str = 0, variant: int = 0) -> Key:
    """The key of one image's randomness: (run seed, image key, variant), to which chains add the step id."""
    return Key.of(seed, index, variant)


def as_batch(image: Any) -> tuple[torch.Tensor, GiveBack]:
    """``image`` as ``[B, 3, H, W]`` float32 in [0, 1], encoded, and a function that gives such a batch back as what
    ``image`` was; that takes the light of its batch as a second argument, ``encoded`` by default.

    Raises:
        RRFrameError: It is no image of a known form.
    """
    if isinstance(image, torch.Tensor):
        return _from_tensor(image)
    if (eight_bit := _eight_bit(image)) is not None:
        pictures, put_back = eight_bit

        def give_back(done: torch.Tensor, light: Light = "encoded") -> Any:
            return put_back([_codes(one, light) for one in done])

        return _batch_of(pictures), give_back
    if isinstance(image, np.ndarray):
        return _from_array(image)
    if _is_pillow(image):  # of 16 bits, which Pillow would cut off at 255
        images, give_back_array = _from_array(np.asarray(image, dtype=np.uint16))
        return images, lambda *done: _pillow().fromarray(give_back_array(*done))
    raise RRFrameError(f"an image is a Pillow image, a numpy array or a torch tensor, not {type(image).__name__}")


def _eight_bit(image: Any) -> tuple[list[np.ndarray], Callable[[list[np.ndarray]], Any]] | None:
    """The pictures of an image of eight bits as ``[H, W, 3]`` uint8, and a function that gives such back as what it
    was; ``None`` for other images.
    """
    if isinstance(image, np.ndarray) and image.dtype == np.uint8:
        return list(_pictures(image)), partial(_like_array, image)
    if not _is_pillow(image) or image.mode.startswith("I;16"):
        return None
    alpha = image.getchannel("A") if "A" in image.getbands() else None

    def put_back(done: list[np.ndarray]) -> Any:
        picture = _pillow().fromarray(done[0])
        if alpha is not None:
            picture.putalpha(alpha)
        return picture.convert(image.mode) if image.mode in ("L", "LA") else picture

    return [np.asarray(image if image.mode == "RGB" else image.convert("RGB"))], put_back


def _is_pillow(image: Any) -> bool:
    return hasattr(image, "convert") and hasattr(image, "mode")  # without importing it for those who do not use it


def _pillow() -> Any:
    from PIL import Image

    return Image


def _batch_of(pictures: Iterable[np.ndarray]) -> torch.Tensor:
    return joined([to_batch(pixels) for pixels in pictures])


def _pictures(image: np.ndarray) -> np.ndarray:
    """An array that is an image, or several, as ``[B, H, W, 3]``."""
    pixels = image[..., None].repeat(3, axis=-1) if image.ndim == 2 else image
    if pixels.ndim not in (3, 4) or pixels.shape[-1] != 3:
        raise RRFrameError(f"an array is [H, W], [H, W, 3] or [B, H, W, 3], not {image.shape}")
    return pixels if image.ndim == 4 else pixels[None]


def _like_array(image: np.ndarray, done: list[np.ndarray]) -> np.ndarray:
    """Pictures ``[H, W, 3]`` as an array of the shape and the type of ``image``."""
    if image.ndim == 2:
        means = done[0].mean(axis=-1)
        return np.asarray(means if np.issubdtype(image.dtype, np.floating) else np.rint(means), image.dtype)
    return np.asarray(np.stack(done) if image.ndim == 4 else done[0], image.dtype)


def _from_tensor(image: torch.Tensor) -> tuple[torch.Tensor, GiveBack]:
    if image.ndim not in (3, 4) or image.shape[-3] != 3 or not image.is_floating_point():
        raise RRFrameError(
            f"a tensor is [3, H, W] or [B, 3, H, W] of floats in [0, 1], not {tuple(image.shape)} of {image.dtype}"
        )
    batch = image.unsqueeze(0) if image.ndim == 3 else image
    batch = batch.to(torch.float32).contiguous(memory_format=torch.channels_last)

    def give_back(done: torch.Tensor, light: Light = "encoded") -> torch.Tensor:
        done = convert_light(done, light, "encoded")
        return (done[0] if image.ndim == 3 else done).to(image.dtype)

    return batch, give_back


def _from_array(image: np.ndarray) -> tuple[torch.Tensor, GiveBack]:
    floats, pictures = np.issubdtype(image.dtype, np.floating), _pictures(image)
    if floats:
        images = torch.from_numpy(np.array(pictures, dtype=np.float32, order="C")).permute(0, 3, 1, 2)
    elif image.dtype == np.uint16:
        images = _batch_of(pictures)
    else:
        raise RRFrameError(f"an array holds uint8, uint16 or floats in [0, 1], not {image.dtype}")

    def give_back(done: torch.Tensor, light: Light = "encoded") -> np.ndarray:
        if floats:
            arrays = list(convert_light(done, light, "encoded").permute(0, 2, 3, 1).cpu().numpy())
        else:
            arrays = [_codes(one, light, image.dtype) for one in done]
        return _like_array(image, arrays)

    return images, give_back


def _codes(image: torch.Tensor, light: Light, dtype: np.dtype[Any] | type = np.uint8) -> np.ndarray:
    """``[3, H, W]`` in ``light`` as encoded codes."""
    if light == "linear" and dtype == np.uint8:
        return linear_to_pixels(image)
    return to_pixels(convert_light(image.unsqueeze(0), light, "encoded")[0], dtype)
