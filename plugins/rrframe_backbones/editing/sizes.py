"""The size that an editor works at, and the way there and back."""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image


def fitted(height: int, width: int, pixels: int, multiple: int = 16) -> tuple[int, int]:
    """The size for a picture: about ``pixels`` in all, of nearly its shape, each side a multiple of ``multiple``.

    Source: the published size rule of Step1X-Edit; sides are rounded down.
    """
    ratio = width / height
    if width > height:
        across = math.ceil(math.sqrt(pixels * ratio))
        down = math.ceil(across / ratio)
    else:
        down = math.ceil(math.sqrt(pixels / ratio))
        across = math.ceil(down * ratio)
    return tuple(max(multiple, side // multiple * multiple) for side in (down, across))  # type: ignore[return-value]


def resized(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """``images`` at another size, by Pillow's Lanczos kernel of three lobes, as the editors were trained with, but
    without its rounding to 8 bits.

    Edges stay edges: going to a size and back moves and scales nothing, whatever the sides were rounded to.

    Args:
        images: ``[B, 3, H, W]`` float32 in [0, 1].

    Returns:
        ``[B, 3, height, width]`` in [0, 1], on the same device.
    """
    if images.shape[-2:] == (height, width):
        return images
    planes = images.flatten(0, 1).cpu().numpy()
    done = [Image.fromarray(plane).resize((width, height), Image.Resampling.LANCZOS) for plane in planes]
    stacked = torch.from_numpy(np.stack([np.asarray(plane) for plane in done])).clamp_(0, 1)
    return stacked.unflatten(0, images.shape[:2]).to(images.device)
