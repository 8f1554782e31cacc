"""What a dirty aperture makes of a point of light, by Fourier optics."""

from __future__ import annotations

import math
import random
from functools import lru_cache

import cv2
import numpy as np
import torch

GRID = 384
"""Pixels on a side of the pupil's grid and of the pattern's."""
CENTRES = (620, 540, 460)
"""Wavelengths in nm that the red, green and blue channels see best."""

_SPREAD = 55.0  # nm, the standard deviation of what a channel sees
_GREEN = CENTRES[1]  # for which a pixel of the grid is one period, and a phase is told
_STEP = 15  # nm between wavelengths that are summed
_MIDDLE = GRID // 2


def aperture(seed: int, blades: int, diameter: float, angle: float, dust: int, scratches: int) -> np.ndarray:
    """The amplitude that passes the pupil, ``[GRID, GRID]`` float32 in [0, 1]: a disc or polygon, with dirt on it.

    Args:
        seed: Of the dirt.
        blades: Sides of the polygon; 0 is a disc.
        diameter: Across the corners, in pixels of the grid.
        angle: By which it is turned, in degrees.
        dust: Specks, of 0.4 to 3 % of the diameter.
        scratches: Straight ones, of 10 to 50 % of the diameter, a pixel wide.
    """
    generator, radius = random.Random(seed), diameter / 2
    clean, dirt = np.zeros((GRID, GRID), np.uint8), np.zeros((GRID, GRID), np.uint8)
    corners = 2 * math.pi * np.arange(blades or 360) / (blades or 360) + math.radians(angle)
    cv2.fillPoly(
        clean, [_fixed(_MIDDLE + radius * np.stack([np.cos(corners), np.sin(corners)], 1))], 255, cv2.LINE_AA, 4
    )

    def somewhere() -> np.ndarray:
        return np.array([_MIDDLE + generator.uniform(-radius, radius) for _ in "xy"])

    for _ in range(dust):
        size = int(16 * diameter * math.exp(generator.uniform(math.log(0.004), math.log(0.03))))
        cv2.circle(dirt, _fixed(somewhere()).tolist(), size, generator.randint(80, 255), -1, cv2.LINE_AA, 4)
    for _ in range(scratches):
        start, turn = somewhere(), generator.uniform(0, 2 * math.pi)
        end = start + diameter * generator.uniform(0.1, 0.5) * np.array([math.cos(turn), math.sin(turn)])
        opacity = generator.randint(50, 200)
        cv2.line(dirt, _fixed(start).tolist(), _fixed(end).tolist(), opacity, 1, cv2.LINE_AA, 4)
    return cv2.multiply(clean, 255 - dirt, scale=1 / 255**2, dtype=cv2.CV_32F)


def pattern(amplitude: np.ndarray, diameter: float, defocus: float, wavelength: float) -> np.ndarray:
    """|FFT(A exp(i phi))|^2 at one wavelength (nm), ``[GRID, GRID]`` float32, not normalised, the axis at GRID // 2.

    A pixel is the same angle at every wavelength: that of one period of the Fourier transform at 540 nm.

    Args:
        amplitude: From ``aperture``.
        diameter: That it was made with.
        defocus: The phase phi at the rim, at 540 nm, in radians; it goes with the square of the radius.
        wavelength: In nm.
    """
    return _scaled(_transformed(amplitude, diameter, defocus * _GREEN / wavelength), wavelength / _GREEN)


@lru_cache(maxsize=8)
def spread(
    seed: int, blades: int, diameter: float, angle: float, dust: int, scratches: int, defocus: float
) -> torch.Tensor:
    """The point-spread function for sRGB, ``[3, GRID - 1, GRID - 1]``, of sum 1 in each channel, centred.

    Every channel is a sum over wavelengths: rays smear outwards, and red ones are longest. Towards its rim the pattern
    is let fade, as it would go on for ever. Not to be written to.
    """
    amplitude = aperture(seed, blades, diameter, angle, dust, scratches)
    # The phase changes the pattern little from one wavelength to the next: it is taken at the channels' centres.
    nearby = [_transformed(amplitude, diameter, defocus * _GREEN / centre) for centre in CENTRES]
    channels = [np.zeros((GRID, GRID), np.float32) for _ in CENTRES]
    for wavelength in range(380, 741, _STEP):
        seen = [math.exp(-0.5 * ((wavelength - centre) / _SPREAD) ** 2) for centre in CENTRES]
        scaled = _scaled(nearby[int(np.argmax(seen))], wavelength / _GREEN)
        for channel, weight in zip(channels, seen, strict=True):
            if weight > 0.01:
                cv2.scaleAdd(scaled, weight, channel, dst=channel)
    done = (np.stack(channels) * _fading())[:, 1:, 1:]
    return torch.from_numpy(done / done.sum(axis=(1, 2), keepdims=True))


def _transformed(amplitude: np.ndarray, diameter: float, phase: float) -> np.ndarray:
    field = amplitude
    if phase:
        along = np.exp(1j * phase * ((np.arange(GRID) - _MIDDLE) / (diameter / 2)) ** 2).astype(np.complex64)
        field = amplitude * along[:, None] * along
    # Where the pupil lies makes no difference to the intensity, but for rounding.
    waves = torch.fft.fft2(torch.from_numpy(field)).numpy()
    return np.fft.fftshift(np.square(waves.real) + np.square(waves.imag))


def _scaled(values: np.ndarray, scale: float) -> np.ndarray:
    """``values`` enlarged about the axis, their sum kept but for what leaves the grid."""
    if scale == 1:
        return values
    stay = _MIDDLE * (1 - scale)
    matrix = np.array([[scale, 0, stay], [0, scale, stay]])
    return np.asarray(cv2.warpAffine(values, matrix, (GRID, GRID))) * np.float32(scale**-2)


def _fixed(places: np.ndarray) -> np.ndarray:
    return np.rint(places * 16).astype(np.int32)  # OpenCV draws at sixteenths of a pixel


@lru_cache(maxsize=1)
def _fading() -> np.ndarray:
    along = ((np.arange(GRID) - _MIDDLE) / _MIDDLE) ** 2
    return np.maximum(0.0, 1 - along[:, None] - along[None, :]).astype(np.float32) ** 2
