"""Take one thing out of a cache: in one step for whoever looks, never what is pinned or in use. Also pins."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from orchestrator.assets import manifest
from orchestrator.assets.cache_entries import Entry
from orchestrator.assets.cache_layout import CacheLayout
from orchestrator.assets.cache_uses import in_use, uses_of
from orchestrator.assets.workspace import workspace
from orchestrator.errors import AssetError
from orchestrator.host.files import make_folder, write_atomic
from orchestrator.host.locks import attempt


def reason_to_keep(entry: Entry) -> str | None:
    """Why an entry must stay; None when it may go."""
    if entry.site:
        return "it lies in a cache of the site, which is never changed from here"
    if entry.pinned:
        return f"it is pinned (mlperf-docker cache unpin {entry.name})"
    if entry.in_use is not None:
        return f"it is in use by {entry.in_use}"
    return None


def remove_entry(layout: CacheLayout, entry: Entry, now: datetime) -> str | None:
    """Remove an asset, with the blobs that only it held, or a driver's folder; why it stayed, None when it went.

    Looked at once more under its lock: a run may have begun to use it. OSError when it cannot be removed.
    """
    if (reason := reason_to_keep(entry)) is not None:
        return reason
    if entry.kind == "work":
        _vanish(layout, entry.path)
        return None
    with attempt(layout.asset_lock(entry.name, entry.key)) as free:
        if not free:
            return "it is in use by another process"
        running = in_use(uses_of(layout.uses(entry.name, entry.key)), now)
        if running is not None:
            return f"it is in use by {running}"
        hashes = _hashes(entry.path)
        _vanish(layout, entry.path)
        layout.summary(entry.name, entry.key).unlink(missing_ok=True)
        with suppress(OSError):
            entry.path.parent.rmdir()
    with removing_rubbish(layout) as free:
        for sha256 in hashes if free else ():
            remove_blob(layout, sha256)
    return None


@contextmanager
def removing_rubbish(layout: CacheLayout) -> Iterator[bool]:
    """Whether blobs and partial downloads may be removed meanwhile: not while anything is fetched or made."""
    make_folder(layout.filling_lock.parent)
    with attempt(layout.filling_lock) as free:
        yield free


def remove_blob(layout: CacheLayout, sha256: str) -> None:
    """Remove a blob that has no other name; the caller is within `removing_rubbish`."""
    blob = layout.blob(sha256)
    with suppress(FileNotFoundError):
        if blob.stat().st_nlink == 1:
            blob.unlink()


def pin(layout: CacheLayout, name: str, when: str) -> None:
    """Keep every version of an asset from being removed."""
    make_folder(layout.pin(name).parent)
    write_atomic(layout.pin(name), f"{when}\n")


def unpin(layout: CacheLayout, name: str) -> bool:
    """Let it be removed again; False when it was not pinned."""
    try:
        layout.pin(name).unlink()
    except FileNotFoundError:
        return False
    return True


def _vanish(layout: CacheLayout, folder: Path) -> None:
    """Away in one step, then bit by bit; what a crash leaves of it is a leftover like any other."""
    make_folder(layout.tmp)
    with workspace(layout.tmp, f"removed-{folder.name}") as grave:
        folder.rename(grave / "gone")
        shutil.rmtree(grave / "gone")


def _hashes(view: Path) -> tuple[str, ...]:
    try:
        known = manifest.read(view / manifest.FILE_NAME)
    except (AssetError, OSError):
        return ()
    return tuple(dict.fromkeys(item.sha256 for item in known.files)) if known is not None else ()
