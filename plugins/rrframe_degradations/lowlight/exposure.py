"""Low light as a camera takes it, and the curves that stand in for it."""

from __future__ import annotations

import torch

from rrframe import Cues, Degradation, Dial, Draw, Draws, Key, log_uniform, truncated_normal, uniform
from rrframe.imaging.colour import power
from rrframe.imaging.isp import process, unprocess
from rrframe_degradations.noise.sensor import SensorDegradation, add_noise, camera_of


class Exposure(SensorDegradation):
    """A photograph with too little light: taken back to raw light, attenuated by 2^-stops, given the noise of a
    camera's sensor, and processed again with a white balance that is off.

    Highlights are recovered first, so that lamps stay bright, but for thin ones: they are rims that sharpening left.
    Nothing is rounded but by the sensor's own converter.

    Source: Cui et al. 2021, "Multitask AET with orthogonal tangent regularity for dark object detection" (MAET):
    exposures around 0.1 +- 0.08, that is 3.3 stops; processing from Brooks et al. 2019; noise as in noise/sensor.
    Cannot: light that comes from elsewhere than by day, shadows of lamps, longer exposures' motion blur.
    """

    category = "lowlight"
    stops: Dial = truncated_normal(3.3, 1.2, 1.0, 4.5, mild=0.0, low=0.0, high=10.0, about="light missing, in halvings")
    shot: Dial = log_uniform(
        1e-4, 1.5e-3, mild=0.0, low=0.0, high=1.0, power=2.0, about="noise variance per unit of raw light"
    )
    drift: Dial = uniform(0.0, 0.15, mild=0.0, low=0.0, high=0.5, about="white balance off by, in either colour")

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        draw = super().draw(key, severity)
        generator, drift = key.child("balance").random(), float(draw.values["drift"])  # type: ignore[arg-type]
        warmth, tint = generator.uniform(-1.0, 1.0), generator.uniform(-0.3, 0.3)
        return draw.with_values(red_drift=1.0 + drift * (warmth + tint), blue_drift=1.0 - drift * (warmth - tint))

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        camera = camera_of(draw)
        raw = unprocess(images, camera, rims=draw.stops.clamp(max=1.0)).mul_(torch.exp2(-draw.stops))
        return process(add_noise(raw, draw), camera.balanced(draw.red_drift, draw.blue_drift))


class Gamma(Degradation):
    """A dark picture by a curve: y = beta (alpha x)^gamma, on encoded values.

    Source: Lv et al. 2021, "Attention guided low-light image enhancement with a large scale low-light simulation
    dataset": alpha 0.9 to 1, beta 0.5 to 1, gamma 1.5 to 5; gamma 2 to 3.5 as in Cui et al. 2021 (MAET).
    Cannot: noise, colour shifts, highlights that hold; lowlight/exposure has them.
    """

    category = "lowlight"
    light = "encoded"
    gamma: Dial = uniform(
        2.0, 3.5, mild=1.0, low=0.2, high=10.0, about="exponent: above 1 darkens what is dark already"
    )
    alpha: Dial = uniform(0.9, 1.0, mild=1.0, low=0.0, high=1.0, about="brightness before the curve")
    beta: Dial = uniform(0.5, 1.0, mild=1.0, low=0.0, high=1.0, about="brightness after the curve")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        return power(images * draw.alpha, draw.gamma).mul_(draw.beta).clamp_(0.0, 1.0)
