"""Prints that have lain about for decades."""

from __future__ import annotations

import math

import torch

from rrframe import Cues, Degradation, Dial, Draws, integers, uniform
from rrframe.imaging.colour import mix, power
from rrframe.imaging.composite import blend
from rrframe.imaging.fields import smooth
from rrframe.imaging.noise import by_rows
from rrframe.imaging.resample import resize
from rrframe.imaging.splat import strokes

_SIDE = 256  # the shorter side of the grid that blotches are made on
_PAPER = (0.84, 0.79, 0.68)  # linear light of bare, aged paper
_DIRT = (0.03, 0.025, 0.02)
_BLACK = 0.01  # light that the deepest black of an old print reflects
_LUMINANCE = (0.2126, 0.7152, 0.0722)
_MOST = 400  # marks of a kind
_PIECES = 24  # straight pieces that a mark is made of


class Fade(Degradation):
    """A print whose dyes have faded, whose paper has yellowed and whose colours have gone over to one tone.

    A dye of density D keeps (1 - f) D of it, and so its light is I = (J + b)^(1 - f), with b the light of the print's
    black: shadows turn grey and contrast falls. The cyan dye fades most, then magenta, then yellow, or in another
    order. It goes unevenly over the print. ``toned`` mixes in the luminance, dyed like a sepia print; ``stain`` makes
    the paper yellow.

    Source: Wilhelm 1993, "The permanence and care of color photographs", on dye densities; prints as in Wan et al.
    2020, "Bringing old photos back to life", section 3.
    Cannot: the silver mirror of old negatives, fading of single layers in spots.
    """

    category = "oldphoto"
    light = "linear"
    fade: Dial = uniform(0.15, 0.6, mild=0.0, low=0.0, high=0.95, about="share of the density that the dyes have lost")
    cast: Dial = uniform(-0.5, 0.5, low=-1.0, high=1.0, about="1: cyan has faded more, yellow less; -1: reverse")
    toned: Dial = uniform(0.0, 1.0, mild=0.0, low=0.0, high=1.0, power=2.0, about="from colours to one sepia tone")
    stain: Dial = uniform(0.1, 0.5, mild=0.0, low=0.0, high=1.0, about="blue light that the paper no longer reflects")
    unevenness: Dial = uniform(0.0, 0.6, low=0.0, high=1.0, about="how much less some places have changed")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        def column(*values: float) -> torch.Tensor:
            return torch.tensor(values, device=images.device).view(1, 3, 1)

        cast, toned, stain = (each[:, 0] for each in (draw.cast, draw.toned, draw.stain))
        kept = 1 - (draw.fade * (1 + 0.5 * cast * column(1.0, 0.0, -1.0))[..., None]).clamp(max=0.97)
        # Sepia of a grey g is (1 - d) g + d g^2, d its dye: with the share of colours, linear in them and in g^2.
        paper, dye, grey = 1 - stain * column(0.0, 0.3, 0.8), column(0.0, 0.3, 0.55), column(*_LUMINANCE).mT
        colours = (1 - toned) * paper * torch.eye(3, device=images.device) + toned * paper * (1 - dye) * grey
        roots = (toned * paper * dye).sqrt() * grey

        def changed(light: torch.Tensor) -> torch.Tensor:
            faded = power(light + _BLACK * draw.fade, kept)
            squared = mix(faded, roots)
            return mix(faded, colours).addcmul_(squared, squared).clamp_(0.0, 1.0)

        place = 1 - draw.unevenness * torch.sigmoid(2 * _blotches(images, draw, 500))
        return blend(images, by_rows(changed, images), place)


