"""The framework's metrics of two images agree with those of others, and do what they say with sizes and colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from beside import run_beside
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import rrframe
from rrframe import RRFrameError
from rrframe.imaging.layout import to_batch

GENERATOR = torch.Generator().manual_seed(5)


@pytest.fixture(scope="module")
def pair(photo: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """Two crops with noise, and without."""
    clean = torch.cat([to_batch(photo[:200, :230]), to_batch(photo[200:400, 200:430])])
    noise = torch.randn(clean.shape, generator=GENERATOR)
    return (clean + torch.tensor([0.03, 0.1]).view(2, 1, 1, 1) * noise).clamp(0, 1), clean


def arrays(images: torch.Tensor) -> list[np.ndarray]:
    return [image.permute(1, 2, 0).double().numpy() for image in images]


def test_psnr_is_that_of_scikit_image(pair) -> None:
    restored, clean = pair
    expected = [
        peak_signal_noise_ratio(true, test, data_range=1)
        for true, test in zip(arrays(clean), arrays(restored), strict=True)
    ]
    assert rrframe.load("metric/psnr")(restored, clean).tolist() == pytest.approx(expected, abs=1e-4)


def test_psnr_of_a_known_error() -> None:
    white = torch.ones(1, 3, 8, 8)
    assert float(rrframe.load("metric/psnr")(white * 0.9, white)) == pytest.approx(20, abs=1e-4)
    assert float(rrframe.load("metric/psnr")(white * 0, white)) == 0
    # luma of studio swing is 219 / 255 as wide
    assert float(rrframe.load("metric/psnr-y")(white * 0, white)) == pytest.approx(-20 * np.log10(219 / 255), abs=1e-4)


def test_luma_is_that_of_matlab() -> None:
    from rrframe_metrics.comparing import luma

    colours = torch.tensor([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]]).float().view(5, 3, 1, 1)
    # rgb2ycbcr of MATLAB's documentation
    assert torch.allclose(luma(colours).flatten() * 255, torch.tensor([16, 235, 81.481, 144.553, 40.966]), atol=1e-3)


def test_ssim_is_that_of_scikit_image(pair) -> None:
    restored, clean = pair
    settings: dict[str, Any] = {"data_range": 1, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    expected = [
        structural_similarity(true, test, channel_axis=-1, **settings)
        for true, test in zip(arrays(clean), arrays(restored), strict=True)
    ]
    assert rrframe.load("metric/ssim")(restored, clean).tolist() == pytest.approx(expected, abs=1e-5)


def test_ssim_of_luma_looks_at_luma_alone(pair) -> None:
    from rrframe_metrics.comparing import luma

    restored, clean = pair
    grey = [luma(images).expand(-1, 3, -1, -1).contiguous() for images in pair]
    assert torch.allclose(rrframe.load("metric/ssim-y")(restored, clean), rrframe.load("metric/ssim")(*grey), atol=1e-5)


def test_vif_of_more_contrast_is_above_one(pair) -> None:
    _, clean = pair
    vif = rrframe.load("metric/vif")
    dull = clean * 0.5 + 0.25
    assert (vif(clean, dull) > 1).all()
    assert (vif(dull, clean) < 1).all()


def test_an_image_without_structure_has_no_vif() -> None:
    flat = torch.full((1, 3, 64, 64), 0.5)
    with pytest.raises(RRFrameError, match="has no information to lose"):
        rrframe.load("metric/vif")(flat, flat)


def test_compared_with_the_degraded_image_it_tells_consistency(pair) -> None:
    metric = rrframe.load("metric/psnr", against="degraded")
    assert metric.reads == "consistency"
    assert rrframe.load("metric/psnr").reads == "full-reference"
    with pytest.raises(RRFrameError, match="compares with the degraded image"):
        metric(pair[0])


def test_another_size_is_refused_or_resized(pair) -> None:
    _, clean = pair
    small = torch.nn.functional.avg_pool2d(clean, 2)
    with pytest.raises(RRFrameError, match="not 115 x 100 with 230 x 200"):
        rrframe.load("metric/psnr")(small, clean)
    assert (rrframe.load("metric/psnr", mismatch="resize")(small, clean) > 20).all()


# LPIPS
# ----------------------------------------------------------------------------------------------------------------------

# All in one process: importing torchvision takes seconds. Trunks have random weights.
_SCRIPT = """
import json
import lpips
import rrframe
import torchvision.models
from safetensors.torch import save_file

