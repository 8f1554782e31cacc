"""The framework's own backbones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rrframe import Spec, hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def register_backbones() -> Iterable[Spec]:
    yield Spec(
        "backbone/chain",
        "rrframe_backbones.chain:ChainOfBackbones",
        "One backbone for each task, behind one name.",
    )
    yield Spec(
        "backbone/flux-kontext",
        "rrframe_backbones.flux_kontext:FluxKontext",
        "FLUX.1 Kontext: the transformer of Flux, which reads the picture too, told by T5 and CLIP.",
        extra="rrframe[diffusion]",
    )
    yield Spec(
        "backbone/longcat-image-edit",
        "rrframe_backbones.longcat_image_edit:LongCatImageEdit",
        "LongCat-Image-Edit: a transformer of Flux's shape and half its size, told by Qwen2.5-VL.",
        extra="rrframe[diffusion]",
    )
    yield Spec(
        "backbone/nafnet",
        "rrframe_backbones.nafnet:NAFNetRestorer",
        "A small convolutional restorer that trains from nothing, told which task to do.",
    )
    yield Spec(
        "backbone/opencv-denoise",
        "rrframe_backbones.opencv:Denoiser",
        "Non-local means, a classical denoiser without weights, to measure others against.",
    )
    yield Spec(
        "backbone/qwen-image-edit",
        "rrframe_backbones.qwen_image_edit:QwenImageEdit",
        "Qwen-Image-Edit: an editor of 20 billion parameters, told by Qwen2.5-VL.",
        extra="rrframe[diffusion]",
    )
    yield Spec(
        "backbone/spandrel",
        "rrframe_backbones.spandrel:SpandrelRestorer",
        "A restorer of other people, in any architecture that spandrel recognises from its weights.",
        extra="rrframe[spandrel]",
    )
    yield Spec(
        "backbone/step1x-edit",
        "rrframe_backbones.step1x.restorer:Step1XEdit",
        "RealRestorer and Step1X-Edit: a Flux transformer told in words what to do, by Qwen2.5-VL.",
        extra="rrframe[diffusion]",
    )


@hookimpl
def register_commands(cli: click.Group) -> None:
    from rrframe_backbones.step1x.command import convert

    cli.add_command(convert)
