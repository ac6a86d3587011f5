"""Re-check what lies in a cache in full: every byte hashed, missing, changed and extra files named. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from orchestrator.assets import manifest
from orchestrator.assets.cache_layout import SITE_REMEDY, CacheLayout
from orchestrator.assets.cache_trust import remembered
from orchestrator.domain.asset import Asset
from orchestrator.domain.canonical import to_json
from orchestrator.domain.ports import Meter, no_meter
from orchestrator.errors import AssetError
from orchestrator.host.hashing import sha256_files

BLOBS = "store"
Catalogue = Callable[[str], Asset | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A file that is not what it was: `found` is its hash now, or why it cannot be read."""

    name: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What became of one asset, or of the blobs that no asset holds (`name` store). `remedy` where it is damaged."""

    name: str
    key: str
    path: Path
    files: int
    size_bytes: int
    missing: tuple[str, ...] = ()
    changed: tuple[Changed, ...] = ()
    extra: tuple[str, ...] = ()
    fault: str | None = None
    remedy: str | None = None

    @property
    def ok(self) -> bool:
        """Whether it is what it was when it was believed."""
        return not (self.missing or self.changed or self.extra or self.fault)


def verify_view(
    layout: CacheLayout, name: str, key: str, *, catalogue: Catalogue, site: bool = False, meter: Meter = no_meter
) -> Verified:
    """Hash a whole asset. The catalogue's pins are believed first, then what was remembered, then the manifest."""
    place = layout.view(name, key)
    advice = SITE_REMEDY if site else f"mlperf-docker cache rm {name}/{key}; the next use has it anew"
    fault = f"its {manifest.FILE_NAME} is lost"
    known = None
    try:
        if (place / manifest.FILE_NAME).is_file():
            sizes = {item: stat.st_size for item, stat in manifest.survey(place).items()}
            with ThreadPoolExecutor(1) as apart:  # a big manifest takes as long to read as its files to hash
                hashing = apart.submit(_hashes, place, sizes, name, meter)
                known = manifest.read(place / manifest.FILE_NAME)
                before = remembered(layout, known) if known is not None else {}
                found = hashing.result()
    except (AssetError, OSError) as error:
        known, fault = None, str(error)
    if known is None:
        return Verified(name=name, key=key, path=place, files=0, size_bytes=0, fault=fault, remedy=advice)
    pins = _pins(known, key, catalogue(name))
    expected = {item.name: pins.get(item.name) or before.get(item.name) or item.sha256 for item in known.files}
    return Verified(
        name=name,
        key=key,
        path=place,
        files=len(known.files),
        size_bytes=sum(sizes.values()),
        missing=tuple(sorted((expected.keys() | before.keys() | pins.keys()) - found.keys())),
        changed=tuple(
            Changed(name=item, expected=digest, found=found[item].removeprefix("-"))
            for item, digest in expected.items()
            if item in found and found[item] != digest
        ),
        extra=tuple(sorted(found.keys() - expected.keys())),
        remedy=advice,
    )


def verify_blobs(layout: CacheLayout, *, meter: Meter = no_meter) -> Verified:
    """Hash the blobs that no asset holds; those that one does are hashed with it."""
    sizes = {path.name: path.stat().st_size for path in layout.blobs() if path.stat().st_nlink == 1}
    folder = layout.root / "store" / "sha256"
    found = _hashes(folder, sizes, "what no asset holds", meter)
    return Verified(
        name=BLOBS,
        key="",
        path=folder,
        files=len(sizes),
        size_bytes=sum(sizes.values()),
        changed=tuple(
            Changed(name=name, expected=name, found=digest.removeprefix("-"))
            for name, digest in sorted(found.items())
            if digest != name
        ),
        remedy="mlperf-docker cache prune removes what no asset holds; what is needed again is fetched again",
    )


def _pins(known: manifest.Manifest, key: str, asset: Asset | None) -> dict[str, str]:
    """What the catalogue pins, if the entry is still the one that this asset came from."""
    if asset is None or (not asset.key().startswith(key) and to_json(asset.source) != known.source):
        return {}
    return manifest.pinned(asset, [item.name for item in known.files])


def _hashes(folder: Path, sizes: Mapping[str, int], what: str, meter: Meter) -> dict[str, str]:
    done_bytes, total = 0, sum(sizes.values())

    def done(count: int) -> None:
        nonlocal done_bytes
        done_bytes += count
        meter(f"verifying {what}", done_bytes, total)

    return sha256_files(folder, sizes, done=done)
