"""What an archive may put into a folder: names, links, modes, numbers and sizes, each refused by name.

Writes files, folders and links below one folder and nowhere else; takes away what it wrote when something is refused.
Reads no archive format: that is archive_entries.py.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from orchestrator.domain.asset import FileHash
from orchestrator.errors import AssetError

_PIECE_BYTES = 1 << 20
_NAME_BYTES, _PATH_BYTES = 255, 4000  # what file systems take in one component and in a path
_LOOK_EVERY_BYTES, _LOOK_EVERY_FILES = 64 << 20, 1000
_LINKS_FOLLOWED = 40
_HINT = "get the archive from another place, or unpack it yourself and give the folder with --asset NAME=PATH"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much an archive may become. A bomb is one that grows without measure, or fills the disk.

    `bytes_per_byte` and `free_bytes`: it may hold that many bytes for each of its own, and so many besides.
    `bytes_per_file` and `free_files`: a file for so many bytes of its own, and so many besides. `expected_bytes`: what
    the catalogue says that it holds (twice that is always allowed). `spare_bytes` must stay free on the file system.
    """

    bytes_per_byte: int = 250
    free_bytes: int = 64 << 20
    bytes_per_file: int = 4
    free_files: int = 10_000
    expected_bytes: int | None = None
    spare_bytes: int = 64 << 20

    def most_bytes(self, archive_bytes: int) -> int:
        """Bytes that an archive of that size may hold."""
        return max(self.free_bytes + self.bytes_per_byte * archive_bytes, 2 * (self.expected_bytes or 0))

    def most_files(self, archive_bytes: int) -> int:
        """Entries that an archive of that size may hold."""
        return self.free_files + archive_bytes // self.bytes_per_file


DEFAULT_LIMITS = Limits()


def safe_name(name: str, *, label: str) -> PurePosixPath:
    """The name as a path inside a folder (`.` for the folder itself); AssetError when it could be anything else."""
    shown = printable(name)
    if not name:
        raise _refused(shown, label, "it has no name")
    if any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in name):
        raise _refused(shown, label, "its name holds control characters or is not UTF-8")
    if "\\" in name:
        raise _refused(shown, label, "its name holds a backslash, and elsewhere it would leave the asset's folder")
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise _refused(shown, label, "it would leave the asset's folder")
    if any(len(part.encode()) > _NAME_BYTES for part in path.parts) or len(name.encode()) > _PATH_BYTES:
        raise _refused(f"{shown[:80]}…", label, "its name is longer than a file system takes")
    return path


def printable(name: str) -> str:
    """A name as it may be shown on a terminal."""
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name)


def _refused(shown: str, label: str, reason: str) -> AssetError:
    return AssetError(f"refused '{shown}' of {label}: {reason}", hint=_HINT)


