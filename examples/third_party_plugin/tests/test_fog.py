"""The law of ground fog, and what rrframe asks of every degradation."""

import pytest
import torch

from rrframe import Cues, load
from rrframe.testing import conformance

test_conformance = conformance("haze/ground-fog")


def test_very_high_fog_is_uniform_haze() -> None:
    image, cues = torch.rand(3, 24, 32), Cues({"depth": torch.full((1, 1, 24, 32), 30.0)})
    settings = {"density": 0.05, "airlight": 0.8, "view": 1.0}
    fog = load("haze/ground-fog", height=1e6, **settings)(image, cues=cues)
    haze = load("haze/scattering", beta=0.05, airlight=0.8, airlight_of="white")(image, cues=cues)
    torch.testing.assert_close(fog, haze, atol=1e-3, rtol=0)


def test_the_horizon_drowns_and_the_sky_stays() -> None:
    image, cues = torch.zeros(3, 101, 8), Cues({"depth": torch.full((1, 1, 101, 8), 500.0)})
    fog = load("haze/ground-fog", density=0.05, height=2.0, airlight=1.0, horizon=0.5)(image, cues=cues)
    sky, horizon = fog[0, 0].mean(), fog[0, 50].mean()
    assert horizon == pytest.approx(1.0, abs=0.01)
    assert sky < horizon - 0.3
