"""Geometric warps, bilinear.

Written twice, with OpenCV for images on a CPU and in torch for batches on a GPU; the two agree within 1e-3 of the
range where an image has edges, since the places sampled are rounded differently. Coordinates are in pixels, x to the
right and y down; (0, 0) is the centre of the first pixel.
"""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from rrframe.imaging.layout import from_hwc, hwc_view

Border = Literal["reflect", "replicate", "zero"]
"""What lies beyond the image: it mirrored about the border pixel, the border pixel, or 0."""

_OPENCV = {"reflect": cv2.BORDER_REFLECT_101, "replicate": cv2.BORDER_REPLICATE, "zero": cv2.BORDER_CONSTANT}
_TORCH = {"reflect": "reflection", "replicate": "border", "zero": "zeros"}


def homography(images: torch.Tensor, matrices: torch.Tensor, border: Border = "reflect") -> torch.Tensor:
    """``images`` moved by plane projective maps.

    Args:
        images: ``[B, C, H, W]`` float32.
        matrices: ``[B, 3, 3]``, from a place ``(x, y, 1)`` in the image to where it goes, invertible.
        border: What lies beyond the image.

    Returns:
        The shape and range of ``images``, a new tensor.
    """
    if images.device.type == "cpu":
        return _homography_opencv(images, matrices, border)
    return _homography_torch(images, matrices, border)


def remap(images: torch.Tensor, x: torch.Tensor, y: torch.Tensor, border: Border = "reflect") -> torch.Tensor:
    """``images`` sampled anywhere: each pixel of the result comes from the place ``(x, y)`` given for it.

    Args:
        images: ``[B, C, H, W]`` float32; sides below 32,768.
        x: Column sampled, ``[B, 1, h, w]`` float32.
        y: Row sampled, the same shape.
        border: What lies beyond the image.

    Returns:
        ``[B, C, h, w]``, in the range of ``images``, a new tensor.
    """
    return _remap_opencv(images, x, y, border) if images.device.type == "cpu" else _remap_torch(images, x, y, border)


def _homography_opencv(images: torch.Tensor, matrices: torch.Tensor, border: Border) -> torch.Tensor:
    size = (images.shape[3], images.shape[2])
    done = []
    for image, matrix in zip(images, matrices.detach().cpu().double().numpy(), strict=True):
        pixels = hwc_view(image)
        warped = cv2.warpPerspective(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=_OPENCV[border])
        done.append(np.asarray(warped).reshape(pixels.shape))
    return from_hwc(done)


def _homography_torch(images: torch.Tensor, matrices: torch.Tensor, border: Border) -> torch.Tensor:
    height, width = images.shape[-2:]
    back = torch.linalg.inv(matrices.to(images.device, torch.float64))
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float64, device=images.device),
        torch.arange(width, dtype=torch.float64, device=images.device),
        indexing="ij",
    )
    places = torch.stack([columns, rows, torch.ones_like(rows)]).reshape(1, 3, -1)
    x, y, scale = (back @ places).reshape(-1, 3, height, width).split(1, dim=1)
    return _remap_torch(images, x / scale, y / scale, border)


def _remap_opencv(images: torch.Tensor, x: torch.Tensor, y: torch.Tensor, border: Border) -> torch.Tensor:
    done = []
    for image, columns, rows in zip(images, x.float().numpy(), y.float().numpy(), strict=True):
        pixels = hwc_view(image)
        sampled = cv2.remap(pixels, columns[0], rows[0], cv2.INTER_LINEAR, borderMode=_OPENCV[border])
        done.append(np.asarray(sampled).reshape(*rows[0].shape, pixels.shape[2]))
    return from_hwc(done)


def _remap_torch(images: torch.Tensor, x: torch.Tensor, y: torch.Tensor, border: Border) -> torch.Tensor:
    height, width = images.shape[-2:]
    # Reflecting about pixel centres wants -1 and 1 to be the centres of the first and the last pixel. Zeros want them
    # to be the outer edges, or else a side of one pixel could not be left.
    corners = border != "zero"
    if corners:
        across, down = 2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1
    else:
        across, down = (2 * x + 1) / width - 1, (2 * y + 1) / height - 1
    grid = torch.cat([across, down], dim=1).permute(0, 2, 3, 1).to(images.dtype)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode=_TORCH[border], align_corners=corners)
