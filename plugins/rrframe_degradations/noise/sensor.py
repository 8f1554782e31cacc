"""Noise of a camera: made on the mosaic of its sensor, and seen through its processing."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
import torch

from rrframe import Cues, Degradation, Dial, Draw, Draws, Key, choice, log_uniform, uniform
from rrframe.imaging.isp import Camera, demosaic, mosaic, pixels_to_raw, process, raw_to_pixels, unprocess
from rrframe.imaging.noise import by_rows, poisson, tukey_lambda

_LEAST = 1e-12  # steps of the converter and variances, below which neither matters


@dataclass(frozen=True)
class PowerLaw:
    """ln(deviation) = slope * ln(gain) + offset + N(0, scatter), in levels of the camera's converter."""

    slope: float
    offset: float
    scatter: float

    def at(self, gain: float, generator: random.Random | None) -> float:
        """The deviation at ``gain``: drawn, or the usual one."""
        wander = generator.gauss(0.0, self.scatter) if generator else 0.0
        return math.exp(self.slope * math.log(gain) + self.offset + wander)


@dataclass(frozen=True)
class Sensor:
    """What was measured of a camera's raw files.

    Args:
        gains: The least and the greatest logarithm of levels per electron, which ISO sets.
        levels: Of the converter, from black to white.
        tail: Shape of the read noise in Tukey's lambda distribution.
        read: Scale of the read noise.
        row: Deviation of the noise that a row has in common.
    """

    gains: tuple[float, float]
    levels: int
    tail: float
    read: PowerLaw
    row: PowerLaw

    def values(self, shot: float, generator: random.Random | None = None) -> dict[str, float]:
        """What ``add_noise`` needs, at a variance of ``shot`` per unit of raw light.

        As a photographer does, this raises the gain as far as it goes. What is then still missing is made up by
        brightening the raw file; what is too much, by averaging several.
        """
        lowest, highest = self.gains
        gain = min(max(shot * self.levels, math.exp(lowest)), math.exp(highest))
        unit = shot / gain  # a level of the converter, in the picture's raw light
        scales = {"read": self.read.at(gain, generator) * unit, "row": self.row.at(gain, generator) * unit}
        return {"shot": shot, "step": unit, "tail": self.tail, **scales}


SENSORS = {
    "sony-a7s2": Sensor(
        (0.64567, 2.51606), 15871, -0.025, PowerLaw(0.74901, -0.12348, 0.00638), PowerLaw(0.62945, -1.5104, 0.02609)
    ),
    "nikon-d850": Sensor(
        (1.2, 2.4828), 15871, -0.26, PowerLaw(0.906, -0.6754, 0.035165), PowerLaw(0.8322, -2.3326, 0.301333)
    ),
    "imx686": Sensor(
        (-0.19118, 2.1682), 959, 0.102, PowerLaw(0.85187, 0.07991, 0.02921), PowerLaw(0.87611, -2.11455, 0.03274)
    ),
    "imx385": Sensor(
        (1.31339, 3.95448), 3855, 0.015, PowerLaw(0.95495, 0.01618, 0.0079), PowerLaw(0.93368, -2.19692, 0.02473)
    ),
}
"""A full-frame camera made for the dark, one of many pixels, a phone and a surveillance camera, as measured by Feng et
al. 2022, "Learnability enhancement for low-light raw denoising" (PMN), after the model of Wei et al. 2020.
"""


class SensorDegradation(Degradation):
    """What the degradations share that work on a camera's raw light: which camera it is."""

    category = "noise"
    light = "encoded"
    camera: Dial = choice(*SENSORS, about="whose noise it is")
    red: Dial = uniform(1.9, 2.4, low=0.5, high=8.0, about="white-balance gain of red over green")
    blue: Dial = uniform(1.5, 1.9, low=0.5, high=8.0, about="white-balance gain of blue over green")

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        draw = super().draw(key, severity)
        colours = key.child("colours").random()
        sensor = SENSORS[str(draw.values["camera"])]
        generator = key.child("sensor").random() if severity is None else None
        noise = sensor.values(float(draw.values["shot"]), generator)  # type: ignore[arg-type]
        return draw.with_values(blend=[colours.uniform(0.05, 1.0) for _ in range(4)], **noise)


def camera_of(draw: Draws) -> Camera:
    """The colours of the camera that was drawn."""
    return Camera(draw.blend, draw.red, draw.blue)


def add_noise(raw: torch.Tensor, draw: Draws) -> torch.Tensor:
    """``raw`` light ``[B, 3, H, W]``, linear, with the noise of a sensor that saturates at 1.

    Noise is made on the mosaic and interpolated alone, which is what a linear demosaic does to it: the picture keeps
    its sharpness, which has been through a demosaic already.

    Args:
        raw: From ``rrframe.imaging.isp.unprocess``.
        draw: With the values of ``Sensor.values``.
    """
    light = mosaic(raw)
    photons, electrons, rows = draw.rng.levels(light), draw.rng.levels(light), draw.rng.normal(light[..., :1])
    shot, step = draw.shot.clamp(min=_LEAST), draw.step.clamp(min=_LEAST)
    tail = tukey_lambda(draw.tail)

    def noise(light: torch.Tensor, photons: torch.Tensor, electrons: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        root = (light / shot).clamp_(min=0.0).sqrt_()
        found = poisson(root, photons).mul_(root).mul_(draw.shot).add_(light)
        found.addcmul_(tail(electrons), draw.read).add_(rows * draw.row)
        return found.div_(step).round_().mul_(step).clamp_(max=1.0).sub_(light.clamp(max=1.0))

    return demosaic(by_rows(noise, light, photons, electrons, rows)).add_(raw)


class SensorNoise(SensorDegradation):
    """A camera's noise: shot noise, heavy-tailed read noise, noise in rows and the converter's steps, made on the Bayer
    mosaic and seen through demosaic, white balance, colour matrix and tone curve, which make it coloured and blotchy.

    On the mosaic y = K P(x / K) + TL + row, rounded, K in levels per electron: P counts photons, TL is Tukey-lambda
    read noise, row is normal and one for each row. ``shot`` sets the variance per unit of raw light; gain, read and
    row noise follow as they were measured of the camera drawn. Highlights that saturate have no noise.

    It is per pixel: the same setting is as strong at 512 px as at 4096 px, and finer to the eye, as in photographs.

    Source: Wei et al. 2020, "A physics-based noise formation model for extreme low-light raw denoising";
    the cameras' coefficients from Feng et al. 2022 (PMN); the chain around it from Brooks et al. 2019.
    Cannot: the smear of a camera's own noise reduction, fixed patterns, hot pixels, banding in columns.
    """

    eight_bit = True
    shot: Dial = log_uniform(
        2e-4, 0.006, mild=0.0, low=0.0, high=1.0, power=2.0, about="variance per unit of raw light"
    )

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        camera = camera_of(draw)
        return process(add_noise(unprocess(images, camera), draw), camera)

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        camera = camera_of(draw)
        return raw_to_pixels(add_noise(pixels_to_raw(pixels, camera), draw), camera)
