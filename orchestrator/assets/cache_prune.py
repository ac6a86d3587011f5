"""Make a cache smaller: rubbish first, then what was used least recently; never what is pinned or in use.

A file that several assets share is counted once, and frees nothing until the last of them goes.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from orchestrator.assets.cache_entries import Entry, assets_in, works_in
from orchestrator.assets.cache_layout import PARTS, CacheLayout
from orchestrator.assets.cache_ledger import Ledger
from orchestrator.assets.cache_remove import reason_to_keep, remove_blob, remove_entry, removing_rubbish
from orchestrator.assets.workspace import leftovers
from orchestrator.host.files import tree_stats
from orchestrator.host.locks import is_held

BLOB, PARTIAL, LEFTOVER = "blob", "partial download", "left by a crash"
_ORDER = (LEFTOVER, PARTIAL, BLOB)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What can go as a whole. `keep`: why it must stay. `entry`, if it is an asset or a driver's folder."""

    kind: str
    name: str
    path: Path
    last_used: datetime
    keep: str | None = None
    entry: Entry | None = None

    @property
    def rank(self) -> tuple[int, datetime, str]:
        """Its turn: rubbish before the rest, then by last use."""
        return (_ORDER.index(self.kind) if self.kind in _ORDER else len(_ORDER), self.last_used, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Bytes on disk of one thing: with what it shares, and its own (free once it is gone)."""

    name: str
    kind: str
    size_bytes: int
    own_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Bytes on disk of a whole cache, each file once: assets, drivers' folders, rubbish, what is not ours to judge."""

    total_bytes: int
    assets_bytes: int
    work_bytes: int
    rubbish_bytes: int
    other_bytes: int
    costs: tuple[Cost, ...]
    others: tuple[Cost, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gone:
    """What was removed, or would be, and what that freed."""

    kind: str
    name: str
    path: Path
    freed_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stayed:
    """What should have gone but may not, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """Bytes on disk before and after."""

    before_bytes: int
    after_bytes: int
    gone: tuple[Gone, ...]
    stayed: tuple[Stayed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How small it shall become and what is old enough to go; with neither, only rubbish goes."""

    keep_bytes: int | None = None
    older_than: timedelta | None = None


def usage(layout: CacheLayout, now: datetime) -> Usage:
    """What everything in a cache costs."""
    ledger = Ledger(layout)
    pieces = tuple(_pieces(layout, ledger, now))
    costs = [
        Cost(
            name=piece.name,
            kind=piece.kind,
            size_bytes=ledger.size_bytes(piece.name),
            own_bytes=ledger.own_bytes(piece.name),
        )
        for piece in pieces
        if piece.kind != BLOB
    ]
    blobs = ledger.unheld()
    if blobs:
        size = sum(blobs.values())
        costs.append(Cost(name=f"{len(blobs)} blobs that nothing holds", kind=BLOB, size_bytes=size, own_bytes=size))
    others = tuple(_others(layout))
    of = {kind: sum(cost.size_bytes for cost in costs if cost.kind == kind) for kind in (*_ORDER, "work")}
    return Usage(
        total_bytes=ledger.total_bytes + sum(cost.size_bytes for cost in others),
        assets_bytes=ledger.total_bytes - sum(of.values()),
        work_bytes=of["work"],
        rubbish_bytes=sum(of[kind] for kind in _ORDER),
        other_bytes=sum(cost.size_bytes for cost in others),
        costs=tuple(costs),
        others=others,
    )


def prune(layout: CacheLayout, limits: Limits, *, now: datetime, dry_run: bool = False) -> Pruned:
    """Remove until the cache is as small as asked; what is unknown to us (`du` names it) does not count and stays.

    With an age, nothing younger goes. OSError when something cannot be removed.
    """
    ledger = Ledger(layout)
    pieces = sorted(_pieces(layout, ledger, now), key=lambda piece: piece.rank)
    before = ledger.total_bytes
    gone, stayed = [], []
    for piece in pieces:
        if limits.keep_bytes is not None and ledger.total_bytes <= limits.keep_bytes:
            break
        if limits.older_than is not None and now - piece.last_used < limits.older_than:
            continue
        if limits == Limits() and piece.entry is not None:
            continue
        reason = piece.keep or (None if dry_run else _remove(layout, piece, now))
        if reason is not None:
            stayed.append(Stayed(name=piece.name, reason=reason))
            continue
        freed = ledger.drop_blob(piece.name) if piece.kind == BLOB else ledger.drop(piece.name)
        gone.append(Gone(kind=piece.kind, name=piece.name, path=piece.path, freed_bytes=freed))
    return Pruned(before_bytes=before, after_bytes=ledger.total_bytes, gone=tuple(gone), stayed=tuple(stayed))


def _pieces(layout: CacheLayout, ledger: Ledger, now: datetime) -> Iterator[Piece]:
    """Everything that can go, entered in the ledger."""
    fetching = "something is fetched or made now" if is_held(layout.filling_lock) else None
    for path in leftovers(layout.tmp):
        yield _plain(layout, ledger, LEFTOVER, path, None)
    for path in layout.partials():
        yield _plain(layout, ledger, PARTIAL, path, fetching)
    for entry in (*assets_in(layout, now), *works_in(layout, now)):
        name = entry.name if entry.kind == "work" else f"{entry.name}/{entry.key[:16]}"
        ledger.add(name, (stat for _, stat in tree_stats(entry.path, strict=False)))
        yield Piece(
            kind=entry.kind,
            name=name,
            path=entry.path,
            last_used=entry.age_from,
            keep=reason_to_keep(entry),
            entry=entry,
        )
    for sha256 in ledger.unheld():
        blob = layout.blob(sha256)
        when = datetime.fromtimestamp(blob.stat().st_mtime, UTC)
        yield Piece(kind=BLOB, name=sha256, path=blob, last_used=when, keep=fetching)


def _plain(layout: CacheLayout, ledger: Ledger, kind: str, path: Path, keep: str | None) -> Piece:
    name = path.relative_to(layout.root).as_posix()
    stats = [stat for _, stat in tree_stats(path, strict=False)]
    ledger.add(name, stats)
    newest = max([path.stat().st_mtime, *(stat.st_mtime for stat in stats)])
    return Piece(kind=kind, name=name, path=path, last_used=datetime.fromtimestamp(newest, UTC), keep=keep)


def _remove(layout: CacheLayout, piece: Piece, now: datetime) -> str | None:
    """Remove a piece; why it stayed, None when it went."""
    if piece.entry is not None:
        return remove_entry(layout, piece.entry, now)
    if piece.kind == LEFTOVER:
        shutil.rmtree(piece.path)
        return None
    with removing_rubbish(layout) as free:
        if not free:
            return "something is fetched or made now"
        if piece.kind == BLOB:
            remove_blob(layout, piece.name)
        else:
            shutil.rmtree(piece.path)
    return None


def _others(layout: CacheLayout) -> Iterator[Cost]:
    """What lies in the folder besides: environments of the native engine, another program's files."""
    for path in sorted(layout.root.iterdir()) if layout.root.is_dir() else ():
        if path.name not in PARTS:
            stats = [stat for _, stat in tree_stats(path, strict=False)] if path.is_dir() else [path.lstat()]
            size = sum(min(stat.st_size, stat.st_blocks * 512) for stat in stats)
            yield Cost(name=path.name, kind="other", size_bytes=size, own_bytes=size)
