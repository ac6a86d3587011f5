"""Take single files out of an archive (also out of an archive inside it), never outside the target folder."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import IO

from orchestrator.assets.archive_entries import Entry, EntryKind, opened
from orchestrator.assets.archive_guard import DEFAULT_LIMITS, Guard, Limits, guarded, printable, safe_name
from orchestrator.domain.asset import FileHash
from orchestrator.domain.source import Member
from orchestrator.errors import AssetError

NESTED = "!"  # `outer.zip!inner.bin`: a file of an archive that is itself a file of the archive
_PIECE_BYTES = 1 << 20


def extract(
    archive: Path,
    members: tuple[Member, ...],
    folder: Path,
    *,
    label: str | None = None,
    strip: int = 0,
    limits: Limits = DEFAULT_LIMITS,
) -> tuple[FileHash, ...]:
    """Put the members into `folder` under their names, verify those with a hash, return the hashes of all.

    A `path` may be a glob (`*` within one path component); then `name` is the folder that the files go to. `strip`
    leading folders of the archive's names go before they are compared. `label` names the archive in errors. AssetError
    when the archive is broken, a member is missing or dangerous, or a hash differs; then nothing is left in `folder`.
    """
    title = label or archive.name
    wanted = tuple(_Wanted(member, tuple(member.path.split(NESTED))) for member in members)
    with guarded(folder, label=title, archive_bytes=archive.stat().st_size, limits=limits) as guard:
        deep = any(len(want.path) > 1 for want in wanted)
        with tempfile.TemporaryDirectory(prefix=".nested-", dir=folder) if deep else nullcontext("") as scratch:
            _Pass(guard, title, Path(scratch), strip).take(archive, wanted)
    return guard.hashes


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A member that is looked for, and its path in the archive at hand (more than one part: in archives inside)."""

    member: Member
    path: tuple[str, ...]

    @property
    def is_glob(self) -> bool:
        """Whether the files' own names are kept."""
        return any(sign in self.path[-1] for sign in "*?[")


@dataclass(frozen=True, slots=True)
class _Pass:
    """One archive, read once from front to back."""

    guard: Guard
    label: str
    scratch: Path
    strip: int

    def take(self, archive: Path, wanted: tuple[_Wanted, ...]) -> None:
        """Everything that is wanted of it, or AssetError."""
        found: set[_Wanted] = set()
        inside: dict[str, list[_Wanted]] = {}
        with opened(archive) as entries:
            for entry in entries:
                self.guard.count()
                hits = self._hits(entry, wanted)
                deeper = [want for want in hits if len(want.path) > 1 and want not in found]
                here = [want for want in hits if len(want.path) == 1]
                found.update(hits)
                if deeper:
                    inside[self._spool(entry, len(inside))] = deeper
                if here:
                    self._keep(entry, here)
        for want in wanted:
            if want not in found:
                raise AssetError(f"{self.label} has no member '{want.path[0]}'")
        for name, some in inside.items():
            inner = self.scratch / name
            place = self.scratch / f"{name}.d"
            place.mkdir()
            label = f"{self.label}{NESTED}{some[0].path[0]}"
            _Pass(self.guard, label, place, 0).take(inner, tuple(_Wanted(want.member, want.path[1:]) for want in some))

    def _hits(self, entry: Entry, wanted: tuple[_Wanted, ...]) -> list[_Wanted]:
        if entry.kind is EntryKind.FOLDER:
            return []
        parts = tuple(part for part in PurePosixPath(entry.name).parts if part != ".")[self.strip :]
        return [want for want in wanted if _same(parts, PurePosixPath(want.path[0]).parts)]

    def _spool(self, entry: Entry, number: int) -> str:
        """An inner archive as a file of its own, under the same limits."""
        name = f"inner-{number}"
        with _content(entry, self.guard) as content, (self.scratch / name).open("xb") as file:
            while piece := content.read(_PIECE_BYTES):
                self.guard.weigh(entry.name, len(piece))
                file.write(piece)
        return name

    def _keep(self, entry: Entry, wanted: list[_Wanted]) -> None:
        kept: FileHash | None = None
        for want in wanted:
            basename = PurePosixPath(entry.name).name
            name = f"{want.member.name}/{basename}" if want.is_glob else want.member.name
            target = safe_name(name, label=self.label)
            if kept is None:
                self.guard.announce(entry.name, entry.size_bytes)
                with _content(entry, self.guard) as content:
                    kept = self.guard.file(target, content)
            else:
                self.guard.hard_link(target, PurePosixPath(kept.name))
            if not want.is_glob:
                _verify(want.member, kept, self.label)


def _content(entry: Entry, guard: Guard) -> IO[bytes]:
    if entry.kind is EntryKind.SYMBOLIC_LINK:
        raise guard.refuse(entry.name, "it is a symbolic link")
    if entry.kind is not EntryKind.FILE or entry.content is None:
        raise guard.refuse(entry.name, f"it is {entry.what or 'a link'}")
    return entry.content()


def _same(parts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return len(parts) == len(patterns) and all(fnmatchcase(*pair) for pair in zip(parts, patterns, strict=True))


def _verify(member: Member, found: FileHash, label: str) -> None:
    if member.sha256 is not None and found.sha256 != member.sha256:
        raise AssetError(
            f"'{printable(member.path)}' of {label} is not the pinned one: "
            f"expected sha256 {member.sha256}, found {found.sha256}",
            hint="the catalogue entry and the package disagree; nothing was kept",
        )
    if member.size_bytes is not None and found.size_bytes != member.size_bytes:
        raise AssetError(f"'{member.path}' of {label} has {found.size_bytes} bytes, expected {member.size_bytes}")
