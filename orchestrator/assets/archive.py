"""Take single files out of a package archive (also out of an archive inside it), never outside the target folder."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from orchestrator.domain.source import Member
from orchestrator.errors import AssetError
from orchestrator.host.files import sha256_file

NESTED = "!"  # `outer.zip!inner.bin`: a file of an archive that is itself a file of the archive


def extract(archive: Path, members: tuple[Member, ...], folder: Path) -> None:
    """Put the members into `folder` under their names and verify those with a hash.

    A `path` may be a glob (`*` within one path component); then `name` is the folder that the files go to.
    AssetError when the archive is broken, a member is missing or dangerous, or a hash differs.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            for member in members:
                _extract_member(opened, archive.name, member, folder)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
        raise AssetError(f"{archive} is not a readable archive: {error}") from error


def _extract_member(opened: zipfile.ZipFile, label: str, member: Member, folder: Path) -> None:
    *outer, pattern = member.path.split(NESTED)
    with _descend(opened, label, outer) as (inner, inner_label):
        matches = _matches(inner, pattern)
        if not matches:
            raise AssetError(f"{inner_label} has no member '{pattern}'")
        is_glob = any(sign in pattern for sign in "*?[")
        for entry in matches:
            name = f"{member.name}/{PurePosixPath(entry.filename).name}" if is_glob else member.name
            target = _inside(folder, name)
            _copy(inner, entry, target)
            if not is_glob:
                _verify(member, target, inner_label)


@contextmanager
def _descend(opened: zipfile.ZipFile, label: str, path: list[str]) -> Iterator[tuple[zipfile.ZipFile, str]]:
    if not path:
        yield opened, label
        return
    head, *rest = path
    entry = next(iter(_matches(opened, head)), None)
    if entry is None:
        raise AssetError(f"{label} has no member '{head}'")
    with (
        opened.open(entry) as raw,
        zipfile.ZipFile(raw) as inner,
        _descend(inner, f"{label}{NESTED}{head}", rest) as end,
    ):
        yield end


def _matches(opened: zipfile.ZipFile, pattern: str) -> list[zipfile.ZipInfo]:
    wanted = PurePosixPath(pattern).parts
    return [
        entry
        for entry in sorted(opened.infolist(), key=lambda entry: entry.filename)
        if not entry.is_dir() and _same(PurePosixPath(entry.filename).parts, wanted)
    ]


def _same(parts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    return len(parts) == len(patterns) and all(fnmatchcase(*pair) for pair in zip(parts, patterns, strict=True))


def _inside(folder: Path, name: str) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or parts[0] == "/" or ".." in parts or "\\" in name or "\0" in name:
        raise AssetError(f"refused to write '{name}': it would leave the asset's folder")
    return folder.joinpath(*parts)


def _copy(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise AssetError(f"refused the archive member '{entry.filename}': it is a symbolic link")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with opened.open(entry) as source, target.open("xb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
    except FileExistsError:
        raise AssetError(f"two archive members would become '{target.name}'") from None


def _verify(member: Member, target: Path, label: str) -> None:
    found = sha256_file(target) if member.sha256 is not None else None
    if found != member.sha256:
        raise AssetError(
            f"'{member.path}' of {label} is not the pinned one: expected sha256 {member.sha256}, found {found}",
            hint="the catalogue entry and the package disagree; nothing was kept",
        )
    size = target.stat().st_size
    if member.size_bytes is not None and size != member.size_bytes:
        raise AssetError(f"'{member.path}' of {label} has {size} bytes, expected {member.size_bytes}")
