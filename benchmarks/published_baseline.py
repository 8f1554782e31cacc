"""The degradation chains of RealRestorer (arXiv 2603.25502) as such code is commonly written: numpy and OpenCV on
float32 arrays, one image at a time. `rrframe bench synthesis --against benchmarks/published_baseline.py` measures ours
beside it.

This is a re-implementation from the paper and from Wang et al. 2021, "Real-ESRGAN", sections 3.1 to 3.4; nothing is
copied from released code. What is known is which stages there are, the ranges of the web-style chain, and that noise
is drawn for every pixel by numpy or torch: Gaussian, or an exact Poisson count. What is not known is the shares of
optional stages (here those of our presets, so that both sides do the same work on average), the sizes of the kernels of
rain, and the captured patterns (here random ones, made before the clock starts). Where there was a choice, the faster
way was taken: Poisson counts from a fixed 256 levels rather than from the number of different values, kernels of 21
pixels, float32 wherever numpy's generators have it.

``CHAINS`` names each after the preset that it stands for. A chain takes ``[H, W, 3]`` uint8, a generator, and the depth
(metres) and the segments of the picture, ``[H, W]`` float32, and gives ``[H, W, 3]`` uint8.
"""

from __future__ import annotations

import math
from functools import lru_cache

import cv2
import numpy as np

INTERPOLATIONS = (cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC)
TAPS = 21


def blur(pixels, random, depth, segments):
    """A motion or a Gaussian kernel, then a mild round of the web: resizing, noise, JPEG."""
    image = pixels.astype(np.float32) / 255
    if random.random() < 0.8:
        kernel = motion_kernel(random.uniform(3, 35), random.uniform(0, math.pi))
    else:
        kernel = gaussian_kernel(random.uniform(0.5, 7.5), random)
    image = cv2.filter2D(image, -1, kernel)
    height, width = image.shape[:2]
    image = resized(image, random, *scales(random, (0.7, 0.0, 0.3), 0.5, 1.0))
    image = with_noise(image, random, 6, 0.6)
    image = jpeg(image, random.integers(60, 96))
    return to_uint8(cv2.resize(image, (width, height), interpolation=random.choice(INTERPOLATIONS)))


def noise(pixels, random, depth, segments):
    """One to three of: the web's noise, granular noise, and granular noise in some segments."""
    image = pixels.astype(np.float32) / 255
    stages = [web_noise, granular, granular_in_segments]
    for index in sorted(random.choice(3, size=random.integers(1, 4), replace=False)):
        image = stages[index](image, random, segments)
    return to_uint8(image)


def web(pixels, random, depth, segments):
    """Real-ESRGAN's second-order chain: blur, resizing, noise and JPEG, twice, with a sinc filter at the end."""
    height, width = pixels.shape[:2]
    image = pixels.astype(np.float32) / 255
    image = cv2.filter2D(image, -1, any_kernel(random, 0.2, 3.0))
    image = resized(image, random, *scales(random, (0.7, 0.2, 0.1), 0.15, 1.5))
    image = with_noise(image, random, 30, 3.0)
    image = jpeg(image, random.integers(30, 96))
    if random.random() < 0.8:
        image = cv2.filter2D(image, -1, any_kernel(random, 0.2, 1.5))
    image = resized(image, random, *scales(random, (0.4, 0.3, 0.3), 0.3, 1.2))
    image = with_noise(image, random, 25, 2.5)
    sinc = sinc_kernel(random.uniform(math.pi / 3, math.pi)) if random.random() < 0.8 else None
    quality, back = random.integers(30, 96), random.choice(INTERPOLATIONS)
    if random.random() < 0.5:
        image = ringing(cv2.resize(image, (width, height), interpolation=back), sinc)
        return to_uint8(jpeg(image, quality))
    image = jpeg(image, quality)
    return to_uint8(ringing(cv2.resize(image, (width, height), interpolation=back), sinc))


