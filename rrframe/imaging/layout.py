"""Between arrays as files have them and batches as operators want them."""

from __future__ import annotations

import cv2
import numpy as np
import torch


def to_batch(pixels: np.ndarray) -> torch.Tensor:
    """``[H, W, 3]`` uint8 or uint16 as ``[1, 3, H, W]`` float32 in [0, 1], channels_last: OpenCV can then work
    on a view of it.
    """
    whole = np.require(pixels, requirements=["C", "W"])  # torch warns of arrays that are read-only
    scaled = torch.from_numpy(whole).to(torch.float32).div_(float(np.iinfo(pixels.dtype).max))
    return scaled.unsqueeze(0).permute(0, 3, 1, 2)  # in this order, or torch.cat would not see the layout


def to_pixels(image: torch.Tensor, dtype: np.dtype | type = np.uint8) -> np.ndarray:
    """``[3, H, W]`` float in [0, 1] as ``[H, W, 3]`` of an unsigned integer type: clamped first, then rounded
    to the nearest, never truncated.
    """
    values = hwc_view(image.to("cpu", torch.float32))
    # One pass that scales, rounds and clamps; OpenCV's other conversions take absolute values or round down.
    depth = cv2.CV_8U if np.dtype(dtype) == np.uint8 else cv2.CV_16U
    pixels = cv2.addWeighted(values, float(np.iinfo(dtype).max), values, 0.0, 0.0, dtype=depth)
    return np.asarray(pixels).reshape(values.shape)


def hwc_view(image: torch.Tensor) -> np.ndarray:
    """``[C, H, W]`` on a CPU as a ``[H, W, C]`` array whose rows are each in one piece, as OpenCV wants them: without a
    copy where the tensor is channels_last, or a window of one that is.

    Read only, by convention.
    """
    pixels = image.detach().permute(1, 2, 0)
    _, width, channels = pixels.shape
    packed = (pixels.stride(2) == 1 or channels == 1) and (pixels.stride(1) == channels or width == 1)
    return (pixels if packed else pixels.contiguous()).numpy()


def from_hwc(arrays: list[np.ndarray]) -> torch.Tensor:
    """``[H, W, C]`` float32 arrays as ``[B, C, H, W]``, channels_last; without a copy where there is one."""
    stacked = arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
    return torch.from_numpy(stacked).permute(0, 3, 1, 2)


def joined(batches: list[torch.Tensor]) -> torch.Tensor:
    """``batches`` as one: without a copy where there is one."""
    return batches[0] if len(batches) == 1 else torch.cat(batches)
