"""Flow matching: the noise levels of training and of sampling, and guidance."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from rrframe_backbones.editing.latents import packed, unpacked

STRONG = 0.93
"""Above this noise level a guided step is held back."""
_POWER = 0.4


def flux_scheduler() -> Any:
    """The scheduler of Flux, whose noise levels shift with the number of tokens; Step1X-Edit's are the same to 1e-6."""
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, base_shift=0.5, max_shift=1.15)


def shift(scheduler: Any, tokens: int) -> float:
    """How far the noise levels of a picture of so many ``tokens`` shift: mu, on the line through the scheduler's two
    points.
    """
    config = scheduler.config
    slope = (config.max_shift - config.base_shift) / (config.max_image_seq_len - config.base_image_seq_len)
    return float(config.base_shift + slope * (tokens - config.base_image_seq_len))


def levels(scheduler: Any, steps: int, tokens: int, device: torch.device) -> torch.Tensor:
    """Sets ``scheduler`` to so many ``steps``, and gives the noise level that each begins at: ``[steps]`` float32 from
    1 downwards.
    """
    if steps == 1:  # its only level is 1, where no stretch brings it to the last level that a scheduler may want
        scheduler.register_to_config(shift_terminal=None)
    evenly = np.linspace(1.0, 1.0 / steps, steps)
    scheduler.set_timesteps(sigmas=evenly.tolist(), mu=shift(scheduler, tokens), device=device)
    sigmas: torch.Tensor = scheduler.sigmas[:-1]
    return sigmas


def shifted(scheduler: Any, shares: torch.Tensor, tokens: int) -> torch.Tensor:
    """Noise levels in (0, 1) shifted as sampling shifts them, so that training sees the levels that sampling visits.

    Args:
        shares: ``[B]`` float32 in (0, 1), before the shift.
    """
    levels: torch.Tensor = scheduler.time_shift(shift(scheduler, tokens), 1.0, shares)
    return levels


def guided(told: torch.Tensor, untold: torch.Tensor, scale: float, sigma: float) -> torch.Tensor:
    """The velocity that follows the prompt ``scale`` times as far as the network does.

    While there is much noise, differences longer than 1 are divided by their length to the power 0.4, token by token,
    which keeps the first steps from overshooting.

    Args:
        told: ``[B, C, h, w]`` float32, the velocity with the prompt.
        untold: The same, with an empty one.
        scale: The strength of guidance.
        sigma: The noise level.

    Source: the sampler of Step1X-Edit, with RealRestorer's threshold.
    """
    difference = told - untold
    if sigma > STRONG:
        tokens = packed(difference)
        length = tokens.norm(dim=2, keepdim=True)
        difference = unpacked(tokens / length.clamp(min=1.0) ** _POWER, *told.shape[-2:])
    return untold + scale * difference
