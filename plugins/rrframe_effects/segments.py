"""Regions grown from segments."""

from __future__ import annotations

import random

import torch

_LOOKED_AT = 256  # pixels of the shorter side that sizes and neighbours are taken from


def grown(labels: torch.Tensor, area: float, pieces: int, generator: random.Random) -> torch.Tensor:
    """A region of neighbouring segments.

    Args:
        labels: ``[1, H, W]`` float32, whole numbers from 0: a segment is what has the same number.
        area: The share of the image to cover. Segments come whole: it is met as closely as adding and leaving out
            allows, and the region has one segment at least unless ``area`` is 0.
        pieces: How many segments it grows from.
        generator: Which ones, and where it grows to.

    Returns:
        ``[1, H, W]`` float32 of 0 and 1.
    """
    step = max(1, min(labels.shape[-2:]) // _LOOKED_AT)
    coarse = labels[0, ::step, ::step].to(torch.int64)
    count = int(labels.max()) + 1
    sizes = coarse.reshape(-1).bincount(minlength=count).tolist()
    chosen = _chosen(sizes, _neighbours(coarse, count), area * coarse.numel(), pieces, generator)
    lit = torch.zeros(count, dtype=torch.float32)
    lit[chosen] = 1.0
    # Of torch's ways to look up, the fast one.
    return lit.to(labels.device).index_select(0, labels.to(torch.int32).view(-1)).view(labels.shape)


def _chosen(
    sizes: list[int], neighbours: dict[int, list[int]], wanted: float, pieces: int, generator: random.Random
) -> list[int]:
    order = [segment for segment, size in enumerate(sizes) if size]
    generator.shuffle(order)
    starts, fresh = order[:pieces], iter(order)
    covered, chosen, edge, tried = 0, list[int](), list[int](), set[int]()
    while wanted > 0 and len(tried) < len(order):
        if starts:
            segment = starts.pop()
        elif edge:
            place = generator.randrange(len(edge))
            edge[place], segment = edge[-1], edge[place]
            edge.pop()
        else:  # nothing left to grow into: another place to begin
            segment = next(segment for segment in fresh if segment not in tried)
        if segment in tried:
            continue
        tried.add(segment)
        if abs(covered + sizes[segment] - wanted) < abs(covered - wanted):
            covered += sizes[segment]
            chosen.append(segment)
            edge.extend(other for other in neighbours[segment] if other not in tried)
    if wanted > 0 and not chosen:  # every segment is more than twice the area
        chosen = [min(order, key=lambda segment: (sizes[segment], segment))]
    return chosen


def _neighbours(numbers: torch.Tensor, count: int) -> dict[int, list[int]]:
    """The segments that touch each of ``count`` segments, for their numbers at each pixel, ``[H, W]``."""
    found = []
    for one, other in ((numbers[1:], numbers[:-1]), (numbers[:, 1:], numbers[:, :-1])):
        apart = one != other
        found.append(torch.minimum(one[apart], other[apart]) * count + torch.maximum(one[apart], other[apart]))
    neighbours: dict[int, list[int]] = {segment: [] for segment in range(count)}
    for pair in torch.cat(found).unique().tolist():
        neighbours[pair // count].append(pair % count)
        neighbours[pair % count].append(pair // count)
    return neighbours
