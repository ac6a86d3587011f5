"""What a cached asset was when it was believed: a manifest beside its files, and the checks against it.

Never deletes: a damaged asset is reported with both hashes, and the user decides.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from orchestrator.assets.cache_layout import MANIFEST
from orchestrator.domain.asset import Asset, FileHash
from orchestrator.domain.canonical import JsonValue, fingerprint, pretty_json, to_json
from orchestrator.domain.source import Download, Package
from orchestrator.errors import AssetError
from orchestrator.host.files import sha256_file, tree_stats, write_atomic

SCHEMA_VERSION = 1
FILE_NAME = MANIFEST
ALWAYS_HASHED_BYTES = 64 << 20
Done = Callable[[int], None]


class Trust(StrEnum):
    """How the hashes of an asset came to be believed."""

    PINNED = "pinned"  # the catalogue names them, or a commit
    FIRST_USE = "first use"  # nobody published them: what came first is held to afterwards
    MADE = "made here"  # out of verified inputs
    IMPORTED = "imported"  # the user's own copy, held to afterwards
    LOCAL = "local"  # the user's own, used where it lies


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """A file as it was; the modification time (ns) tells whether a big one must be hashed again."""

    name: str
    sha256: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The whole of a manifest. `when`: UTC, ISO 8601. `learned`: what a fetch found out that the catalogue pins not."""

    schema_version: int = SCHEMA_VERSION
    name: str
    key: str
    source: JsonValue
    files: tuple[ManifestFile, ...]
    trust: Trust
    when: str
    learned: tuple[tuple[str, str], ...] = ()

    @property
    def hashes(self) -> tuple[FileHash, ...]:
        """The files as a record shows them."""
        return tuple(FileHash(name=item.name, sha256=item.sha256, size_bytes=item.size_bytes) for item in self.files)

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(item.size_bytes for item in self.files)

    @property
    def digest(self) -> str:
        """One hash for all: that of the only file, or one over names and hashes."""
        if len(self.files) == 1:
            return self.files[0].sha256
        return fingerprint([(item.name, item.sha256) for item in self.files])


def describe(
    asset: Asset,
    *,
    key: str,
    place: Path,
    trust: Trust,
    when: str,
    known: tuple[FileHash, ...] = (),
    done: Done | None = None,
) -> Manifest:
    """Hash everything at `place` (a folder, or one file) into a manifest.

    `known`: hashes of files there that need not be computed again. `done` is told bytes as they are hashed.
    """
    files = survey(place)
    given = {item.name: item.sha256 for item in known}
    missing = {name: stat.st_size for name, stat in files.items() if name not in given}
    hashes = {**given, **hash_at(place, missing, done)}
    return of(asset, key=key, files=_listed(files, hashes), trust=trust, when=when)


def of(asset: Asset, *, key: str, files: tuple[ManifestFile, ...], trust: Trust, when: str) -> Manifest:
    """The manifest of an asset whose files are hashed already."""
    return Manifest(name=asset.name, key=key, source=to_json(asset.source), files=files, trust=trust, when=when)


def survey(place: Path) -> dict[str, os.stat_result]:
    """An asset's files by name (relative, POSIX), sorted; for a single file its own name."""
    if place.is_file():
        return {place.name: place.stat()}
    return dict(sorted((name, stat) for name, stat in tree_stats(place) if name != FILE_NAME))


def asset_files(place: Path) -> dict[str, Path]:
    """The same as paths."""
    if place.is_file():
        return {place.name: place}
    return {name: place / name for name in survey(place)}


def hash_at(place: Path, sizes: Mapping[str, int], done: Done | None = None) -> dict[str, str]:
    """Hex sha256 of an asset's files by name; AssetError for one that cannot be read."""
    if not sizes:
        return {}
    if sum(sizes.values()) < ALWAYS_HASHED_BYTES and len(sizes) < 64:
        folder = place.parent if place.is_file() else place
        return {name: sha256_file(folder / name) for name in sizes}
    from orchestrator.host.hashing import sha256_files

    found = sha256_files(place.parent if place.is_file() else place, sizes, done=done)
    for name, digest in found.items():
        if digest.startswith("-"):
            raise AssetError(f"{place / name} cannot be read: {digest[1:]}", hint="get the right to read it")
    return found


