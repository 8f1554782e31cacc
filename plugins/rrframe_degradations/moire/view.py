"""How a hand-held camera looks at a screen."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

_FOCAL = 2.0  # half diagonals: a phone's main camera


@dataclass(frozen=True)
class View:
    """A camera before a display. Angles in degrees.

    Args:
        pitch: Sensor pixels per display pixel, along the axis of the lens.
        angle: By which the display is turned in the picture.
        tilt: Of the display, out of the plane of the sensor.
        slope: The direction in the picture in which the display recedes.
        distortion: Of the lens: a corner of the picture sees what lies farther out by this share.
        shift: Where on a display pixel the axis meets it, in display pixels.
    """

    pitch: float
    angle: float
    tilt: float
    slope: float
    distortion: float
    shift: tuple[float, float]

    def jacobian(self) -> np.ndarray:
        """Display pixels per sensor pixel on the axis, ``[2, 2]``."""
        slope, tilt = math.radians(self.slope), math.radians(self.tilt)
        along = np.array([math.cos(slope), math.sin(slope)])
        beside = np.array([-along[1], along[0]])
        angle = math.radians(self.angle)
        turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
        return turn @ (np.outer(along, along) / math.cos(tilt) + np.outer(beside, beside)) / self.pitch

    def places(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The place on the display, x and y in display pixels, that each pixel of ``like`` sees: each ``[1, 1, H, W]``.

        A plane seen in perspective, through a lens with radial distortion.
        """
        height, width = like.shape[-2:]
        corner = math.hypot(height, width) / 2
        across = torch.arange(width, dtype=torch.float32, device=like.device) - (width - 1) / 2
        down = (torch.arange(height, dtype=torch.float32, device=like.device) - (height - 1) / 2)[:, None]
        slope, depth = math.radians(self.slope), math.tan(math.radians(self.tilt)) / (_FOCAL * corner)
        nearness = 1.0 - (across * (depth * math.cos(slope)) + down * (depth * math.sin(slope)))
        stretch = (across.square() + down.square()).mul_(self.distortion / corner**2).add_(1.0)
        # Distortion moves a ray outwards before it meets the plane; within the plane it is the same factor.
        scale = stretch / (1.0 - (1.0 - nearness) * stretch)
        ((xx, xy), (yx, yy)) = self.jacobian()
        x = (across * float(xx) + down * float(xy)).mul_(scale).add_(self.shift[0])
        y = (across * float(yx) + down * float(yy)).mul_(scale).add_(self.shift[1])
        return x[None, None], y[None, None]
