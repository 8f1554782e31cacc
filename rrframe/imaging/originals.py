"""A photograph with all that its file holds, to be given back changed and otherwise as it was."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

import numpy as np
import torch
from PIL import ExifTags, Image

from rrframe.imaging.layout import to_batch, to_pixels
from rrframe.imaging.matrix_profiles import MatrixProfile
from rrframe.imaging.profiles import is_foreign, space_of, srgb_profile
from rrframe.imaging.reading import GREY, Layers, read_layers

_TOLD = frozenset(  # tags of the first directory of EXIF that tell of the photograph, not of how its file is laid out
    {
        ExifTags.Base.ImageDescription,
        ExifTags.Base.Make,
        ExifTags.Base.Model,
        ExifTags.Base.Software,
        ExifTags.Base.DateTime,
        ExifTags.Base.Artist,
        ExifTags.Base.HostComputer,
        ExifTags.Base.Rating,
        ExifTags.Base.RatingPercent,
        ExifTags.Base.Copyright,
        ExifTags.Base.XPTitle,
        ExifTags.Base.XPComment,
        ExifTags.Base.XPAuthor,
        ExifTags.Base.XPKeywords,
        ExifTags.Base.XPSubject,
    }
)
# "1" in every place where XMP says how to turn the picture
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|>))\d")


@dataclass(frozen=True)
class Metadata:
    """What a file says beside its pixels.

    Args:
        exif: As EXIF is kept in files; upright. The thumbnail in it, which shows the picture as it was, is left out.
        icc: The profile that the colours are in; ``None`` for sRGB.
        xmp: Adobe's packet.
        dpi: Pixels an inch, across and down.
    """

    exif: bytes = b""
    icc: bytes | None = None
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None


@dataclass(frozen=True)
class Original:
    """A photograph as its file has it, upright.

    Args:
        pixels: ``[H, W, 3]`` uint8 or uint16, in ``space``, or in sRGB where that is ``None``.
        alpha: ``[H, W]`` of the same type; ``None`` without.
        grey: The file has no colour.
        space: The profile that colours were left in.
        format: Pillow's name of the file's format.
        metadata: What else was in it.
        sha256: Of its bytes.
        notes: What had to be done to get here.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None
    grey: bool
    space: MatrixProfile | None
    format: str
    metadata: Metadata
    sha256: str
    notes: tuple[str, ...]

    def image(self) -> torch.Tensor:
        """``[1, 3, H, W]`` float32 in [0, 1], encoded sRGB; what lies beyond sRGB is cut off."""
        if self.space is None:
            return to_batch(self.pixels)
        return torch.from_numpy(self.space.to_srgb(self.pixels)).clamp(0, 1).unsqueeze(0).permute(0, 3, 1, 2)

    def samples(self, restored: torch.Tensor) -> np.ndarray:
        """What the file is to hold in place of its pixels.

        What was cut off by ``image`` is added again, so that an image that nothing was done to gives the file's own
        samples.

        Args:
            restored: ``[3, H, W]`` float32 in [0, 1], encoded sRGB.

        Returns:
            ``[H, W]`` or ``[H, W, C]`` uint8 or uint16 in the file's profile: grey or RGB, and then alpha.
        """
        if self.space is None:
            colour = to_pixels(restored, self.pixels.dtype)
        else:
            before = self.space.to_srgb(self.pixels)
            after = before - before.clip(0, 1) + restored.permute(1, 2, 0).cpu().numpy()
            colour = self.space.changed(self.pixels, before, after)
        if self.grey:
            colour = np.rint(colour.mean(axis=2, keepdims=True)).astype(colour.dtype)
        samples = colour if self.alpha is None else np.concatenate([colour, self.alpha[..., None]], axis=2)
        return samples[..., 0] if samples.shape[2] == 1 else samples


def read_original(path: str | os.PathLike[str], *, max_pixels: int = 100_000_000) -> Original:
    """The photograph in the file at ``path``.

    Colours stay in profiles of curves and a matrix, which those of cameras and displays are, at the file's depth. From
    any other, such as of inks, they come to sRGB at eight bits.

    Args:
        path: A file.
        max_pixels: More are refused.

    Raises:
        RRFrameError: It cannot be read, with a reason that tells a person what is wrong with it.
    """
    layers = read_layers(path, max_pixels=max_pixels, keeps_profile=_stays)
    header, notes = layers.header, list(layers.notes)
    grey = header.mode in GREY
    profile = header.info.get("icc_profile")
    space = MatrixProfile.read(profile) if profile and _stays(profile, header.mode) else None
    if not grey:
        icc = profile if space or _is_plain(profile, "RGB") else srgb_profile() if is_foreign(profile) else None
    else:
        icc = profile if space or _is_plain(profile, "L") else None
    return Original(
        pixels=layers.colour,
        alpha=layers.alpha,
        grey=grey,
        space=space,
        format=header.format or "",
        metadata=_metadata(layers, icc, notes),
        sha256=layers.sha256,
        notes=tuple(note for note in notes if not (grey and note == "grey to RGB")),
    )


def _stays(profile: bytes, mode: str) -> bool:
    if mode in ("CMYK", "LAB", "YCbCr") or not is_foreign(profile) or MatrixProfile.read(profile) is None:
        return False
    return space_of(profile) == "RGB" or mode in GREY


def _is_plain(profile: bytes | None, mode: str) -> bool:
    return space_of(profile) == mode and not is_foreign(profile)


def _metadata(layers: Layers, icc: bytes | None, notes: list[str]) -> Metadata:
    header = layers.header
    if not isinstance(header, Image.Image):
        return Metadata(icc=icc)
    xmp = header.info.get("xmp", b"")
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    dpi = header.info.get("dpi")
    try:
        exif = _exif(header, *layers.colour.shape[:2])
    except Exception:  # a photograph is worth more than its metadata
        notes.append("EXIF that cannot be written again left out")
        exif = b""
    return Metadata(
        exif=exif,
        icc=icc,
        xmp=_XMP_ORIENTATION.sub(rb"\g<1>1", xmp) if isinstance(xmp, bytes) else b"",
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and min(dpi) > 0 else None,
    )


def _exif(header: Image.Image, height: int, width: int) -> bytes:
    source, kept = header.getexif(), Image.Exif()
    for tag in _TOLD & source.keys():
        kept[tag] = source[tag]
    inner = dict(source.get_ifd(ExifTags.IFD.Exif))
    inner.pop(ExifTags.IFD.Interop, None)  # an address in the old file
    for tag, size in ((ExifTags.Base.ExifImageWidth, width), (ExifTags.Base.ExifImageHeight, height)):
        if tag in inner:
            inner[tag] = size
    for directory, tags in ((ExifTags.IFD.Exif, inner), (ExifTags.IFD.GPSInfo, source.get_ifd(ExifTags.IFD.GPSInfo))):
        if tags:
            kept[directory] = tags
    if ExifTags.Base.Orientation in source:
        kept[ExifTags.Base.Orientation] = 1
    return kept.tobytes() if len(kept) else b""
