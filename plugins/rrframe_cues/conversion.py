"""From what cameras and networks say of depth to metres."""

from __future__ import annotations

import torch

from rrframe.imaging.resample import resize


def nearness_to_depth(nearness: torch.Tensor, near: float, far: float) -> torch.Tensor:
    """Metres for ``nearness`` in [0, 1]: z = 1 / (a d + b), ``far`` where it is 0 and ``near`` where it is 1.

    Networks and the eye judge the inverse of depth, known only up to a and b.
    """
    return 1.0 / torch.lerp(torch.full_like(nearness, 1 / far), torch.full_like(nearness, 1 / near), nearness)


def stretched(values: torch.Tensor) -> torch.Tensor:
    """``values``, ``[B, 1, H, W]``, from the least to the greatest of each map stretched to [0, 1]; 0 where all are
    the same.
    """
    least, greatest = values.amin(dim=(1, 2, 3), keepdim=True), values.amax(dim=(1, 2, 3), keepdim=True)
    return ((values - least) / (greatest - least).clamp(min=1e-12)).clamp_(0.0, 1.0)


def depth_at_size(inverse: torch.Tensor, height: int, width: int, far: float) -> torch.Tensor:
    """Metres at another size. The inverse is what is interpolated: it is linear over every plane that one looks at.

    Args:
        inverse: 1 / metres, ``[B, 1, h, w]`` float32, at least 0.
        height: New height.
        width: New width.
        far: The most metres that come out, be it for 0.

    Returns:
        ``[B, 1, height, width]`` float32, above 0.
    """
    top = inverse.amax(dim=(1, 2, 3), keepdim=True).clamp(min=1e-12)
    return 1.0 / (resize(inverse / top, height, width, "linear") * top).clamp(min=1 / far)