def relisted(manifest: Manifest, place: Path) -> Manifest:
    """The same with the times that the files have now (after they were linked or given other modes)."""
    hashes = {item.name: item.sha256 for item in manifest.files}
    return replace(manifest, files=_listed(survey(place), hashes))


def check_tree(place: Path, manifest: Manifest, asset: Asset) -> None:
    """AssetError when a file is missing or changed since the manifest was written (expected and found hash named).

    An asset of up to 64 MiB is hashed each time; of a bigger one, files whose size or modification time changed
    (`cache verify` hashes all). What the catalogue pins is believed before what the manifest says.
    """
    pins = pinned(asset, [item.name for item in manifest.files])
    files = survey(place)
    always = manifest.size_bytes <= ALWAYS_HASHED_BYTES
    doubtful: dict[str, int] = {}
    for item in manifest.files:
        stat = files.get(item.name)
        if stat is None:
            raise AssetError(f"asset '{asset.name}' lacks its file {place / item.name}", hint=remedy(manifest, place))
        unchanged = (stat.st_size, stat.st_mtime_ns) == (item.size_bytes, item.mtime_ns)
        if always or not unchanged:
            doubtful[item.name] = stat.st_size
    found = hash_at(place, doubtful)
    for item in manifest.files:
        expected = pins.get(item.name, item.sha256)
        now = found.get(item.name, item.sha256)
        if now != expected:
            raise AssetError(
                f"asset '{asset.name}' is damaged: {place / item.name}: expected sha256 {expected}, found {now}",
                hint=remedy(manifest, place),
            )


def pinned(asset: Asset, names: Sequence[str]) -> dict[str, str]:
    """What the catalogue says of files by name: pins of their own, of package members, of the one file downloaded."""
    found: dict[str, str] = {}
    source = asset.source
    if isinstance(source, Package | Download):
        found.update({member.name: member.sha256 for member in source.members if member.sha256 is not None})
    if isinstance(source, Download) and source.sha256 and not (source.unpack or source.members) and len(names) == 1:
        found[names[0]] = source.sha256
    return {**found, **{pin.name: pin.sha256 for pin in asset.files if pin.sha256 is not None}}


def remedy(manifest: Manifest, place: Path) -> str:
    """What to do about a damaged asset."""
    return f"`mlperf-docker cache rm {manifest.name}/{place.name}` removes {place}; run again, and it is had anew"


def write(manifest: Manifest, path: Path) -> None:
    """Write a manifest file."""
    write_atomic(path, pretty_json(manifest))


def read(path: Path) -> Manifest | None:
    """Read a manifest file; None when there is none, AssetError when it is damaged or may not be read."""
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return _decode(json.loads(raw))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        hint = f"remove the folder {path.parent} and run again: it will be had anew"
        raise AssetError(f"{path} is damaged: {error}", hint=hint) from error


def _listed(files: Mapping[str, os.stat_result], hashes: Mapping[str, str]) -> tuple[ManifestFile, ...]:
    return tuple(
        ManifestFile(name=name, sha256=hashes[name], size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns)
        for name, stat in files.items()
    )


def _decode(document: Mapping[str, JsonValue]) -> Manifest:
    if document["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema_version {document['schema_version']} is not {SCHEMA_VERSION}")
    entries = document["files"]
    if not isinstance(entries, list):
        raise TypeError("'files' is not a list")
    return Manifest(
        name=str(document["name"]),
        key=str(document["key"]),
        source=document["source"],
        files=tuple(_decode_file(entry) for entry in entries),
        trust=Trust(str(document["trust"])),
        when=str(document["when"]),
        learned=tuple((str(what), str(value)) for what, value in _pairs(document.get("learned"))),
    )


def _pairs(value: JsonValue) -> list[list[JsonValue]]:
    return [pair for pair in value if isinstance(pair, list)] if isinstance(value, list) else []


def _decode_file(entry: JsonValue) -> ManifestFile:
    """Plain on purpose: a manifest may have 50,000 of them."""
    if not isinstance(entry, dict):
        raise TypeError("a file entry that is not an object")
    name, sha256, size, mtime = entry["name"], entry["sha256"], entry["size_bytes"], entry["mtime_ns"]
    if isinstance(name, str) and isinstance(sha256, str) and isinstance(size, int) and isinstance(mtime, int):
        return ManifestFile(name=name, sha256=sha256, size_bytes=size, mtime_ns=mtime)
    raise ValueError("a file entry without name, sha256, size_bytes, mtime_ns")
