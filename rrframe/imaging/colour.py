"""Light: between encoded sRGB and linear light (IEC 61966-2-1)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import torch

from rrframe.imaging.layout import from_hwc, hwc_view, joined, to_batch, to_pixels

_BREAK_ENCODED = 0.04045
_BREAK_LINEAR = 0.0031308
_HAIR = 1e-8
_DARKEST = 1e-30  # what has a logarithm
_IN_CACHE = 1 << 16  # values
_CODES = 1 << 16  # of linear light: the darkest two codes of 8 bits are 20 of them apart


def encoded_to_linear(images: torch.Tensor) -> torch.Tensor:
    """Encoded sRGB as linear light; both ``[B, C, H, W]`` float32 in [0, 1]."""
    return _through_opencv(images, _decode) if images.device.type == "cpu" else _decode_torch(images)


def linear_to_encoded(images: torch.Tensor) -> torch.Tensor:
    """Linear light as encoded sRGB; both ``[B, C, H, W]`` float32 in [0, 1]."""
    return _through_opencv(images, _encode) if images.device.type == "cpu" else _encode_torch(images)


def power(images: torch.Tensor, exponent: torch.Tensor | float) -> torch.Tensor:
    """``[B, C, H, W]`` float32 to the power of ``exponent``; below 0 counts as 0.

    Args:
        images: What is raised.
        exponent: Above 0; one number, ``[B, 1, 1, 1]``, or ``[B, C, 1, 1]``.
    """
    return _power_opencv(images, exponent) if images.device.type == "cpu" else _power_torch(images, exponent)


def look_up(images: torch.Tensor, curve: np.ndarray, *, by_root: bool = False) -> torch.Tensor:
    """``[B, C, H, W]`` float32 on a CPU, clamped to [0, 1], through the 65,536 values of a curve, each at the nearest
    of them and of their type; ``by_root`` where these are for equal steps of the root, which are finer in the dark.
    """

    def looked_up(values: np.ndarray, out: np.ndarray) -> None:
        if by_root:
            values = np.asarray(cv2.sqrt(np.maximum(values, 0.0)))
        codes = cv2.addWeighted(values, float(_CODES - 1), values, 0.0, 0.0, dtype=cv2.CV_16U)
        cv2.LUT(codes, curve.reshape(1, -1), dst=out)

    return _through_opencv(images, looked_up, curve.dtype)


def mix(images: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """Channels ``[B, C, H, W]`` float32 through matrices ``[B, D, C]``, as ``[B, D, H, W]``; at most 4 channels.

    On a CPU this is also the fast way to average channels.
    """
    return _mix_opencv(images, matrices) if images.device.type == "cpu" else _mix_torch(images, matrices)


def pixels_to_linear(pixels: np.ndarray) -> torch.Tensor:
    """``[H, W, 3]`` uint8 or uint16, encoded, as ``[1, 3, H, W]`` float32 in [0, 1], linear.

    The same values as ``encoded_to_linear`` gives for ``to_batch``, looked up instead of computed.
    """
    table = light_of_codes(pixels.dtype.name)
    linear = cv2.LUT(pixels, table) if pixels.dtype == np.uint8 else table[pixels]
    return torch.from_numpy(np.asarray(linear).reshape(pixels.shape)).unsqueeze(0).permute(0, 3, 1, 2)


@lru_cache(maxsize=2)
def light_of_codes(dtype: str = "uint8") -> np.ndarray:
    """The linear light of every code of 8 or of 16 bits, ``[256]`` or ``[65536]`` float32; not to be written to."""
    codes = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(1, -1, 1)
    return hwc_view(encoded_to_linear(to_batch(codes))[0]).reshape(-1)


def linear_to_pixels(image: torch.Tensor) -> np.ndarray:
    """``[3, H, W]`` float32 in [0, 1], linear, as ``[H, W, 3]`` uint8, encoded: clamped, and rounded to the nearest.

    The codes of ``to_pixels`` of ``linear_to_encoded``, looked up: where those are within a fortieth of halfway between
    two codes, it may be the other one.
    """
    values = hwc_view(image.to("cpu", torch.float32))
    codes = cv2.addWeighted(values, float(_CODES - 1), values, 0.0, 0.0, dtype=cv2.CV_16U)
    return np.asarray(cv2.LUT(codes, _encoding_table())).reshape(values.shape)


def from_pixels(pixels: np.ndarray, light: str) -> torch.Tensor:
    """``[H, W, 3]`` uint8 or uint16, encoded, as ``[1, 3, H, W]`` float32 in [0, 1], ``"linear"`` or ``"encoded"``.

    A table leads straight from codes to linear light, at a quarter of the time of encoded values between.
    """
    return pixels_to_linear(pixels) if light == "linear" else to_batch(pixels)


def into_pixels(image: torch.Tensor, light: str) -> np.ndarray:
    """``[3, H, W]`` float32 in [0, 1], ``"linear"`` or ``"encoded"``, as ``[H, W, 3]`` uint8, encoded."""
    return linear_to_pixels(image) if light == "linear" else to_pixels(image)


@lru_cache(maxsize=1)
def _encoding_table() -> np.ndarray:
    codes = torch.arange(_CODES, dtype=torch.float32).div_(_CODES - 1).view(1, 1, 1, -1)
    return to_pixels(linear_to_encoded(codes)[0]).reshape(1, -1)


def convert_light(images: torch.Tensor, come_in: str, go_out: str) -> torch.Tensor:
    """``images`` from the light they come in to the one they go out in, each ``"linear"`` or ``"encoded"``; the
    same tensor where they agree.
    """
    if come_in == go_out:
        return images
    return encoded_to_linear(images) if go_out == "linear" else linear_to_encoded(images)


# Where the two pieces of a curve meet, each is taken of values clipped to its own side: their sum has no branch, and so
# needs no passes for masks. From the sum comes off what the raised piece is at its end, less a hair: rounding, which is
# another on every processor, must not leave black below 0, or a root of it would be no number.


def _decode(values: np.ndarray, out: np.ndarray) -> None:
    raised = np.maximum(values, _BREAK_ENCODED)
    raised = cv2.addWeighted(raised, 1 / 1.055, raised, 0.0, 0.055 / 1.055, dst=raised)
    raised = cv2.pow(raised, 2.4, dst=raised)
    at_break = ((_BREAK_ENCODED + 0.055) / 1.055) ** 2.4 - _HAIR
    cv2.addWeighted(raised, 1.0, np.minimum(values, _BREAK_ENCODED), 1 / 12.92, -at_break, dst=out)


def _encode(values: np.ndarray, out: np.ndarray) -> None:
    raised = np.maximum(values, _BREAK_LINEAR)
    raised = cv2.pow(raised, 1 / 2.4, dst=raised)
    at_break = 1.055 * _BREAK_LINEAR ** (1 / 2.4) - _HAIR
    cv2.addWeighted(raised, 1.055, np.minimum(values, _BREAK_LINEAR), 12.92, -at_break, dst=out)


def _decode_torch(images: torch.Tensor) -> torch.Tensor:
    return torch.where(images <= _BREAK_ENCODED, images / 12.92, ((images + 0.055) / 1.055).clamp(min=0).pow(2.4))


def _encode_torch(images: torch.Tensor) -> torch.Tensor:
    return torch.where(images <= _BREAK_LINEAR, images * 12.92, 1.055 * images.clamp(min=0).pow(1 / 2.4) - 0.055)


def _through_opencv(
    images: torch.Tensor, function: Callable[[np.ndarray, np.ndarray], Any], dtype: np.dtype | type = np.float32
) -> torch.Tensor:
    """``function`` of all values: called with those of a few rows, and where to put its result."""
    # OpenCV's pow is several times faster than torch's and numpy's. It takes at most 4 channels, so rows are flattened;
    # some at a time, so that what lies between two steps never leaves the cache.
    batch, channels, height, width = images.shape
    flat = images.detach().permute(0, 2, 3, 1).reshape(batch * height, width * channels).contiguous().numpy()
    result = np.empty(flat.shape, dtype)
    rows = max(1, _IN_CACHE // max(width * channels, 1))
    for first in range(0, len(flat), rows):
        function(flat[first : first + rows], result[first : first + rows])
    return torch.from_numpy(result.reshape(batch, height, width, channels)).permute(0, 3, 1, 2)


def _power_opencv(images: torch.Tensor, exponent: torch.Tensor | float) -> torch.Tensor:
    if not isinstance(exponent, torch.Tensor):
        return _through_opencv(images, lambda values, out: cv2.pow(np.maximum(values, 0.0), exponent, dst=out))
    pairs = zip(images, exponent.flatten(1).tolist(), strict=True)
    return joined([_powers_opencv(image[None], each) for image, each in pairs])


def _powers_opencv(image: torch.Tensor, exponents: list[float]) -> torch.Tensor:
    if len(exponents) == 1:
        return _power_opencv(image, exponents[0])
    row = np.tile(np.asarray(exponents, np.float32), image.shape[3])

    def raised(values: np.ndarray, out: np.ndarray) -> None:
        logarithms = np.asarray(cv2.log(np.maximum(values, _DARKEST)))
        logarithms *= row
        cv2.exp(logarithms, dst=out)

    return _through_opencv(image, raised)


def _power_torch(images: torch.Tensor, exponent: torch.Tensor | float) -> torch.Tensor:
    return images.clamp(min=0.0).pow(exponent)


def _mix_opencv(images: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    pairs = zip(images, matrices.detach().numpy(), strict=True)
    mixed = [np.asarray(cv2.transform(hwc_view(image), matrix)) for image, matrix in pairs]
    return from_hwc([each.reshape(*images.shape[-2:], matrices.shape[1]) for each in mixed])


def _mix_torch(images: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    return torch.einsum("bij,bjhw->bihw", matrices.to(images), images)
