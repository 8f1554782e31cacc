"""Many small soft strokes on one image, such as drops of rain: each is splatted at the resolution that its width asks
for, and the resolutions are added up.

One path for CPU and GPU, but for turning and growing pictures. Sums are of whole numbers, since sums of floats would
depend on an order that a GPU does not keep.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise, starmap

import cv2
import torch

from rrframe.imaging.resample import doubled

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
    first, last = _clipped(size, start, end, width)
    start, end = torch.lerp(start, end, first[:, None]), torch.lerp(start, end, last[:, None])
    every = _Strokes(start, end, width, mass * (last - first), mass if distance is None else distance)
    sizes = [(math.ceil(size[0] / 2**level), math.ceil(size[1] / 2**level)) for level in range(top + 1)]
    cover: torch.Tensor | None = None
    for level in reversed(range(top + 1)):
        if cover is not None:
            # Whatever is then cut off, the pixels stay where they are.
            cover = doubled(cover[None, None], *sizes[level])[0, 0]
        chosen = ((first < last) & (levels == level)).nonzero()[:, 0]
        if len(chosen):
            part = _layer(sizes[level], level, every.chosen(chosen), depth)
            cover = part if cover is None else cover.add_(part)
    return (torch.zeros(size, device=start.device) if cover is None else cover)[None, None]


@dataclass(frozen=True)
class _Strokes:
    """What ``strokes`` is given, those parts of it that can be seen."""

    start: torch.Tensor
    end: torch.Tensor
    width: torch.Tensor
    mass: torch.Tensor
    distance: torch.Tensor

    def chosen(self, which: torch.Tensor) -> _Strokes:
        return _Strokes(*(each.index_select(0, which) for each in vars(self).values()))


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


def _layer(size: tuple[int, int], level: int, strokes: _Strokes, depth: torch.Tensor | None) -> torch.Tensor:
    """The cover, ``size``, of strokes of one class of width, on pixels ``2 ** level`` wide."""
    pixel = 2**level
    start, end = ((place + 0.5) / pixel - 0.5 for place in (strokes.start, strokes.end))
    border = math.ceil(2 * max(float(strokes.width.max()), 1.0) / pixel) + 3  # strokes are cut a little outside
    middle, way = (start + end) / 2, (end - start).abs()
    steep = way[:, 1] >= way[:, 0]
    # Most strokes go along the rows of the sums: whether neighbours in a stroke are neighbours in memory counts most.
    turned = bool(way[:, 1].sum() >= way[:, 0].sum())
    rows, columns = (side + 2 * border for side in (size[::-1] if turned else size))
    cells = torch.zeros(rows * columns, dtype=torch.int32, device=start.device)
    # From here on, a stroke goes "along" the axis that it is longer on, and has a sample a pixel there; each is shared
    # by the two pixels around it "across". Of the pixels at its ends it has what it covers of them, and one that is
    # shorter than a pixel is shared by four, as a point is.
    along, across = torch.where(steep[:, None], middle.flip(1), middle).unbind(1)
    long, drift = way.amax(dim=1).clamp(min=1.0), way.amin(dim=1) * ((end - start).prod(dim=1).sign())
    slope = drift / long
    first, last = (along - long / 2 + 0.5).floor(), (along + long / 2 - 0.5).ceil()
    at_ends = torch.stack([first + 0.5 - (along - long / 2), along + long / 2 - last + 0.5]).clamp_(max=1.0)
    steps = torch.tensor([[columns, 1], [1, columns]], device=start.device)[(steep != turned).long()]
    corner = border * (columns + 1)
    floats = torch.stack([across - slope * along, slope, strokes.mass * (_UNIT / pixel**2) / long])
    counts = (last - first).long() + 1
    edges = torch.bincount(counts.cumsum(0) // _BLOCK).cumsum(0).tolist()
    for block in starmap(slice, pairwise([0, *edges])):
        stops = counts[block].cumsum(0)
        begins = stops - counts[block]
        which = torch.arange(len(stops), device=stops.device).repeat_interleave(counts[block])
        offset, tilt, shares = (each[block].index_select(0, which) for each in floats)
        shares[begins] *= at_ends[0, block]
        shares[stops - 1] *= at_ends[1, block]
        place = torch.arange(len(which), device=which.device)
        place += (first[block].long() - begins).index_select(0, which)
        beside = torch.addcmul(offset, tilt, place.to(torch.float32))
        if depth is not None:
            is_steep = steep[block].index_select(0, which)
            x, y = torch.where(is_steep, beside, place), torch.where(is_steep, place, beside)
            shares *= strokes.distance[block].index_select(0, which) < _at(depth, x, y, pixel)
        near = beside.floor()
        far = beside.sub_(near).mul_(shares)
        down, aside = (steps[block, axis].index_select(0, which) for axis in (0, 1))
        cell = near.long().mul_(down).addcmul_(place, aside).add_(corner)
        cells.index_add_(0, cell, shares.sub_(far).round_().int())
        cells.index_add_(0, cell.add_(down), far.round_().int())
    sums = cells.view(rows, columns)
    if turned:
        sums = _transposed(sums)
    return sums[border:-border, border:-border].to(torch.float32).mul_(1 / _UNIT)


def _at(depth: torch.Tensor, x: torch.Tensor, y: torch.Tensor, pixel: int) -> torch.Tensor:
    """``depth`` at places on pixels that are ``pixel`` of its own wide."""
    places = [((place + 0.5) * pixel - 0.5).round().long() for place in (y, x)]
    row, column = (place.clamp_(0, side - 1) for place, side in zip(places, depth.shape, strict=True))
    return depth[row, column]


def _transposed(sums: torch.Tensor) -> torch.Tensor:
    if sums.device.type != "cpu":
        return sums.T
    return torch.from_numpy(cv2.transpose(sums.numpy()))  # ten times as fast as torch
