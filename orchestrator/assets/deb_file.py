"""Find the files of a Debian package: an ar archive whose `data.tar.*` holds them. Needs no dpkg; unpacks nothing."""

from __future__ import annotations

import io
from typing import IO, cast

from orchestrator.errors import AssetError

DEB_MAGIC = b"!<arch>\n"
_HEADER_BYTES = 60
_MOST_MEMBERS = 100


def data_of(raw: IO[bytes]) -> IO[bytes]:
    """The `data.tar.*` of a package as a stream of its own; `raw` stands at the package's start. ValueError if none."""
    if raw.read(len(DEB_MAGIC)) != DEB_MAGIC:
        raise ValueError("no Debian package")
    for _ in range(_MOST_MEMBERS):
        header = raw.read(_HEADER_BYTES)
        if not header:
            break
        name, size_bytes = _parse(header)
        if name.startswith("data.tar"):
            return cast(IO[bytes], io.BufferedReader(_Window(raw, size_bytes), 1 << 20))
        raw.seek(size_bytes + size_bytes % 2, io.SEEK_CUR)
    raise AssetError("the Debian package holds no data.tar", hint="it is damaged, or no binary package")


def _parse(header: bytes) -> tuple[str, int]:
    if len(header) < _HEADER_BYTES or header[58:] != b"`\n":
        raise ValueError("a damaged header in the Debian package")
    digits = header[48:58].strip()
    if not digits.isdigit():
        raise ValueError("a damaged size in the Debian package")
    return header[:16].decode("ascii").rstrip().rstrip("/"), int(digits)


class _Window(io.RawIOBase):
    """A part of a file, as a file; it ends where the part does, and a part that is cut is an error."""

    def __init__(self, raw: IO[bytes], size_bytes: int) -> None:
        super().__init__()
        self._raw, self._start, self._size, self._at = raw, raw.tell(), size_bytes, 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place inside the part."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer; 0 at the end of the part."""
        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        self._raw.seek(self._start + self._at)
        piece = self._raw.read(wanted)
        if not piece:
            raise EOFError("the Debian package is cut")
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)
