"""A picture on a display, photographed."""

from __future__ import annotations

import math

import torch
from pydantic import JsonValue

from rrframe import Cues, Degradation, Dial, Draw, Draws, Key, choice, truncated_normal, uniform
from rrframe.imaging.filters import gaussian
from rrframe.imaging.isp import demosaic, mosaic
from rrframe_degradations.moire.raster import STRIPES, spread_out, table
from rrframe_degradations.moire.view import View


class Screen(Degradation):
    """A photograph of a display: the raster of its sub-pixels beats with the raster of the camera's.

    In linear light y = x + N(demosaic(min(mosaic(x (1 + contrast (A - 1))) + noise, 1) - mosaic(x))), times the white
    balance. A is the display's raster: red, green and blue stripes with black gaps between, seen in perspective through
    a lens with distortion and a Gaussian point-spread function, and integrated over the sensor's pixels. Its harmonics
    are summed in closed form, so that only the sensor aliases. N is the camera's noise reduction; it leaves the picture
    sharp. Bands show at 1.75 to 2.5 sensor pixels per display pixel, weaker at 3.5 to 5, and not at 0.6 to 1.5 (a trace
    near 1.06). A lens of sigma 0.6 shows them about 3.5 times weaker than one of 0.3; one of 1.0 shows none.

    The picture is shown so that the camera sees it where the clean one lies: the display is warped and the picture on
    it warped back, with no resampling, and pairs are aligned to the pixel. A pixel of the picture is one of the
    sensor, as with noise: the same setting is as strong at 512 px as at 4096 px, and finer to the eye.

    Source: the chain of Liu et al. 2018, "Demoireing of camera-captured screen images using deep convolutional neural
    network"; ranges are those that show moire. Malvar et al. 2004 for the demosaic.
    Cannot: the display's own stair steps (the picture keeps its sharpness), OLED layouts, a rolling shutter's flicker,
    reflections on the screen. How much the lens and the pixels hold back is taken to be the same all over the picture.
    """

    category = "moire"
    light = "linear"
    contrast: Dial = uniform(
        0.15,
        0.8,
        mild=0.0,
        low=0.0,
        high=1.0,
        power=1.3,
        about="of the raster: what a matt screen's diffuser leaves of it",
    )
    pitch: Dial = truncated_normal(
        2.05, 0.15, 1.75, 2.5, low=0.4, high=12.0, unit="sensor pixels per display pixel", about="near 2 bands are wide"
    )
    sigma: Dial = uniform(0.3, 0.5, low=0.2, high=5.0, unit="sensor pixels", about="of the lens's point spread")
    gap: Dial = uniform(0.1, 0.3, low=0.0, high=0.9, about="black share of a sub-pixel's width and height")
    stripes: Dial = choice(*STRIPES, about="order of the sub-pixels")
    angle: Dial = uniform(
        -12.0, 12.0, low=-180.0, high=180.0, unit="degrees", about="the display turned in the picture"
    )
    tilt: Dial = uniform(0.0, 8.0, low=0.0, high=45.0, unit="degrees", about="the display turned away")
    slope: Dial = uniform(0.0, 360.0, low=0.0, high=360.0, unit="degrees", about="where to it is turned away")
    distortion: Dial = uniform(-0.03, 0.03, low=-0.2, high=0.2, about="of the lens, at the corners")
    cast: Dial = uniform(0.0, 0.1, mild=0.0, low=0.0, high=0.5, about="deviation of the white balance")
    shot: Dial = uniform(
        0.0, 0.0008, mild=0.0, low=0.0, high=0.1, power=2.0, about="variance of the noise per unit of light"
    )
    smoothing: Dial = uniform(
        0.4,
        1.0,
        low=0.0,
        high=5.0,
        unit="pixels",
        about="deviation of the camera's noise reduction, which takes the mesh of single pixels and leaves the bands",
    )

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        draw = super().draw(key, severity)
        generator = key.child("place").random()
        shift: list[JsonValue] = [generator.random(), generator.random()]
        cast = float(draw.values["cast"])  # type: ignore[arg-type]
        red, blue = (math.exp(cast * generator.uniform(-1.0, 1.0)) for _ in range(2))
        return draw.with_values(shift=shift, balance=[red, 1.0, blue])

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        light = mosaic(images)
        found = mosaic(raster(images, draw).sub_(1.0).mul_(draw.contrast).add_(1.0)).mul_(light)
        deviation = found.clamp(min=0.0).mul_(draw.shot).sqrt_()
        # Clipped before the demosaic, as a sensor saturates: white then stays neutral where its bands do not fit.
        found.addcmul_(draw.rng.normal(found), deviation).clamp_(max=1.0)
        # Interpolated alone, which is what a linear demosaic does to it: the picture has been through one already.
        added = gaussian(demosaic(found.sub_(light)), draw.smoothing)
        return added.add_(images).mul_(draw.balance).clamp_(0.0, 1.0)


def raster(images: torch.Tensor, draw: Draws) -> torch.Tensor:
    """The display's raster as the camera's pixels integrate it, ``[B, 3, H, W]`` like ``images``, of mean 1; linear."""
    names = ("pitch", "angle", "tilt", "slope", "distortion", "shift", "stripes", "gap", "sigma")
    seen = []
    for pitch, angle, tilt, slope, distortion, shift, stripes, gap, sigma in zip(*map(draw.each, names), strict=True):
        view = View(pitch, angle, tilt, slope, distortion, tuple(shift))
        lit = table(stripes, gap, view.jacobian(), sigma).to(images.device)
        seen.append(spread_out(lit[None], *view.places(images)))
    return seen[0] if len(seen) == 1 else torch.cat(seen)
