"""A camera's processing, and back: between a picture as files have it and the raw light on its sensor.

``process(unprocess(x, camera), camera)`` is ``x`` within 1/255, highlights included. What lies between is linear:
raw values can be attenuated, made noisy and saturated as a sensor does it.

Source: Brooks et al. 2019, "Unprocessing images for learned raw denoising", with their four colour matrices. Their
highlights come back clipped; here a shoulder stands in the chain that can be undone, so that what is bright in the
picture is brighter than white in the scene, and stays so in a darker exposure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeVar

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from rrframe.imaging.colour import look_up, mix
from rrframe.imaging.filters import convolve
from rrframe.imaging.layout import from_hwc, hwc_view

_GAMMA = 2.2
_SHOULDER = 0.9  # linear light above which highlights are rolled off
_BRIGHTEST = 2.0  # linear light of the scene that becomes white
_RIM = 5  # thousandths of the shorter side: sharpening draws rims about as wide
_ROWS = 32  # even: worked on at a time
_BEND = 1.0 - (1.0 - _SHOULDER) / (_BRIGHTEST - _SHOULDER)

_RGB_TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
_XYZ_TO_CAMERA = [  # of four cameras
    [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
    [[0.4913, -0.0541, -0.0202], [-0.6130, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
    [[0.8380, -0.2630, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
    [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.0970, 0.1581, 0.5181]],
]

# Malvar's interpolations, in sixteenths: green at red and blue; red (or blue) at a green that has it to its left and
# right; and at the other of the two. For a green that has it above and below, the second is turned.
_GREEN = [[0, 0, -2, 0, 0], [0, 0, 4, 0, 0], [-2, 4, 8, 4, -2], [0, 0, 4, 0, 0], [0, 0, -2, 0, 0]]
_BESIDE = [[0, 0, 1, 0, 0], [0, -2, 0, -2, 0], [-2, 8, 10, 8, -2], [0, -2, 0, -2, 0], [0, 0, 1, 0, 0]]
_ACROSS = [[0, 0, -3, 0, 0], [0, 4, 0, 4, 0], [-3, 0, 12, 0, -3], [0, 4, 0, 4, 0], [0, 0, -3, 0, 0]]


@dataclass(frozen=True)
class Camera:
    """How a camera sees colour, for each image of a batch.

    Args:
        blend: Shares of four cameras' colour matrices, ``[B, 4, 1, 1]``, not all 0.
        red: White-balance gain of red over green, ``[B, 1, 1, 1]``; 1.9 to 2.4 in daylight.
        blue: The same of blue; 1.5 to 1.9.
    """

    blend: torch.Tensor
    red: torch.Tensor
    blue: torch.Tensor

    def balanced(self, red: torch.Tensor, blue: torch.Tensor) -> Camera:
        """The same camera with its gains multiplied, as by a white balance that is off."""
        return replace(self, red=self.red * red, blue=self.blue * blue)

    def from_rgb(self) -> torch.Tensor:
        """``[B, 3, 3]`` float64: linear sRGB to raw. White becomes (1 / red, 1, 1 / blue)."""
        shares = self.blend.double().reshape(-1, 4)
        cameras = torch.tensor(_XYZ_TO_CAMERA, dtype=torch.float64, device=shares.device)
        mixed = torch.einsum("bk,kij->bij", shares, cameras) / shares.sum(dim=1).reshape(-1, 1, 1)
        matrix = mixed @ torch.tensor(_RGB_TO_XYZ, dtype=torch.float64, device=shares.device)
        gains = torch.cat([self.red, torch.ones_like(self.red), self.blue], dim=1).double().reshape(-1, 3, 1)
        return matrix / matrix.sum(dim=2, keepdim=True) / gains


def unprocess(images: torch.Tensor, camera: Camera, rims: torch.Tensor | None = None) -> torch.Tensor:
    """The raw light of a picture: inverse tone curve and gamma, highlights recovered, colour matrix, white balance
    taken out.

    Args:
        images: ``[B, 3, H, W]`` float32 in [0, 1], encoded.
        camera: The camera that took it.
        rims: ``[B, 1, 1, 1]``, from 0, as by default, to 1: how much of what was recovered is taken back where a
            highlight is thinner than half a hundredth of the shorter side. Sharpening leaves such rims around what is
            bright, and no light was ever there.

    Returns:
        ``[B, 3, H, W]`` float32, linear. 1 is what a green pixel saturates at, and highlights lie up to twice as
        high; strong colours can lie slightly below 0.
    """
    return mix(_recovered(_expanded(images), rims), camera.from_rgb())


def pixels_to_raw(pixels: np.ndarray, camera: Camera) -> torch.Tensor:
    """``unprocess`` of one picture of eight bits, ``[H, W, 3]`` uint8, looked up."""
    light = np.asarray(cv2.LUT(pixels, _expansion_of_codes()))
    return mix(_recovered(from_hwc([light.reshape(pixels.shape)])), camera.from_rgb())


def process(raw: torch.Tensor, camera: Camera) -> torch.Tensor:
    """The picture that a camera makes of raw light: white balance, colour matrix, highlights rolled off, gamma and
    tone curve. Shapes and ranges are those of ``unprocess``; the result is clamped to [0, 1].
    """
    return _developed(_seen(raw, camera))


def raw_to_pixels(raw: torch.Tensor, camera: Camera) -> np.ndarray:
    """``process`` of the raw light of one picture, ``[1, 3, H, W]`` on a CPU, as ``[H, W, 3]`` uint8: rounded."""
    return look_up(_seen(raw, camera), _development_of_codes(), by_root=True)[0].permute(1, 2, 0).numpy()


def mosaic(images: torch.Tensor) -> torch.Tensor:
    """What a sensor under a Bayer filter sees of ``[B, 3, H, W]``: ``[B, 1, H, W]``, red at the top left, then green,
    and green and blue in the row below.
    """
    plane = images[:, 1:2].clone(memory_format=torch.contiguous_format)
    plane[..., ::2, ::2] = images[:, 0:1, ::2, ::2]
    plane[..., 1::2, 1::2] = images[:, 2:3, 1::2, 1::2]
    return plane


def demosaic(plane: torch.Tensor) -> torch.Tensor:
    """``[B, 3, H, W]`` from a Bayer mosaic ``[B, 1, H, W]`` float32. It is linear: noise and signal can be put through
    it apart. Pixels that the sensor had come back as they are.

    Source: Malvar et al. 2004, "High-quality linear interpolation for demosaicing of Bayer-patterned color images".
    """
    if plane.device.type != "cpu":
        return _demosaic_torch(plane)
    return from_hwc([_demosaic_opencv(hwc_view(one)[..., 0]) for one in plane])


def _demosaic_torch(plane: torch.Tensor) -> torch.Tensor:
    batch = len(plane)
    found = [convolve(plane, kernel.expand(batch, 5, 5))[:, 0] for kernel in _kernels()]
    done = plane.new_empty((*plane[:, 0].shape, 3))
    _put_in_place(done, plane[:, 0], *found)
    return done.permute(0, 3, 1, 2)


def _demosaic_opencv(plane: np.ndarray) -> np.ndarray:
    done = np.empty((*plane.shape, 3), np.float32)
    for top in range(0, len(plane), _ROWS):  # in a cache, values go to every other place twice as fast
        first = max(top - 2, 0)
        seen = plane[first : top + _ROWS + 2]
        found = [cv2.filter2D(seen, -1, kernel.numpy(), borderType=cv2.BORDER_REFLECT_101) for kernel in _kernels()]
        own = [np.asarray(each).reshape(seen.shape)[top - first : top - first + _ROWS] for each in found]
        _put_in_place(done[top : top + _ROWS], plane[top : top + _ROWS], *own)
    return done


_Plane = TypeVar("_Plane", np.ndarray, torch.Tensor)


def _put_in_place(done: _Plane, sensor: _Plane, green: _Plane, beside: _Plane, above: _Plane, across: _Plane) -> None:
    """Fill ``done`` ``[..., H, W, 3]`` with what the sensor had, and the rest with Malvar's interpolations."""
    for colour, at in ((done[..., 0], 0), (done[..., 2], 1)):  # red begins in row and column 0, blue in 1
        other = 1 - at
        colour[..., at::2, at::2] = sensor[..., at::2, at::2]
        colour[..., at::2, other::2] = beside[..., at::2, other::2]
        colour[..., other::2, at::2] = above[..., other::2, at::2]
        colour[..., other::2, other::2] = across[..., other::2, other::2]
        done[..., at::2, at::2, 1] = green[..., at::2, at::2]
        done[..., at::2, other::2, 1] = sensor[..., at::2, other::2]


