"""The degradation chains of RealRestorer (arXiv 2603.25502) as its released code computes them, for one image at a
time. `rrframe bench synthesis --against benchmarks/published_baseline.py` measures our presets beside them.

This is a re-implementation: the stages, their order, shares and ranges, and the library, number type and kernel sizes
of each are those of the released pipeline (github.com/yfyang007/RealRestorer, `degradation_pipeline`); none of its code
is here. Known and kept: the web-style parts are torch on float32 with full two-dimensional kernels, files go through
Pillow, noise is scikit-image's on float64, and rain is drawn line by line in Python with OpenCV.

What differs, none of it to its disadvantage:

- Depth is given; the released code asks MiDaS, which is not counted. Only scaling it to [0, 1] is.
- Poisson rates are kept from being negative, as bicubic overshoot makes them: on a CPU the released chain then raises.
- Conversions between PIL's pictures, RGB and BGR at either end are left out, and so are its notes on what it did.
- The captured patterns of haze and rain are not released. ``patterns()`` are as many stand-ins as our presets come
  with, read before the clock starts; the released code takes up to ten of about 200 for one picture of haze.

``CHAINS`` names each after the preset that it stands for. A chain takes ``[H, W, 3]`` uint8, a generator, and the depth
(metres) and the segments of the picture, ``[H, W]`` float32, and gives ``[H, W, 3]`` uint8.
"""

from __future__ import annotations

import io
import math
import random as python_random
from functools import lru_cache

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.special import j1
from skimage.util import random_noise

METHODS = ("area", "bilinear", "bicubic")


class Chance:
    """The generators that the released code draws from: Python's for settings, numpy's old and new ones, torch's."""

    def __init__(self, random: np.random.Generator) -> None:
        seed = int(random.integers(2**31))
        self.python = python_random.Random(seed)
        self.numpy = np.random.RandomState(seed)
        self.fields = np.random.default_rng(seed)
        self.torch = torch.Generator().manual_seed(seed)


def blur(pixels, random, depth, segments):
    """Blur, shrinking by 2 to 4, noise, JPEG; mostly blur and shrinking by 3 to 5 again; back by bicubic."""
    return web_style(pixels, Chance(random), noisy=True)


def noise(pixels, random, depth, segments):
    """Two to four of Gaussian, impulse, Poisson and granular noise in any order; maybe averaging where it is busy; half
    of the time the web's blur, shrinking and JPEG.
    """
    chance = Chance(random)
    kinds = [gaussian_noise, impulses, poisson_noise, granular]
    image = pixels / 255.0
    for kind in chance.python.sample(kinds, k=chance.python.randint(2, 4)):
        image = kind(image, chance)
    noisy = (np.clip(image, 0, 1) * 255).astype(np.uint8)
    if chance.python.random() < 0.4:
        noisy = averaged_where_busy(noisy, chance)
    return web_style(noisy, chance, noisy=False) if chance.python.random() < 0.5 else noisy


def web(pixels, random, depth, segments):
    """The released `sr`: shrinking to 0.5 to 0.9, maybe a mild blur, maybe faint noise, JPEG, back."""
    chance = Chance(random)
    draw = chance.python
    image = to_tensor(pixels)
    size = image.shape[-2:]
    image = shrunk(image, draw.uniform(0.5, 0.9), draw.choice(METHODS))
    if draw.random() < 0.6:
        taps = gaussian_taps(draw.choice([3, 5]), draw.uniform(0.1, 1.2))
        image = convolved(image, taps)
    if draw.random() < 0.5:
        image = with_gaussian(image, draw.uniform(1, 10), chance)
    image = through_jpeg(image, draw.randint(40, 60) if draw.random() < 0.2 else draw.randint(60, 95))
    image = F.interpolate(image, size=size, mode=draw.choice(METHODS[1:]), antialias=True)
    return to_pixels(image.clamp(0, 1))


def haze(pixels, random, depth, segments):
    """Scattering with a depth between 0 and 1, in four fifths; captured patterns over most."""
    chance = Chance(random)
    draw = chance.python
    scatters, overlays = draw.random() > 0.2, draw.random() > 0.3
    if scatters or not overlays:
        pixels = scattered(pixels, chance, depth)
    return overlaid_fog(pixels, draw) if overlays else pixels


def rain(pixels, random, depth, segments):
    """8,000 to 15,000 events, lines mostly and some spatter, drawn one by one; a captured pattern over half."""
    chance = Chance(random)
    draw = chance.python
    image = pixels.astype(np.float32) / 255
    count, angle = draw.randint(8000, 15000), draw.uniform(75, 105)
    splashing, overlays = draw.uniform(0.02, 0.07), draw.random() < 0.5
    layer = drawn_rain(image.shape, nearness(depth), count, angle, splashing, chance)
    image = np.clip(image + layer, 0, 1)
    if overlays:
        image = overlaid_rain((image * 255).astype(np.uint8), draw)
    return (image * 255).astype(np.uint8)