class Scratches(Degradation):
    """A print that was handled: scratches and creases that bare the paper, hairs and specks of dirt on it.

    I = (1 - a) J + a P, with a what marks cover and P the light of bare paper, or of dirt. Scratches bend a little and
    fade in and out; creases go from border to border, broken, with the paper bulging beside them. Numbers are of a
    whole print, and lengths and widths go with its size.

    Source: the defects of Wan et al. 2020, "Bringing old photos back to life", section 3.1; drawn here, not captured.
    Cannot: missing corners, mould, stains of water.
    """

    category = "oldphoto"
    light = "linear"
    scratches: Dial = integers(4, 45, mild=0, low=0, high=_MOST, about="thin lines")
    creases: Dial = integers(0, 3, mild=0, low=0, high=_MOST, about="folds from border to border")
    specks: Dial = integers(20, 220, mild=0, low=0, high=_MOST, about="spots of bare paper and of dirt")
    hairs: Dial = integers(0, 8, mild=0, low=0, high=_MOST, about="dark fibres")
    width: Dial = uniform(0.6, 1.6, low=0.1, high=20.0, unit="1/1000 of the shorter side", about="of scratches")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        layers = [self._marks(images[[index]], draw.select([index])) for index in range(len(images))]
        bare, dirt, bulge = (torch.cat(each) for each in zip(*layers, strict=True))
        done = images * (1 + 0.25 * bulge)
        for cover, colour in ((bare, _PAPER), (dirt, _DIRT)):
            light = torch.tensor(colour, device=images.device).view(1, 3, 1, 1).expand_as(images)
            done = blend(done, light, 1 - torch.exp(-cover))
        return done.clamp_(0.0, 1.0)

    def _marks(self, image: torch.Tensor, draw: Draws) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """What covers one image: bare paper, dirt, and where the paper bulges; ``[1, 1, H, W]`` each."""
        counts = {name: int(draw.each(name)[0]) for name in ("scratches", "creases", "specks", "hairs")}
        width = float(draw.each("width")[0])
        pen = _Pen(image, draw)
        # One after the other, and as many numbers for any count: more marks are the same ones and others.
        scratches = pen.lines(counts["scratches"], (0.05, 0.5), bend=0.5, width=width, opacity=1.2, gaps=0.6)
        creases, bulge = pen.creases(counts["creases"], 1.2 * width)
        hairs = pen.lines(counts["hairs"], (0.03, 0.15), bend=6.0, width=1.0, opacity=1.5, gaps=0.0)
        bright, dark = pen.specks(counts["specks"])
        return scratches + creases + bright, hairs + dark, bulge