@lru_cache(maxsize=1)
def _kernels() -> tuple[torch.Tensor, ...]:
    beside = torch.tensor(_BESIDE) / 16.0
    return torch.tensor(_GREEN) / 16.0, beside, beside.T.contiguous(), torch.tensor(_ACROSS) / 16.0


def _expand_torch(images: torch.Tensor) -> torch.Tensor:
    """Encoded values as linear light: the tone curve 3 x^2 - 2 x^3 undone, then the gamma."""
    return (0.5 - torch.sin(torch.asin(1.0 - 2.0 * images.clamp(0.0, 1.0)) / 3.0)).clamp_(0.0, 1.0).pow_(_GAMMA)


def _develop_torch(light: torch.Tensor) -> torch.Tensor:
    """The reverse: linear light, clamped, as encoded values."""
    bent = light.clamp(0.0, 1.0).pow_(1.0 / _GAMMA)
    return (3.0 - 2.0 * bent).mul_(bent).mul_(bent).clamp_(0.0, 1.0)


# On a CPU both are looked up at 16 bits, many times faster. Light is looked up by its root: a picture that was darkened
# would show bands where light itself were rounded.


def _expanded(images: torch.Tensor) -> torch.Tensor:
    return look_up(images, _expansion()) if images.device.type == "cpu" else _expand_torch(images)


