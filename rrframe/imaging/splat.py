"""Many small soft strokes on one image, such as drops of rain: each is splatted at the resolution that its width asks
for, and the resolutions are added up.

One path for CPU and GPU. Sums are of whole numbers, since sums of floats would depend on an order that a GPU does not
keep.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F

_UNIT = 1 << 20  # of cover, in whole numbers: 1e-6 fine, and up to 2,000
_BLOCK = 1 << 16  # samples at a time: it bounds the memory
_COARSEST = 7


def strokes(
    size: tuple[int, int],
    start: torch.Tensor,
    end: torch.Tensor,
    width: torch.Tensor,
    mass: torch.Tensor,
    distance: torch.Tensor | None = None,
    depth: torch.Tensor | None = None,
) -> torch.Tensor:
    """How much of each pixel N straight strokes cover, their covers added; above 1 where they lie on each other.

    The profile across is a soft hill, at half its height between 0.7 and 1.4 times ``width`` wide, and never less
    than a pixel: a stroke that is finer covers less.

    Args:
        size: Height and width of the image.
        start: ``[N, 2]`` float32: x and y in pixels; (0, 0) is the centre of the first pixel. It may lie outside.
        end: The same.
        width: ``[N]``, in pixels.
        mass: ``[N]``: the cover that each adds, summed over all pixels. So it stands for the same share of the image
            at every size where it grows with the square of the size.
        distance: ``[N]``; a stroke is hidden where ``depth`` is less.
        depth: ``[H, W]``, in the same unit.

    Returns:
        ``[1, 1, H, W]`` float32.
    """
    top = min(_COARSEST, int(math.log2(min(size))))
    levels = (width.clamp(min=1.0) * math.sqrt(2)).log2().floor().clamp_(0, top)
    hidden_by = torch.zeros_like(mass) if distance is None else distance
    first, last = _clipped(size, start, end, width)
    start, end = torch.lerp(start, end, first[:, None]), torch.lerp(start, end, last[:, None])
    mass = mass * (last - first)
    sizes = [(math.ceil(size[0] / 2**level), math.ceil(size[1] / 2**level)) for level in range(top + 1)]
    cover = torch.zeros((1, 1, *sizes[top]), device=start.device)
    for level in reversed(range(top + 1)):
        if level < top:
            # Exactly twice as large, whatever is then cut off: the pixels stay where they are.
            cover = F.interpolate(cover, scale_factor=2, mode="bilinear", align_corners=False)
            cover = cover[..., : sizes[level][0], : sizes[level][1]]
        chosen = ((first < last) & (levels == level)).nonzero()[:, 0]
        if len(chosen):
            part = _layer(sizes[level], level, start[chosen], end[chosen], mass[chosen], hidden_by[chosen], depth)
            cover = cover + part
    return cover


def _clipped(
    size: tuple[int, int], start: torch.Tensor, end: torch.Tensor, width: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """From where to where, as shares of the way from ``start`` to ``end``, a stroke can be seen; nowhere if from >= to.

    Source: Liang and Barsky 1984, "A new concept and method for line clipping".
    """
    border = 2 * width.clamp(min=1.0)[:, None]
    way = end - start
    way = torch.where(way.abs() < 1e-6, 1e-6, way)
    low, high = (-border - start) / way, (border + start.new_tensor(size[::-1]) - start) / way
    first = torch.minimum(low, high).amax(dim=1).clamp(min=0.0)
    last = torch.maximum(low, high).amin(dim=1).clamp(max=1.0)
    return first, last


def _layer(
    size: tuple[int, int],
    level: int,
    start: torch.Tensor,
    end: torch.Tensor,
    mass: torch.Tensor,
    distance: torch.Tensor,
    depth: torch.Tensor | None,
) -> torch.Tensor:
    """The cover of strokes of one class of width, on pixels ``2 ** level`` wide."""
    pixel = 2**level
    counts = ((end - start).norm(dim=1) / pixel).ceil_().long() + 1  # a sample a pixel
    step = (end - start) / counts[:, None]
    weight = mass / counts * (_UNIT / pixel**2)
    strokes = torch.stack([*(start + step / 2).unbind(1), *step.unbind(1), weight, distance], dim=1)
    # A border of one pixel takes what falls outside.
    sums = torch.zeros((size[0] + 2, size[1] + 2), dtype=torch.int32, device=start.device)
    blocks = counts.cumsum(0) // _BLOCK
    edges = torch.bincount(blocks).cumsum(0).tolist()
    for first, last in pairwise([0, *edges]):
        samples = strokes[first:last].repeat_interleave(counts[first:last], dim=0)
        passed = counts[first:last].cumsum(0) - counts[first:last]
        along = torch.arange(len(samples), device=samples.device) - passed.repeat_interleave(counts[first:last])
        x, y = torch.addcmul(samples[:, :2], samples[:, 2:4], along[:, None]).unbind(1)
        weight = samples[:, 4]
        if depth is not None:
            column, row = x.round().long().clamp_(0, depth.shape[1] - 1), y.round().long().clamp_(0, depth.shape[0] - 1)
            weight = weight * (samples[:, 5] < depth[row, column])
        _add(sums, (x + 0.5) / pixel - 0.5, (y + 0.5) / pixel - 0.5, weight)
    return (sums[1:-1, 1:-1].to(torch.float32) / _UNIT)[None, None]


def _add(sums: torch.Tensor, x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor) -> None:
    """Add ``weight`` at the places ``x``, ``y``, shared bilinearly by the four pixels around each."""
    height, width = sums.shape
    x, y = x.clamp(-1.0, width - 2.001), y.clamp(-1.0, height - 2.001)
    left, top = x.floor(), y.floor()
    corner = (top.int() + 1) * width + (left.int() + 1)
    flat, down, beside = sums.view(-1), weight * (y - top), x - left
    for below, share in ((0, weight - down), (width, down)):
        right = share * beside
        flat.index_add_(0, corner + below, (share - right).round_().int())
        flat.index_add_(0, corner + (below + 1), right.round_().int())
