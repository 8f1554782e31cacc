"""Ground fog."""

from __future__ import annotations

import math

import torch

from rrframe import Cues, Degradation, Dial, Draws, fixed, uniform


class GroundFog(Degradation):
    """Fog whose density falls with height: beta(h) = density * exp(-h / height).

    A level camera at height ``eye`` sees a row of slope s (rise per metre ahead) at depth z through the optical depth
    tau = density * exp(-eye / height) * (1 - exp(-c)) / c * z * sqrt(1 + s^2) with c = z s / height, which is the
    integral of beta along the ray; I = J t + A (1 - t) with t = exp(-tau). So the distance drowns, the ground at one's
    feet is clear since it is near, and the sky is clear since it is high.

    Source: Koschmieder 1924, "Theorie der horizontalen Sichtweite", for the air light; Wenzel 2006, "Real-time
    atmospheric effects in games", SIGGRAPH course 26, for the integral over height.
    Cannot: drifting banks, colour that changes with distance, a camera that is not level.
    """

    category = "haze"
    light = "linear"
    cues = {"depth"}
    density: Dial = uniform(0.01, 0.12, mild=0.0, low=0.0, power=1.5, unit="1/m", about="scattering at the ground")
    height: Dial = uniform(1.5, 6.0, low=0.2, unit="m", about="where a third of the density is left")
    airlight: Dial = uniform(0.7, 0.9, low=0.0, high=1.0, about="linear light of fog that is infinitely deep")
    horizon: Dial = uniform(0.2, 0.45, low=0.0, high=1.0, about="where the horizon lies, from the top (0) down")
    eye: Dial = fixed(1.6, low=0.0, high=10.0, unit="m", about="height of the camera")
    view: Dial = fixed(45.0, low=1.0, high=150.0, unit="degrees", about="vertical field of view")

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        rows = images.shape[2]
        middles = (torch.arange(rows, device=images.device).view(1, 1, -1, 1) + 0.5) / rows
        slope = (draw.horizon - middles) * 2 * torch.tan(draw.view * (math.pi / 360))
        # A ray ends at the ground, whatever the depth map says.
        climb = torch.maximum(slope * cues.depth, -draw.eye) / draw.height
        mean = torch.where(climb.abs() < 1e-4, 1.0, -torch.expm1(-climb) / climb)
        path = cues.depth * torch.sqrt(1 + slope**2)
        transmission = torch.exp(-draw.density * torch.exp(-draw.eye / draw.height) * mean * path)
        return images * transmission + draw.airlight * (1 - transmission)
