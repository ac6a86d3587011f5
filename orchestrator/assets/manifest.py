"""What a cached asset was when it was believed: manifest.json beside its files, and the check against it.

Never deletes: a damaged asset is reported with both hashes, and the user decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator.domain.asset import Asset, FileHash
from orchestrator.domain.canonical import JsonValue, pretty_json, to_json
from orchestrator.errors import AssetError
from orchestrator.host.files import sha256_file, tree_files, write_atomic

SCHEMA_VERSION = 1
FILE_NAME = ".manifest.json"  # hidden: it lies among the asset's own files, where one may be called manifest.json
ALWAYS_HASHED_BYTES = 64 << 20


class Trust(StrEnum):
    """How the hashes of an asset came to be believed."""

    PINNED = "pinned"
    FIRST_USE = "first use"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestFile:
    """A file as it was; the modification time (ns) tells whether a big one must be hashed again."""

    name: str
    sha256: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The whole of a manifest. `when`: UTC, ISO 8601."""

    schema_version: int = SCHEMA_VERSION
    name: str
    key: str
    source: JsonValue
    files: tuple[ManifestFile, ...]
    trust: Trust
    when: str

    @property
    def hashes(self) -> tuple[FileHash, ...]:
        """The files as a record shows them."""
        return tuple(FileHash(name=item.name, sha256=item.sha256, size_bytes=item.size_bytes) for item in self.files)


def describe(asset: Asset, *, key: str, place: Path, trust: Trust, when: str) -> Manifest:
    """Hash everything at `place` (a folder, or one file) into a manifest."""
    files = []
    for name, path in asset_files(place).items():
        stat = path.stat()
        files.append(
            ManifestFile(name=name, sha256=sha256_file(path), size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns)
        )
    return of(asset, key=key, files=tuple(files), trust=trust, when=when)


def of(asset: Asset, *, key: str, files: tuple[ManifestFile, ...], trust: Trust, when: str) -> Manifest:
    """The manifest of an asset whose files are hashed already."""
    return Manifest(name=asset.name, key=key, source=to_json(asset.source), files=files, trust=trust, when=when)


def asset_files(place: Path) -> dict[str, Path]:
    """An asset's files by name (relative, POSIX), sorted; for a single file its own name."""
    if place.is_file():
        return {place.name: place}
    found = ((path.relative_to(place).as_posix(), path) for path in tree_files(place))
    return {name: path for name, path in found if name != FILE_NAME}


def check_pins(asset: Asset, manifest: Manifest, *, hint: str) -> None:
    """AssetError when a file that the catalogue names is missing or is not what the catalogue says."""
    there = {item.name: item for item in manifest.files}
    for pin in asset.files:
        found = there.get(pin.name)
        if found is None:
            raise AssetError(f"asset '{asset.name}' came without its file '{pin.name}'", hint=hint)
        if pin.sha256 is not None and found.sha256 != pin.sha256:
            raise AssetError(
                f"asset '{asset.name}': '{pin.name}' is not what the catalogue says: "
                f"expected sha256 {pin.sha256}, found {found.sha256}",
                hint=hint,
            )


def check_tree(place: Path, manifest: Manifest, asset: Asset) -> None:
    """AssetError when a file is missing or changed since the manifest was written (expected and found hash named).

    Files up to 64 MiB are hashed each time, bigger ones when size or modification time changed. What the catalogue
    pins is believed before what the manifest says.
    """
    pins = {pin.name: pin.sha256 for pin in asset.files if pin.sha256 is not None}
    files = asset_files(place)
    for item in manifest.files:
        path = files.get(item.name)
        if path is None:
            raise AssetError(f"asset '{asset.name}' lacks its file {place / item.name}", hint=remedy(place))
        stat = path.stat()
        unchanged = (stat.st_size, stat.st_mtime_ns) == (item.size_bytes, item.mtime_ns)
        found = item.sha256 if unchanged and item.size_bytes > ALWAYS_HASHED_BYTES else sha256_file(path)
        expected = pins.get(item.name, item.sha256)
        if found != expected:
            raise AssetError(
                f"asset '{asset.name}' is damaged: {path}: expected sha256 {expected}, found {found}",
                hint=remedy(place),
            )


def remedy(place: Path) -> str:
    """What to do about a damaged asset."""
    return f"remove the folder {place} and run again: it will be fetched anew"


def write(manifest: Manifest, path: Path) -> None:
    """Write a manifest file."""
    write_atomic(path, pretty_json(manifest))


def read(path: Path) -> Manifest | None:
    """Read a manifest file; None when there is none, AssetError when it is damaged."""
    try:
        raw = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        return _decode(json.loads(raw))
    except (ValueError, KeyError, TypeError) as error:
        raise AssetError(f"{path} is damaged: {error}", hint=remedy(path.parent)) from error


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
    )


def _decode_file(entry: JsonValue) -> ManifestFile:
    match entry:
        case {"name": str(name), "sha256": str(sha256), "size_bytes": int(size), "mtime_ns": int(mtime)}:
            return ManifestFile(name=name, sha256=sha256, size_bytes=size, mtime_ns=mtime)
        case _:
            raise ValueError("a file entry without name, sha256, size_bytes, mtime_ns")
