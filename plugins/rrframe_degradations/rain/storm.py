"""All of rain from one dial."""

from __future__ import annotations

import torch

from rrframe import Cues, Degradation, Dial, Draw, Draws, Key, log_uniform, uniform
from rrframe_degradations.rain.lens import LensDrops
from rrframe_degradations.rain.splash import Splash
from rrframe_degradations.rain.streaks import Streaks
from rrframe_degradations.rain.veil import Veil

# From far to near, as light meets them.
_PARTS: dict[str, Degradation] = {"veil": Veil(), "splash": Splash(), "streaks": Streaks(), "lens": LensDrops()}
_SHARED = ("rate", "exposure", "focal", "wind")
_DROPS = 0.4  # on a wet lens, for each mm/h


class Storm(Degradation):
    """Rain as a whole: veil, splashes, streaks and drops on the lens, all from the one rate, R mm/h.

    What belongs to the camera and the weather is drawn once and shared; the rest each part draws for itself. Drops
    lie on the lens where a chance, drawn once a picture, is below ``wet_lens``; there are 0.4 R of them.

    Source: the laws of rain/veil, rain/splash, rain/streaks and rain/lens-drops; Garg and Nayar 2007.
    Cannot: darken the sky: that is for lowlight/exposure; wet ground and puddles.
    """

    category = "rain"
    light = "linear"
    cues = {"depth"}
    rate: Dial = uniform(2.0, 150.0, mild=0.0, low=0.0, high=400.0, power=1.3, unit="mm/h", about="of rain")
    exposure: Dial = log_uniform(0.005, 0.025, low=1e-5, high=1.0, unit="s", about="time that the shutter is open")
    focal: Dial = uniform(1.0, 1.8, low=0.5, high=20.0, about="focal length over the picture's shorter side")
    wind: Dial = uniform(0.0, 7.0, low=0.0, high=40.0, unit="m/s", about="its speed, which drops take on")
    wet_lens: Dial = uniform(0.0, 0.5, low=0.0, high=1.0, about="chance that drops lie on the lens")

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        own = super().draw(key, severity)
        wet = key.child("wet").random().random() < float(own.values["wet_lens"])  # type: ignore[arg-type]
        drops = _DROPS * float(own.values["rate"]) if wet else 0.0  # type: ignore[arg-type]
        known = {**{name: own.values[name] for name in _SHARED}, "drops": drops}
        steps = []
        for name, part in _PARTS.items():
            drawn = part.draw(key.child(name), severity)
            steps.append(drawn.with_values(**{dial: value for dial, value in known.items() if dial in drawn.values}))
        return own.model_copy(update={"steps": tuple(steps)})

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        for index, part in enumerate(_PARTS.values()):
            images = part.apply(images, Draws([one.steps[index] for one in draw], images.device), cues)
        return images
