"""Between pictures, the latents of an autoencoder, and the tokens that a transformer reads."""

from __future__ import annotations

from typing import Any

import torch


def encoded(vae: Any, images: torch.Tensor) -> torch.Tensor:
    """The latents of ``images``: the mode of the posterior, which no generator has a say in.

    Args:
        vae: An ``AutoencoderKL``; it computes in its own dtype, float32 here, one picture at a time.
        images: ``[B, 3, H, W]`` in [0, 1], sides multiples of 16.

    Returns:
        ``[B, C, H/8, W/8]`` float32, shifted and scaled as the transformer is used to.
    """
    means = [vae.encode(image.to(vae.device, vae.dtype) * 2 - 1).latent_dist.mode() for image in images.split(1)]
    return (torch.cat(means).float() - vae.config.shift_factor) * vae.config.scaling_factor


def decoded(vae: Any, latents: torch.Tensor) -> torch.Tensor:
    """The images of ``latents``, ``[B, 3, H, W]`` float32 in [0, 1]: the inverse of ``encoded``."""
    plain = latents / vae.config.scaling_factor + vae.config.shift_factor
    images = [vae.decode(one.to(vae.device, vae.dtype)).sample for one in plain.split(1)]
    return torch.cat(images).float().mul(0.5).add(0.5).clamp(0, 1)


def packed(latents: torch.Tensor) -> torch.Tensor:
    """``[B, C, h, w]`` as tokens ``[B, h/2 w/2, 4 C]``, each of a square of four, rows first."""
    count, channels, height, width = latents.shape
    squares = latents.reshape(count, channels, height // 2, 2, width // 2, 2)
    return squares.permute(0, 2, 4, 1, 3, 5).reshape(count, height * width // 4, channels * 4)


def unpacked(tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Tokens as ``[B, C, height, width]``: the inverse of ``packed``."""
    count, _, values = tokens.shape
    squares = tokens.reshape(count, height // 2, width // 2, values // 4, 2, 2)
    return squares.permute(0, 3, 1, 4, 2, 5).reshape(count, values // 4, height, width)


def places(height: int, width: int, image: float = 0.0) -> torch.Tensor:
    """Where the tokens of latents ``height`` x ``width`` lie: ``[h/2 w/2, 3]`` float32 of (image, row, column)."""
    rows, columns = torch.meshgrid(torch.arange(height // 2.0), torch.arange(width // 2.0), indexing="ij")
    return torch.stack([torch.full_like(rows, image), rows, columns], dim=-1).flatten(0, 1)
