"""Archives for tests, friendly and hostile: tar, zip, deb and single compressed files, made by hand."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

COMPRESSIONS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda raw: raw,
    "gz": lambda raw: gzip.compress(raw, 6, mtime=0),
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


def entry(name: str, content: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """A tar entry: a file, unless `type` says otherwise; `fields` are set on its header."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o644
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    """A symbolic link."""
    return entry(name, type=tarfile.SYMTYPE, linkname=target)


def hard_link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    """A hard link to an earlier entry."""
    return entry(name, type=tarfile.LNKTYPE, linkname=target)


def folder(name: str, **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """A folder."""
    return entry(name, **{"type": tarfile.DIRTYPE, "mode": 0o755, **fields})


def tarred(*entries: tuple[tarfile.TarInfo, bytes], compression: str = "") -> bytes:
    """A tar archive of the entries."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT, errors="surrogateescape") as archive:
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return COMPRESSIONS[compression](raw.getvalue())


def zipped(files: dict[str, bytes], *, modes: dict[str, int] | None = None) -> bytes:
    """A zip archive; `modes` are Unix modes with the type of file."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.filename = info.orig_filename = name  # as it is, also what ZipInfo would mend
            info.compress_type = zipfile.ZIP_DEFLATED
            mode = (modes or {}).get(name, stat.S_IFREG | 0o644)
            info.external_attr = mode << 16
            archive.writestr(info, content)
    return raw.getvalue()


def debian(data: bytes, name: str = "data.tar.xz") -> bytes:
    """A Debian package by hand: an ar archive with version, control and data."""
    parts = (("debian-binary", b"2.0\n"), ("control.tar.gz", tarred(compression="gz")), (name, data))
    raw = b"!<arch>\n"
    for title, content in parts:
        raw += f"{title:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode() + content
        raw += b"\n" * (len(content) % 2)
    return raw


def everything(place: Path) -> dict[str, str]:
    """What lies below a folder: `file`, `folder` or `-> target` by name; hidden things, too."""
    return {
        path.relative_to(place).as_posix(): f"-> {path.readlink()}"
        if path.is_symlink()
        else ("folder" if path.is_dir() else "file")
        for path in sorted(place.rglob("*"))
    }
