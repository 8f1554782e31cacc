"""What stands in for the cues that nothing computes, where an operator is looked at or measured. No run takes them."""

from __future__ import annotations

import torch

from rrframe.contracts.cue import FRAMES, PARTNER

_REACH = 3  # neighbours before and after
_PAN = 1 / 200  # of the width, from one frame to the next

STAND_INS = {
    PARTNER: "the picture itself, mirrored: a stand-in for a second photograph",
    FRAMES: "the picture itself, moved sideways: a stand-in for the frames of a clip",
}
"""The cues, each with what stands in for it in words."""


def stand_in(cue: str, images: torch.Tensor) -> torch.Tensor:
    """The maps of ``cue``, one of ``STAND_INS``, for clean ``images``, ``[B, 3, H, W]`` float32 in [0, 1], encoded."""
    if cue == PARTNER:
        return images.flip(-1)
    width = images.shape[-1]
    columns = torch.arange(width, device=images.device)
    shifts = [round(place * width * _PAN) for place in range(-_REACH, _REACH + 1) if place]
    codes = images.mul(255).round_().to(torch.uint8)  # as the frames of videos are
    return torch.cat([codes[..., (columns + shift).clamp(0, width - 1)] for shift in shifts], dim=1).contiguous()
