"""Codecs of video, on a single frame."""

from __future__ import annotations

from fractions import Fraction

import av
import cv2
import numpy as np

from rrframe import Cues, Dial, Draws, FileDegradation, RRFrameError, choice, integers
from rrframe.imaging.codec import CHROMA

# Each in one thread: the cores go to worker processes. x265 is slower than x264 at any preset: larger blocks than 16
# pixels, and a choice among them by rate, would double its time again, and keep half a decibel. For more than some two
# megapixels the standard's levels ask for larger ones all the same, which matters to players alone.
_X265 = "pools=none:frame-threads=1:log-level=none:ctu=16:rd=1:allow-non-conformance=1"
_ENCODERS = {
    "h264": ("libx264", {"preset": "veryfast"}),
    "h265": ("libx265", {"preset": "ultrafast", "x265-params": _X265}),
}
_LEAST_SIDE = 16  # what x265 takes
_DRAWN = {"choice": ["4:2:0"]}  # of the chroma subsamplings


class Video(FileDegradation):
    """The first frame of a video: a key frame of H.264 or H.265 at a constant rate factor, written and read again.

    Blocks are predicted from their neighbours and their edges smoothed: flat parts go flat, fine texture goes away, and
    long edges keep a staircase. The chroma is at 4:2:0, as in nearly all video; some recordings of screens have more.

    Source: ITU-T H.264 and H.265; rate factors 23 (x264's default) to 38 and 28 (x265's) to 42.
    Cannot: what comes with motion: later frames, that drift and pump; encoders in hardware; the blocks of H.265 above
    16 pixels. Encoding needs PyAV with libx264 and libx265.
    """

    category = "compression"
    codec: Dial = choice("h264", "h265", about="the standard")
    h264: Dial = integers(23, 38, mild=1, low=0, high=51, power=0.5, about="x264's rate factor, for that codec")
    h265: Dial = integers(28, 42, mild=1, low=0, high=51, power=0.5, about="x265's rate factor, for that codec")
    chroma: Dial = choice(*CHROMA, mild="4:4:4", about="subsampling: 4:4:4, 4:2:2 or 4:2:0").with_value(_DRAWN)

    def apply_pixels(self, pixels: np.ndarray, draw: Draws, cues: Cues) -> np.ndarray:
        (one,) = draw
        codec = str(one.values["codec"])
        return through_video(pixels, codec, one.values[codec], one.values["chroma"])


def through_video(pixels: np.ndarray, codec: str, factor: int, chroma: str = "4:2:0") -> np.ndarray:
    """``[H, W, 3]`` uint8 after a key frame of ``codec``, ``h264`` or ``h265``, at the constant rate ``factor``, with
    the chroma subsampling ``4:4:4``, ``4:2:2`` or ``4:2:0``.

    Raises:
        RRFrameError: This PyAV has no encoder or decoder for it.
    """
    height, width, _ = pixels.shape
    rows, columns = (max(_LEAST_SIDE, side + side % 2) for side in (height, width))  # chroma wants pairs of pixels
    padded = cv2.copyMakeBorder(pixels, 0, rows - height, 0, columns - width, cv2.BORDER_REPLICATE)
    name, options = _ENCODERS[codec]
    layout = f"yuv{chroma.replace(':', '')}p"
    encoder = _context(name, "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = columns, rows, layout, Fraction(1, 25)
    encoder.options = {"crf": str(factor), **options}
    frame = av.VideoFrame.from_ndarray(padded, format="rgb24").reformat(format=layout)
    packets = [*encoder.encode(frame), *encoder.encode(None)]
    decoder = _context({"h264": "h264", "h265": "hevc"}[codec], "r")
    frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    return np.ascontiguousarray(frames[0].to_ndarray(format="rgb24")[:height, :width])


def _context(name: str, mode: str) -> av.VideoCodecContext:
    try:
        context = av.CodecContext.create(name, mode)
    except av.codec.codec.UnknownCodecError as error:
        raise RRFrameError(
            f"this PyAV cannot {'encode' if mode == 'w' else 'decode'} with {name}",
            component="compression/video",
            hint="the wheels of PyAV can: pip install --force-reinstall 'rrframe[video]'; or choose the other codec",
        ) from error
    context.thread_count = 1
    return context
