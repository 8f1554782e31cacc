"""Each estimator of severity follows its own category's dial, on photographs that it was not tuned on."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

import rrframe
from rrframe import Cues
from rrframe.contracts.trying import compute_cues
from rrframe.imaging.layout import to_batch
from rrframe.imaging.resample import resize_pixels

SEVERITIES = (0, 0.25, 0.5, 0.75, 1)
SIDE = 384
PHOTOGRAPHS = ("chelsea", "china", "flower", "motorcycle", "rocket")  # astronaut and coffee set the scales
# The least mean rank correlation: what was measured, less a little.
DIALS = {
    "blur/camera-shake": 0.95,
    "blur/defocus": 0.95,
    "blur/gaussian": 0.95,
    "blur/motion": 0.95,
    "compression/jpeg": 0.95,
    "compression/recompress": 0.7,
    "compression/webp": 0.85,
    "flare/lens": 0.95,
    "flare/veil": 0.95,
    "haze/heterogeneous": 0.95,
    "haze/scattering": 0.95,
    "lowlight/exposure": 0.95,
    "lowlight/gamma": 0.95,
    "moire/screen": 0.95,
    "noise/gaussian": 0.95,
    "noise/granular": 0.95,
    "noise/poisson-gaussian": 0.95,
    "noise/sensor": 0.95,
    "rain/storm": 0.85,
    "rain/streaks": 0.85,
    "reflection/glass": 0.9,
}
CATEGORIES = sorted({dial.partition("/")[0] for dial in DIALS})


@pytest.fixture(scope="module")
def photographs() -> list[np.ndarray]:
    source = rrframe.load("images/samples")
    found = []
    for name in PHOTOGRAPHS:
        pixels = source.read(name).pixels
        scale = SIDE / max(pixels.shape)
        found.append(resize_pixels(pixels, *(round(length * scale) for length in pixels.shape[:2])))
    return found


@pytest.mark.parametrize("dial", DIALS)
def test_it_follows_the_severity_of_its_category(dial: str, photographs: list[np.ndarray]) -> None:
    degradation = rrframe.load(dial)
    estimator = rrframe.load(f"severity/{dial.partition('/')[0]}")
    ranks = []
    for index, photograph in enumerate(photographs):
        cues = cues_for(degradation, photograph, photographs[(index + 2) % len(photographs)])
        degraded = [degradation(photograph, severity=severity, seed=10 + index, cues=cues) for severity in SEVERITIES]
        scores = torch.cat([estimator(to_batch(pixels)) for pixels in degraded]).tolist()
        ranks.append(spearmanr(SEVERITIES, scores).statistic if len(set(scores)) > 1 else 0.0)
    assert np.mean(ranks) >= DIALS[dial], ranks


def cues_for(degradation, photograph: np.ndarray, other: np.ndarray) -> Cues | None:
    """A real second photograph where one is needed."""
    needs = degradation.needs()
    if "partner" not in needs:
        return None
    images = to_batch(photograph)
    maps = {name: getattr(compute_cues([name], images, ["0"]), name) for name in needs - {"partner"}}
    return Cues({**maps, "partner": to_batch(resize_pixels(other, *photograph.shape[:2]))})


@pytest.mark.parametrize("category", CATEGORIES)
@pytest.mark.parametrize("code", [0.0, 0.5, 1.0])
def test_a_flat_picture_has_a_severity_too(category: str, code: float) -> None:
    score = rrframe.load(f"severity/{category}")(torch.full((1, 3, 40, 33), code))
    assert 0 <= float(score) <= 1


def test_there_is_one_for_each_of_the_nine_tasks() -> None:
    for category in CATEGORIES:
        assert rrframe.load(f"severity/{category}").category == category
    assert len(CATEGORIES) == 9


def test_noise_is_told_in_its_own_unit() -> None:
    noisy = 0.5 + 0.05 * torch.randn(1, 3, 256, 256, generator=torch.Generator().manual_seed(0))
    measured = rrframe.load("severity/noise").measure(noisy[0].permute(1, 2, 0).contiguous().numpy())
    # luma of independent channels has sqrt(.299^2 + .587^2 + .114^2) of the deviation; a fifth of blocks have less
    assert measured == pytest.approx(0.05 * 0.669, rel=0.1)
