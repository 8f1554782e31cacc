"""Putting images together: masks with soft edges, blends.

Where it is worth it there are two paths, OpenCV or numpy for images on a CPU and torch for batches on a GPU; they
agree within 2e-5. Light is the caller's. Results are new tensors, never clamped.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from rrframe.imaging.filters import separable
from rrframe.imaging.layout import from_hwc, hwc_view

_TRACE = 1e-5
_IN_CACHE = 1 << 16  # values worked on at a time


def blend(under: torch.Tensor, over: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """``over`` where ``mask`` is 1, ``under`` where it is 0, both to the bit; between them in proportion.

    Args:
        under: ``[B, C, H, W]`` float32, finite.
        over: The same.
        mask: ``[B, 1, H, W]`` float32 in [0, 1].
    """
    if under.device.type != "cpu":
        return under * (1.0 - mask) + over * mask
    return from_hwc(
        [_blend_numpy(*three) for three in zip(under, over, mask.expand(len(under), -1, -1, -1), strict=True)]
    )


def weighted(
    one: torch.Tensor,
    weight: torch.Tensor,
    other: torch.Tensor,
    other_weight: torch.Tensor,
    *,
    out: torch.Tensor | None = None,
) -> torch.Tensor:
    """``one * weight + other * other_weight``: blends, veils, layers with alpha.

    Args:
        one: ``[B, C, H, W]`` float32, finite; one colour all over may be ``expand``-ed.
        weight: ``[B, 1, H, W]`` or ``[B, 1, 1, 1]`` float32.
        other: As ``one``.
        other_weight: As ``weight``.
        out: Where to put the result, channels_last; may be ``one``.
    """
    if one.device.type != "cpu":
        result = one * weight + other * other_weight
        return result if out is None else out.copy_(result)
    if out is None:
        out = torch.empty_like(other, memory_format=torch.channels_last)
    each = zip(one, weight.expand(len(one), -1, -1, -1), other, other_weight.expand(len(one), -1, -1, -1), strict=True)
    for four, done in zip(each, out, strict=True):
        _weigh_numpy(*four, done.permute(1, 2, 0).view(done.shape[1], -1).numpy())
    return out


def masked(images: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """``images`` ``[B, C, H, W]`` float32 times a ``mask`` ``[B, 1, H, W]``; C up to 4."""
    if images.device.type != "cpu":
        return images * mask
    channels = images.shape[1]
    pairs = [(hwc_view(image), hwc_view(one)) for image, one in zip(images, mask, strict=True)]
    return from_hwc([np.asarray(cv2.multiply(pixels, cv2.merge([one] * channels))) for pixels, one in pairs])


def veiled(images: torch.Tensor, light: torch.Tensor, thickness: torch.Tensor) -> torch.Tensor:
    """``images`` behind something that lets part of their light through and shines itself: haze, rain, snow.

    I = J t + L (1 - t) with t = exp(-thickness), clamped to [0, 1]; where nothing is in front, they stay as they are to
    within rounding.

    Args:
        images: J, ``[B, C, H, W]`` float32 in [0, 1].
        light: L, ``[B, C, 1, 1]`` float32, from 0.
        thickness: The optical thickness, ``[B, 1, H, W]`` float32, from 0.
    """
    if images.device.type != "cpu":
        return torch.addcmul(light, images - light, torch.exp(-thickness)).clamp_(max=1.0)
    return from_hwc([_veiled_opencv(*each) for each in zip(images, light, thickness, strict=True)])


def screen(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Both lights on one film that cannot be more than white: 1 - (1 - one) (1 - other), values in [0, 1]."""
    return torch.lerp(one, one.new_ones(()), other)


def lowest(field: torch.Tensor, share: torch.Tensor | float) -> torch.Tensor:
    """The mask of the lowest values of a field: that share of the pixels, to a pixel, for values that differ.

    Args:
        field: ``[B, 1, H, W]`` float32.
        share: In [0, 1]; one number or ``[B, 1, 1, 1]``.

    Returns:
        ``[B, 1, H, W]`` float32 of 0 and 1.
    """
    pixels = field[0].numel()
    counts = [round(each * pixels) for each in _each(share, len(field))]
    masks = [
        torch.zeros_like(one) if count == 0 else (one <= _smallest(one, count)).to(torch.float32)
        for one, count in zip(field, counts, strict=True)
    ]
    return torch.stack(masks)


def feather(mask: torch.Tensor, radius: torch.Tensor | float) -> torch.Tensor:
    """``mask`` with its edge softened, fading evenly over ``radius`` pixels to either side.

    Farther from the edge than ``radius``, rounded up, in rows and in columns, a mask of 0 and 1 stays so to the bit.
    Beyond the border it goes on as at the border.

    Args:
        mask: ``[B, 1, H, W]`` float32 in [0, 1].
        radius: In pixels, one number or ``[B, 1, 1, 1]``; 0 leaves a mask as it is.
    """
    radii = _each(radius, len(mask))
    soft = _feather_opencv(mask, radii) if mask.device.type == "cpu" else _feather_torch(mask, radii)
    # Sums of many weights leave a trace of rounding where there is nothing, or all.
    return torch.where(soft < _TRACE, 0.0, torch.where(soft > 1.0 - _TRACE, 1.0, soft))


