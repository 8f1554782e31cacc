"""Light: between encoded sRGB and linear light (IEC 61966-2-1)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
import torch

from rrframe.imaging.layout import from_hwc, hwc_view, to_batch

_BREAK_ENCODED = 0.04045
_BREAK_LINEAR = 0.0031308


def encoded_to_linear(images: torch.Tensor) -> torch.Tensor:
    """Encoded sRGB as linear light; both ``[B, C, H, W]`` float32 in [0, 1]."""
    if images.device.type == "cpu":
        return _through_opencv(images, _decode)
    return torch.where(images <= _BREAK_ENCODED, images / 12.92, ((images + 0.055) / 1.055).clamp(min=0).pow(2.4))


def linear_to_encoded(images: torch.Tensor) -> torch.Tensor:
    """Linear light as encoded sRGB; both ``[B, C, H, W]`` float32 in [0, 1]."""
    if images.device.type == "cpu":
        return _through_opencv(images, _encode)
    return torch.where(images <= _BREAK_LINEAR, images * 12.92, 1.055 * images.clamp(min=0).pow(1 / 2.4) - 0.055)


def power(images: torch.Tensor, exponent: torch.Tensor | float) -> torch.Tensor:
    """``[B, C, H, W]`` float32 to the power of ``exponent``, one number or ``[B, 1, 1, 1]``; below 0 counts as 0."""
    return _power_opencv(images, exponent) if images.device.type == "cpu" else _power_torch(images, exponent)


def mix(images: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """Channels ``[B, C, H, W]`` float32 through matrices ``[B, D, C]``, as ``[B, D, H, W]``; at most 4 channels.

    On a CPU this is also the fast way to average channels.
    """
    return _mix_opencv(images, matrices) if images.device.type == "cpu" else _mix_torch(images, matrices)


def pixels_to_linear(pixels: np.ndarray) -> torch.Tensor:
    """``[H, W, 3]`` uint8 or uint16, encoded, as ``[1, 3, H, W]`` float32 in [0, 1], linear.

    The same values as ``encoded_to_linear`` gives for ``to_batch``, looked up instead of computed.
    """
    table = _table(pixels.dtype.str)
    linear = cv2.LUT(pixels, table) if pixels.dtype == np.uint8 else table[pixels]
    return torch.from_numpy(np.asarray(linear).reshape(pixels.shape)).permute(2, 0, 1).unsqueeze(0)


@lru_cache(maxsize=2)
def _table(dtype: str) -> np.ndarray:
    codes = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(1, -1, 1)
    return hwc_view(encoded_to_linear(to_batch(codes))[0]).reshape(-1)


def convert_light(images: torch.Tensor, come_in: str, go_out: str) -> torch.Tensor:
    """``images`` from the light they come in to the one they go out in, each ``"linear"`` or ``"encoded"``; the
    same tensor where they agree.
    """
    if come_in == go_out:
        return images
    return encoded_to_linear(images) if go_out == "linear" else linear_to_encoded(images)


def _decode(values: np.ndarray) -> np.ndarray:
    shifted = cv2.addWeighted(values, 1 / 1.055, values, 0.0, 0.055 / 1.055)
    raised: np.ndarray = cv2.pow(shifted, 2.4, dst=shifted)
    np.copyto(raised, values / 12.92, where=values <= _BREAK_ENCODED)
    return raised


def _encode(values: np.ndarray) -> np.ndarray:
    power = cv2.pow(np.maximum(values, 0.0), 1 / 2.4)
    raised: np.ndarray = cv2.addWeighted(power, 1.055, power, 0.0, -0.055, dst=power)
    np.copyto(raised, values * 12.92, where=values <= _BREAK_LINEAR)
    return raised


def _through_opencv(images: torch.Tensor, function: Callable[[np.ndarray], np.ndarray]) -> torch.Tensor:
    # OpenCV's pow is several times faster than torch's and numpy's. It takes at most 4 channels, so rows are flattened.
    batch, channels, height, width = images.shape
    flat = images.detach().permute(0, 2, 3, 1).reshape(batch * height, width * channels).numpy()
    result = function(flat)  # OpenCV may drop an axis of length 1
    return torch.from_numpy(result.reshape(batch, height, width, channels)).permute(0, 3, 1, 2)


def _power_opencv(images: torch.Tensor, exponent: torch.Tensor | float) -> torch.Tensor:
    if not isinstance(exponent, torch.Tensor):
        return _through_opencv(images, lambda values: cv2.pow(np.maximum(values, 0.0), exponent))
    pairs = zip(images, exponent.flatten().tolist(), strict=True)
    return torch.cat([_power_opencv(image[None], each) for image, each in pairs])


def _power_torch(images: torch.Tensor, exponent: torch.Tensor | float) -> torch.Tensor:
    return images.clamp(min=0.0).pow(exponent)


def _mix_opencv(images: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    pairs = zip(images, matrices.detach().numpy(), strict=True)
    mixed = [np.asarray(cv2.transform(hwc_view(image), matrix)) for image, matrix in pairs]
    return from_hwc([each.reshape(*images.shape[-2:], matrices.shape[1]) for each in mixed])


def _mix_torch(images: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    return torch.einsum("bij,bjhw->bihw", matrices.to(images), images)
