"""Light that lenses throw far across a picture: convolution with kernels as large as the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
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
    planes = (images != 0).any(dim=1).any(dim=0)
    if not planes.any():
        return images.new_zeros(*kernels.shape[:2], *images.shape[-2:])
    # Sources are often few: what counts is how far they lie apart, not how large the image is.
    down, across = (
        _Line.of(planes.any(dim=other), size) for other, size in ((1, kernels.shape[-2]), (0, kernels.shape[-1]))
    )
    inner = F.pad(kernels.to(images), [*across.padding, *down.padding])
    size = down.length, across.length
    patch = images[..., down.first : down.last + 1, across.first : across.last + 1]
    full: torch.Tensor = torch.fft.irfft2(torch.fft.rfft2(patch, s=size) * torch.fft.rfft2(inner, s=size), s=size)
    return full[..., down.begin : down.begin + images.shape[-2], across.begin : across.begin + images.shape[-1]]


@dataclass(frozen=True)
class _Line:
    """What a circular convolution of the lit pixels needs along rows, or along columns.

    Args:
        first: Where light begins.
        last: Where it ends.
        padding: What the kernel lacks before and after, below 0 where it reaches farther than the image.
        length: Of the convolution: long enough for nothing to be wrapped around into the image.
        begin: Where the image begins in it.
    """

    first: int
    last: int
    padding: tuple[int, int]
    length: int
    begin: int

    @classmethod
    def of(cls, lit: torch.Tensor, kernel: int) -> _Line:
        """For a line of pixels, of which some are ``lit``, and a ``kernel`` that is so long."""
        places = lit.nonzero()
        first, last, side, reach = int(places[0]), int(places[-1]), len(lit), kernel // 2
        before, after = max(min(last, reach), first), min(side - 1 - first, reach)
        length = next_fast_len(max(last + after + 1, side + before - first), real=True)
        return cls(first, last, (before - reach, after - reach), length, before - first)
