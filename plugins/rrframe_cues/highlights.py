"""Highlights: where light sources show."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from rrframe import Cue
from rrframe.imaging.filters import box
from rrframe.imaging.resample import resize

_CLIPPED = (0.96, 0.99)  # encoded, mean of the channels: from nothing to all
_BRIGHT = (0.88, 0.96)  # of what crowds a lamp
_SIDE = 64  # the shorter side of the thumbnail on which a lamp is told from a bright sky
_AROUND = 6  # pixels of it, to each side
_CROWDED = (0.1, 0.25)  # the share of bright pixels around from which, less and less, a thing is taken for a lamp
_KEY = (0.25, 0.38)  # encoded, of the picture's middle tone: by day it is lighter, and white things are clipped


class Clipped(Cue):
    """Lamps and glints: 1 where a dark scene is clipped and nothing large around is; 0 elsewhere.

    A white wall or an overcast sky is clipped too, and what lies beside it counts as part of it. In a photograph
    exposed for daylight or for a lit room, white paper, paint and china are as bright as lamps: there nothing is taken
    for one, not the sun either. Brightness is all that is looked at: a white thing in a flash at night passes for a
    lamp.
    """

    def compute(self, images: torch.Tensor, keys: Sequence[str]) -> torch.Tensor:
        brightness = images.mean(dim=1, keepdim=True)
        height, width = images.shape[-2:]
        shrink = min(1.0, _SIDE / min(height, width))
        small = resize(_ramp(brightness, *_BRIGHT), max(round(height * shrink), 1), max(round(width * shrink), 1))
        tones = resize(brightness, *small.shape[-2:]).flatten(1)
        dark = 1 - _ramp(tones.median(dim=1).values.view(-1, 1, 1, 1), *_KEY)
        crowded = F.max_pool2d(box(small, _AROUND), 2 * _AROUND + 1, 1, _AROUND)
        alone = 1 - resize(_ramp(crowded, *_CROWDED), height, width, "linear")
        return _ramp(brightness, *_CLIPPED).mul_(alone).mul_(dark)


def _ramp(values: torch.Tensor, low: float, high: float) -> torch.Tensor:
    return ((values - low) / (high - low)).clamp_(0.0, 1.0)
