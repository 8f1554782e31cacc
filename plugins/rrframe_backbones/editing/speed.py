"""Faster and smaller at a price: caches, attention kernels, compilation, 8-bit weights, offloading.

All are diffusers' own, and for restoring alone. Each changes the picture a little; judge it against the exact run.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field

from rrframe.contracts.accelerator import Accelerator


class Speed(BaseModel):
    """How a transformer is made faster or smaller while it restores; by default not at all."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    cache: Literal["none", "first-block", "taylorseer", "magcache"] = "none"
    """What of a step is taken over from steps before: all but the first block where that one hardly changed, what a
    Taylor series foretells, or what the measured decay of Flux's residuals foretells.
    """
    threshold: float = Field(0.08, ge=0, description="how much change the caches first-block and magcache let pass")
    attention: str | None = None
    """A kernel of diffusers, such as ``flash``, ``_flash_3``, ``sage`` or ``_native_cudnn``; torch's choice by
    default.
    """
    compile: bool = False
    """Compile the repeated blocks at their first use, which takes a minute or so."""
    fp8: bool = False
    """Keep weights in 8 bits and widen them layer by layer."""
    offload: Literal["none", "idle", "group"] = "none"
    """What lies in main memory while it is not needed: ``idle``, the transformer or the text encoder, whichever does
    not work; ``group``, all of their blocks but the one at work.
    """

    @property
    def restores_only(self) -> bool:
        """Whether a network so changed can no longer be trained."""
        return self.fp8 or self.compile or self.offload != "none"


ACCELERATORS = {
    "compiled": Accelerator({"speed": {"compile": True}}),
    "first-block": Accelerator({"speed": {"cache": "first-block"}}, skips=True),
    "taylorseer": Accelerator({"speed": {"cache": "taylorseer"}}, skips=True),
    "magcache": Accelerator({"speed": {"cache": "magcache"}}, skips=True),
    "fp8": Accelerator({"speed": {"fp8": True}}),
    "offload": Accelerator({"speed": {"offload": "group"}}),
    "offload-idle": Accelerator({"speed": {"offload": "idle"}}),
    "cudnn": Accelerator({"speed": {"attention": "_native_cudnn"}}),
    "flash-3": Accelerator({"speed": {"attention": "_flash_3"}}),
    "sage": Accelerator({"speed": {"attention": "sage"}}),
}
"""What the bench measures of all that. Not bfloat16, in which editors compute anyway."""


def apply(network: Any, speed: Speed, dtype: torch.dtype, device: torch.device) -> None:
    """Change ``network``, a model of diffusers, for good: all of ``speed`` but its cache.

    Raises:
        ValueError, RuntimeError, ImportError: diffusers has no such kernel, or it does not run here.
    """
    if speed.attention:
        from diffusers.models.attention_dispatch import attention_backend

        with attention_backend():  # put back after, for diffusers makes it the choice of all networks from then on
            network.set_attention_backend(speed.attention)
    if speed.fp8:
        network.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=dtype)
    if speed.offload == "group":
        stream(network, device, offload_type="block_level", num_blocks_per_group=1)
    if speed.compile:
        network.compile_repeated_blocks()


def stream(network: Any, device: torch.device, **groups: Any) -> None:
    """Keep ``network`` in main memory, and bring to ``device`` what is at work: its layers, or other ``groups``."""
    from diffusers.hooks import apply_group_offloading

    how = {"offload_type": "leaf_level", "use_stream": device.type == "cuda"} | groups
    apply_group_offloading(network, onload_device=device, offload_device=torch.device("cpu"), **how)


@contextmanager
def cached(network: Any, speed: Speed, steps: int) -> Iterator[None]:
    """Inside, the steps of one restoration share what ``speed.cache`` keeps; nothing of it is left after."""
    if speed.cache == "none":
        yield
        return
    network.enable_cache(_config(speed, steps))
    try:
        with network.cache_context("restoring"):
            yield
    finally:
        network.disable_cache()


def _config(speed: Speed, steps: int) -> Any:
    from diffusers import FirstBlockCacheConfig, MagCacheConfig, TaylorSeerCacheConfig
    from diffusers.hooks.mag_cache import FLUX_MAG_RATIOS

    if speed.cache == "first-block":
        return FirstBlockCacheConfig(threshold=speed.threshold)
    if speed.cache == "taylorseer":
        return TaylorSeerCacheConfig(cache_interval=3, disable_cache_before_step=3, max_order=1)
    return MagCacheConfig(threshold=speed.threshold, num_inference_steps=steps, mag_ratios=FLUX_MAG_RATIOS)
