"""The user's own copies: checked to exist, hashed, never copied. Hashes are remembered beside the cache by place."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from orchestrator.assets import manifest
from orchestrator.assets.manifest import Manifest, ManifestFile, Trust
from orchestrator.domain.asset import Asset
from orchestrator.domain.canonical import fingerprint
from orchestrator.errors import AssetError
from orchestrator.host.files import sha256_file

_HINT = "this is your own copy (it always wins over the catalogue); name another, or leave the option out"


def state_of(place: Path) -> str:
    """A fingerprint of names, sizes and modification times: changes when the content may have; quick."""
    stats = ((name, path.stat()) for name, path in manifest.asset_files(place).items())
    return fingerprint([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])


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
    """The manifest of a local asset; unchanged big files are not hashed again (`memory`: folder of what was seen)."""
    remembered = memory / f"{hashlib.sha256(str(place).encode()).hexdigest()[:32]}.json"
    known = _recall(remembered)
    files = []
    for name, path in manifest.asset_files(place).items():
        stat = path.stat()
        before = known.get(name)
        same = before is not None and (before.size_bytes, before.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
        sha256 = (
            before.sha256
            if before is not None and same and stat.st_size > manifest.ALWAYS_HASHED_BYTES
            else sha256_file(path)
        )
        files.append(ManifestFile(name=name, sha256=sha256, size_bytes=stat.st_size, mtime_ns=stat.st_mtime_ns))
    found = manifest.of(asset, key=key, files=tuple(files), trust=Trust.LOCAL, when=when)
    manifest.check_pins(asset, found, hint=_HINT)
    with suppress(OSError):  # a cache that cannot be written costs time, not correctness
        memory.mkdir(parents=True, exist_ok=True)
        manifest.write(found, remembered)
    return found


def _recall(remembered: Path) -> dict[str, ManifestFile]:
    try:
        known = manifest.read(remembered)
    except AssetError:
        return {}
    return {item.name: item for item in known.files} if known is not None else {}
