"""Tar shards whose bytes depend on nothing but what is put in, and whose members can be found without reading the
tar.
"""

from __future__ import annotations

import io
import tarfile
from typing import BinaryIO


class TarShard:
    """Writes members one after another: USTAR, time 0, owner 0, so that the same members give the same bytes.

    Args:
        file: Where to write, open for binary writing.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._tar = tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 closed by close()

    def add(self, name: str, data: bytes) -> tuple[int, int]:
        """Append a member called ``name`` and give its data's offset in the file and its length, in bytes."""
        member = tarfile.TarInfo(name)
        member.size = len(data)
        offset = self._file.tell() + tarfile.BLOCKSIZE  # a USTAR header is one block
        self._tar.addfile(member, io.BytesIO(data))
        return offset, len(data)

    def close(self) -> None:
        """Write the end of the archive. The file stays open."""
        self._tar.close()
