"""Build contexts as values: collected from the source tree, hashed, packed. The same files give the same bytes."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import ImageError
from orchestrator.host.files import tree_files
from orchestrator.host.shipped import package, shipped

_LEFT_OUT_SUFFIXES = {".pyc", ".md", ".swp", ".orig"}
_PACKAGE = "orchestrator/"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextFile:
    """One file of a build context: where it lies in it, its mode (0644 or 0755) and its bytes."""

    path: str
    mode: int
    content: bytes


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
        """Where a source path of images.yaml lies on this machine; it need not exist."""
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
        total.update(hashlib.sha256(file.content).digest())
    return total.hexdigest()


def pack(files: Iterable[ContextFile]) -> bytes:
    """An uncompressed tar of the files: sorted, owned by root, time zero."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in sorted(files, key=lambda item: item.path):
            member = tarfile.TarInfo(file.path)
            member.size = len(file.content)
            member.mode = file.mode
            archive.addfile(member, io.BytesIO(file.content))
    return raw.getvalue()