CHAINS = {f"presets/released/{chain.__name__}": chain for chain in (blur, noise, web, haze, rain)}


# The web: torch and Pillow
# ---------------------------------------------------------------------------------------------------------------------


def web_style(pixels, chance, noisy):
    draw = chance.python
    image = to_tensor(pixels)
    size = image.shape[-2:]
    image = convolved(image, any_kernel(draw.choice(range(7, 22, 2)), 6.0, draw))
    image = shrunk(image, 1 / draw.uniform(2, 4), draw.choice(METHODS))
    if noisy:
        if draw.random() < 0.75:
            image = with_gaussian(image, draw.uniform(1, 25), chance)
        else:
            image = with_poisson(image, draw.uniform(0.05, 2.5), chance)
    image = through_jpeg(image, draw.randint(20, 80))
    if draw.random() < 0.7:
        image = convolved(image, any_kernel(draw.choice(range(7, 14, 2)), 5.0, draw))
        image = shrunk(image, 1 / draw.uniform(3, 5), draw.choice(METHODS))
    return to_pixels(F.interpolate(image, size=size, mode="bicubic", antialias=True).clamp(0, 1))


def any_kernel(taps, most, draw):
    """A sinc or a round Gaussian, half and half."""
    if draw.random() < 0.5:
        return sinc_taps(taps, draw.uniform(math.pi / 4, math.pi))
    return gaussian_taps(taps, draw.uniform(0.5, most))


def gaussian_taps(taps, sigma):
    row = cv2.getGaussianKernel(taps, sigma)
    return torch.from_numpy(row @ row.T).float()


def sinc_taps(taps, cutoff):
    rows, columns = np.indices((taps, taps)) - taps // 2
    distance = np.hypot(rows, columns)
    distance[taps // 2, taps // 2] = 1e-9
    values = cutoff * j1(cutoff * distance) / (2 * math.pi * distance)
    return torch.from_numpy(values / values.sum()).float()


def convolved(image, kernel):
    reach, channels = len(kernel) // 2, image.shape[1]
    return F.conv2d(F.pad(image, [reach] * 4, mode="reflect"), kernel.expand(channels, 1, -1, -1), groups=channels)


def shrunk(image, scale, method):
    return F.interpolate(image, scale_factor=scale, mode=method, antialias=method != "area")


def with_gaussian(image, deviation, chance):
    field = torch.empty_like(image).normal_(generator=chance.torch)
    return torch.clamp(image + field * (deviation / 255), 0, 1)


def with_poisson(image, scale, chance):
    counts = torch.poisson(image.clamp(min=0) * scale, generator=chance.torch)
    return torch.clamp(counts / scale, 0, 1)


def through_jpeg(image, quality):
    file = io.BytesIO()
    Image.fromarray(to_pixels(image)).save(file, "JPEG", quality=quality)
    return to_tensor(np.asarray(Image.open(file).convert("RGB")))


def to_tensor(pixels):
    planes = torch.from_numpy(np.array(pixels)).permute(2, 0, 1).contiguous()
    return planes.to(torch.float32).div(255).unsqueeze(0)


def to_pixels(image):
    return np.ascontiguousarray(image[0].mul(255).byte().numpy().transpose(1, 2, 0))


# Noise: scikit-image on float64
# ---------------------------------------------------------------------------------------------------------------------


def gaussian_noise(image, chance):
    return random_noise(image, mode="gaussian", rng=chance.fields, var=chance.python.uniform(0.005, 0.1))


def impulses(image, chance):
    return random_noise(image, mode="s&p", rng=chance.fields, amount=chance.python.uniform(0.005, 0.05))


def poisson_noise(image, chance):
    return random_noise(image, mode="poisson", rng=chance.fields)


def granular(image, chance):
    """Luma noise of 8 s of 255 and chroma noise of 0.35 of that, rounded down to 8 bits before and after."""
    height, width, channels = image.shape
    sigma = 8 * chance.python.uniform(0.6, 2.4)
    luma = chance.fields.normal(0, sigma, (height, width, 1))
    chroma = chance.fields.normal(0, 0.35 * sigma, (height, width, channels))
    noisy = (image * 255).astype(np.uint8).astype(np.float32) + luma + chroma
    return np.clip(noisy, 0, 255).astype(np.uint8) / 255.0


def averaged_where_busy(pixels, chance):
    window = (chance.python.choice((3, 5, 7)),) * 2
    threshold = chance.python.uniform(0.4, 0.8)
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32)
    variance = cv2.boxFilter((grey - cv2.boxFilter(grey, -1, window)) ** 2, -1, window)
    busy = variance > threshold * variance.mean()
    done = pixels.copy()
    done[busy] = cv2.blur(pixels, window)[busy]
    return done


