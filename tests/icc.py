"""Small ICC profiles (version 2), written byte by byte for tests."""

from __future__ import annotations

import struct

import numpy as np

_D50 = (0.9642, 1.0, 0.8249)


def grey_profile(gamma: float) -> bytes:
    """Grey that is light to the power ``1 / gamma``."""
    return _profile(b"GRAY", b"XYZ ", {b"kTRC": _curve(gamma)})


def rgb_profile(columns: np.ndarray, gamma: float, name: str) -> bytes:
    """RGB with primaries given as the columns of a ``[3, 3]`` matrix to XYZ, adapted to D50."""
    curve = _curve(gamma)
    curves = {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    primaries = {tag: _xyz(*column) for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True)}
    return _profile(b"RGB ", b"XYZ ", primaries | curves, name)


def black_ink_profile() -> bytes:
    """CMYK that looks at black alone: L* falls evenly from 100 to 0."""
    ramp = bytes(range(256))
    grid = b"".join(bytes([0 if corner & 1 else 255, 128, 128]) for corner in range(16))  # black varies fastest
    matrix = np.eye(3).ravel()
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + b"".join(map(_fixed, matrix)) + ramp * 4 + grid + ramp * 3
    return _profile(b"CMYK", b"Lab ", {b"A2B0": table})


def _profile(space: bytes, connection: bytes, tags: dict[bytes, bytes], name: str = "test") -> bytes:
    text = name.encode() + b"\0"
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": _xyz(*_D50),
        **tags,
    }
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for tag, data in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    size = start + len(body)
    device = b"prtr" if space == b"CMYK" else b"mntr"
    head = struct.pack(">I4sI", size, b"test", 0x02400000) + device + space + connection + bytes(12) + b"acsp"
    head = head.ljust(68, b"\0") + b"".join(map(_fixed, _D50))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body


def _curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def _xyz(*values: float) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(map(_fixed, values))


def _fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))