def recompression(pixels, random, depth, segments):
    """Resizing and JPEG, twice, and back to the first size."""
    height, width = pixels.shape[:2]
    image = pixels.astype(np.float32) / 255
    for shares, low, high in (((0.7, 0.2, 0.1), 0.15, 1.5), ((0.4, 0.3, 0.3), 0.3, 1.2)):
        image = resized(image, random, *scales(random, shares, low, high))
        image = jpeg(image, random.integers(30, 96))
    return to_uint8(cv2.resize(image, (width, height), interpolation=random.choice(INTERPOLATIONS)))


def haze(pixels, random, depth, segments):
    """Atmospheric scattering, I = J t + A (1 - t) with t = exp(-beta z), and over a third of it a captured pattern."""
    image = pixels.astype(np.float32) / 255
    passing = np.exp(-np.float32(random.uniform(0.005, 0.02)) * depth)[..., None]
    image = image * passing + np.float32(random.uniform(0.7, 1.0)) * (1 - passing)
    if random.random() < 0.33:
        alpha = np.float32(random.uniform(0.1, 0.4))
        image = image * (1 - alpha) + pattern_as_large_as(image, random) * alpha
    return to_uint8(image)


def rain(pixels, random, depth, segments):
    """Streaks from thresholded noise, in perspective, half the time splashes, and over a third a captured pattern."""
    image = pixels.astype(np.float32) / 255
    height, width = image.shape[:2]
    if random.random() < 0.5:
        image = splashes(image, random)
    length, angle = random.uniform(20, 60), math.pi / 2 + random.uniform(-0.4, 0.4)
    seeds = (random.random((height, width), np.float32) > 0.995).astype(np.float32)
    streaks = cv2.filter2D(seeds, -1, line_kernel(length, angle, 61))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + random.uniform(-0.05, 0.05, (4, 2)).astype(np.float32) * (width, height)
    view = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
    streaks = cv2.warpPerspective(streaks, view, (width, height), borderMode=cv2.BORDER_REFLECT)
    drops = (random.random((height, width), np.float32) > 0.9995).astype(np.float32)
    sputter = cv2.GaussianBlur(cv2.dilate(drops, np.ones((3, 3), np.uint8)), (0, 0), 1.5)
    layer = np.clip(streaks * np.float32(random.uniform(3, 8)) + sputter, 0, 1)[..., None]
    image = image + np.float32(random.uniform(0.4, 0.9)) * layer
    if random.random() < 0.33:
        image = image + np.float32(random.uniform(0.2, 0.6)) * pattern_as_large_as(image, random)
    return to_uint8(image)


CHAINS = {f"presets/released/{chain.__name__}": chain for chain in (blur, noise, web, recompression, haze, rain)}


# Noise
# ---------------------------------------------------------------------------------------------------------------------


def with_noise(image, random, most_gaussian, most_poisson):
    """Gaussian or Poisson noise, the same in all channels in 40 % of the cases."""
    grey = random.random() < 0.4
    if random.random() < 0.5:
        sigma = np.float32(random.uniform(1, most_gaussian) / 255)
        field = random.standard_normal(image.shape[: 2 if grey else 3], np.float32) * sigma
    else:
        scale = np.float32(random.uniform(0.05, most_poisson))
        light = np.clip(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) if grey else image, 0, 1)
        field = (random.poisson(light * 256).astype(np.float32) / 256 - light) * scale
    return np.clip(image + (field[..., None] if grey else field), 0, 1)


def web_noise(image, random, segments):
    return jpeg(with_noise(image, random, 30, 3.0), random.integers(30, 96))


def granular(image, random, segments):
    """Luma noise of 8 s of 255, and chroma noise of 0.35 of that."""
    sigma = np.float32(8 * random.uniform(0.6, 2.4) / 255)
    luma = random.standard_normal(image.shape[:2], np.float32) * sigma
    chroma = random.standard_normal(image.shape, np.float32) * (np.float32(0.35) * sigma)
    return np.clip(image + luma[..., None] + chroma, 0, 1)


def granular_in_segments(image, random, segments):
    labels = np.unique(segments)
    chosen = random.choice(labels, size=max(1, int(len(labels) * random.uniform(0.2, 0.7))), replace=False)
    mask = cv2.GaussianBlur(np.isin(segments, chosen).astype(np.float32), (0, 0), 3)[..., None]
    return image * (1 - mask) + granular(image, random, segments) * mask


