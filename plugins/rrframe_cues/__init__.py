"""The cues that come with rrframe."""

from collections.abc import Iterator

from rrframe import Spec, hookimpl


@hookimpl
def register_cues() -> Iterator[Spec]:
    yield Spec("depth/file", "rrframe_cues.files:DepthFile", "Depth maps in files beside the pictures.")
    yield Spec(
        "depth/gradient", "rrframe_cues.depth:Gradient", "A guess from one photograph: low is near, sharp is nearer."
    )
    yield Spec(
        "depth/plane",
        "rrframe_cues.depth:Plane",
        "A slanted plane, near at the bottom and far at the top.",
        default=True,
    )
    yield Spec(
        "depth/transformers",
        "rrframe_cues.networks:DepthModel",
        "A network: DPT, MiDaS, Depth Anything.",
        extra="rrframe[transformers]",
    )
    yield Spec("frames/beside", "rrframe_cues.frames:Beside", "The neighbours of a frame in its clip.")
    yield Spec(
        "highlights/clipped",
        "rrframe_cues.highlights:Clipped",
        "Lamps, the sun, glints: what is clipped where little else is.",
        default=True,
    )
    yield Spec("segments/file", "rrframe_cues.files:SegmentsFile", "Label maps in files beside the pictures.")
    yield Spec("segments/sam2", "rrframe_cues.networks:Sam2", "Things, found by SAM 2.", extra="rrframe[transformers]")
    yield Spec(
        "segments/slic", "rrframe_cues.segments:Slic", "Compact patches of like colour that follow edges.", default=True
    )
