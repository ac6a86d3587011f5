"""The part of a file that has come so far, on disk: which bytes, of which file of which address. Knows no network.

`content` holds the bytes, `state.json` which of them are there. What the state names is always in the content: who dies
loses what was not yet noted, never more. After a power cut only what had reached the disk is believed.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from orchestrator.assets.transfer_faults import disk_error
from orchestrator.host.files import write_atomic
from orchestrator.host.owner import boot_id

Ranges = tuple[tuple[int, int], ...]
_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """By what a server's file is known again: address, size, ETag, date. Null: the server does not say."""

    url: str
    size_bytes: int | None
    etag: str | None = None
    modified: str | None = None

    @property
    def validator(self) -> str | None:
        """What `If-Range` takes: a strong ETag, else the date."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.modified

    def same(self, other: Identity) -> bool:
        """Whether both may be one file, by all that the server says of each."""
        pairs = ((self.size_bytes, other.size_bytes), (self.etag, other.etag), (self.modified, other.modified))
        return all(ours is None or theirs is None or ours == theirs for ours, theirs in pairs)


@dataclass(slots=True, kw_only=True)
class Piece:
    """Bytes `start` to `end` (exclusive; null: to the end, wherever that is), of which the first `done` are there."""

    start: int
    end: int | None
    done: int = 0
    taken: bool = False

    @property
    def at(self) -> int:
        """The next byte that is missing."""
        return self.start + self.done

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return self.end is not None and self.at >= self.end


class Partial:
    """A folder with part of one file, open until the end of the block. Threads may write pieces of it together."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._pieces: list[Piece] = []
        self._first_open = 0
        self._durable: Ranges = ()
        self._noted: tuple[Ranges, Ranges] | None = None
        self.identity: Identity | None = None
        self.continued = False  # whether bytes of more than one go were put together
        self.peak_bytes = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._handle = _open_own(self.path)
        except OSError as error:
            raise disk_error(error, folder) from error
        self._load()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._handle)

    @property
    def path(self) -> Path:
        """The file with the bytes."""
        return self._folder / "content"

    @property
    def done_bytes(self) -> int:
        """How much is here."""
        return sum(piece.done for piece in self._pieces)

    @property
    def whole(self) -> bool:
        """Whether all of it is here."""
        return self.identity is not None and all(piece.whole for piece in self._pieces)

    @property
    def size_bytes(self) -> int | None:
        """Size of the whole file, where it is known."""
        return self.identity.size_bytes if self.identity else None

    def begin(self, identity: Identity, *, piece_bytes: int | None) -> None:
        """Start with nothing of this file; in pieces of so many bytes, or (null) in one go."""
        self.forget()
        self.identity = identity
        self._split(((0, 0),), piece_bytes)

    def lay_out(self, piece_bytes: int) -> None:
        """Cut what is missing into pieces anew. Nobody fetches meanwhile."""
        if self.identity is not None:
            self._split(self._have(), piece_bytes)

    def resume(self, identity: Identity) -> None:
        """Go on with the same file, perhaps from another address."""
        self.identity = identity
        self.continued = self.continued or self.done_bytes > 0

    def forget(self) -> None:
        """Drop all of it."""
        self._state.unlink(missing_ok=True)
        os.ftruncate(self._handle, 0)
        self.identity, self._pieces, self._first_open = None, [], 0
        self._durable, self._noted, self.continued = (), None, False

    def take(self) -> Piece | None:
        """The first piece that nobody fetches yet, now the caller's; None when there is none."""
        with self._lock:
            for piece in self._pieces[self._first_open :]:
                if not piece.taken and not piece.whole:
                    piece.taken = True
                    return piece
        return None

    def missing(self) -> Piece | None:
        """The first piece of which something is missing."""
        return next((piece for piece in self._pieces if not piece.whole), None)

    def write(self, piece: Piece, block: bytes) -> int:
        """Add bytes to a piece; returns how far the file is whole from its beginning."""
        view, at = memoryview(block), piece.at
        try:
            while view:
                written = os.pwrite(self._handle, view, at)
                view, at = view[written:], at + written
        except OSError as error:
            raise disk_error(error, self.path, needed=(self.size_bytes or 0) - self.done_bytes) from error
        with self._lock:
            piece.done += len(block)
            return self._frontier()

    def end_at(self, piece: Piece) -> None:
        """The file has turned out to end where this piece does now."""
        piece.end = piece.at
        if self.identity is not None:
            self.identity = Identity(**{**asdict(self.identity), "size_bytes": piece.at})

    def frontier(self) -> int:
        """How far the file is whole from its beginning."""
        with self._lock:
            return self._frontier()

    def note(self) -> None:
        """Write down what is here, for whoever continues."""
        have, durable = self._have(), self._durable
        self.peak_bytes = max(self.peak_bytes, self.done_bytes)
        if self.identity is None or (have, durable) == self._noted:
            return
        document = {
            "version": _VERSION,
            "boot": boot_id(),
            "file": asdict(self.identity),
            "have": have,
            "on_disk": durable,
        }
        try:
            write_atomic(self._state, json.dumps(document), durable=False)
        except OSError as error:
            raise disk_error(error, self._state) from error
        self._noted = (have, durable)

    def sync(self) -> None:
        """Wait until what is here now has reached the disk; from any thread."""
        have = self._have()
        os.fdatasync(self._handle)
        self._durable = have

    @property
    def _state(self) -> Path:
        return self._folder / "state.json"

    def _load(self) -> None:
        try:
            self._believe(json.loads(self._state.read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            self.forget()

    def _believe(self, document: dict[str, Any]) -> None:
        """Take over what an earlier process noted; ValueError and the like where it cannot be so."""
        identity, on_disk = Identity(**document["file"]), _ranges(document["on_disk"])
        have = _ranges(document["have"]) if document["boot"] == boot_id() else on_disk
        if document["version"] != _VERSION or not have or have[-1][1] > os.fstat(self._handle).st_size:
            raise ValueError(document["version"])
        self.identity, self._durable, self.continued = identity, on_disk, True
        self._split(have, None)
        self.peak_bytes = self.done_bytes

    def _frontier(self) -> int:
        while self._first_open < len(self._pieces) - 1 and self._pieces[self._first_open].whole:
            self._first_open += 1
        return self._pieces[self._first_open].at if self._pieces else 0

    def _have(self) -> Ranges:
        with self._lock:
            return _ranges((piece.start, piece.at) for piece in self._pieces if piece.done)

    def _split(self, have: Ranges, piece_bytes: int | None) -> None:
        """Lay out the pieces: each run of bytes that is here begins one, the rest is cut into equal parts."""
        size = self.size_bytes
        runs = have if have and have[0][0] == 0 else ((0, 0), *have)
        pieces: list[Piece] = []
        for (start, end), following in zip(runs, (*(start for start, _ in runs[1:]), size), strict=True):
            first, *rest = _cut(end, following, piece_bytes)
            pieces += [Piece(start=start, end=first.end, done=end - start), *rest]
        self._pieces = [piece for piece in pieces if piece.end is None or piece.end > piece.start]
        self._first_open = 0


def _cut(start: int, end: int | None, piece_bytes: int | None) -> list[Piece]:
    if piece_bytes is None or end is None or end - start <= piece_bytes:
        return [Piece(start=start, end=end)]
    return [Piece(start=at, end=min(at + piece_bytes, end)) for at in range(start, end, piece_bytes)]


def _ranges(pairs: Iterable[Iterable[int]]) -> Ranges:
    """Sorted ranges, those that touch made one."""
    found: list[tuple[int, int]] = []
    for start, end in sorted((int(start), int(end)) for start, end in pairs):
        if start < 0 or end < start:
            raise ValueError((start, end))
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def _open_own(path: Path) -> int:
    """Open the file for reading and writing; one that has other names is somebody else's by now and is left alone."""
    if path.exists() and path.stat().st_nlink > 1:
        path.unlink()
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