told = {}
torch.manual_seed(0)
images, others = torch.rand(2, 2, 3, 70, 64)
for net, model in (("alex", torchvision.models.alexnet), ("vgg", torchvision.models.vgg16)):
    trunk = model(weights=None).features
    for parameter in trunk.parameters():  # lively enough that the features differ
        torch.nn.init.normal_(parameter, std=0.05)
    tensors = {f"features.{name}": tensor for name, tensor in trunk.state_dict().items()}
    save_file({**tensors, "classifier.1.weight": torch.zeros(2)}, f"{net}.safetensors")
    theirs = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    slices = [layer for number in range(1, 6) for layer in getattr(theirs.net, f"slice{number}")]
    for layer, own in zip(slices, trunk, strict=False):
        layer.load_state_dict(own.state_dict())
    expected = theirs(images, others, normalize=True).flatten()
    ours = rrframe.load("metric/lpips", net=net, weights=f"{net}.safetensors")(images, others)
    told[net] = [ours.tolist(), expected.tolist()]

def error(**params):
    try:
        return rrframe.load("metric/pyiqa", **params)(images, others).tolist()
    except rrframe.RRFrameError as found:
        return found.render()

told["psnr"] = [error(metric="psnr"), rrframe.load("metric/psnr")(images, others).tolist()]
told["unknown"] = error(metric="musik")
alone = rrframe.load("metric/pyiqa", metric="piqe")
told["piqe"] = [alone.reads, alone.higher_is_better, alone(images).tolist()]
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = run_beside(_SCRIPT, cwd=tmp_path_factory.mktemp("lpips"))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_lpips_is_that_of_the_package_lpips(told: dict[str, Any], net: str) -> None:
    ours, theirs = told[net]
    assert max(theirs) > 1e-2
    assert ours == pytest.approx(theirs, abs=1e-5)


@pytest.mark.slow
def test_a_metric_of_pyiqa_goes_by_its_name(told: dict[str, Any]) -> None:
    theirs, ours = told["psnr"]
    assert theirs == pytest.approx(ours, abs=1e-3)
    assert "that is called 'musik'" in told["unknown"]
    assert "did you mean musiq" in told["unknown"]
    reads, higher_is_better, scores = told["piqe"]
    assert (reads, higher_is_better, len(scores)) == ("no-reference", False, 2)


def test_without_weights_lpips_says_how_to_fetch_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HOME", str(tmp_path))
    images = torch.zeros(1, 3, 40, 40)
    with pytest.raises(RRFrameError, match="rrframe assets fetch lpips-alexnet --allow-pickle"):
        rrframe.load("metric/lpips")(images, images)


def test_lpips_refuses_the_weights_of_another_trunk(tmp_path: Path) -> None:
    from rrframe_metrics.lpips import trunk_of
    from safetensors.torch import save_file

    save_file(trunk_of("alex").state_dict(), tmp_path / "alex.safetensors")
    images = torch.zeros(1, 3, 40, 40)
    with pytest.raises(RRFrameError, match="does not fit: missing: features"):
        rrframe.load("metric/lpips", net="vgg", weights=tmp_path / "alex.safetensors")(images, images)


def test_without_pyiqa_it_says_what_to_install() -> None:
    with pytest.raises(RRFrameError, match=r"pip install 'rrframe\[pyiqa\]'"):
        rrframe.load("metric/pyiqa")(torch.zeros(1, 3, 40, 40))


def test_the_terms_of_what_is_not_ours_are_told(rrframe_here) -> None:
    """DISTS and the metrics without a reference come from pyiqa, which is not for commercial use."""
    told = rrframe_here("info", "metric/pyiqa").stdout
    assert "PolyForm-Noncommercial-1.0.0" in told
    assert "not for commercial use" in " ".join(told.split())
    assert "licence" not in rrframe_here("info", "metric/psnr").stdout
