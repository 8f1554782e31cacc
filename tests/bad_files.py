"""Every kind of bad file that a folder of photographs may hold, and odd ones that are fine."""

from __future__ import annotations

import os
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image


def write_bad_files(folder: Path) -> dict[str, str]:
    """Write files that cannot be read into ``folder``: key -> a part of the reason that each must be given.

    Permission bits do not stop root: ``unreadable.jpg`` is among them only for other users.
    """
    photo = _photo()
    jpeg, png, tiff = (encoded(photo, name) for name in ("JPEG", "PNG", "TIFF"))
    spoilt = bytearray(png)
    spoilt[len(png) // 2] ^= 0xFF
    files = {
        "bomb.png": (png_file(30_000, 30_000), "30000 x 30000 = 900,000,000 pixels, more than the 100,000,000 allowed"),
        "bomb.tif": (_tiff_header(30_000, 30_000), "900,000,000 pixels"),
        "corrupt.png": (bytes(spoilt), "is damaged"),
        "empty.jpg": (b"", "is empty (0 bytes)"),
        "header only.jpg": (jpeg[:20], "begins like a JPEG file and is damaged: its header is not whole"),
        "nan.tif": (encoded(Image.fromarray(np.full((8, 8), np.nan, np.float32)), "TIFF"), "holds NaN"),
        "text.jpg": (b"<!doctype html><title>404 Not Found</title>" * 9, "is not a picture of a known format"),
        "truncated.jpg": (jpeg[: len(jpeg) // 2], "is truncated"),
        "truncated.png": (png[: len(png) // 2], "is truncated"),
        "truncated.tif": (tiff[: len(tiff) // 2], "is truncated"),
        "zeros.jpg": (bytes(4096), "is not a picture of a known format"),
    }
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    reasons = {name: reason for name, (_, reason) in files.items()}
    (folder / "directory.jpg").mkdir()
    (folder / "lost link.jpg").symlink_to("nowhere.jpg")
    (folder / "link to itself.jpg").symlink_to("link to itself.jpg")
    os.mkfifo(folder / "pipe.jpg")
    reasons |= {
        "directory.jpg": "is a folder, not a picture",
        "lost link.jpg": "is a link to a file that is not there",
        "link to itself.jpg": "cannot be read: ",
        "pipe.jpg": "is a device or a pipe",
    }
    if os.geteuid() != 0:
        (folder / "unreadable.jpg").write_bytes(jpeg)
        (folder / "unreadable.jpg").chmod(0)
        reasons["unreadable.jpg"] = "may not be read: permission denied"
    return reasons


def write_odd_files(folder: Path) -> list[str]:
    """Write pictures that are fine, under names that are trouble, into ``folder``: their keys, sorted."""
    names = ["1 x 1.png", "a/same name.png", "b/same name.png", "Überblick über 北京 🏯.png", "UPPER.PNG", "a'b\"c.png"]
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (Image.new("RGB", (1, 1)) if name == "1 x 1.png" else _photo()).save(folder / name)
    try:  # a name that is no text, where the file system allows it
        (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(encoded(_photo(), "PNG"))
        names.append(r"caf\xe9.png")
    except OSError:
        pass
    return sorted(names)


def encoded(image: Image.Image, format: str, **settings: object) -> bytes:
    file = BytesIO()
    image.save(file, format, **settings)
    return file.getvalue()


def png_file(
    width: int,
    height: int,
    *,
    depth: int = 8,
    colour: int = 2,
    rows: bytes = b"",
    chunks: dict[bytes, bytes] | None = None,
) -> bytes:
    """A PNG file by its parts: what no writer would make. ``rows`` holds the filter bytes too."""
    parts = {
        b"IHDR": struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0),
        **(chunks or {}),
        b"IDAT": zlib.compress(rows),
        b"IEND": b"",
    }
    made = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts.items()
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def _photo() -> Image.Image:
    """As large as filters ask for, and with enough detail that half a file is half a picture."""
    noise = np.random.default_rng(3).integers(0, 256, (260, 300, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def _tiff_header(width: int, height: int) -> bytes:
    whole = encoded(Image.new("RGB", (2, 2)), "TIFF")
    end = b"\x01\x00\x00\x00"  # one value
    for tag, old, new in ((256, 2, width), (257, 2, height), (278, 2, height)):
        for kind, form in ((3, "<HH4sHH"), (4, "<HH4sI")):
            values = (tag, kind, end, old, 0) if kind == 3 else (tag, kind, end, old)
            wanted = (tag, kind, end, new, 0) if kind == 3 else (tag, kind, end, new)
            whole = whole.replace(struct.pack(form, *values), struct.pack(form, *wanted))
    return whole
