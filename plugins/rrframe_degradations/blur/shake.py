"""Blur by a camera that turns while the shutter is open."""

from __future__ import annotations

import math

import numpy as np
import torch

from rrframe import Cues, Dial, Draw, Draws, Key, fixed, uniform
from rrframe.imaging import psf
from rrframe.imaging.filters import convolve
from rrframe.imaging.warp import homography
from rrframe_degradations.blur.optics import Lit, per_mille
from rrframe_degradations.blur.trajectory import wander

_STRETCHES = 10  # of the path: within each, the blur is taken to be the same all over the image


class CameraShake(Lit):
    """A hand-held camera that turns about three axes: the mean over time of homographies K R(t) K^-1 of the image, in
    linear light.

    Yaw and pitch follow the path of a hand as in blur/motion and move the centre of the image by ``extent``; roll
    follows another. So the blur differs over the image: longer towards the corners of a wide angle, and circling where
    the camera rolls. The mean pose is none, so that the picture stays where it is. The path is taken in ten stretches:
    each a trail that is the same all over the image, moved by its mean homography.

    Source: Whyte et al. 2012, "Non-uniform deblurring for shaken images", eq. 3 and 4, for the homographies; Kupyn et
    al. 2018, "DeblurGAN", algorithm 1, for the path.
    Cannot: parallax of a camera that moves sideways, rolling shutters, subjects that move. What lies beyond the border
    is the image mirrored.
    """

    extent: Dial = uniform(
        3.0,
        30.0,
        mild=0.0,
        low=0.0,
        high=500.0,
        power=1.2,
        unit="1/1000 of the shorter side",
        about="of the trail that the centre leaves",
    )
    roll: Dial = uniform(0.0, 1.0, mild=0.0, low=0.0, high=45.0, power=1.2, unit="degrees", about="from end to end")
    jerk: Dial = uniform(0.0, 0.01, low=0.0, high=0.1, about="how much the path bends: 0 is a straight line")
    focal: Dial = fixed(1.0, low=0.2, high=100.0, unit="image diagonals", about="focal length; 1 is a normal lens")

    def blurred(self, lit: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        travels = [_travel(one, lit) for one in draw]
        cameras = [_camera(focal, lit) for focal in draw.each("focal")]
        result = torch.zeros_like(lit)
        for stretches in zip(*travels, strict=True):
            trails = psf.stacked([psf.trail(stretch[:, :2]) for stretch in stretches])
            poses = [_pose(camera, stretch.mean(axis=0)) for camera, stretch in zip(cameras, stretches, strict=True)]
            moved = homography(convolve(lit, trails), torch.from_numpy(np.stack(poses)))
            result.add_(moved, alpha=1 / _STRETCHES)
        return result


def _travel(draw: Draw, images: torch.Tensor) -> list[np.ndarray]:
    """The stretches of the path, each ``[N, 3]``: how far the centre moves right and down, in pixels, and the roll, in
    radians.
    """
    values = draw.values
    jerk = float(values["jerk"])
    shift = wander(Key.of(draw.seed, "path").random(), jerk) * float(values["extent"]) * per_mille(images)
    turn = wander(Key.of(draw.seed, "roll").random(), jerk)[:, :1]
    turn = turn / np.ptp(turn) * math.radians(float(values["roll"]))
    return np.array_split(np.hstack([shift, turn]), _STRETCHES)


def _camera(focal: float, images: torch.Tensor) -> np.ndarray:
    """The matrix ``[3, 3]`` from directions to pixels; ``focal`` in diagonals."""
    height, width = images.shape[-2:]
    length = focal * math.hypot(height, width)
    return np.array([[length, 0, (width - 1) / 2], [0, length, (height - 1) / 2], [0, 0, 1]])


def _pose(camera: np.ndarray, travel: np.ndarray) -> np.ndarray:
    """The homography ``[3, 3]`` of a camera turned so that its centre travels so far: yaw after pitch after roll."""
    right, down, roll = travel
    yaw, pitch = math.atan(right / camera[0, 0]), math.atan(down / camera[0, 0])
    turns = np.eye(3)
    for angle, (first, second) in ((yaw, (2, 0)), (pitch, (2, 1)), (roll, (0, 1))):
        turn = np.eye(3)
        turn[[first, second], [first, second]] = math.cos(angle)
        turn[first, second], turn[second, first] = -math.sin(angle), math.sin(angle)
        turns = turns @ turn
    return camera @ turns @ np.linalg.inv(camera)
