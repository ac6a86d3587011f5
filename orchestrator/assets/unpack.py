"""Unpack an archive whole into a folder, safely: what would leave it, or fill the disk, is refused by name."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from orchestrator.assets.archive_entries import Entry, EntryKind, opened
from orchestrator.assets.archive_guard import DEFAULT_LIMITS, Guard, Limits, guarded, safe_name
from orchestrator.domain.asset import FileHash
from orchestrator.errors import AssetError


def unpack(
    archive: Path,
    folder: Path,
    *,
    single_name: str,
    label: str | None = None,
    strip: int = 0,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[FileHash, ...]:
    """Put all that the archive holds below `folder` (which must be there) and return the files' hashes.

    `strip` leading folders of the names go, and with them what has no more than those. `single_name` is what a single
    compressed file becomes. `label` names the archive in errors. AssetError names what was refused, and why; then
    nothing of the archive is left in `folder`.
    """
    title = label or archive.name
    with guarded(folder, label=title, archive_bytes=archive.stat().st_size, limits=limits) as guard:
        with opened(archive) as entries:
            for entry in entries:
                guard.count()
                _admit(entry, guard, single_name, strip)
        if not guard.hashes:
            raise AssetError(f"{title} holds no file" + (f" below {strip} folders" if strip else ""))
    return guard.hashes


def _admit(entry: Entry, guard: Guard, single_name: str, strip: int) -> None:
    path = _stripped(safe_name(entry.name or single_name, label=guard.label), strip if entry.name else 0)
    if path is None:
        return
    match entry.kind:
        case EntryKind.FILE:
            _admit_file(entry, guard, path)
        case EntryKind.FOLDER:
            guard.folder(path)
        case EntryKind.SYMBOLIC_LINK:
            guard.symbolic_link(path, entry.link)
        case EntryKind.HARD_LINK:
            earlier = _stripped(safe_name(entry.link, label=guard.label), strip)
            if earlier is None:
                raise guard.refuse(entry.name, "it is a hard link to what is left out")
            guard.hard_link(path, earlier)
        case EntryKind.OTHER:
            raise guard.refuse(entry.name, f"it is {entry.what}")


def _admit_file(entry: Entry, guard: Guard, path: PurePosixPath) -> None:
    if entry.special:
        raise guard.refuse(entry.name, "it asks for the rights of its owner or group (setuid, setgid)")
    assert entry.content is not None  # noqa: S101 - files have one
    guard.announce(entry.name, entry.size_bytes)
    with entry.content() as content:
        guard.file(path, content, executable=entry.executable)


def _stripped(path: PurePosixPath, strip: int) -> PurePosixPath | None:
    return PurePosixPath(*path.parts[strip:]) if len(path.parts) > strip or not strip else None