class _Pen:
    """Draws marks on one image; lengths are over its shorter side, widths in thousandths of it."""

    def __init__(self, image: torch.Tensor, draw: Draws) -> None:
        self._size = int(image.shape[-2]), int(image.shape[-1])
        self._side = min(self._size)
        self._image, self._rng = image, draw.rng

    def lines(
        self, count: int, lengths: tuple[float, float], *, bend: float, width: float, opacity: float, gaps: float
    ) -> torch.Tensor:
        """Lines that bend by up to ``bend`` radians, ``gaps`` of them hardly seen."""
        chance = self._chance(5 + 2 * _PIECES)[:, :count]
        start = self._anywhere(chance[:2])
        length = lengths[0] * (lengths[1] / lengths[0]) ** chance[2] * self._side
        turn = 2 * math.pi * chance[3] + bend * (chance[5 : 5 + _PIECES] - 0.5).cumsum(0) * math.sqrt(12 / _PIECES)
        steps = torch.stack([turn.cos(), turn.sin()], dim=2) * (length / _PIECES)[:, None]
        points = torch.cat([start[None], start + steps.cumsum(0)])
        ends = torch.sin(torch.linspace(0, math.pi, _PIECES + 2, device=turn.device)[1:-1]).sqrt()[:, None]
        strength = (0.4 + 0.6 * chance[4]) * _fading(_stretched(chance[5 + _PIECES :]), gaps) * ends
        return self._drawn(points, width * (0.6 + 0.8 * chance[4]), strength * opacity)

    def creases(self, count: int, width: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Broken lines across the print, and the soft bulge along them, lit from one side: below 0 in its shade."""
        pieces = 8 * _PIECES
        chance = self._chance(3 + 2 * pieces)[:, :count]
        middle, turn = self._anywhere(chance[:2]), math.pi * chance[2]
        way = torch.stack([turn.cos(), turn.sin()], dim=1)
        aside = torch.stack([-way[:, 1], way[:, 0]], dim=1)
        along = torch.linspace(-1, 1, pieces, device=turn.device).view(-1, 1, 1) * math.hypot(*self._size)
        jagged = (chance[3 : 3 + pieces] - 0.5) * 0.004 + (chance[3 : 3 + pieces] - 0.5).cumsum(0) * 0.0015
        points = middle + way * along + aside * (jagged * self._side)[..., None]
        broken = _fading(_stretched(chance[3 + pieces : 2 + 2 * pieces]), 0.75)
        cracked = self._drawn(points, width * torch.ones_like(turn), 2.0 * broken)
        offset = aside * (0.006 * self._side)
        sides = [
            self._drawn(points + sign * offset, 8 * torch.ones_like(turn), torch.ones_like(broken)) for sign in (1, -1)
        ]
        return cracked, sides[0] - sides[1]

    def specks(self, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Bare spots, and dirty ones: most are small."""
        chance = self._chance(6)[:, :count]
        place = self._anywhere(chance[:2])
        size = 0.7 * torch.exp(1.8 * chance[2].pow(3))
        turn, dark = 2 * math.pi * chance[3], chance[5] < 0.4
        length = (0.2 + chance[4]) * size * self._side / 1000
        points = torch.stack([place, place + torch.stack([turn.cos(), turn.sin()], dim=1) * length[:, None]])
        opacity = (0.5 + chance[4])[None] * 2.0
        return (
            self._drawn(points, size, opacity * ~dark),
            self._drawn(points, size, opacity * dark),
        )

    def _chance(self, rows: int) -> torch.Tensor:
        return self._rng.uniform(self._image.new_empty((1, 0, _MOST, 1)), channels=rows)[0, :, :, 0]

    def _anywhere(self, chance: torch.Tensor) -> torch.Tensor:
        height, width = self._size
        return torch.stack([chance[0] * (width - 1), chance[1] * (height - 1)], dim=1)

    def _drawn(self, points: torch.Tensor, width: torch.Tensor, opacity: torch.Tensor) -> torch.Tensor:
        """The cover of lines through ``points`` ``[pieces + 1, N, 2]``, of ``width`` ``[N]`` and ``opacity``."""
        start, end = points[:-1].flatten(0, 1), points[1:].flatten(0, 1)
        pixels = (width * (self._side / 1000)).expand(len(points) - 1, -1).flatten()
        mass = opacity.flatten() * pixels * ((end - start).norm(dim=1) + pixels * (len(points) == 2))
        return strokes(self._size, start, end, pixels, mass)


def _stretched(chance: torch.Tensor) -> torch.Tensor:
    """Values ``[pieces, N]`` made alike to their neighbours', so that marks fade in stretches."""
    return (chance + chance.roll(1, 0) + chance.roll(-1, 0)) / 3


def _fading(chance: torch.Tensor, gaps: float) -> torch.Tensor:
    """How well each of the pieces is seen, where ``gaps`` of them are hardly."""
    return ((chance - gaps * 0.7) * 4 + 0.5).clamp(0.05, 1.0)


def _blotches(images: torch.Tensor, draw: Draws, scale: float) -> torch.Tensor:
    """A smooth field of variance 1, ``[B, 1, H, W]``."""
    height, width = images.shape[-2:]
    shrink = min(1.0, _SIDE / min(height, width))
    grid = images.new_empty((len(images), 1, max(round(height * shrink), 1), max(round(width * shrink), 1)))
    # Resizing clamps to [0, 1]: the field goes through in between.
    return resize(smooth(draw.rng, grid, scale, 3) / 8 + 0.5, height, width, "linear").sub_(0.5).mul_(8)
