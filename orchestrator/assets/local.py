"""The user's own copies: checked to exist, hashed, never copied. Hashes are remembered beside the cache by place."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from orchestrator.assets import manifest
from orchestrator.assets.expected import check_expected, described
from orchestrator.assets.manifest import Manifest, ManifestFile, Trust
from orchestrator.domain.asset import Asset
from orchestrator.domain.canonical import fingerprint
from orchestrator.errors import AssetError
from orchestrator.host.files import make_folder

_HINT = "this is your own copy (it always wins over the catalogue); name another, or leave the option out"


def state_of(place: Path) -> str:
    """A fingerprint of names, sizes and modification times: changes when the content may have; quick."""
    return fingerprint([(name, stat.st_size, stat.st_mtime_ns) for name, stat in manifest.survey(place).items()])


def check_place(name: str, place: Path) -> None:
    """AssetError when there is nothing at a local path, or nothing in it, or what a container would not see."""
    if not place.exists():
        raise AssetError(f"asset '{name}': there is nothing at {place}", hint=_HINT)
    files = manifest.asset_files(place)
    if not files:
        raise AssetError(f"asset '{name}': the folder {place} holds no files", hint=_HINT)
    for path in files.values() if place.is_dir() else ():
        if path.is_symlink() and not path.resolve().is_relative_to(place.resolve()):
            raise AssetError(
                f"asset '{name}': {path} is a link that leads out of the folder",
                hint="a container would not see where it leads; copy the file into the folder",
            )


def hash_local(asset: Asset, place: Path, *, key: str, memory: Path, when: str) -> Manifest:
    """The manifest of a local asset, held to what the catalogue says of it.

    Of more than 64 MiB, files whose size and time did not change are not hashed again (`memory`: folder of what was
    seen).
    """
    remembered = memory / f"{hashlib.sha256(str(place).encode()).hexdigest()[:32]}.json"
    known, files = _recall(remembered), manifest.survey(place)
    always = sum(stat.st_size for stat in files.values()) <= manifest.ALWAYS_HASHED_BYTES
    hashes = {
        name: known[name].sha256
        for name, stat in files.items()
        if not always
        and name in known
        and (known[name].size_bytes, known[name].mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    }
    doubtful = {name: stat.st_size for name, stat in files.items() if name not in hashes}
    hashes.update(manifest.hash_at(place, doubtful))
    listed = tuple(
        ManifestFile(name=name, sha256=hashes[name], size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns)
        for name, stat in files.items()
    )
    found = manifest.of(asset, key=key, files=listed, trust=Trust.LOCAL, when=when)
    _check(asset, found, place)
    with suppress(OSError):  # a cache that cannot be written costs time, not correctness
        make_folder(memory)
        manifest.write(found, remembered)
    return found


def _check(asset: Asset, found: Manifest, place: Path) -> None:
    """A single file may have any name where the catalogue wants a single file."""
    expected = described(asset)
    hint = f"{place} must hold {expected}; {_HINT}" if expected else _HINT
    if place.is_file() and len(asset.files) == 1 and not asset.layout:
        check_expected(asset, replace(found, files=(replace(found.files[0], name=asset.files[0].name),)), hint=hint)
        return
    check_expected(asset, found, hint=hint)


def _recall(remembered: Path) -> dict[str, ManifestFile]:
    try:
        known = manifest.read(remembered)
    except (AssetError, OSError):
        return {}
    return {item.name: item for item in known.files} if known is not None else {}
