"""Build contexts as values: collected from the source tree, hashed, packed. The same files give the same bytes."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from orchestrator.errors import ImageError
from orchestrator.host.files import sha256_file, tree_files
from orchestrator.host.shipped import overlays, package, shipped

_LEFT_OUT_SUFFIXES = {".pyc", ".md", ".swp", ".orig"}
_PACKAGE = "orchestrator/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFile:
    """One file of a build context: where it lies in it, its mode (0644 or 0755) and its bytes.

    A large file stays on the disk (`origin`) until it is packed; a `link` is a symbolic link to that target.
    """

    path: str
    mode: int
    content: bytes = b""
    origin: Path | None = None
    link: str | None = None

    @property
    def sha256(self) -> bytes:
        """The hash of its bytes (of the target, for a link)."""
        if self.link is not None:
            return hashlib.sha256(b"link\0" + self.link.encode()).digest()
        if self.origin is not None:
            found = self.origin.stat()
            return _hash_on_disk(self.origin, found.st_mtime_ns, found.st_size, found.st_ino)
        return hashlib.sha256(self.content).digest()

    @property
    def size_bytes(self) -> int:
        """How many bytes it holds."""
        return self.origin.stat().st_size if self.origin is not None else len(self.content)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTree:
    """The two roots of shipped files: `orchestrator/…` lies in the package, all else is shipped beside it."""

    shipped: Path
    package: Path

    @classmethod
    def installed(cls) -> SourceTree:
        """The tree of this installation, wheel or checkout."""
        return cls(shipped=shipped(), package=package())

    def find(self, source: str) -> Path:
        """Where a source path of images.yaml lies on this machine, the user's folders first; it need not exist."""
        for folder in overlays():
            if (folder / source).exists():
                return folder / source
        if source.startswith(_PACKAGE):
            return self.package / source.removeprefix(_PACKAGE)
        return self.shipped / source

    def collect(self, target: str, source: str) -> tuple[ContextFile, ...]:
        """A shipped file, or all files of a folder without caches and prose, as files of a build context.

        Raises ImageError when there is nothing.
        """
        origin = self.find(source)
        if origin.is_file():
            return (_context_file(target, origin),)
        found = tuple(
            _context_file(f"{target}/{path.relative_to(origin).as_posix()}", path)
            for path in (tree_files(origin) if origin.is_dir() else ())
            if _belongs(path.relative_to(origin))
        )
        if not found:
            raise ImageError(
                f"the file or folder '{source}' that images.yaml names is missing or empty ({origin})",
                hint="install mlperf-docker again, or correct the entry's `context` in images.yaml",
            )
        return found


def _belongs(relative: Path) -> bool:
    hidden = any(part.startswith(".") or part == "__pycache__" for part in relative.parts)
    return not hidden and relative.suffix not in _LEFT_OUT_SUFFIXES


def _context_file(target: str, origin: Path) -> ContextFile:
    executable = origin.stat().st_mode & 0o100
    return ContextFile(path=target, mode=0o755 if executable else 0o644, content=origin.read_bytes())


def digest(text: str, files: Iterable[ContextFile]) -> str:
    """sha256 (64 hex digits) over a Dockerfile's text and the names, modes and bytes of its context."""
    total = hashlib.sha256(b"mlperf-docker recipe 1\n")
    total.update(hashlib.sha256(text.encode()).digest())
    for file in sorted(files, key=lambda item: item.path):
        total.update(f"{file.path}\0{file.mode:o}\0".encode())
        total.update(file.sha256)
    return total.hexdigest()


@lru_cache(maxsize=65536)
def _hash_on_disk(path: Path, _mtime_ns: int, _size: int, _inode: int) -> bytes:
    return bytes.fromhex(sha256_file(path))


def pack(files: Iterable[ContextFile]) -> bytes:
    """An uncompressed tar of the files: sorted, owned by root, time zero."""
    raw = io.BytesIO()
    pack_into(raw, files)
    return raw.getvalue()


def pack_into(target: BinaryIO, files: Iterable[ContextFile]) -> None:
    """Write that tar; files on the disk pass through in pieces."""
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(files, key=lambda item: item.path):
            member = tarfile.TarInfo(file.path)
            member.mode = file.mode
            if file.link is not None:
                member.type, member.linkname = tarfile.SYMTYPE, file.link
                archive.addfile(member)
            elif file.origin is not None:
                _add_from_disk(archive, member, file.origin)
            else:
                member.size = len(file.content)
                archive.addfile(member, io.BytesIO(file.content))


def _add_from_disk(archive: tarfile.TarFile, member: tarfile.TarInfo, origin: Path) -> None:
    try:
        with origin.open("rb") as content:
            member.size = origin.stat().st_size
            archive.addfile(member, content)
    except OSError as error:
        raise ImageError(
            f"{origin} cannot be packed: {error.strerror or error}", hint="it changed meanwhile: try again"
        ) from error