# Resizing, codecs, kernels
# ---------------------------------------------------------------------------------------------------------------------


def scales(random, shares, low, high):
    way = random.choice(3, p=shares)
    scale = (random.uniform(low, 1.0), random.uniform(1.0, max(high, 1.0)), 1.0)[way]
    return scale, random.choice(INTERPOLATIONS)


def resized(image, random, scale, interpolation):
    height, width = image.shape[:2]
    return cv2.resize(
        image, (max(1, int(width * scale)), max(1, int(height * scale))), interpolation=int(interpolation)
    )


def to_uint8(image):
    return np.clip(image * 255, 0, 255).round().astype(np.uint8)


def jpeg(image, quality):
    _, data = cv2.imencode(".jpg", to_uint8(image), [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return cv2.imdecode(data, cv2.IMREAD_COLOR).astype(np.float32) / 255


def any_kernel(random, low, high):
    if random.random() < 0.1:
        return sinc_kernel(random.uniform(math.pi / 3, math.pi))
    return gaussian_kernel(random.uniform(low, high), random)


def gaussian_kernel(sigma, random):
    """Round, elliptic or generalised."""
    x, y = places(TAPS)
    ratio, angle = (1.0, 0.0) if random.random() < 0.45 else (random.uniform(0.2, 1.0), random.uniform(0, math.pi))
    power = 1.0 if random.random() < 0.7 else random.uniform(0.5, 4.0)
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    return unit(np.exp(-0.5 * ((u / sigma) ** 2 + (v / (ratio * sigma)) ** 2) ** power))


def motion_kernel(length, angle):
    return line_kernel(length, angle, 2 * (int(length) // 2) + 3)


def line_kernel(length, angle, taps):
    kernel, middle = np.zeros((taps, taps), np.float32), taps // 2
    reach = length / 2 * np.array([math.cos(angle), math.sin(angle)])
    ends = [tuple(round(middle + sign * float(each)) for each in reach) for sign in (-1, 1)]
    return unit(cv2.line(kernel, *ends, 1.0, 1, cv2.LINE_8))


def sinc_kernel(cutoff):
    x, y = places(TAPS)
    distance = np.hypot(x, y)
    distance[TAPS // 2, TAPS // 2] = 1
    values = cutoff * bessel(cutoff * distance) / (2 * math.pi * distance)
    values[TAPS // 2, TAPS // 2] = cutoff**2 / (4 * math.pi)
    return unit(values)


def bessel(values):
    from scipy.special import j1

    return j1(values)


def ringing(image, kernel):
    return image if kernel is None else cv2.filter2D(image, -1, kernel)


def places(taps):
    along = np.arange(taps, dtype=np.float64) - taps // 2
    return np.meshgrid(along, along)


def unit(kernel):
    return (kernel / kernel.sum()).astype(np.float32)


# What is laid over
# ---------------------------------------------------------------------------------------------------------------------


def splashes(image, random):
    """Small bright rings in the lower half, softened, added."""
    height, width = image.shape[:2]
    layer = np.zeros((height, width), np.float32)
    for _ in range(int(300 * height * width / 1e6)):
        centre = int(random.integers(width)), int(random.integers(height // 2, height))
        cv2.ellipse(layer, centre, (int(random.integers(2, 7)), 2), 0, 180, 360, 1.0, 1)
    return np.clip(image + np.float32(0.5) * cv2.GaussianBlur(layer, (0, 0), 1)[..., None], 0, 1)


def pattern_as_large_as(image, random):
    height, width = image.shape[:2]
    pattern = cv2.resize(patterns()[random.integers(4)], (width, height), interpolation=cv2.INTER_LINEAR)
    return (pattern[:, ::-1] if random.random() < 0.5 else pattern).astype(np.float32) / 255


@lru_cache(maxsize=1)
def patterns():
    """Stand-ins for captured patterns, read once: soft random fields of 1280 x 960."""
    random = np.random.default_rng(0)
    coarse = [random.integers(0, 256, (12, 16, 3), dtype=np.uint8) for _ in range(4)]
    return [cv2.resize(each, (1280, 960), interpolation=cv2.INTER_CUBIC) for each in coarse]