class Guard:
    """Lets one archive's entries into `folder`, which must be there; `label` names the archive in errors."""

    def __init__(self, folder: Path, *, label: str, archive_bytes: int, limits: Limits = DEFAULT_LIMITS) -> None:
        self._folder = folder
        self._label = label
        self._limits = limits
        self._most_bytes = limits.most_bytes(archive_bytes)
        self._most_files = limits.most_files(archive_bytes)
        self._archive_bytes = archive_bytes
        self._hashes: dict[str, FileHash] = {}
        self._folders: set[PurePosixPath] = {PurePosixPath()}
        self._made: list[Path] = []  # folders that were not there, outermost first
        self._links: dict[PurePosixPath, str] = {}
        self._seen = 0
        self._written = self._looked = 0

    @property
    def hashes(self) -> tuple[FileHash, ...]:
        """Every file written, in the order of their names."""
        return tuple(self._hashes[name] for name in sorted(self._hashes))

    def count(self) -> None:
        """One more entry of the archive, whatever it is; AssetError when there are too many."""
        self._seen += 1
        if self._seen > self._most_files:
            raise AssetError(
                f"refused {self.label}: more than {self._most_files:,} entries "
                f"in {self._archive_bytes:,} bytes: a bomb",
                hint=_HINT,
            )
        if self._seen % _LOOK_EVERY_FILES == 0:
            free = os.statvfs(self._folder)
            if free.f_files and free.f_favail < _LOOK_EVERY_FILES:
                raise AssetError(
                    f"no room for the files of {self.label}: the file system of {self._folder} has no inodes left",
                    hint="free some, or set MLPERF_DOCKER_CACHE to a folder on another disk",
                )

    @property
    def label(self) -> str:
        """The archive's name, for people."""
        return self._label

    def refuse(self, name: str, reason: str) -> AssetError:
        """The error that an entry of that name is refused with."""
        return _refused(printable(name), self._label, reason)

    def announce(self, name: str, size_bytes: int) -> None:
        """What an entry says that it holds, before a byte of it is written."""
        self._room(name, size_bytes)

    def weigh(self, name: str, more_bytes: int) -> None:
        """Bytes that an entry really turned out to hold."""
        self._room(name, more_bytes)
        self._written += more_bytes

    def folder(self, path: PurePosixPath) -> None:
        """Make a folder and those above it."""
        if path in self._folders:
            return
        if path in self._links or str(path) in self._hashes:
            raise self.refuse(str(path), "the archive has it as a folder and as something else")
        self.folder(path.parent)
        target = self._folder / path
        try:
            target.mkdir(mode=0o755)
            self._made.append(target)
        except FileExistsError:
            if target.is_symlink() or not target.is_dir():
                raise self.refuse(str(path), "another archive has put a file or a link there") from None
        self._folders.add(path)

    def file(self, path: PurePosixPath, content: IO[bytes], *, executable: bool = False) -> FileHash:
        """Write a regular file (mode 0644 or 0755) and hash it on the way."""
        name = str(path)
        self._free(path)
        self.folder(path.parent)
        digest = hashlib.sha256()
        target = self._folder / path
        try:
            file = target.open("xb")
        except FileExistsError:
            raise self.refuse(name, "there is a file of that name already") from None
        self._hashes[name] = FileHash(name=name, sha256="", size_bytes=0)  # so that it is taken away on an error
        size = 0
        with file:
            while piece := content.read(_PIECE_BYTES):
                size += len(piece)
                self.weigh(name, len(piece))
                file.write(piece)
                digest.update(piece)
        target.chmod(0o755 if executable else 0o644)
        self._hashes[name] = FileHash(name=name, sha256=digest.hexdigest(), size_bytes=size)
        return self._hashes[name]

    def symbolic_link(self, path: PurePosixPath, target: str) -> None:
        """Note a symbolic link; it is made by `finish`, when it is known where all of them lead."""
        if not target or any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in target) or "\\" in target:
            raise self.refuse(str(path), "it is a link with an unreadable target")
        self._free(path)
        self.folder(path.parent)
        self._links[path] = target

    def hard_link(self, path: PurePosixPath, earlier: PurePosixPath) -> None:
        """Give a file written before a second name."""
        known = self._hashes.get(str(earlier))
        if known is None:
            raise self.refuse(str(path), f"it is a hard link to '{printable(str(earlier))}', which came not before it")
        self._free(path)
        self.folder(path.parent)
        os.link(self._folder / earlier, self._folder / path)
        self._hashes[str(path)] = FileHash(name=str(path), sha256=known.sha256, size_bytes=known.size_bytes)

    def finish(self) -> None:
        """Make the symbolic links: each leads to something of this archive, by whatever other links."""
        for path, target in self._links.items():
            end = self._resolve(path)
            if end not in self._folders and str(end) not in self._hashes:
                raise self.refuse(str(path), f"it is a link to '{printable(target)}', which the archive does not hold")
        for path, target in self._links.items():
            (self._folder / path).symlink_to(target)

    def undo(self) -> None:
        """Take away everything that was written."""
        for name in (*self._hashes, *map(str, self._links)):
            with suppress(FileNotFoundError):
                (self._folder / name).unlink()
        for folder in reversed(self._made):
            with suppress(OSError):
                folder.rmdir()

    def _free(self, path: PurePosixPath) -> None:
        if not path.parts:
            raise self.refuse(str(path), "a file cannot take the folder's own place")
        if str(path) in self._hashes or path in self._links:
            raise self.refuse(str(path), "two archive members would become it")
        if path in self._folders:
            raise self.refuse(str(path), "the archive has it as a folder and as something else")

    def _room(self, name: str, more_bytes: int) -> None:
        if self._written + more_bytes > self._most_bytes:
            raise self.refuse(
                name,
                f"with it the archive's {self._archive_bytes:,} bytes would become "
                f"more than {self._most_bytes:,}: a bomb",
            )
        if more_bytes > _LOOK_EVERY_BYTES or self._written + more_bytes - self._looked > _LOOK_EVERY_BYTES:
            self._looked = self._written
            free = os.statvfs(self._folder)
            free_bytes = free.f_bavail * free.f_frsize
            if more_bytes + self._limits.spare_bytes > free_bytes:
                raise AssetError(
                    f"no room for '{printable(name)}' of {self._label}: it needs {more_bytes:,} bytes, "
                    f"and the file system of {self._folder} has {free_bytes:,}",
                    hint="free some, or set MLPERF_DOCKER_CACHE to a folder on another disk",
                )

    def _resolve(self, link: PurePosixPath) -> PurePosixPath:
        """Where a link ends, through others; AssetError when it leaves the folder or leads in a circle."""
        followed = 0
        at: list[str] = list(link.parent.parts)
        todo = [*reversed(self._steps(link))]
        while todo:
            step = todo.pop()
            if step == "..":
                if not at:
                    raise self.refuse(str(link), f"it is a link to '{printable(self._links[link])}': outside")
                at.pop()
                continue
            at.append(step)
            here = PurePosixPath(*at)
            if here in self._links:
                followed += 1
                if followed > _LINKS_FOLLOWED:
                    raise self.refuse(str(link), "it is a link that leads in a circle")
                at.pop()
                todo.extend(reversed(self._steps(here)))
        return PurePosixPath(*at)

    def _steps(self, link: PurePosixPath) -> tuple[str, ...]:
        target = PurePosixPath(self._links[link])
        if target.is_absolute():
            raise self.refuse(str(link), f"it is a link to '{printable(str(target))}': outside")
        return target.parts


@contextmanager
def guarded(folder: Path, *, label: str, archive_bytes: int, limits: Limits = DEFAULT_LIMITS) -> Iterator[Guard]:
    """A guard that leaves nothing behind when the block fails, and finishes the links when it does not."""
    guard = Guard(folder, label=label, archive_bytes=archive_bytes, limits=limits)
    try:
        yield guard
        guard.finish()
    except BaseException:
        guard.undo()
        raise
