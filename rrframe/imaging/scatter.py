"""Light that lenses throw far across a picture: convolution with kernels as large as the image."""

from __future__ import annotations

import torch
from scipy.fft import next_fast_len


def scatter(images: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Each pixel's light spread by a kernel, through the Fourier transform: one path for CPU and GPU.

    Beyond the border there is no light, unlike in ``filters.convolve``. Rounding leaves errors of about 1e-6 times the
    root of the summed squares of the image times that of the kernel.

    Args:
        images: ``[B, C, H, W]`` float32, not limited to [0, 1]; or one channel for all kernels.
        kernels: One a channel, ``[B, C, k, l]``; ``k`` and ``l`` odd, of any size.

    Returns:
        ``[B, C, H, W]``, with rounding errors around 0; a sum of 1 keeps the light that does not leave the picture.
    """
    height, width = images.shape[-2:]
    middle = [size // 2 for size in kernels.shape[-2:]]
    # What reaches farther than the image is large falls outside of it.
    rows, columns = min(middle[0], height - 1), min(middle[1], width - 1)
    inner = kernels[..., middle[0] - rows : middle[0] + rows + 1, middle[1] - columns : middle[1] + columns + 1]
    size = next_fast_len(height + rows, real=True), next_fast_len(width + columns, real=True)
    product = torch.fft.rfft2(images, s=size) * torch.fft.rfft2(inner.to(images), s=size)
    full: torch.Tensor = torch.fft.irfft2(product, s=size)
    # Wrapped around is only what lies before the kernel's centre.
    return full[..., rows : rows + height, columns : columns + width]
