"""Linear filters, and the guided filter made of them.

Each is written twice, with OpenCV for images on a CPU and in torch for batches on a GPU; the two agree within 1e-5.
Beyond its border an image goes on mirrored about the border pixel (OpenCV's reflect-101), as often as a kernel larger
than the image needs. Light is the caller's: optics filter linear light. Results are new tensors, never clamped.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from scipy.fft import next_fast_len

from rrframe.imaging.layout import from_hwc, hwc_view

_REACH = 4.0  # standard deviations after which a Gaussian is cut: 6e-5 of it lies beyond
_FINE = 5.0  # a Gaussian this many blocks wide loses nothing when it is sampled once a block
_DIRECT = 129  # taps of the largest kernel that OpenCV sums directly
_PIECES = ((11, 11), (4, 32), (32, 4), (7, 18), (18, 7))  # rows and columns of kernels no larger
_THIN = 150  # taps other than 0: the Fourier transform costs as much
_PIECE_COSTS = 20  # taps: what it takes to put a piece in its place
_SPATIAL = 15  # the widest kernel that a GPU sums directly; wider ones go through the Fourier transform


def gaussian(images: torch.Tensor, sigma: torch.Tensor | float) -> torch.Tensor:
    """Gaussian blur.

    From a sigma of 10 on it is computed on the means of blocks of up to sigma / 5 pixels, at a cost that hardly grows
    with sigma: within 0.5 % of the range, where a lone point may glow from half a block aside.

    Args:
        images: ``[B, C, H, W]`` float32.
        sigma: Standard deviation in pixels, one number or ``[B, 1, 1, 1]``; 0 leaves an image as it is.
    """
    sigmas = _each(sigma, len(images))
    return _gaussian_opencv(images, sigmas) if images.device.type == "cpu" else _gaussian_torch(images, sigmas)


def gaussian_of_codes(planes: np.ndarray, sigma: float) -> np.ndarray:
    """``gaussian`` of one picture for what counts in codes of 8 bits: without the detour by the means of blocks.

    Args:
        planes: ``[H, W]`` or ``[H, W, C]``, uint8 or float32; uint8 saves making floats of it first.
        sigma: Standard deviation in pixels, above 0.

    Returns:
        float32 in the unit of ``planes``.
    """
    taps = _gaussian_taps(sigma, _reach(sigma)).numpy()
    return np.asarray(cv2.sepFilter2D(planes, cv2.CV_32F, taps, taps, borderType=cv2.BORDER_REFLECT_101))


def convolve(images: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Convolution: a bright point becomes a bright copy of the kernel, centred on it.

    Args:
        images: ``[B, C, H, W]`` float32.
        kernels: One an image, ``[B, k, l]``, or one a channel, ``[B, C, k, l]``; ``k`` and ``l`` odd. A sum of 1
            keeps the brightness.
    """
    if kernels.ndim == 3:
        kernels = kernels.unsqueeze(1)
    return _convolve_opencv(images, kernels) if images.device.type == "cpu" else _convolve_torch(images, kernels)