def _developed(light: torch.Tensor) -> torch.Tensor:
    if light.device.type != "cpu":
        return _develop_torch(light)
    return look_up(light, _development(), by_root=True)


def _seen(raw: torch.Tensor, camera: Camera) -> torch.Tensor:
    """Raw light as linear sRGB that ends at white."""
    return _rolled_off(mix(raw, torch.linalg.inv(camera.from_rgb())))


@lru_cache(maxsize=1)
def _expansion() -> np.ndarray:
    return _expand_torch(_levels()).to(torch.float32).numpy()


@lru_cache(maxsize=1)
def _development() -> np.ndarray:
    return _develop_torch(_levels().square()).to(torch.float32).numpy()


@lru_cache(maxsize=1)
def _expansion_of_codes() -> np.ndarray:
    return np.ascontiguousarray(_expansion()[:: 65535 // 255])


@lru_cache(maxsize=1)
def _development_of_codes() -> np.ndarray:
    return np.asarray(np.rint(_development() * 255), np.uint8)


def _levels() -> torch.Tensor:
    return torch.arange(65536, dtype=torch.float64) / 65535.0


def _recovered(light: torch.Tensor, rims: torch.Tensor | None = None) -> torch.Tensor:
    """Linear light with what the shoulder held back; hues stay."""
    return _brightened(light, lambda over: over / (1.0 - _BEND * over), rims)


def _rolled_off(light: torch.Tensor) -> torch.Tensor:
    """Linear light under the shoulder, which reaches white at ``_BRIGHTEST``; hues stay."""
    return _brightened(light, lambda over: over / (1.0 + _BEND * over))


def _opened(values: torch.Tensor) -> torch.Tensor:
    """``[B, 1, H, W]`` without what is thinner than a rim: everywhere the least around, and of that the most."""
    reach = max(1, round(_RIM * min(values.shape[-2:]) / 2000))
    width = 2 * reach + 1
    if values.device.type != "cpu":
        return F.max_pool2d(-F.max_pool2d(-values, width, 1, reach), width, 1, reach)
    window = np.ones((width, width), np.uint8)
    return from_hwc([cv2.morphologyEx(hwc_view(each), cv2.MORPH_OPEN, window)[..., None] for each in values])


_Curve = Callable[[torch.Tensor], torch.Tensor]


def _brightened(light: torch.Tensor, curve: _Curve, rims: torch.Tensor | None = None) -> torch.Tensor:
    """``light`` ``[B, 3, H, W]``, in place, where it is over the shoulder: by how much, in what ``_SHOULDER`` lacks to
    1, goes through ``curve``.
    """
    grey = _grey(light)
    brighten = _brighten_few if light.device.type == "cpu" else _brighten_torch
    brighten(light, grey, curve, rims)
    return light


def _brighten_torch(light: torch.Tensor, grey: torch.Tensor, curve: _Curve, rims: torch.Tensor | None) -> None:
    over = curve(_over(grey).clamp_(min=0.0))
    if rims is not None:
        over = torch.lerp(over, _opened(over), rims)
    light.mul_(_under(over).div_(grey.clamp(min=_SHOULDER)))


def _brighten_few(light: torch.Tensor, grey: torch.Tensor, curve: _Curve, rims: torch.Tensor | None) -> None:
    # In most pictures few pixels are as bright, and a CPU finds them in no time.
    for index, (image, one) in enumerate(zip(light, grey, strict=True)):
        where = torch.from_numpy(np.flatnonzero(one.numpy() > _SHOULDER))
        if not len(where):
            continue
        values = one.flatten()[where]
        over = curve(_over(values))
        if rims is not None:
            plane = torch.zeros_like(one)
            plane.view(-1)[where] = over
            over = torch.lerp(over, _opened(plane[None]).flatten()[where], rims[index].flatten())
        image.permute(1, 2, 0).view(-1, 3)[where] *= _under(over).div_(values)[:, None]


def _over(grey: torch.Tensor) -> torch.Tensor:
    return (grey - _SHOULDER).div_(1.0 - _SHOULDER)


def _under(over: torch.Tensor) -> torch.Tensor:
    return over.mul(1.0 - _SHOULDER).add_(_SHOULDER)


def _grey(light: torch.Tensor) -> torch.Tensor:
    return mix(light, torch.full((len(light), 1, 3), 1.0 / 3.0, device=light.device))