def _blend_numpy(under: torch.Tensor, over: torch.Tensor, mask: torch.Tensor) -> np.ndarray:
    channels, height, width = over.shape
    done = np.empty((height, width * channels), np.float32)
    parts = [_rows(image) for image in (under, over, mask)]
    step = max(1, _IN_CACHE // (width * channels))
    spare = np.empty((2, step, width * channels), np.float32)
    for first in range(0, height, step):
        strip = done[first : first + step]
        below, above, share = (_strip(part, first, step) for part in parts)
        wide, rest = spare[:, : len(strip)]
        share = _widened(share, channels, wide)
        np.multiply(above, share, out=strip)
        np.subtract(1.0, share, out=rest)
        strip += np.multiply(below, rest, out=rest)
    return done.reshape(height, width, channels)


def _veiled_opencv(image: torch.Tensor, light: torch.Tensor, thickness: torch.Tensor) -> np.ndarray:
    channels, height, width = image.shape
    pixels, thick = _rows(image), _rows(thickness)
    step = max(1, _IN_CACHE // (width * channels))
    behind, passing = np.empty((2, step, width * channels), np.float32)
    behind[:] = np.tile(light.flatten().numpy(), width)
    done = np.empty((height, width * channels), np.float32)
    for first in range(0, height, step):
        strip, over = (rows[first : first + step] for rows in (done, thick))
        if not cv2.countNonZero(over):
            strip[:] = pixels[first : first + step]
            continue
        air = behind[: len(strip)]
        share = _widened(np.asarray(cv2.exp(np.negative(over))), channels, passing)
        cv2.subtract(pixels[first : first + step], air, dst=strip)
        cv2.multiply(strip, share, dst=strip)
        cv2.add(strip, air, dst=strip)
        cv2.threshold(strip, 1.0, 1.0, cv2.THRESH_TRUNC, dst=strip)
    return done.reshape(height, width, channels)


def _weigh_numpy(
    one: torch.Tensor, weight: torch.Tensor, other: torch.Tensor, other_weight: torch.Tensor, out: np.ndarray
) -> None:
    channels, height, width = other.shape
    parts = [(_rows(image), _rows(share)) for image, share in ((one, weight), (other, other_weight))]
    step = max(1, _IN_CACHE // (width * channels))
    spare = np.empty((2, step, width * channels), np.float32)
    for first in range(0, height, step):
        strip = out[first : first + step]
        (image, share), (second, second_share) = ((_strip(x, first, step), _strip(w, first, step)) for x, w in parts)
        wide, product = spare[:, : len(strip)]
        np.multiply(image, _widened(share, channels, wide), out=strip)
        strip += np.multiply(second, _widened(second_share, channels, wide), out=product)


def _rows(image: torch.Tensor) -> np.ndarray:
    """``[C, H, W]`` as ``[H, W * C]``, or as one row where all are the same."""
    if image.stride(1) == 0 or image.shape[1] == 1:
        image = image[:, :1]
    pixels = hwc_view(image)
    return pixels.reshape(len(pixels), -1)


def _strip(rows: np.ndarray, first: int, count: int) -> np.ndarray:
    return rows if len(rows) == 1 else rows[first : first + count]


def _widened(share: np.ndarray, channels: int, out: np.ndarray) -> np.ndarray:
    """``[h, W]`` as ``[h, W * channels]``, written to ``out`` if that is more; one number as it is."""
    if share.size == 1 or channels == 1:
        return share
    cv2.merge([share] * channels, dst=out[: len(share)].reshape(*share.shape, channels))
    return out[: len(share)]


def _each(value: torch.Tensor | float, count: int) -> list[float]:
    if not isinstance(value, torch.Tensor):
        return [float(value)] * count
    return [float(one) for one in value.flatten().expand(count).tolist()]


def _smallest(values: torch.Tensor, count: int) -> float:
    """The ``count``-th smallest of ``values``, from 1."""
    if values.device.type == "cpu":  # twenty times as fast as torch's
        return float(np.partition(values.detach().numpy().reshape(-1), count - 1)[count - 1])
    return float(values.reshape(-1).kthvalue(count).values)


def _tent(radius: float, reach: int) -> np.ndarray:
    """``2 reach + 1`` weights of sum 1 that fall evenly to 0, a pixel beyond ``radius``."""
    weights = np.maximum(0.0, 1.0 - np.abs(np.arange(-reach, reach + 1)) / (radius + 1.0))
    return np.asarray(weights / weights.sum(), np.float32)


def _feather_opencv(mask: torch.Tensor, radii: Sequence[float]) -> torch.Tensor:
    done = []
    for one, radius in zip(mask, radii, strict=True):
        kernel = _tent(radius, math.ceil(radius))
        pixels = hwc_view(one)
        soft = cv2.sepFilter2D(pixels, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
        done.append(np.asarray(soft).reshape(pixels.shape))
    return from_hwc(done)


def _feather_torch(mask: torch.Tensor, radii: Sequence[float]) -> torch.Tensor:
    reach = math.ceil(max(radii))
    kernels = torch.from_numpy(np.stack([_tent(radius, reach) for radius in radii])).to(mask.device)
    planes = F.pad(mask.transpose(0, 1), (reach, reach, reach, reach), mode="replicate")
    return separable(planes, kernels).transpose(0, 1)
