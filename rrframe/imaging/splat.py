"""Many small soft strokes on one image, such as drops of rain: each is splatted at the resolution that its width asks
for, and the resolutions are added up. Where most of them go one way, the rows of these lean with them and stand for
several rows of the image each.

One path for CPU and GPU, but for growing pictures. On a GPU sums are of whole numbers, since sums of floats would
depend on an order that it does not keep.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from rrframe.imaging.resample import grown

_UNIT = 1 << 20  # of cover, where numbers are whole: 1e-6 fine, and up to 2,000
_BLOCK = 1 << 14  # samples at a time: they stay in the cache
_COARSEST = 7
_SIZES = [*range(1, 5), *(round(2 ** (half / 2)) for half in range(5, 32))]  # samples of strokes, as they are grouped
_PLACES = 1 << 11  # that are told apart where strokes are sorted
_STEEPEST = 1.5  # columns a row that rows lean by at most
_STEPS = (4, 3, 2)  # rows of the image that a row of sums may stand for
_MOST = 0.75  # of the strokes, whose like decides how the rows of sums lie


@dataclass(frozen=True)
class Lean:
    """How rows of sums lie in the image.

    Args:
        slope: Columns that a row lies to the right of the one above it.
        step: Rows of the image that a row of sums stands for.
    """

    slope: float = 0.0
    step: int = 1

    @classmethod
    def along(cls, start: torch.Tensor, end: torch.Tensor, width: torch.Tensor) -> Lean:
        """What suits strokes of which most are long and nearly parallel: none is bent or blurred by more than about a
        pixel of its own resolution. The arguments are those of ``strokes``.
        """
        across, down = (end - start).unbind(1)
        slope = float((across * down.sign()).sum() / down.abs().sum().clamp(min=1e-6))
        slope = round(slope * 64) / 64  # whatever the order of summing
        if abs(slope) > _STEEPEST:
            return cls()
        aside, down = (across - slope * down).abs(), down.abs()
        fits = down / torch.maximum(2 * width.clamp(min=1.0), aside)  # rows that one could stand for
        for step in _STEPS:
            if float((fits >= step).float().mean()) >= _MOST:
                return cls(slope, step)
        return cls()

    def leaning(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size of the sums for an image of ``size``."""
        reach = 1 + math.floor(abs(self.slope) * (size[0] - 1)) if self.slope else 0
        return math.ceil(size[0] / self.step), size[1] + reach

    def among(self, strokes: _Strokes, height: int) -> _Strokes:
        """``strokes`` of an image of that ``height`` as they lie among the sums."""
        if self == Lean():
            return strokes
        left = self._left(height)
        return replace(
            strokes,
            x=(strokes.x + left).sub_(strokes.y, alpha=self.slope),
            y=(strokes.y + 0.5).div_(self.step).sub_(0.5),
            right=torch.sub(strokes.right, strokes.down, alpha=self.slope),
            down=strokes.down / self.step,
        )

    def upright(self, sums: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
        """``sums`` ``[h, w]`` as the image of ``size`` shows them, linear between them."""
        if self.step > 1:
            sums = grown(sums[None, None], size[0], sums.shape[1], self.step, 1)[0, 0]
        return _pushed(sums, size[1], self._left(size[0]), self.slope) if self.slope else sums

    def back(self, x: torch.Tensor, y: torch.Tensor, height: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Where places among the sums lie in the image."""
        y = (y + 0.5) * self.step - 0.5
        return x + self.slope * y - self._left(height), y

    def _left(self, height: int) -> float:
        return max(self.slope, 0.0) * (height - 1)


def strokes(
    size: tuple[int, int],
    start: torch.Tensor,
    end: torch.Tensor,
    width: torch.Tensor,
    mass: torch.Tensor,
    distance: torch.Tensor | None = None,
    depth: torch.Tensor | None = None,
    lean: Lean | None = None,
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
        lean: What ``Lean.along`` says of them: many that go one way then cost a fraction, and end softly.

    Returns:
        ``[1, 1, H, W]`` float32.
    """
    lean = lean or Lean()
    every = _visible(size, start, end, width, mass, mass if distance is None else distance)
    if not len(every.mass):
        return torch.zeros((1, 1, *size), device=start.device)
    wide = every.width.clamp(min=1.0) * math.hypot(1, lean.slope)
    levels = (wide * math.sqrt(2)).log2().floor().clamp_(0, _coarsest(lean.leaning(size)))
    top, bottom = (0, size[0]) if lean.step > 1 else _band(every, int(levels.max()), size[0])
    band = bottom - top, size[1]
    every = lean.among(replace(every, y=every.y - top) if top else every, band[0])
    rasters = _rasters(lean.leaning(band), wide, levels)
    spare = max(raster.shape[1] for raster in rasters)  # for what has no share, and may lie anywhere
    cells = _empty(sum(raster.cells for raster in rasters) + spare, start.device)
    # What a pixel of a coarse raster, or a row that stands for several, has is shared by all that it stands for.
    every = replace(every, mass=every.mass * (-2 * levels).exp2() / lean.step)
    _sum_up(cells, rasters, every, levels, _Scene(depth[top:bottom], lean) if depth is not None else None)
    cover = lean.upright(_added_up(cells, rasters), band)
    if band != size:
        cover, part = torch.zeros(size, device=cover.device), cover
        cover[top:bottom] = part
    return cover[None, None]


@dataclass(frozen=True)
class _Strokes:
    """What ``strokes`` is given, ``[N]`` each: where they begin, how far they go, and the rest."""

    x: torch.Tensor
    y: torch.Tensor
    right: torch.Tensor
    down: torch.Tensor
    width: torch.Tensor
    mass: torch.Tensor
    distance: torch.Tensor


def _visible(
    size: tuple[int, int],
    start: torch.Tensor,
    end: torch.Tensor,
    width: torch.Tensor,
    mass: torch.Tensor,
    distance: torch.Tensor,
) -> _Strokes:
    """Those parts of the strokes that can be seen.

    Source: Liang and Barsky 1984, "A new concept and method for line clipping".
    """
    border = 2 * width.clamp(min=1.0)
    places, ways = start.unbind(1), (end - start).unbind(1)
    first, last = torch.zeros_like(width), torch.ones_like(width)
    for place, way, side in zip(places, ways, size[::-1], strict=True):
        back = 1 / way.abs().clamp(min=1e-6).copysign(way)
        one, other = -(border + place) * back, (border + side - place) * back
        first, last = torch.maximum(first, torch.minimum(one, other)), torch.minimum(last, torch.maximum(one, other))
    seen = last - first
    chosen = (seen > 0).nonzero()[:, 0]
    x, y, right, down, width, mass, distance, first, seen = (
        each.index_select(0, chosen) for each in (*places, *ways, width, mass, distance, first, seen)
    )
    x, y = torch.addcmul(x, right, first), torch.addcmul(y, down, first)
    return _Strokes(x, y, right * seen, down * seen, width, mass * seen, distance)


@dataclass(frozen=True)
class _Scene:
    """What may hide strokes."""

    depth: torch.Tensor
    lean: Lean

    def shows(
        self,
        beside: torch.Tensor,
        numbers: torch.Tensor,
        first: torch.Tensor,
        steep: torch.Tensor,
        pixel: torch.Tensor,
        distance: torch.Tensor,
    ) -> torch.Tensor:
        """Whether samples are seen: at ``beside`` across and ``first`` and ``numbers`` along, in pixels of which
        ``pixel`` make one of the finest sums, ``distance`` away.
        """
        place = first + numbers
        x, y = torch.lerp(place, beside, steep), torch.lerp(beside, place, steep)
        places = self.lean.back((x + 0.5) / pixel - 0.5, (y + 0.5) / pixel - 0.5, self.depth.shape[0])[::-1]
        row, column = (
            place.round().long().clamp_(0, side - 1) for place, side in zip(places, self.depth.shape, strict=True)
        )
        return distance < self.depth[row, column]


@dataclass(frozen=True)
class _Raster:
    """The sums for the strokes of one level, one piece of the memory that all levels share.

    Args:
        size: Height and width of the sums in this level's pixels.
        border: Beyond it on all sides, for strokes are cut a little outside.
        begin: Where they begin.
        empty: Whether there are none, as no stroke needs them.
    """

    size: tuple[int, int]
    border: int
    begin: int
    empty: bool

    @property
    def shape(self) -> tuple[int, int]:
        rows, columns = (side + 2 * self.border for side in self.size)
        return rows, columns

    @property
    def cells(self) -> int:
        return 0 if self.empty else math.prod(self.shape)

    def addresses(self) -> tuple[int, int]:
        """Where the first pixel is, and how far from there to the next one down."""
        columns = self.shape[1]
        return self.begin + self.border * (columns + 1), columns

    def inner(self, cells: torch.Tensor) -> torch.Tensor:
        """The sums without the border."""
        sums = cells[self.begin : self.begin + self.cells].view(self.shape)
        return sums[self.border : -self.border, self.border : -self.border]


def _rasters(size: tuple[int, int], wide: torch.Tensor, levels: torch.Tensor) -> list[_Raster]:
    """A raster a level, up to the coarsest that is needed."""
    widest = torch.zeros(int(levels.max()) + 1, device=levels.device)
    widest.scatter_reduce_(0, levels.long(), wide, "amax")
    rasters: list[_Raster] = []
    for level, width in enumerate(widest.tolist()):
        begin = rasters[-1].begin + rasters[-1].cells if rasters else 0
        own = math.ceil(size[0] / 2**level), math.ceil(size[1] / 2**level)
        # Across the border of the image, and as far again where rows lean.
        rasters.append(_Raster(own, math.ceil(4 * width / 2**level) + 3, begin, width == 0))
    return rasters


def _added_up(cells: torch.Tensor, rasters: list[_Raster]) -> torch.Tensor:
    """The cover that all rasters show together, at the size of the first."""
    cover: torch.Tensor | None = None
    for raster in reversed(rasters):
        own = None if raster.empty else _covers(raster.inner(cells))
        # Whatever is cut off when it grows, the pixels stay where they are.
        coarse = None if cover is None else grown(cover[None, None], *raster.size)[0, 0]
        cover = own if coarse is None else coarse if own is None else torch.add(own, coarse)
    assert cover is not None
    return cover


def _empty(count: int, device: torch.device) -> torch.Tensor:
    """Cells to sum up in."""
    return torch.zeros(count, dtype=torch.float32 if device.type == "cpu" else torch.int32, device=device)


def _unit(cells: torch.Tensor) -> int:
    """What a cover of 1 is in ``cells``."""
    return 1 if cells.is_floating_point() else _UNIT


def _covers(cells: torch.Tensor) -> torch.Tensor:
    """The cover in ``cells``."""
    return cells if cells.is_floating_point() else cells.float().div_(_UNIT)


def _pushed(rows: torch.Tensor, width: int, left: float, slope: float) -> torch.Tensor:
    """``width`` columns of ``rows`` ``[H, W]``, of each row from its own place on: at ``left`` in the first, ``slope``
    less in the next; linear between columns, of which there is one more to the right.
    """
    place = left - slope * torch.arange(len(rows), dtype=torch.float32, device=rows.device)
    column = place.floor()
    # Every run of columns as if it were a row, one beginning a column after the other: rows are then copied whole.
    runs = rows.contiguous().as_strided((rows.numel() - width, width + 1), (1, 1))
    cut = runs.index_select(0, torch.arange(len(rows), device=rows.device).mul_(rows.shape[1]).add_(column.int()))
    return torch.lerp(cut[:, :width], cut[:, 1:], (place - column)[:, None])


def _coarsest(size: tuple[int, int]) -> int:
    return min(_COARSEST, int(math.log2(min(size))))


def _band(strokes: _Strokes, level: int, height: int) -> tuple[int, int]:
    """The first row that any of the strokes may cover, the first of a pixel of the coarsest ``level``; and the one
    after the last.
    """
    reach = 3 * 2**level  # a soft hill, and what growing makes of it
    rows = torch.stack([strokes.y, strokes.y + strokes.down])
    top = min(max(int(rows.min()) - reach, 0), height - 1)
    return top >> level << level, max(min(int(rows.max()) + reach + 1, height), top + 1)


def _sum_up(
    cells: torch.Tensor, rasters: list[_Raster], strokes: _Strokes, levels: torch.Tensor, scene: _Scene | None
) -> None:
    """Add ``strokes`` to the ``cells`` of the rasters of their ``levels``, hidden where the ``scene`` is nearer.

    A stroke goes "along" the axis that it is longer on, and "across" the other. There is a sample a pixel along; each
    is shared by the two pixels around it across. Of the pixels at its ends a stroke has what it covers of them, and one
    that is shorter than a pixel is shared by four, as a point is.
    """
    pixel = (-levels).exp2()
    right, down = strokes.right * pixel, strokes.down * pixel
    x, y = ((strokes.x + 0.5) * pixel).sub_(0.5), ((strokes.y + 0.5) * pixel).sub_(0.5)
    steep = (down.abs() >= right.abs()).float()
    x, y = x.add_(right, alpha=0.5), y.add_(down, alpha=0.5)
    along, across = torch.lerp(x, y, steep), torch.lerp(y, x, steep)  # an end is met exactly, and sooner than by where
    forward, aside = torch.lerp(right, down, steep), torch.lerp(down, right, steep)
    long = forward.abs().clamp(min=1.0)
    tilt = aside * forward.sign() / long
    begin, stop = along - long / 2, along + long / 2
    first = (begin + 0.5).floor()
    corner, below = (
        torch.tensor(each, dtype=torch.int32, device=cells.device).index_select(0, levels.int())
        for each in zip(*(raster.addresses() for raster in rasters), strict=True)
    )
    aslant = (below - 1) * steep.int()
    onward, sideward = 1 + aslant, below - aslant
    base = corner + first.int() * onward
    spare = max(raster.shape[1] for raster in rasters)
    order, groups = _alike((stop - 0.5).ceil() - first + 1, base, len(cells))

    def sorted_(*vectors: torch.Tensor) -> list[torch.Tensor]:
        return [each.index_select(0, order) for each in vectors]

    # Counted from the first sample of each.
    values = sorted_(torch.addcmul(across, tilt, first - along), tilt, strokes.mass * _unit(cells) / long)
    ends = sorted_(first - begin + 0.5, stop - first + 0.5)
    places = sorted_(base, onward, sideward)
    whose = sorted_(first, steep, pixel, strokes.distance) if scene is not None else []
    for block, count in groups:
        numbers = torch.arange(count, dtype=torch.int32, device=cells.device)[:, None]
        numbered = numbers.float()
        beside, tilt, share = (each[block] for each in values)
        before, after = (each[block] for each in ends)
        cell, onward, sideward = (each[block] for each in places)
        beside = torch.addcmul(beside, tilt, numbered)
        part = torch.minimum(before + numbered, after - numbered).clamp_(0.0, 1.0).mul_(share)
        if scene is not None:
            part *= scene.shows(beside, numbered, *(each[block] for each in whose))
        near = beside.floor()
        far = beside.sub_(near).mul_(part)
        cell = torch.addcmul(cell, onward, numbers).addcmul_(near.int(), sideward).clamp_(0, len(cells) - spare - 1)
        cells.index_add_(0, cell.view(-1), part.sub_(far).to(cells.dtype).view(-1))
        cells.index_add_(0, cell.add_(sideward).view(-1), far.to(cells.dtype).view(-1))


def _alike(counts: torch.Tensor, base: torch.Tensor, cells: int) -> tuple[torch.Tensor, list[tuple[slice, int]]]:
    """An order of strokes by about how many samples they have and then by where they lie, and parts of it, each with
    the most samples that a stroke of it has: what lies beyond the end of a shorter one has no share.
    """
    sizes = torch.tensor(_SIZES, dtype=torch.float32, device=counts.device)
    group = torch.bucketize(counts, sizes)
    key = group.mul(_PLACES).add_(base.mul(_PLACES / max(cells, 1)).long().clamp_(0, _PLACES - 1))
    if key.device.type == "cpu":  # numpy's way for 16 bits is ten times as fast as torch's
        order = torch.from_numpy(key.numpy().astype(np.uint16).argsort(kind="stable"))
    else:
        order = key.argsort(stable=True)
    parts, first = [], 0
    for size, many in zip(_SIZES, torch.bincount(group, minlength=len(_SIZES)).tolist(), strict=True):
        step = max(_BLOCK // size, 1)
        parts += [(slice(begin, min(begin + step, first + many)), size) for begin in range(first, first + many, step)]
        first += many
    return order, parts
