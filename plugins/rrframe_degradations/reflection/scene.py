"""What all reflections share: the second scene as glass and lens show it, and which of the two lies behind."""

from __future__ import annotations

from abc import abstractmethod

import torch
from pydantic import Field

from rrframe import Cues, Degradation, Dial, Draw, Draws, Key, fixed, integers, log_uniform, uniform
from rrframe.imaging.colour import encoded_to_linear
from rrframe.imaging.filters import gaussian
from rrframe.imaging.resample import resize
from rrframe.imaging.warp import homography
from rrframe_degradations.reflection.optics import double_image, reflectance

_SHARPEST = 2.5  # pixels: the deviation of a blur that a picture is not made smaller for


class Reflection(Degradation):
    """Two scenes in one picture: one through a pane of glass, the other, the cue ``partner``, reflected in it.

    The reflected scene is seen mirrored, out of focus or not, and twice: the back of the pane reflects too, (1 - R)^2
    as much as its front, and beside it.
    """

    category = "reflection"
    light = "linear"
    cues = {"partner"}
    swap: float = Field(0.0, ge=0, le=1, description="chance that the partner lies behind the glass, as the target")
    defocus: Dial = log_uniform(
        0.8, 10.0, low=0.0, high=200.0, unit="1/1000 of the shorter side", about="deviation of the reflection's blur"
    )
    thickness: Dial = uniform(3.0, 12.0, low=0.0, high=200.0, unit="mm", about="of the pane, or of double glazing")
    distance: Dial = log_uniform(0.7, 5.0, low=0.1, high=1000.0, unit="m", about="of the reflected scene")
    angle: Dial = uniform(5.0, 55.0, low=0.0, high=70.0, unit="degrees", about="at which the camera looks at the glass")
    turn: Dial = integers(0, 359, low=-360, high=360, unit="degrees", about="the way it is turned; 0 is to the right")
    focal: Dial = fixed(1.2, low=0.2, high=20.0, about="focal length over the shorter side")

    @abstractmethod
    def mixed(self, behind: torch.Tensor, reflected: torch.Tensor, draw: Draws) -> torch.Tensor:
        """The two scenes as one picture.

        Args:
            behind: The scene behind the glass, ``[B, 3, H, W]`` float32 in [0, 1], linear.
            reflected: The other, as the pane mirrors it, its two images together as bright as it is itself; it may be
                written to.
            draw: The drawn values.

        Returns:
            The shape and light of ``behind``; it is clamped afterwards.
        """

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        return super().draw(key, severity).with_values(swapped=key.child("swap").random().random() < self.swap)

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        behind, reflected = _sides(images, encoded_to_linear(cues.partner), draw)
        return self.mixed(behind, seen_in_glass(reflected, draw), draw).clamp_(0.0, 1.0)

    def retarget(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return _sides(images, encoded_to_linear(cues.partner), draw)[0]

    def retargets(self) -> bool:
        return self.swap > 0


def seen_in_glass(scene: torch.Tensor, draw: Draws) -> torch.Tensor:
    """``scene`` mirrored, doubled by the two surfaces of the pane, and blurred; its brightness kept."""
    images = [_seen(image, draw.select([index])) for index, image in enumerate(scene.split(1))]
    return images[0] if len(images) == 1 else torch.cat(images)


def _seen(scene: torch.Tensor, draw: Draws) -> torch.Tensor:
    height, width = scene.shape[-2:]
    side = min(height, width)
    # What is blurred anyway is worked on small: nobody sees the difference, and it takes a tenth of the time.
    shrink = min(1.0, _SHARPEST / max(float(draw.defocus) * side / 1000, 1e-6))
    small = resize(scene, max(round(height * shrink), 1), max(round(width * shrink), 1)).flip(3)
    unit = min(small.shape[-2:])
    apart = double_image(draw.angle, draw.thickness) / 1000 / draw.distance * draw.focal * unit
    way = torch.deg2rad(draw.turn)
    moved = homography(small, _shifts(apart * torch.cos(way), apart * torch.sin(way)))
    second = (1 - reflectance(torch.cos(torch.deg2rad(draw.angle)))).square()
    both = gaussian(torch.lerp(small, moved, second / (1 + second)), draw.defocus * unit / 1000)
    return resize(both, height, width, "linear")


def _sides(images: torch.Tensor, partner: torch.Tensor, draw: Draws) -> tuple[torch.Tensor, torch.Tensor]:
    if not any(draw.each("swapped")):
        return images, partner
    swapped = torch.tensor(draw.each("swapped"), device=images.device).view(-1, 1, 1, 1)
    return torch.where(swapped, partner, images), torch.where(swapped, images, partner)


def _shifts(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """``[B, 3, 3]``, for ``[B, 1, 1, 1]`` each."""
    matrices = torch.eye(3, device=x.device).repeat(len(x), 1, 1)
    matrices[:, 0, 2], matrices[:, 1, 2] = x.flatten(), y.flatten()
    return matrices