# Weather: numpy and OpenCV
# ---------------------------------------------------------------------------------------------------------------------


def nearness(depth):
    """1 where it is nearest, 0 where it is farthest, as the released code has it of MiDaS' disparity."""
    disparity = 1 / depth
    least, most = float(disparity.min()), float(disparity.max())
    return (disparity - least) / max(most - least, 1e-6)


def scattered(pixels, chance, depth):
    draw = chance.python
    clear = pixels.astype(np.float32) / 255
    thickness = np.clip(1 - nearness(depth), 0, 1) ** draw.uniform(1, 2)
    beta = draw.uniform(0.6, 1.8)
    passing = np.clip(cv2.GaussianBlur(np.exp(-beta * thickness), (0, 0), 1.0), 0.05, 1)[..., None]
    tint = np.array([-0.005, 0, 0.005]) * draw.random()
    air = np.clip(np.interp(beta, [0.3, 3], [0.78, 0.95]) + chance.numpy.normal(0, 0.01, 3) + tint, 0.7, 1)
    hazy = clear * passing + air * (1 - passing)
    return (np.clip(hazy, 0, 1) * 255).astype(np.uint8)


def overlaid_fog(pixels, draw):
    height, width = pixels.shape[:2]
    fog = np.zeros((height, width, 3), np.float32)
    for pattern in draw.sample(patterns("haze"), k=draw.randint(1, len(patterns("haze")))):
        light = cv2.resize(pattern, (width, height), interpolation=cv2.INTER_LINEAR)
        fog = 1 - (1 - fog) * (1 - light)
    image = 1 - (1 - pixels.astype(np.float32) / 255) * (1 - fog * draw.uniform(0.25, 0.6))
    return (np.clip(image, 0, 1) * 255).astype(np.uint8)


def overlaid_rain(pixels, draw):
    height, width = pixels.shape[:2]
    pattern = cv2.resize(draw.choice(patterns("rain")), (width, height), interpolation=cv2.INTER_LINEAR)
    if pattern.mean() > 127:
        pattern = 255 - pattern
    light = pattern.astype(np.float32) / 255 * draw.uniform(0.25, 0.6)
    return np.clip(1 - (1 - pixels.astype(np.float32) / 255) * (1 - light), 0, 1)


def drawn_rain(shape, near, count, angle, splashing, chance):
    layer = np.zeros(shape, np.float32)
    height, width = shape[:2]
    draw, old = chance.python, chance.numpy
    for _ in range(count):
        row, column = old.randint(0, height), old.randint(0, width)
        here = float(near[row, column])
        if draw.random() < splashing and draw.random() < here**1.5:
            spatter(layer, row, column, here, chance)
            continue
        length, turn = int(5 + 45 * here), np.deg2rad(angle)
        thick = draw.choice((1, 1, 1, 2))
        tip = int(column + length * np.cos(turn)), int(row + length * np.sin(turn))
        grey = old.uniform(0.7, 0.95)
        cv2.line(layer, (column, row), tip, (grey,) * 3, thick, cv2.LINE_AA)
        if draw.random() < 0.4:
            for _ in range(3):
                right, down = draw.randint(-thick, thick), draw.randint(-thick, thick)
                ends = (column + right, row + down), (tip[0] + right, tip[1] + down)
                cv2.line(layer, *ends, (0.2 * grey,) * 3, thick, cv2.LINE_AA)
    return layer


def spatter(layer, row, column, here, chance):
    draw = chance.python
    dots, reach = draw.randint(3, 6), int(3 + 8 * (1 - here))
    light = chance.numpy.uniform(0.6, 1) * here
    for _ in range(dots):
        x = min(max(column + draw.randint(-reach, reach), 0), layer.shape[1] - 1)
        y = min(max(row + draw.randint(-reach, reach), 0), layer.shape[0] - 1)
        layer[y, x] = np.minimum(1, layer[y, x] + light)


@lru_cache(maxsize=2)
def patterns(kind):
    """Stand-ins for captured patterns: soft random fields of 1280 x 960; haze's are kept as float32."""
    random = np.random.default_rng(0)
    coarse = [random.integers(0, 256, (12, 16, 3), dtype=np.uint8) for _ in range({"haze": 3, "rain": 2}[kind])]
    grown = [cv2.resize(each, (1280, 960), interpolation=cv2.INTER_CUBIC) for each in coarse]
    return [each.astype(np.float32) / 255 for each in grown] if kind == "haze" else grown
