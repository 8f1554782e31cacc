"""Trains the two tiny networks beside this file, in two minutes on one core, from nothing but the sample photographs:

    python examples/learned_degradations/train.py

- `darkener.safetensors` for `lowlight/learned`: darkens as `lowlight/exposure` does at two stops, without its noise.
- `mixer.safetensors` for `reflection/learned`: mixes two scenes as `reflection/glass` does.

They show what such a file holds and how one is made. They have learnt our own formulas from eleven photographs, and so
add nothing that these formulas do not have: train on real pairs (a low-light set turned around, a scene with and
without its reflection) to get what no formula gives. The same machine writes the same numbers again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from rrframe_degradations.lowlight.learned import CurveNetwork
from rrframe_degradations.reflection.learned import WeightNetwork
from safetensors.torch import save_file
from torch import nn

import rrframe
from rrframe import Cues
from rrframe.imaging.colour import encoded_to_linear
from rrframe.imaging.layout import to_batch

HERE = Path(__file__).parent
SIDE, BATCH, STEPS = 96, 4, 700
ROUNDS = 8  # how often lowlight/learned applies its curve


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    photographs = [to_batch(rrframe.load("images/samples").read(key).eight_bit()) for key in sorted(_keys())]
    for name, network, loss in (
        ("darkener", CurveNetwork(8), _darkening()),
        ("mixer", WeightNetwork(8), _mixing()),
    ):
        _train(network, loss, photographs)
        path = HERE / f"{name}.safetensors"
        save_file(network.state_dict(), path, {"trained_by": "examples/learned_degradations/train.py"})
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def _train(network: nn.Module, loss: Callable[[nn.Module, torch.Tensor, int], torch.Tensor], photographs: list) -> None:
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, STEPS)
    for step, images in enumerate(_cuts(photographs)):
        found = loss(network, images, step)
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"  step {step + 1}: loss {found.item():.4f}", flush=True)


def _darkening() -> Callable[[nn.Module, torch.Tensor, int], torch.Tensor]:
    exposure = rrframe.load("lowlight/exposure", stops=2, shot=0, drift=0)

    def loss(network: nn.Module, images: torch.Tensor, step: int) -> torch.Tensor:
        curves, dark = network(images), images
        for _ in range(ROUNDS):
            dark = dark + curves * dark * (1 - dark)
        return (dark - exposure(images, seed=step)).abs().mean()

    return loss


def _mixing() -> Callable[[nn.Module, torch.Tensor, int], torch.Tensor]:
    """Two cuts at once: the second half of the batch is what the pane reflects."""
    glass = rrframe.load("reflection/glass", thickness=0, brightness=3.2, turn=0, angle=45, patchiness=0.6)

    def loss(network: nn.Module, images: torch.Tensor, step: int) -> torch.Tensor:
        behind, reflected = images.chunk(2)
        mixed = glass(behind, seed=step, cues=Cues({"partner": reflected.flip(3)}))
        weights = network(behind, reflected)
        found = torch.lerp(encoded_to_linear(reflected), encoded_to_linear(behind), weights)
        return (_encoded(found) - mixed).abs().mean()

    return loss


def _encoded(linear: torch.Tensor) -> torch.Tensor:
    """By the gamma: OpenCV, which encodes sRGB exactly, has no gradients."""
    return linear.clamp(min=1e-5).pow(1 / 2.4)


def _cuts(photographs: list[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Batches of cuts of a third to all of a photograph, ``SIDE`` pixels wide, half of them mirrored."""
    for _ in range(STEPS):
        cuts = []
        for _ in range(BATCH):
            image = photographs[int(torch.randint(len(photographs), ()))]
            side = int(min(image.shape[-2:]) * (1 + 2 * torch.rand(()).item()) / 3)
            top, left = (int(torch.randint(length - side + 1, ())) for length in image.shape[-2:])
            cut = F.interpolate(image[..., top : top + side, left : left + side], (SIDE, SIDE), mode="area")
            cuts.append(cut.flip(3) if torch.rand(()) < 0.5 else cut)
        yield torch.cat(cuts)


def _keys() -> list[str]:
    return rrframe.load("images/samples").keys()


if __name__ == "__main__":
    main()
