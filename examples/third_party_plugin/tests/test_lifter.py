"""What rrframe asks of every backbone, and that this one lifts its own plugin's fog."""

import torch
from rrframe_ground_fog.lifter import FogLifter

from rrframe import Cues, Pairs, load
from rrframe.testing import conformance

test_conformance = conformance("backbone/fog-lifter")


def test_it_learns_to_lift_ground_fog() -> None:
    clean = torch.rand(8, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    fog = load("haze/ground-fog", density=0.05, height=1e6, airlight=0.8, view=1.0)
    foggy = fog(clean, cues=Cues({"depth": torch.full((8, 1, 24, 24), 30.0)}))
    lifter = FogLifter(width=8, device="cpu")
    batch = lifter.encode(Pairs(foggy, clean, ("haze",) * 8))
    optimizer = torch.optim.AdamW(lifter.trainable().parameters(), lr=3e-3)
    for _ in range(60):
        optimizer.zero_grad()
        lifter.loss(batch, None).mean().backward()
        optimizer.step()
    restored = lifter(foggy, "haze")
    assert (restored - clean).abs().mean() < 0.7 * (foggy - clean).abs().mean()