def windowed(images: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
    """The sum around each pixel, weighted down and across by the same ``taps``: what ``convolve`` does with their outer
    product, in a fraction of the time.

    Args:
        images: ``[B, C, H, W]`` float32.
        taps: ``[k]``, ``k`` odd, the same from both ends.
    """
    if images.device.type == "cpu":
        return _windowed_opencv(images, taps)
    return _windowed_torch(images, taps.expand(len(images), -1))


def box(images: torch.Tensor, radius: int) -> torch.Tensor:
    """The mean of the ``2 radius + 1`` pixels wide square around each pixel, for ``[B, C, H, W]`` float32."""
    return _box_opencv(images, radius) if images.device.type == "cpu" else _box_torch(images, radius)


def guided(guide: torch.Tensor, maps: torch.Tensor, radius: int, eps: float) -> torch.Tensor:
    """``maps`` smoothed along the edges of ``guide``: in every window they become the linear function of the guide
    that fits them best.

    Args:
        guide: ``[B, C, H, W]`` float32, the mean of whose channels guides.
        maps: ``[B, D, H, W]`` float32.
        radius: Of the windows, in pixels.
        eps: Contrast, as a variance of the guide, below which there is no edge: 1e-3 for values in [0, 1].

    Source: He et al. 2013, "Guided image filtering", eq. 5, 6 and 8.
    """
    grey = guide.mean(dim=1, keepdim=True)
    grey_mean, maps_mean = box(grey, radius), box(maps, radius)
    variance = box(grey * grey, radius) - grey_mean * grey_mean
    covariance = box(grey * maps, radius) - grey_mean * maps_mean
    slope = covariance / (variance.clamp_(min=0.0) + eps)
    offset = maps_mean - slope * grey_mean
    return torch.addcmul(box(offset, radius), box(slope, radius), grey)


def separable(planes: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
    """Each of the planes ``[1, N, H, W]`` correlated with its own taps ``[N, k]``, down and across, in torch.

    Nothing is added at the border: the result is ``k - 1`` pixels smaller, ``[1, N, H - k + 1, W - k + 1]``.
    """
    return _summed(_summed(planes, taps[:, None, :, None]), taps[:, None, None, :])


def mirrored(length: int, before: int, after: int) -> np.ndarray:
    """Where each of ``before + length + after`` pixels in a row is found in ``length`` pixels that go on mirrored about
    the border pixels (reflect-101), however far.
    """
    if length == 1:
        return np.zeros(before + 1 + after, dtype=np.int64)
    period = 2 * (length - 1)
    places = np.arange(-before, length + after) % period
    return np.minimum(places, period - places)


def _each(value: torch.Tensor | float, count: int) -> list[float]:
    if not isinstance(value, torch.Tensor):
        return [float(value)] * count
    return [float(one) for one in value.flatten().expand(count).tolist()]


def _reach(sigma: float) -> int:
    return math.ceil(_REACH * sigma)


def _block(sigma: float) -> int:
    return max(1, int(sigma / _FINE))


def _block_sigma(sigma: float, block: int) -> float:
    """The deviation, in blocks, that is left to do: their means and a linear interpolation between them blur too."""
    return math.sqrt((sigma / block) ** 2 - 1 / 12 - 1 / 6)


def _block_margin(length: int, sigma: float, block: int) -> tuple[int, int]:
    """Pixels to add before and after ``length``, so that the border is far away and blocks are whole."""
    reach = _reach(sigma) + 2 * block
    return reach, reach + -(length + 2 * reach) % block


def _gaussian_taps(sigma: float, radius: int) -> torch.Tensor:
    """``2 radius + 1`` values of sum 1, cut where this sigma's reach ends."""
    if sigma <= 0:
        return F.pad(torch.ones(1), (radius, radius))
    places = torch.arange(-radius, radius + 1, dtype=torch.float64)
    taps = torch.exp(-0.5 * (places / sigma).square()) * (places.abs() <= _reach(sigma))
    return (taps / taps.sum()).to(torch.float32)


# OpenCV, an image at a time
# ---------------------------------------------------------------------------------------------------------------------


def _gaussian_opencv(images: torch.Tensor, sigmas: list[float]) -> torch.Tensor:
    done = []
    for image, sigma in zip(images, sigmas, strict=True):
        pixels = hwc_view(image)
        blur = _wide_gaussian_opencv if _block(sigma) > 1 else gaussian_of_codes
        done.append(np.ascontiguousarray(blur(pixels, sigma)).reshape(pixels.shape) if sigma > 0 else pixels.copy())
    return from_hwc(done)


def _wide_gaussian_opencv(pixels: np.ndarray, sigma: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    block = _block(sigma)
    (top, bottom), (left, right) = (_block_margin(side, sigma, block) for side in (height, width))
    padded = cv2.copyMakeBorder(pixels, top, bottom, left, right, cv2.BORDER_REFLECT_101)
    size = (padded.shape[1], padded.shape[0])
    means = cv2.resize(padded, (size[0] // block, size[1] // block), interpolation=cv2.INTER_AREA)
    blurred = gaussian_of_codes(means, _block_sigma(sigma, block))
    return np.asarray(cv2.resize(blurred, size, interpolation=cv2.INTER_LINEAR))[
        top : top + height, left : left + width
    ]


def _convolve_opencv(images: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    done = []
    for image, each in zip(images, kernels, strict=True):
        pixels = hwc_view(image)
        # OpenCV correlates.
        filtered = [
            _correlate(part, kernel)
            for part, kernel in zip(
                [pixels] if len(each) == 1 else cv2.split(pixels),
                np.ascontiguousarray(each.detach().numpy()[:, ::-1, ::-1]),
                strict=True,
            )
        ]
        joined = filtered[0] if len(filtered) == 1 else cv2.merge(filtered)
        done.append(np.asarray(joined).reshape(pixels.shape))
    return from_hwc(done)


def _correlate(pixels: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    # OpenCV sums the taps other than 0 of a small kernel, and takes the Fourier transform of one of more than 129 taps,
    # in blocks, where torch is quicker. A thin trail has few taps: in small pieces it costs less.
    if kernel.size <= _DIRECT:
        return np.asarray(cv2.filter2D(pixels, -1, kernel, borderType=cv2.BORDER_REFLECT_101))
    filled = int(np.count_nonzero(kernel))
    if filled < _THIN:
        pieces = min((_pieces(kernel, *shape) for shape in _PIECES), key=len)
        if filled + _PIECE_COSTS * len(pieces) < _THIN:
            return _correlate_pieces(pixels, kernel.shape, pieces)
    return _correlate_fourier(pixels, kernel)


def _correlate_fourier(pixels: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    # A plane at a time: the transforms of a large picture fill memory.
    (height, width), (rows, columns) = pixels.shape[:2], kernel.shape
    size = next_fast_len(height + rows - 1, real=True), next_fast_len(width + columns - 1, real=True)
    top, left = rows // 2, columns // 2
    there = torch.fft.rfft2(torch.from_numpy(np.ascontiguousarray(kernel[::-1, ::-1])), s=size)
    done = []
    for plane in cv2.split(pixels):
        padded = cv2.copyMakeBorder(
            plane, top, size[0] - height - top, left, size[1] - width - left, cv2.BORDER_REFLECT_101
        )
        spectrum = torch.fft.rfft2(torch.from_numpy(np.asarray(padded))).mul_(there)
        whole = torch.fft.irfft2(spectrum, s=size).numpy()
        done.append(whole[rows - 1 : rows - 1 + height, columns - 1 : columns - 1 + width])
    return np.asarray(cv2.merge(done)).reshape(pixels.shape)


def _pieces(kernel: np.ndarray, rows: int, columns: int) -> list[tuple[int, int, np.ndarray]]:
    """Where each part of at most so many ``rows`` and ``columns`` begins that is not all 0; and that part."""
    first, left = (int(np.flatnonzero(kernel.any(axis=axis))[0]) for axis in (1, 0))
    starts = (
        (row, column) for row in range(first, len(kernel), rows) for column in range(left, kernel.shape[1], columns)
    )
    parts = ((row, column, kernel[row : row + rows, column : column + columns]) for row, column in starts)
    return [(row, column, np.ascontiguousarray(part)) for row, column, part in parts if part.any()]


def _correlate_pieces(
    pixels: np.ndarray, shape: tuple[int, ...], pieces: list[tuple[int, int, np.ndarray]]
) -> np.ndarray:
    (height, width), (rows, columns) = pixels.shape[:2], shape
    padded = cv2.copyMakeBorder(pixels, rows // 2, rows // 2, columns // 2, columns // 2, cv2.BORDER_REFLECT_101)
    total: np.ndarray | None = None
    for row, column, piece in pieces:
        high, wide = piece.shape
        seen = padded[row : row + height + high - 1, column : column + width + wide - 1]
        # Around its first tap, so that what is wanted begins in the corner; beyond, there is a border nobody looks at.
        part = cv2.filter2D(seen, -1, piece, anchor=(0, 0), borderType=cv2.BORDER_REPLICATE)[:height, :width]
        total = np.ascontiguousarray(part) if total is None else cv2.add(total, part, dst=total)
    assert total is not None
    return total


def _windowed_opencv(images: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
    weights = taps.numpy()
    done = [
        np.asarray(cv2.sepFilter2D(view, cv2.CV_32F, weights, weights, borderType=cv2.BORDER_REFLECT_101))
        for view in map(hwc_view, images)
    ]
    return from_hwc([pixels.reshape(*pixels.shape[:2], -1) for pixels in done])


def _box_opencv(images: torch.Tensor, radius: int) -> torch.Tensor:
    size = (2 * radius + 1, 2 * radius + 1)
    views = [hwc_view(image) for image in images]
    return from_hwc(
        [np.asarray(cv2.blur(view, size, borderType=cv2.BORDER_REFLECT_101)).reshape(view.shape) for view in views]
    )


# torch, a batch at a time
# ---------------------------------------------------------------------------------------------------------------------


def _pad_torch(images: torch.Tensor, rows: tuple[int, int], columns: tuple[int, int]) -> torch.Tensor:
    height, width = images.shape[-2:]
    down = torch.from_numpy(mirrored(height, *rows)).to(images.device)
    across = torch.from_numpy(mirrored(width, *columns)).to(images.device)
    return images.index_select(2, down).index_select(3, across)


def _gaussian_torch(images: torch.Tensor, sigmas: list[float]) -> torch.Tensor:
    if all(_block(sigma) == 1 for sigma in sigmas):
        return _narrow_gaussian_torch(images, sigmas)
    # The size of blocks follows sigma, so images go one by one.
    done = []
    for index, sigma in enumerate(sigmas):
        blur = _wide_gaussian_torch if _block(sigma) > 1 else _narrow_gaussian_torch
        done.append(blur(images[index : index + 1], [sigma]))
    return torch.cat(done)


def _narrow_gaussian_torch(images: torch.Tensor, sigmas: list[float]) -> torch.Tensor:
    radius = max(_reach(sigma) for sigma in sigmas)
    return _windowed_torch(images, torch.stack([_gaussian_taps(sigma, radius) for sigma in sigmas]))


def _windowed_torch(images: torch.Tensor, taps: torch.Tensor) -> torch.Tensor:
    """``windowed``, with taps of each image's own, ``[B, k]``."""
    batch, channels, height, width = images.shape
    radius = taps.shape[1] // 2
    kernels = taps.to(images.device).repeat_interleave(channels, dim=0)
    padded = _pad_torch(images, (radius, radius), (radius, radius))
    planes = padded.reshape(1, batch * channels, height + 2 * radius, width + 2 * radius)
    return separable(planes, kernels).reshape(batch, channels, height, width)


def _wide_gaussian_torch(images: torch.Tensor, sigmas: list[float]) -> torch.Tensor:
    height, width = images.shape[-2:]
    (sigma,) = sigmas
    block = _block(sigma)
    (top, bottom), (left, right) = (_block_margin(side, sigma, block) for side in (height, width))
    means = F.avg_pool2d(_pad_torch(images, (top, bottom), (left, right)), block)
    blurred = _narrow_gaussian_torch(means, [_block_sigma(sigma, block)])
    whole = F.interpolate(blurred, scale_factor=block, mode="bilinear", align_corners=False)
    return whole[..., top : top + height, left : left + width].contiguous()


def _convolve_torch(images: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    batch, channels, height, width = images.shape
    rows, columns = kernels.shape[-2:]
    kernels = kernels.to(images).expand(batch, channels, rows, columns)
    padded = _pad_torch(images, (rows // 2, rows // 2), (columns // 2, columns // 2))
    if max(rows, columns) <= _SPATIAL:
        planes = padded.reshape(1, batch * channels, *padded.shape[-2:])
        flipped = kernels.flip(-2, -1).reshape(batch * channels, 1, rows, columns)
        return _summed(planes, flipped).reshape(images.shape)
    size = padded.shape[-2:]
    product = torch.fft.rfft2(padded) * torch.fft.rfft2(kernels, s=size)
    full: torch.Tensor = torch.fft.irfft2(product, s=size)
    return full[..., rows - 1 : rows - 1 + height, columns - 1 : columns - 1 + width].contiguous()


def _summed(planes: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Planes ``[1, N, H, W]`` correlated with kernels ``[N, 1, k, l]``, each with its own, in full float32."""
    # Planes by the dozen are summed by torch's own code. A lone one would go to cuDNN, and so would planes that lie
    # interleaved: on a recent GPU that rounds to TF32, a mantissa of 10 bits.
    count, planes = planes.shape[1], planes.contiguous()
    if count == 1:
        planes, kernels = planes.expand(-1, 2, -1, -1), kernels.expand(2, -1, -1, -1)
    return F.conv2d(planes, kernels, groups=len(kernels))[:, :count]


def _box_torch(images: torch.Tensor, radius: int) -> torch.Tensor:
    width = 2 * radius + 1
    down = F.avg_pool2d(_pad_torch(images, (radius, radius), (radius, radius)), (width, 1), stride=1)
    both: torch.Tensor = F.avg_pool2d(down, (1, width), stride=1)
    return both
