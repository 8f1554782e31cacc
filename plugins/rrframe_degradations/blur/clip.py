"""Blur from the frames of a clip."""

from __future__ import annotations

import torch

from rrframe import Cues, Degradation, Dial, Draws, uniform
from rrframe.imaging.clips import looked_up
from rrframe.imaging.colour import encoded_to_linear
from rrframe_degradations.blur.optics import highlights_dial, lit_codes, with_highlights

_ROWS = 64  # worked on at a time


class Clip(Degradation):
    """What a longer exposure would have made of a clip: the mean of its frames in linear light, with the light of
    clipped highlights given back to each. Everything moves as it really moved; the clean target is the middle frame, to
    the bit.

    The cue ``frames`` has the neighbours, n before the picture and n after it; frames/beside reads them from a video or
    a folder of frames. With half an exposure of h frames, a neighbour at a distance of k frames has the weight h - k +
    1/2, at most 1; all weights are divided by their sum. Sensor noise comes after, by noise/sensor or
    noise/poisson-gaussian as the next step.

    Source: Nah et al. 2017, "Deep multi-scale convolutional neural network for dynamic scene deblurring" (GoPro), for
    the mean; Rim et al. 2022, "Realistic blur synthesis for learning image deblurring" (RSBlur), section 4, for the
    light and the highlights: 32.1 instead of 30.1 dB on real blur.
    Cannot: fill in between frames: what moves by more than some pixels from one to the next shows several times, so
    clips want 120 frames a second and more, or interpolation before; notice a cut; give a target sharper than the
    clip's own frames.
    """

    category = "blur"
    light = "linear"
    cues = {"frames"}
    exposure: Dial = uniform(
        0.3, 1.0, mild=0.0, low=0.0, high=1.0, unit="of the frames given", about="how long the shutter is open"
    )
    highlights: Dial = highlights_dial()

    def apply(self, images: torch.Tensor, draw: Draws, cues: Cues) -> torch.Tensor:
        neighbours = cues.frames.split(3, dim=1)
        reach = len(neighbours) // 2
        half = draw.exposure * (reach + 0.5)
        weights = [(half - abs(place) + 0.5).clamp_(0.0, 1.0) for place in (*range(-reach, 0), *range(1, reach + 1))]
        seen = [(frame, weight) for frame, weight in zip(neighbours, weights, strict=True) if weight.any()]
        total = torch.stack([torch.ones_like(half), *(weight for _, weight in seen)]).sum(dim=0)
        of_code = lit_codes(draw.highlights)
        done = torch.empty_like(images)
        for first in range(0, images.shape[2], _ROWS):  # the light of whole frames would take gigabytes
            rows = slice(first, first + _ROWS)
            light = with_highlights(images[:, :, rows], draw.highlights).contiguous()
            for frame, weight in seen:
                part = frame[:, :, rows]
                eight_bits = part.dtype == torch.uint8
                light.addcmul_(
                    looked_up(part, of_code)
                    if eight_bits
                    else with_highlights(encoded_to_linear(part), draw.highlights),
                    weight,
                )
            done[:, :, rows] = light.div_(total).clamp_(0.0, 1.0)
        return done
