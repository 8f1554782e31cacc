"""Colour profiles: from what a file says its colours are to encoded sRGB."""

from __future__ import annotations

import functools
import io

import numpy as np
from PIL import Image, ImageCms

_SPACES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # the colour space a profile names -> Pillow's mode for it
_SAME = 2  # in 255: two makers' tables of the sRGB curve differ by so much
_KINDS = {"1": "1-bit", "L": "grey", "P": "palette", "PA": "palette", "YCbCr": "YCbCr", "LAB": "CIELAB"}


def is_foreign(profile: bytes | None) -> bool:
    """Whether ``profile``, the bytes of an ICC profile, is readable and describes anything but sRGB."""
    try:
        return profile is not None and _conversion(profile)[1] is not None
    except Exception:  # whatever the parser makes of a broken one
        return False


def space_of(profile: bytes | None) -> str | None:
    """Pillow's mode of the pixels that ``profile`` is for; ``None`` without one, or where it is broken."""
    try:
        return _conversion(profile)[0] if profile else None
    except Exception:  # whatever the parser makes of a broken one
        return None


def srgb_profile() -> bytes:
    """An ICC profile of sRGB."""
    return bytes(_srgb().tobytes())


def to_srgb(picture: Image.Image, profile: bytes | None, notes: list[str]) -> Image.Image:
    """``picture`` (any of Pillow's modes of eight bits without alpha) as RGB, encoded sRGB.

    A broken profile is ignored: the pixels are then taken as sRGB, as viewers do. Tables with several rendering
    intents are asked for the perceptual one, which is meant for photographs.

    Args:
        picture: Its pixels.
        profile: The ICC profile that came with it, if one did.
        notes: What was done is added here.
    """
    mode, kind = picture.mode, _KINDS.get(picture.mode)
    if mode == "LAB":
        notes.append("CIELAB to RGB")
        lab, srgb = ImageCms.createProfile("LAB"), _srgb()
        return _applied(ImageCms.buildTransform(lab, srgb, "LAB", "RGB"), picture)
    if profile:
        try:
            space, transform, name = _conversion(profile)
            if transform is None:
                profile = None
            elif space == mode or (space == "RGB" and mode != "CMYK"):
                done = _applied(transform, picture if space == mode else picture.convert("RGB"))
                notes.extend([*([f"{kind} to RGB"] if kind else []), f"ICC profile {name!r} to sRGB"])
                return done
            else:
                notes.append(f"ICC profile {name!r} is not for such pixels, ignored")
        except Exception:
            notes.append("broken ICC profile ignored")
    if mode == "CMYK":
        notes.append("CMYK to RGB without an ICC profile")
    elif kind:
        notes.append(f"{kind} to RGB")
    return picture if mode == "RGB" else picture.convert("RGB")


@functools.lru_cache(maxsize=8)
def _conversion(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform | None, str]:
    """The mode that ``profile`` is for, the way from there to sRGB (``None`` where it changes nothing), its name."""
    opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    name = " ".join(ImageCms.getProfileDescription(opened).split()) or "unnamed"
    mode = _SPACES[opened.profile.xcolor_space.strip()]
    transform = ImageCms.buildTransform(opened, _srgb(), mode, "RGB")
    # Judged by what it does, not by its name: many profiles are sRGB under another name, and some the reverse.
    chart = _chart(mode)
    change = np.asarray(_applied(transform, chart)).astype(np.int16) - np.asarray(chart.convert("RGB"))
    return mode, None if np.abs(change).max() <= _SAME else transform, name


def _applied(transform: ImageCms.ImageCmsTransform, picture: Image.Image) -> Image.Image:
    done = ImageCms.applyTransform(picture, transform)
    assert done is not None  # it is only where the change is made in place
    return done


def _chart(mode: str) -> Image.Image:
    """Colours all over the space, 16 apart."""
    steps = np.linspace(0, 255, 17).astype(np.uint8)
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    red, green, blue = np.meshgrid(steps, steps, steps)
    chart = Image.fromarray(np.stack([red, green, blue], axis=-1).reshape(17, -1, 3))
    return chart if mode == "RGB" else chart.convert(mode)


@functools.lru_cache(maxsize=1)
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
