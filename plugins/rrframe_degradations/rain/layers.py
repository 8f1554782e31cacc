"""Captured rain."""

from __future__ import annotations

from rrframe_degradations.library import Blend, Library


class Layers(Library):
    """Captured rain from a folder, blended over the photograph.

    I = 1 - (1 - J)(1 - s a L) in linear light, with s the strength, L the layer's light and a its alpha: rain filmed
    before black, as most of it is. For layers with alpha there is ``blend: over``. The layers that come along are
    rendered stand-ins, for trying.

    Source: blending of captured rain patterns as in RealRestorer, arXiv 2603.25502, which has about 200 of its own.
    Cannot: follow depth, perspective or the light of the photograph; rain/streaks does.
    """

    category = "rain"
    layers = "rain"
    blend: Blend = "screen"
