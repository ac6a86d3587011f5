"""Read archives from front to back as one kind of entry: zip, tar (gz, bz2, xz), deb, one compressed file.

The format is told by the content, never by the name. Writes nothing and judges nothing: that is archive_guard.py. What
is cut or damaged is an AssetError, also where a library would stop silently.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import IO, cast

from orchestrator.assets.archive_guard import printable
from orchestrator.assets.deb_file import DEB_MAGIC, data_of
from orchestrator.errors import AssetError

_PIECE_BYTES = 1 << 20
_TAR_BLOCK = 512
_TAR_BUFFER_BYTES = 1 << 16  # tarfile moves the rest of its buffer for every entry: a big one costs more than it saves
_HEADER_MOST_BYTES = 1 << 20
_IN_MEMORY = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_SPARSE = "unpack it yourself, and give the folder with --asset NAME=PATH"
_TRAILING_BYTES = 64 << 20  # after a tar's end: padding, never more
_BROKEN = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    struct.error,
    NotImplementedError,
    RuntimeError,  # zipfile: a password is asked for
    ValueError,
    KeyError,
    IndexError,
    OverflowError,
)


class EntryKind(Enum):
    """What an entry is; OTHER: a device, a fifo, or what no one knows."""

    FILE = auto()
    FOLDER = auto()
    SYMBOLIC_LINK = auto()
    HARD_LINK = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry as the archive has it. `content` opens it, until the next entry is asked for; `size_bytes` as it says.

    `what` is a word for a kind that is refused; `special`: it asks for setuid or setgid.
    """

    name: str
    kind: EntryKind
    size_bytes: int = 0
    link: str = ""
    executable: bool = False
    special: bool = False
    what: str = ""
    content: Callable[[], IO[bytes]] | None = None


@contextmanager
def opened(archive: Path) -> Iterator[Iterator[Entry]]:
    """The entries of an archive; a single compressed file has one, without a name. AssetError when it is broken."""
    with readable(archive), archive.open("rb") as raw:
        head = raw.read(_TAR_BLOCK)
        raw.seek(0)
        if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
            with zipfile.ZipFile(raw) as opened_zip:
                yield _zip_entries(opened_zip, archive.name)
        elif head.startswith(DEB_MAGIC):
            yield _stream_entries(data_of(raw), single=False)
        else:
            yield _stream_entries(raw, single=True)


@contextmanager
def readable(archive: Path) -> Iterator[None]:
    """Turns every way in which a library finds an archive broken into an AssetError that names it."""
    try:
        yield
    except AssetError:
        raise
    except gzip.BadGzipFile as error:
        raise _unreadable(archive, error) from error
    except OSError as error:
        if error.errno is not None:  # the disk's fault, not the archive's
            raise
        raise _unreadable(archive, error) from error
    except _BROKEN as error:
        raise _unreadable(archive, error) from error


def is_archive(path: Path) -> bool:
    """Whether a file looks like something that `opened` reads."""
    with path.open("rb") as file:
        head = file.read(_TAR_BLOCK)
    return head.startswith((b"PK\x03\x04", DEB_MAGIC, *_MAGICS)) or _is_tar(head)


def _unreadable(archive: Path, error: BaseException) -> AssetError:
    return AssetError(
        f"{archive} is not a readable archive: {error or type(error).__name__}",
        hint="it came damaged, or it is no archive (zip, tar, gz, bz2, xz are)",
    )


def _zip_entries(archive: zipfile.ZipFile, label: str) -> Iterator[Entry]:
    for member in sorted(archive.infolist(), key=lambda item: item.header_offset):
        mode = member.external_attr >> 16
        kind = _zip_kind(member, mode)
        target = archive.read(member).decode() if kind is EntryKind.SYMBOLIC_LINK and member.file_size < 4096 else ""
        if member.flag_bits & 1:
            raise AssetError(f"refused '{printable(member.filename)}' of {label}: it is encrypted")
        yield Entry(
            # as it stands in the archive: `filename` has it cut at a NUL already
            name=member.orig_filename,
            kind=kind,
            size_bytes=member.file_size,
            link=target,
            executable=bool(mode & stat.S_IXUSR),
            special=bool(mode & (stat.S_ISUID | stat.S_ISGID)),
            what="a device or a fifo",
            content=lambda found=member: archive.open(found),  # type: ignore[misc]
        )


def _zip_kind(member: zipfile.ZipInfo, mode: int) -> EntryKind:
    if stat.S_ISLNK(mode):
        return EntryKind.SYMBOLIC_LINK
    if member.is_dir():
        return EntryKind.FOLDER
    return EntryKind.FILE if stat.S_IFMT(mode) in {0, stat.S_IFREG} else EntryKind.OTHER


def _stream_entries(raw: IO[bytes], *, single: bool) -> Iterator[Entry]:
    """The entries of a tar, compressed or not; with `single`, what is compressed but no tar is one entry."""
    plain = decompressed(raw)
    head = plain.read(_TAR_BLOCK)
    joined = cast(IO[bytes], _Rejoined(head, plain))
    if _is_tar(head):
        yield from _tar_entries(joined)
    elif single and plain is not raw:
        yield Entry(name="", kind=EntryKind.FILE, content=lambda: joined)
    else:
        raise tarfile.ReadError("neither zip, tar, deb nor a compressed file" if head else "it is empty")
    _drain(joined)


