"""Which thing in a cache holds which bytes on disk, each file counted once by whatever names. Removes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

from orchestrator.assets.cache_layout import CacheLayout

_Key = tuple[int, int]


@dataclass(slots=True)
class _Inode:
    """Bytes on disk, how many names it has anywhere and how many we have seen, the pieces and the blob that hold it."""

    size_bytes: int
    links: int
    names: int = 0
    holders: set[str] = field(default_factory=set)
    blob: str | None = None


class Ledger:
    """Told what is there and what goes, it says what that frees."""

    def __init__(self, layout: CacheLayout) -> None:
        self._inodes: dict[_Key, _Inode] = {}
        self._held: dict[str, set[_Key]] = {}
        self._blobs: dict[str, _Key] = {}
        for path in layout.blobs():
            try:
                key, inode = self._seen(path.stat())
            except FileNotFoundError:
                continue
            inode.blob = path.name
            self._blobs[path.name] = key

    def add(self, piece: str, stats: Iterable[os.stat_result]) -> None:
        """A piece and its files."""
        held = self._held.setdefault(piece, set())
        for stat in stats:
            key, inode = self._seen(stat)
            inode.holders.add(piece)
            held.add(key)

    def size_bytes(self, piece: str) -> int:
        """Bytes of a piece, shared ones included."""
        return sum(self._inodes[key].size_bytes for key in self._held.get(piece, ()))

    def own_bytes(self, piece: str) -> int:
        """Bytes that are free once the piece is gone: those that no other piece holds, and nobody outside."""
        held = (self._inodes[key] for key in self._held.get(piece, ()))
        return sum(one.size_bytes for one in held if one.holders == {piece} and one.names >= one.links)

    def drop(self, piece: str) -> int:
        """The piece goes, and the blobs that only it held; bytes that this frees."""
        freed = self.own_bytes(piece)
        for key in self._held.pop(piece, set()):
            inode = self._inodes[key]
            inode.holders.discard(piece)
            if not inode.holders:
                del self._inodes[key]
                self._blobs.pop(inode.blob or "", None)
        return freed

    def unheld(self) -> dict[str, int]:
        """Bytes of the blobs that no piece holds, by hash."""
        return {
            name: self._inodes[key].size_bytes for name, key in self._blobs.items() if not self._inodes[key].holders
        }

    def drop_blob(self, sha256: str) -> int:
        """A blob that nobody holds goes; bytes that this frees."""
        inode = self._inodes.pop(self._blobs.pop(sha256))
        return inode.size_bytes if inode.names >= inode.links else 0

    @property
    def blobs(self) -> int:
        """How many blobs there are."""
        return len(self._blobs)

    @property
    def total_bytes(self) -> int:
        """Everything."""
        return sum(inode.size_bytes for inode in self._inodes.values())

    def _seen(self, stat: os.stat_result) -> tuple[_Key, _Inode]:
        key = (stat.st_dev, stat.st_ino)
        on_disk = min(stat.st_size, stat.st_blocks * 512) if stat.st_blocks else stat.st_size
        inode = self._inodes.setdefault(key, _Inode(on_disk, stat.st_nlink))
        inode.names += 1
        return key, inode
