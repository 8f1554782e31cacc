"""Many small soft strokes on one image, such as drops of rain: each is splatted at the resolution that its width asks
for, and the resolutions are added up.

One path for CPU and GPU, but for turning and growing pictures. Sums are of whole numbers, since sums of floats would
depend on an order that a GPU does not keep.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise, starmap

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from rrframe.imaging.resample import doubled

_UNIT = 1 << 20  # of cover, in whole numbers: 1e-6 fine, and up to 2,000
_BLOCK = 1 << 15  # samples at a time: they stay in the cache
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
    first, last = _clipped(size, start, end, width)
    start, end = torch.lerp(start, end, first[:, None]), torch.lerp(start, end, last[:, None])
    every = _Strokes(start, end, width, mass * (last - first), mass if distance is None else distance)
    every = every.chosen((first < last).nonzero()[:, 0])
    if not len(every.mass):
        return torch.zeros((1, 1, *size), device=start.device)
    levels = every.levels(_coarsest(size))
    top, bottom = _band(every, int(levels.max()), size[0])
    # Most strokes go along the rows of the sums, and follow each other as rows do: whether neighbours are neighbours in
    # memory counts most.
    across, down = (every.end - every.start).abs().sum(dim=0).tolist()
    order = torch.add(every.start[:, int(across > down)], levels, alpha=max(size) * 4).argsort()
    every, levels = every.chosen(order).lower(-top), levels[order]
    rasters = _rasters((bottom - top, size[1]), every, levels, down >= across)
    cells = torch.zeros(sum(raster.cells for raster in rasters), dtype=torch.int32, device=start.device)
    _sum_up(cells, rasters, every, levels, None if depth is None else depth[top:bottom])
    cover = _added_up(cells, rasters)[None, None]
    return cover if bottom - top == size[0] else F.pad(cover, (0, 0, top, size[0] - bottom))


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

    def lower(self, rows: int) -> _Strokes:
        down = self.start.new_tensor([0, rows])
        return replace(self, start=self.start + down, end=self.end + down)

    def levels(self, coarsest: int) -> torch.Tensor:
        """Of each stroke the n for which pixels 2^n wide suit it."""
        return (self.width.clamp(min=1.0) * math.sqrt(2)).log2().floor().clamp_(0, coarsest).long()


@dataclass(frozen=True)
class _Raster:
    """The sums for the strokes of one level, one piece of the memory that all levels share.

    Args:
        size: Height and width of the image in this level's pixels.
        border: Beyond it on all sides, for strokes are cut a little outside.
        turned: Whether rows of sums are columns of the image.
        begin: Where they begin.
        empty: Whether there are none, as no stroke needs them.
    """

    size: tuple[int, int]
    border: int
    turned: bool
    begin: int
    empty: bool

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = (side + 2 * self.border for side in (self.size[::-1] if self.turned else self.size))
        return rows, columns

    @property
    def cells(self) -> int:
        return 0 if self.empty else math.prod(self.shape)

    def addresses(self) -> tuple[int, int, int]:
        """Where the first pixel is, and how far from there to the next one to the right and down."""
        columns = self.shape[1]
        return self.begin + self.border * (columns + 1), *((columns, 1) if self.turned else (1, columns))

    def inner(self, cells: torch.Tensor) -> torch.Tensor:
        """The sums without the border, as the image lies."""
        sums = cells[self.begin : self.begin + self.cells].view(self.shape)
        sums = sums[self.border : -self.border, self.border : -self.border]
        return _transposed(sums) if self.turned else sums


def _rasters(size: tuple[int, int], strokes: _Strokes, levels: torch.Tensor, turned: bool) -> list[_Raster]:
    """A raster a level, up to the coarsest that is needed."""
    widest = torch.zeros(int(levels.max()) + 1, device=levels.device)
    widest.scatter_reduce_(0, levels, strokes.width.clamp(min=1.0), "amax")
    rasters: list[_Raster] = []
    for level, width in enumerate(widest.tolist()):
        begin = rasters[-1].begin + rasters[-1].cells if rasters else 0
        own = math.ceil(size[0] / 2**level), math.ceil(size[1] / 2**level)
        rasters.append(_Raster(own, math.ceil(2 * width / 2**level) + 3, turned, begin, width == 0))
    return rasters


def _added_up(cells: torch.Tensor, rasters: list[_Raster]) -> torch.Tensor:
    """The cover that all rasters show together, at the size of the first."""
    cover: torch.Tensor | None = None
    for level, raster in reversed(list(enumerate(rasters))):
        if cover is not None:
            # Whatever is then cut off, the pixels stay where they are.
            cover = doubled(cover[None, None], *raster.size)[0, 0]
        if not raster.empty:
            part = raster.inner(cells).to(torch.float32).mul_(1 / (_UNIT * 4**level))
            cover = part if cover is None else cover.add_(part)
    assert cover is not None
    return cover


def _coarsest(size: tuple[int, int]) -> int:
    return min(_COARSEST, int(math.log2(min(size))))


def _band(strokes: _Strokes, level: int, height: int) -> tuple[int, int]:
    """The first row that any of the strokes may cover, the first of a pixel of the coarsest ``level``; and the one
    after the last.
    """
    reach = 3 * 2**level  # a soft hill, and what growing makes of it
    rows = torch.stack([strokes.start[:, 1], strokes.end[:, 1]])
    top = min(max(int(rows.min()) - reach, 0), height - 1)
    return top >> level << level, max(min(int(rows.max()) + reach + 1, height), top + 1)


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


def _sum_up(
    cells: torch.Tensor, rasters: list[_Raster], strokes: _Strokes, levels: torch.Tensor, depth: torch.Tensor | None
) -> None:
    """Add ``strokes`` to the ``cells`` of the rasters of their ``levels``, hidden where ``depth`` is less.

    A stroke goes "along" the axis that it is longer on, and "across" the other. There is a sample a pixel along; each
    is shared by the two pixels around it across. Of the pixels at its ends a stroke has what it covers of them, and one
    that is shorter than a pixel is shared by four, as a point is.
    """
    pixel = 2.0**levels
    start, end = ((place + 0.5) / pixel[:, None] - 0.5 for place in (strokes.start, strokes.end))
    middle, way = (start + end) / 2, end - start
    steep = way[:, 1].abs() >= way[:, 0].abs()
    along, across = torch.where(steep, middle.T.flip(0), middle.T)
    forward, aside = torch.where(steep, way.T.flip(0), way.T)
    long = forward.abs().clamp(min=1.0)
    slope = aside * forward.sign() / long
    first, last = (along - long / 2 + 0.5).floor(), (along + long / 2 - 0.5).ceil()
    at_first, at_last = first + 0.5 - (along - long / 2), along + long / 2 - last + 0.5
    shares = strokes.mass * _UNIT / long
    counts = (last - first).int() + 1
    addresses = torch.tensor([raster.addresses() for raster in rasters], dtype=torch.int32, device=cells.device)
    corner, right, down = addresses[levels].T
    steps = torch.where(steep, torch.stack([down, right]), torch.stack([right, down]))
    numbers = torch.arange(_BLOCK + int(counts.max()), dtype=torch.int32, device=cells.device)
    numbered = numbers.to(torch.float32)
    for block in starmap(slice, pairwise([0, *torch.bincount(counts.cumsum(0) // _BLOCK).cumsum(0).tolist()])):
        count = counts[block]
        stops = count.cumsum(0)
        begins = stops - count
        total = int(stops[-1]) if len(stops) else 0

        def repeated(values: torch.Tensor, count: torch.Tensor = count, total: int = total) -> torch.Tensor:
            return _repeated(values, count, total)

        lead = first[block].int() - begins.int()  # of a sample's place along over its number
        beside = repeated(across[block] + slope[block] * (lead - along[block]))
        beside.addcmul_(repeated(slope[block]), numbered[:total])
        share = repeated(shares[block])
        share[begins] *= at_first[block].clamp(max=1.0)
        share[stops - 1] *= at_last[block].clamp(max=1.0)
        if depth is not None:
            place = repeated(lead).add_(numbers[:total])
            is_steep = repeated(steep[block])
            x, y = torch.where(is_steep, beside, place), torch.where(is_steep, place, beside)
            share *= repeated(strokes.distance[block]) < _at(depth, x, y, repeated(pixel[block]))
        near = beside.floor()
        far = beside.sub_(near).mul_(share)
        step = repeated(steps[1, block])
        cell = repeated(corner[block] + lead * steps[0, block])
        cell.addcmul_(repeated(steps[0, block]), numbers[:total]).addcmul_(near.int(), step)
        cells.index_add_(0, cell, share.sub_(far).int())
        cells.index_add_(0, cell.add_(step), far.int())


def _repeated(values: torch.Tensor, counts: torch.Tensor, total: int) -> torch.Tensor:
    """Each of ``values`` as often as ``counts`` says, ``total`` of them."""
    if values.device.type != "cpu":
        return values.repeat_interleave(counts, output_size=total)
    return torch.from_numpy(np.repeat(values.numpy(), counts.numpy()))  # six times as fast as torch


def _at(depth: torch.Tensor, x: torch.Tensor, y: torch.Tensor, pixel: torch.Tensor) -> torch.Tensor:
    """``depth`` at places counted in pixels that are ``pixel`` of its own wide."""
    places = [((place + 0.5) * pixel - 0.5).round().long() for place in (y, x)]
    row, column = (place.clamp_(0, side - 1) for place, side in zip(places, depth.shape, strict=True))
    return depth[row, column]


def _transposed(sums: torch.Tensor) -> torch.Tensor:
    if sums.device.type != "cpu":
        return sums.T
    return torch.from_numpy(cv2.transpose(sums.numpy()))  # ten times as fast as torch
