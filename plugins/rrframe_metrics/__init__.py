"""The framework's own metrics: of two images, and of one, how severe each of nine degradations is."""

from __future__ import annotations

from collections.abc import Iterable

from rrframe import Spec, hookimpl

_SEVERITIES = {
    "blur": ("Blur", "How blurred: what one more blur takes away."),
    "compression": ("Compression", "How hard it was compressed: steps at the borders of 8 x 8 blocks."),
    "flare": ("Flare", "How far stray light lifts the dark tones, and whether there is a glow."),
    "haze": ("Haze", "How much of the scene is veiled: the dark channel."),
    "lowlight": ("LowLight", "How underexposed: where the bright and the middle tones lie."),
    "moire": ("Moire", "How much colour waves all over the picture."),
    "noise": ("Noise", "How noisy: the deviation of luma in smooth places."),
    "rain": ("Rain", "How many thin bright streaks of one direction there are."),
    "reflection": ("Reflection", "How much of a second, fainter picture lies over it."),
}


@hookimpl
def register_metrics() -> Iterable[Spec]:
    yield Spec("metric/lpips", "rrframe_metrics.lpips:LPIPS", "LPIPS over AlexNet or VGG-16, without torchvision.")
    yield Spec(
        "metric/ms-ssim",
        "rrframe_metrics.structure:MultiScaleSSIM",
        "SSIM at five scales, of RGB.",
        extra="rrframe[metrics]",
    )
    yield Spec("metric/psnr", "rrframe_metrics.signal:PSNR", "Peak signal-to-noise ratio of RGB, in dB.")
    yield Spec("metric/psnr-y", "rrframe_metrics.signal:PSNRY", "Peak signal-to-noise ratio of luma, in dB.")
    yield Spec(
        "metric/pyiqa",
        "rrframe_metrics.pyiqa:Pyiqa",
        "Any metric of pyiqa by name, such as DISTS or MUSIQ; non-commercial.",
        extra="rrframe[pyiqa]",
    )
    yield Spec("metric/ssim", "rrframe_metrics.structure:SSIM", "Structural similarity of RGB.")
    yield Spec("metric/ssim-y", "rrframe_metrics.structure:SSIMY", "Structural similarity of luma.")
    yield Spec(
        "metric/vif",
        "rrframe_metrics.structure:VisualInformation",
        "Visual information fidelity in the domain of pixels, of RGB.",
        extra="rrframe[metrics]",
    )
    for category, (name, summary) in _SEVERITIES.items():
        yield Spec(f"severity/{category}", f"rrframe_metrics.severity.{category}:{name}", summary)
