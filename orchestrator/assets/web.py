"""A file at an address of the web: as it is, or an archive whose content is the asset."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from orchestrator.assets.archive import extract
from orchestrator.assets.archive_guard import safe_name
from orchestrator.assets.kit import Kit, limits_of
from orchestrator.assets.transfer import Expected
from orchestrator.assets.transfer_faults import shown
from orchestrator.assets.unpack import unpack
from orchestrator.domain.asset import Asset, FileHash
from orchestrator.domain.source import Download
from orchestrator.errors import AssetError

_COMPRESSED = (".gz", ".xz", ".bz2", ".zst")


def fill_from_web(asset: Asset, source: Download, made: Path, kit: Kit) -> tuple[FileHash, ...]:
    """Fetch from the first address that serves it; a file that is not unpacked gets the name the catalogue says."""
    if not source.urls:
        raise AssetError(f"asset '{asset.name}' has no address to be fetched from", hint="its entry's `urls` is empty")
    own_name = _own_name(source.urls[0])
    kit.say(f"fetching '{asset.name}' from {shown(source.urls[0])}")
    blob, known = kit.blobs.receive(
        source.urls, name=own_name, expected=_expected(asset, source), line=kit.line, say=kit.say, meter=kit.meter
    )
    limits = limits_of(asset)
    if source.members:
        return extract(blob, source.members, made, label=own_name, strip=source.strip, limits=limits)
    only = asset.files[0].name if len(asset.files) == 1 else None
    if source.unpack:
        single = only or _without_suffix(own_name)
        return unpack(blob, made, single_name=single, label=own_name, strip=source.strip, limits=limits)
    name = only or own_name
    kit.place(blob, made, str(safe_name(name, label=shown(source.urls[0]))))
    return (FileHash(name=name, sha256=known.sha256, size_bytes=known.size_bytes),)


def _expected(asset: Asset, source: Download) -> Expected:
    # an estimate is for people: a download is not held to it
    return Expected(
        sha256=source.sha256,
        md5=source.md5,
        size_bytes=None if asset.size_estimated else source.size_bytes,
    )


def _own_name(url: str) -> str:
    return PurePosixPath(unquote(urlsplit(url).path)).name or "download"


def _without_suffix(name: str) -> str:
    return next((name.removesuffix(end) for end in _COMPRESSED if name.endswith(end) and name != end), name)