def _tar_entries(stream: IO[bytes]) -> Iterator[Entry]:
    with tarfile.open(
        fileobj=stream, mode="r|", bufsize=_TAR_BUFFER_BYTES, tarinfo=_StrictHeader, errors="surrogateescape"
    ) as archive:
        for member in archive:
            yield Entry(
                name=member.name,
                kind=_tar_kind(member),
                size_bytes=member.size,
                link=member.linkname,
                executable=bool(member.mode & stat.S_IXUSR),
                special=bool(member.mode & (stat.S_ISUID | stat.S_ISGID)),
                what="a device"
                if member.isdev() and not member.isfifo()
                else "a fifo"
                if member.isfifo()
                else "unknown",
                content=lambda found=member: _content(archive, found),  # type: ignore[misc]
            )
            archive.members = []  # type: ignore[attr-defined]  # a tar of a million files is not kept in memory


def _tar_kind(member: tarfile.TarInfo) -> EntryKind:
    if member.isreg():
        return EntryKind.FILE
    if member.isdir():
        return EntryKind.FOLDER
    if member.issym():
        return EntryKind.SYMBOLIC_LINK
    return EntryKind.HARD_LINK if member.islnk() else EntryKind.OTHER


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    found = archive.extractfile(member)
    if found is None:
        raise tarfile.ReadError(f"'{member.name}' cannot be read")
    return found


class _StrictHeader(tarfile.TarInfo):
    """A header that is damaged or missing in the middle is an error; tarfile takes it for the end of the archive.

    Headers that tarfile would read whole into memory are bounded; sparse files, whose maps are not, are refused.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str | None, errors: str) -> _StrictHeader:
        header = super().frombuf(buf, encoding or "utf-8", errors)
        if header.type in _IN_MEMORY and header.size > _HEADER_MOST_BYTES:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise AssetError(f"refused '{printable(header.name)}': it is a sparse file of a tar archive", hint=_SPARSE)
        return header

    def _proc_gnusparse_10(self, *_arguments: object) -> None:
        raise AssetError(f"refused '{printable(self.name)}': it is a sparse file of a tar archive", hint=_SPARSE)

    @classmethod
    def fromtarfile(cls, tarfile_: tarfile.TarFile) -> _StrictHeader:
        try:
            return super().fromtarfile(tarfile_)
        except tarfile.HeaderError as error:
            if type(error).__name__ == "EOFHeaderError":
                raise
            raise tarfile.ReadError(f"a damaged or missing header ({error})") from error


def decompressed(raw: IO[bytes]) -> IO[bytes]:
    """What is in a gz, bz2 or xz stream (checksums are verified when read to the end); else the stream itself."""
    head = raw.read(6)
    raw.seek(-len(head), io.SEEK_CUR)
    for magic, opener in _MAGICS.items():
        if head.startswith(magic):
            return opener(raw)
    return raw


def _zstd(_raw: IO[bytes]) -> IO[bytes]:
    # Python reads it from 3.14 on; no entry of the catalogue is worth a dependency for it
    raise AssetError(
        "the archive is compressed with zstd, which is not read here",
        hint="decompress it yourself (zstd -d), unpack it, and give the files with --asset NAME=PATH",
    )


_MAGICS: dict[bytes, Callable[[IO[bytes]], IO[bytes]]] = {
    b"\x1f\x8b": lambda raw: cast(IO[bytes], gzip.GzipFile(fileobj=raw, mode="rb")),
    b"BZh": lambda raw: cast(IO[bytes], bz2.BZ2File(raw)),
    b"\xfd7zXZ\x00": lambda raw: cast(IO[bytes], lzma.LZMAFile(raw)),  # noqa: SIM115 - its user closes it
    b"\x28\xb5\x2f\xfd": _zstd,
}


def _is_tar(head: bytes) -> bool:
    if len(head) < _TAR_BLOCK:
        return False
    if not any(head):
        return True  # an empty tar is its end mark alone
    try:
        tarfile.TarInfo.frombuf(head, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def _drain(stream: IO[bytes]) -> None:
    """Read to the end, so that the checksum behind it is verified."""
    left = _TRAILING_BYTES
    while piece := stream.read(_PIECE_BYTES):
        left -= len(piece)
        if left < 0:
            raise tarfile.ReadError("more stands there after its end")


class _Rejoined:
    """A stream whose first bytes were read already; counts nothing, seeks nowhere."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes; none only at the end."""
        if not self._head:
            return self._rest.read(size)
        if size < 0:
            head, self._head = self._head, b""
            return head + self._rest.read()
        piece, self._head = self._head[:size], self._head[size:]
        return piece

    def __enter__(self) -> _Rejoined:
        return self

    def __exit__(self, *_error: object) -> None:
        return None
