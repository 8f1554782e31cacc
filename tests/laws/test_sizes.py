"""Every operator takes photographs as large as cameras make them, and as thin as panoramas are."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from networks import save_darkener, save_mixer

from rrframe import Cues
from rrframe.contracts.component import create
from rrframe.contracts.stand_ins import STAND_INS, stand_in
from rrframe.contracts.trying import compute_cues
from rrframe.imaging.layout import to_batch
from rrframe.manager import get_manager

EVERY = sorted(get_manager().table("degradation"))
WEIGHTS = {"lowlight/learned": save_darkener, "reflection/learned": save_mixer}


@pytest.mark.parametrize("name", EVERY)
def test_a_photograph_of_two_megapixels_and_more(name: str, photo: np.ndarray, tmp_path: Path) -> None:
    picture, done = degraded(name, photo, (1240, 1860), tmp_path)
    assert done.shape == picture.shape
    assert (done != picture).any()


@pytest.mark.parametrize("name", EVERY)
def test_a_thin_panorama(name: str, photo: np.ndarray, tmp_path: Path) -> None:
    picture, done = degraded(name, photo, (64, 4400), tmp_path)
    assert done.shape == picture.shape


def degraded(name: str, photo: np.ndarray, size: tuple[int, int], folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """``photo`` at that size, and what the operator makes of it."""
    params = {"weights": str(WEIGHTS[name](folder / "weights.safetensors"))} if name in WEIGHTS else {}
    component = create(name, params)
    picture = cv2.resize(photo, size[::-1], interpolation=cv2.INTER_AREA)
    images = to_batch(picture)
    known = {cue: stand_in(cue, images) for cue in component.needs() & STAND_INS.keys()}
    others = component.needs() - known.keys()
    cues = Cues(known | {cue: getattr(compute_cues([cue], images, ["p"]), cue) for cue in others})
    return picture, component(picture, severity=0.7, seed=1, cues=cues)
