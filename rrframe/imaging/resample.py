"""Resizing.

Written twice, for images on a CPU with OpenCV, or with sparse weights where OpenCV would alias, and as products of
matrices for batches on a GPU; the two agree within 1e-5. Pixels are areas: the first begins at 0, the last ends at the
side, and the image's edges stay its edges. No kind aliases where a side shrinks, but ``nearest``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, get_args

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy.sparse import csr_array

from rrframe.imaging.layout import from_hwc, hwc_view, to_batch, to_pixels

Method = Literal["nearest", "area", "linear", "cubic", "lanczos"]
METHODS: tuple[Method, ...] = get_args(Method)

_OPENCV = {
    "area": cv2.INTER_AREA,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,
}
_HAIR = 1e-12
_SUPPORT = {"linear": 1.0, "cubic": 2.0, "lanczos": 4.0}  # how far a kernel reaches to either side, in pixels


def resize(images: torch.Tensor, height: int, width: int, method: Method = "area") -> torch.Tensor:
    """``images`` at another size.

    ``area`` takes the mean of what each new pixel covers. ``linear``, ``cubic`` (Keys 1981; a = -0.75 where a side
    grows, as in OpenCV, and -0.5 where it shrinks, as in Pillow) and ``lanczos`` (four lobes) are kernels that stretch
    with the pixels of the smaller size.

    Args:
        images: ``[B, C, H, W]`` float32 in [0, 1], C up to 4. The light is the caller's.
        height: New height, at least 1.
        width: New width, at least 1.
        method: The kernel.

    Returns:
        ``[B, C, height, width]`` in [0, 1], overshoot clamped; a new tensor, and to the bit the same where the size is.
    """
    if images.shape[-2:] == (height, width):
        return images.clone()
    resized = (
        from_hwc([_opencv(hwc_view(image), height, width, method) for image in images])
        if images.device.type == "cpu"
        else _torch(images, height, width, method)
    )
    return resized.clamp_(0.0, 1.0)


def halved(images: torch.Tensor) -> torch.Tensor:
    """``[B, C, H, W]`` float32, C up to 4, of any range, as the means of two by two pixels; at an odd side the last
    row or column is a mean of its own.
    """
    if images.device.type != "cpu":
        return F.avg_pool2d(images, 2, ceil_mode=True, count_include_pad=False)
    done = []
    for image in images:
        pixels = hwc_view(image)
        odd = [side % 2 for side in pixels.shape[:2]]
        even = cv2.copyMakeBorder(pixels, 0, odd[0], 0, odd[1], cv2.BORDER_REPLICATE) if any(odd) else pixels
        # Halfway between pixels, linear is the mean; OpenCV takes half the time for it.
        half = cv2.resize(even, (even.shape[1] // 2, even.shape[0] // 2), interpolation=cv2.INTER_LINEAR)
        done.append(np.asarray(half).reshape(half.shape[0], half.shape[1], pixels.shape[2]))
    return from_hwc(done)


def grown(images: torch.Tensor, height: int, width: int, down: int = 2, across: int = 2) -> torch.Tensor:
    """``images`` that were ``halved``, or have so many times fewer rows and columns, at their first ``height`` and
    ``width``: linear between the means.
    """
    if images.device.type != "cpu":
        whole = F.interpolate(images, scale_factor=(down, across), mode="bilinear", align_corners=False)
        return whole[..., :height, :width]
    size = (across * images.shape[3], down * images.shape[2])
    views = [hwc_view(image) for image in images]
    larger = [np.asarray(cv2.resize(view, size, interpolation=cv2.INTER_LINEAR)) for view in views]
    return from_hwc([each.reshape(size[1], size[0], -1)[:height, :width] for each in larger])


def resize_pixels(pixels: np.ndarray, height: int, width: int, method: Method = "area") -> np.ndarray:
    """``resize`` for files: ``[H, W, 3]`` uint8 as the same, several times as fast.

    Within 2 codes of ``resize``, and a few more at edges of black and white, where overshoot is clamped twice: after
    the lines and after the columns.
    """
    rows, columns, _ = pixels.shape
    if (rows, columns) == (height, width):
        return pixels.copy()
    if method == "nearest":
        return _picked(pixels, height, width)
    shrinks = height <= rows and width <= columns
    if shrinks and method in ("linear", "cubic"):
        image = torch.from_numpy(pixels).permute(2, 0, 1).unsqueeze(0)
        shrunk = F.interpolate(image, (height, width), mode=f"bi{method}", antialias=True)
        return hwc_view(shrunk[0])
    if _fits_opencv(rows, columns, height, width, method):
        return _by_opencv(pixels, height, width, method)
    return to_pixels(resize(to_batch(pixels), height, width, method)[0])


def _fits_opencv(rows: int, columns: int, height: int, width: int, method: Method) -> bool:
    """Whether OpenCV does as promised: it never stretches a kernel, and has no area where only one side grows."""
    shrinks, grows = height <= rows and width <= columns, height >= rows and width >= columns
    return grows or (shrinks and method == "area")


def _by_opencv(pixels: np.ndarray, height: int, width: int, method: Method) -> np.ndarray:
    rows, columns = pixels.shape[:2]
    if method == "area" and (height > rows or width > columns):
        # Where a new pixel begins with an old one, rounding may lead OpenCV to the old one before it; but not if it has
        # the picture grow by a hair less.
        sides = (rows, height), (columns, width)
        down, across = ((1 - _HAIR) * new / old if new > old else 1.0 for old, new in sides)
        return np.asarray(cv2.resize(pixels, None, fx=across, fy=down, interpolation=cv2.INTER_AREA))
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=_OPENCV[method]))


def _opencv(pixels: np.ndarray, height: int, width: int, method: Method) -> np.ndarray:
    rows, columns, channels = pixels.shape
    if method == "nearest":
        return _picked(pixels, height, width)
    if _fits_opencv(rows, columns, height, width, method):
        return _by_opencv(pixels, height, width, method).reshape(height, width, channels)
    done = _weights(rows, height, method) @ pixels.reshape(rows, columns * channels)
    turned = cv2.transpose(done.reshape(height, columns, channels))
    done = _weights(columns, width, method) @ np.asarray(turned).reshape(columns, height * channels)
    return np.asarray(cv2.transpose(done.reshape(width, height, channels))).reshape(height, width, channels)


def _torch(images: torch.Tensor, height: int, width: int, method: Method) -> torch.Tensor:
    down, across = (
        torch.from_numpy(_weights(old, new, method).toarray()).to(images.device)
        for old, new in zip(images.shape[-2:], (height, width), strict=True)
    )
    return down @ images @ across.T


@lru_cache(maxsize=16)
def _weights(old: int, new: int, method: Method) -> csr_array:
    """``[new, old]`` float32: what each old pixel of a line gives to each new one."""
    ratio = old / new
    begins = np.arange(new)[:, None] * ratio
    if method == "nearest":
        places, values = _nearest(old, new)[:, None], np.ones((new, 1))
    elif method == "area":
        places = np.floor(begins).astype(int) + np.arange(int(np.ceil(ratio)) + 1)
        values = np.maximum(np.minimum(begins + ratio, places + 1) - np.maximum(begins, places), 0.0)
    else:
        stretch = max(ratio, 1.0)
        reach = int(np.ceil(_SUPPORT[method] * stretch))
        centres = begins + ratio / 2 - 0.5
        places = np.floor(centres).astype(int) + np.arange(1 - reach, 1 + reach)
        values = _kernel((places - centres) / stretch, method, -0.5 if ratio > 1 else -0.75)
        if ratio > 1:  # beyond the border there is nothing; where a side grows, the border pixel goes on
            values = np.where((places >= 0) & (places < old), values, 0.0)
    values = (values / values.sum(axis=1, keepdims=True)).astype(np.float32)
    lines = np.repeat(np.arange(new), places.shape[1])
    return csr_array((values.ravel(), (lines, places.clip(0, old - 1).ravel())), shape=(new, old))


def _nearest(old: int, new: int) -> np.ndarray:
    """Where the middle of each new pixel lies, exactly: OpenCV's fixed point goes the other way where it is an edge."""
    return np.asarray((2 * np.arange(new) + 1) * old // (2 * new))


def _picked(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    rows, columns = _nearest(pixels.shape[0], height), _nearest(pixels.shape[1], width)
    return np.asarray(pixels[rows][:, columns])


def _kernel(distance: np.ndarray, method: Method, a: float) -> np.ndarray:
    x = np.abs(distance)
    if method == "linear":
        return np.asarray(np.maximum(1.0 - x, 0.0))
    if method == "lanczos":
        return np.where(x < 4.0, np.sinc(x) * np.sinc(x / 4.0), 0.0)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = ((x - 5.0) * x + 8.0) * a * x - 4.0 * a
    return np.select([x <= 1.0, x < 2.0], [near, far], 0.0)
