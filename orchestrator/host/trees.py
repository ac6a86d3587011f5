"""A folder as a tree of files: walked once, then asked by relative path; bounded reads. Follows no link."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from orchestrator.errors import UsageError

_PIECE_BYTES = 1 << 20
_TEXT_BYTES = 16 << 20


@dataclass(slots=True)
class Folder:
    """What lies in one folder: names of folders, sizes of files (bytes), names of links."""

    folders: list[str] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)


_NOTHING = Folder()
_NONE: Mapping[PurePosixPath, int] = MappingProxyType({})


class FolderTree:
    """A folder's whole content; paths are relative to it and POSIX.

    `absent` are files (with their bytes) that belong to the tree and are not in this copy: they are listed, never read.
    """

    def __init__(self, root: Path, absent: Mapping[PurePosixPath, int] = _NONE) -> None:
        if not root.is_dir():
            raise UsageError(
                f"{root} is not a folder", hint="name the top of a submission tree: the folder of closed/, open/"
            )
        self.root = root
        self._folders: dict[str, Folder] = {}
        self._walk(str(root), "")
        self._absent = frozenset(path for path in absent if self.size(path) is None)
        for path in sorted(self._absent):
            self._add(path, absent[path])

    def _walk(self, where: str, name: str) -> None:
        found = self._folders[name] = Folder()
        with os.scandir(where) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.is_symlink():
                    found.links.append(entry.name)
                elif entry.is_dir():
                    found.folders.append(entry.name)
                else:
                    found.files[entry.name] = entry.stat(follow_symlinks=False).st_size
        for folder in found.folders:
            self._walk(f"{where}/{folder}", f"{name}/{folder}" if name else folder)

    def _add(self, path: PurePosixPath, size: int) -> None:
        above = ""
        for part in path.parts[:-1]:
            known, above = self._folders[above], f"{above}/{part}" if above else part
            if part not in known.folders:
                known.folders.append(part)
            self._folders.setdefault(above, Folder())
        self._folders[above].files[path.name] = size

    def is_absent(self, path: PurePosixPath) -> bool:
        """Whether a file of the tree is not in this copy of it."""
        return path in self._absent

    def folder(self, path: PurePosixPath | str) -> Folder:
        """What lies in a folder; nothing where it does not exist."""
        name = str(path)
        return self._folders.get("" if name == "." else name, _NOTHING)

    def has_folder(self, path: PurePosixPath) -> bool:
        """Whether a folder exists."""
        return str(path) in self._folders

    def size(self, path: PurePosixPath) -> int | None:
        """Bytes of a file; None where there is none."""
        return self.folder(path.parent).files.get(path.name)

    def all_folders(self) -> Iterator[tuple[PurePosixPath, Folder]]:
        """Every folder with what lies in it, top first."""
        for name, folder in self._folders.items():
            yield PurePosixPath(name), folder

    def chunks(self, path: PurePosixPath) -> Iterator[bytes]:
        """The content of a file in pieces."""
        with (self.root / path).open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def text(self, path: PurePosixPath) -> str:
        """The text of a small file; of a big one the first 16 MiB. Bytes that are no UTF-8 are replaced."""
        with (self.root / path).open("rb") as file:
            return file.read(_TEXT_BYTES).decode("utf-8", "replace")
