"""The way of a picture through the web: softened, resized, noisy and compressed, twice."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from pydantic import AfterValidator, Field

from rrframe import Cues, Dial, Draw, Draws, FileDegradation, Key, choice, integers, uniform
from rrframe.imaging.codec import CHROMA, through_jpeg
from rrframe.imaging.psf import generalised_gaussian
from rrframe.imaging.random import Stream, normal_levels
from rrframe.imaging.resample import resize_pixels

_SHRINKING = ("area", "linear", "cubic")
_GROWING = ("linear", "cubic")  # by area, pixels would grow to squares
_WAYS = ("shrink", "grow", "keep")
_SHAPES = {"round": 0.45, "elliptic": 0.25, "generalised": 0.3}
_FINEST = 0.2  # a deviation in pixels: what is narrower changes no code
_RING = 10  # pixels that a sinc kernel reaches to either side
_PHOTONS = 256  # that make white, where the strength of Poisson noise is 1

Share = Annotated[float, Field(ge=0, le=1)]


def _not_all_zero(weights: tuple[float, float, float]) -> tuple[float, float, float]:
    if not any(weights):
        raise ValueError("one of the weights must be above 0")
    return weights


_Weight = Annotated[float, Field(ge=0)]
Weights = Annotated[tuple[_Weight, _Weight, _Weight], AfterValidator(_not_all_zero)]


class Web(FileDegradation):
    """Two rounds of blur, resizing, noise and JPEG, then back to the first size, as pictures go from camera to site to
    site. Each stage hands on a picture of eight bits, as files are.

    A round blurs with a Gaussian (round, elliptic or generalised) or a sinc kernel; shrinks, grows or keeps the
    picture; adds Gaussian noise n, or Poisson noise whose strength s multiplies the noise rather than the photon count:
    x + s sqrt(x / 256) n; and goes through JPEG. In the end the picture is resized to its first size, maybe with a sinc
    kernel's ringing, before the last JPEG or after it. Sigmas count pixels of the picture as it then is, up to 1000
    pixels on its shorter side, and above in proportion.

    With a severity, every value lies that share of the way from its mild end to the one drawn: 1 is the whole chain.

    Source: Wang et al. 2021, "Real-ESRGAN", sections 3.1 to 3.4, with its ranges and shares. Unlike there, sinc kernels
    are separable, as resizers' are, resizing does not alias, photon counts are taken as normal, and plateau-shaped
    kernels are left to the generalised ones.
    Cannot: other codecs, sharpening, watermarks, more than two rounds; effect/repeat makes four of them.
    """

    category = "compression"

    first_sigma: Dial = uniform(0.2, 3.0, mild=0.0, low=0.0, high=50.0, unit="px", about="deviation of the blur")
    first_shrink: Dial = uniform(0.15, 1.0, mild=1.0, low=0.02, high=1.0, about="scale where it shrinks")
    first_grow: Dial = uniform(1.0, 1.5, mild=1.0, low=1.0, high=4.0, about="scale where it grows")
    first_gaussian: Dial = uniform(1.0, 30.0, mild=0.0, low=0.0, high=255.0, unit="of 255", about="Gaussian noise")
    first_poisson: Dial = uniform(0.05, 3.0, mild=0.0, low=0.0, high=30.0, about="strength of Poisson noise")
    first_quality: Dial = integers(30, 95, mild=100, low=1, high=100, about="of the first JPEG")
    second_sigma: Dial = uniform(0.2, 1.5, mild=0.0, low=0.0, high=50.0, unit="px", about="deviation of the blur")
    second_shrink: Dial = uniform(0.3, 1.0, mild=1.0, low=0.02, high=1.0, about="scale where it shrinks")
    second_grow: Dial = uniform(1.0, 1.2, mild=1.0, low=1.0, high=4.0, about="scale where it grows")
    second_gaussian: Dial = uniform(1.0, 25.0, mild=0.0, low=0.0, high=255.0, unit="of 255", about="Gaussian noise")
    second_poisson: Dial = uniform(0.05, 2.5, mild=0.0, low=0.0, high=30.0, about="strength of Poisson noise")
    second_quality: Dial = integers(30, 95, mild=100, low=1, high=100, about="of the second JPEG")
    cutoff: Dial = uniform(0.33, 1.0, mild=1.0, low=0.1, high=1.0, unit="of the highest", about="of a sinc kernel")
    chroma: Dial = choice(*CHROMA, mild="4:4:4", about="chroma subsampling of each JPEG")

    rounds: Literal[1, 2] = 2
    """How many rounds there are; the settings of a second one mean nothing where it is 1."""
    first_blur: Share = Field(1.0, description="how often the first round blurs")
    second_blur: Share = Field(0.8, description="how often the second round blurs")
    first_saved: Share = Field(1.0, description="how often the first round ends in a JPEG")
    second_saved: Share = Field(1.0, description="how often the second round ends in a JPEG")
    first_scaling: Weights = Field((0.7, 0.2, 0.1), description="how often the first round shrinks, grows, keeps")
    second_scaling: Weights = Field((0.4, 0.3, 0.3), description="how often the second round shrinks, grows, keeps")
    gaussian: Share = Field(0.5, description="how often the noise is Gaussian; else it is Poisson's")
    grey: Share = Field(0.4, description="how often the noise is the same in all channels")
    sinc: Share = Field(0.1, description="how often a blur is a sinc kernel")
    saved_small: Share = Field(0.5, description="how often the last JPEG comes before the last resizing")
    last_sinc: Share = Field(0.8, description="how often a sinc kernel comes with the last resizing")

    def draw(self, key: Key, severity: float | None = None) -> Draw:
        first = self._round("first", key.child("first"), severity, 1.0)
        values = {"first": first}
        if self.rounds == 2:
            values["second"] = self._round("second", key.child("second"), severity, first["scale"])
        own = key.child("last")
        values["last"] = {
            "method": _method(own, list(values.values())[-1]["scale"], 1.0),
            "cutoff": self._cutoff(own, severity, self.last_sinc),
            "jpeg_first": _happens(own.child("order"), self.saved_small),
        }
        return Draw(seed=key.seed, values=values)

    def _round(self, name: str, key: Key, severity: float | None, scale_before: float) -> dict[str, Any]:
        def taken(dial: str) -> Any:
            return _taken(self.dials()[f"{name}_{dial}"], key.child(dial), severity)

        blurs = _happens(key.child("blur"), getattr(self, f"{name}_blur"))
        way = _chosen(key.child("way"), dict(zip(_WAYS, getattr(self, f"{name}_scaling"), strict=True)))
        scale = 1.0 if way == "keep" else taken(way)
        kind = "gaussian" if _happens(key.child("noise"), self.gaussian) else "poisson"
        return {
            "blur": self._blur(key, severity, taken("sigma")) if blurs else None,
            "scale": scale,
            "method": _method(key, scale_before, scale),
            "noise": {"kind": kind, "strength": taken(kind), "grey": _happens(key.child("grey"), self.grey)},
            "quality": taken("quality") if _happens(key.child("saved"), getattr(self, f"{name}_saved")) else None,
            "chroma": _taken(self.chroma, key.child("chroma"), severity),
        }

    def _blur(self, key: Key, severity: float | None, sigma: float) -> dict[str, Any]:
        cutoff = self._cutoff(key, severity, self.sinc)
        if cutoff is not None:
            return {"shape": "sinc", "cutoff": cutoff}
        shape = _chosen(key.child("shape"), _SHAPES)
        free = key.child("kernel").random()
        return {
            "shape": shape,
            "sigma": sigma,
            "ratio": free.uniform(0.1, 1.0) if shape == "elliptic" else 1.0,
            "angle": free.uniform(0.0, math.pi),
            "power": free.uniform(0.5, 4.0) if shape == "generalised" else 1.0,
        }

    def _cutoff(self, key: Key, severity: float | None, share: float) -> Any:
        return _taken(self.cutoff, key.child("cutoff"), severity) if _happens(key.child("sinc"), share) else None

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        (one,) = draw
        return _through(pixels, one)


def _taken(dial: Dial, key: Key, severity: float | None) -> Any:
    """A value of the dial; for a severity, that share of the way from the mild end to what would be drawn without.

    With every dial at its severe end at once there would be no picture left.
    """
    if severity is None or dial.options or dial.law.name == "fixed" or dial.mild is None:
        return dial.take(key.random(), severity)
    value = (1 - severity) * float(dial.mild) + severity * float(dial.take(key.random()))
    return round(value) if dial.whole else value


def _happens(key: Key, share: float) -> bool:
    return key.child("happens").random().random() < share


def _chosen(key: Key, weights: dict[str, float]) -> str:
    return key.random().choices(list(weights), list(weights.values()))[0]


def _method(key: Key, before: float, after: float) -> str:
    return key.child("method").random().choice(_SHRINKING if after < before else _GROWING)


# The stages, on [H, W, 3] uint8
# ---------------------------------------------------------------------------------------------------------------------


def _through(pixels: np.ndarray, draw: Draw) -> np.ndarray:
    height, width, _ = pixels.shape
    stream = Stream(draw.seed)
    rounds: Any = [draw.values[name] for name in ("first", "second") if name in draw.values]
    last: Any = draw.values["last"]
    for each in rounds:
        size = max(1, round(height * each["scale"])), max(1, round(width * each["scale"]))
        pixels = _noisy(_blurred_and_resized(pixels, size, each), each["noise"], stream)
        if each is not rounds[-1] or last["jpeg_first"]:
            pixels = _saved(pixels, each)
    pixels = _ringing(resize_pixels(pixels, height, width, last["method"]), last["cutoff"])
    return pixels if last["jpeg_first"] else _saved(pixels, rounds[-1])


def _blurred_and_resized(pixels: np.ndarray, size: tuple[int, int], values: dict[str, Any]) -> np.ndarray:
    shrinking = size[0] / pixels.shape[0]
    unit = max(1.0, min(pixels.shape[:2]) / 1000)
    if shrinking >= 1.0:
        return resize_pixels(_blurred(pixels, values["blur"], unit), *size, values["method"])
    # A resize that does not alias comes to the same before a blur as after it, and leaves less to be blurred.
    return _blurred(resize_pixels(pixels, *size, values["method"]), values["blur"], unit * shrinking)


def _blurred(pixels: np.ndarray, blur: dict[str, Any] | None, unit: float) -> np.ndarray:
    """Blurred, where lengths count in ``unit`` pixels."""
    if blur is None:
        return pixels
    if blur["shape"] == "sinc":
        return _ringing(pixels, blur["cutoff"] / unit)
    sigma = blur["sigma"] * unit
    if sigma < _FINEST:
        return pixels
    if blur["shape"] == "round":
        soft = cv2.GaussianBlur(pixels, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    else:
        kernel = generalised_gaussian(sigma, blur["ratio"], blur["angle"], blur["power"])
        soft = cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(soft).reshape(pixels.shape)


def _ringing(pixels: np.ndarray, cutoff: float | None) -> np.ndarray:
    """Without the frequencies above ``cutoff``, as a share of those that pixels can hold: edges ring."""
    if cutoff is None or cutoff >= 1.0:
        return pixels
    taps = np.sinc(cutoff * np.arange(-_RING, _RING + 1))
    taps /= taps.sum()
    rung = cv2.sepFilter2D(pixels, -1, taps, taps, borderType=cv2.BORDER_REFLECT_101)
    return np.asarray(rung).reshape(pixels.shape)


def _noisy(pixels: np.ndarray, noise: dict[str, Any], stream: Stream) -> np.ndarray:
    strength = noise["strength"]
    if strength == 0:
        return pixels
    shape = (*pixels.shape[:2], 1 if noise["grey"] else 3)
    normal = normal_levels() * np.float32(strength)
    if noise["kind"] == "poisson":
        bright = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if noise["grey"] else pixels
        deviations = np.sqrt(np.arange(256) / (255 * _PHOTONS), dtype=np.float64) * 255
        field = stream.taken(normal, math.prod(shape)).reshape(shape)
        field = cv2.multiply(field, np.asarray(cv2.LUT(bright, deviations.astype(np.float32))).reshape(shape))
    else:  # whole codes: what is added to whole codes may be rounded first
        field = stream.taken(np.rint(normal).astype(np.int16), math.prod(shape)).reshape(shape)
    if noise["grey"]:
        field = cv2.merge([field] * 3)
    return np.asarray(cv2.add(pixels, field, dtype=cv2.CV_8U)).reshape(pixels.shape)  # rounded, and no code wraps round


def _saved(pixels: np.ndarray, values: dict[str, Any]) -> np.ndarray:
    if values["quality"] is None:
        return pixels
    return through_jpeg(pixels, values["quality"], values["chroma"])
