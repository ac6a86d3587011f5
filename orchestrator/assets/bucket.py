"""MLCommons' storage: a metadata file names where the files lie, a list beside it their md5. Public and members' ones.

The same protocol as MLCommons' own downloader (https://github.com/mlcommons/r2-downloader): `metadata/NAME.uri` holds
the base address, `metadata/NAME.md5` lines `md5  path`. Who may not have it is sent on to a login page.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

from orchestrator.assets.archive_entries import is_archive
from orchestrator.assets.document import read_document
from orchestrator.assets.kit import Kit, each, limits_of
from orchestrator.assets.names import chosen, placed
from orchestrator.assets.transfer import Expected
from orchestrator.assets.transfer_faults import shown
from orchestrator.assets.unpack import unpack
from orchestrator.domain.asset import Asset, FileHash
from orchestrator.domain.source import Bucket
from orchestrator.errors import AssetError

_LIST_LINE = re.compile(r"^(?P<md5>[0-9a-f]{32})[ \t]+\*?(?P<path>\S.*)$")
_METADATA = (".uri", ".url")  # .url: what the list of the first buckets was called
_ARCHIVES = (".tar", ".tgz", ".tbz2", ".txz", ".zip", ".gz", ".bz2", ".xz", ".zst")
_URI_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What a metadata file leads to: where the files lie, and the md5 of each by its path. `md5`: of the list."""

    base: str
    files: dict[str, str]
    md5: str

    def address(self, path: str) -> str:
        """Where a file is to be had."""
        return f"{self.base}/{quote(path)}"


def fill_from_bucket(asset: Asset, source: Bucket, made: Path, kit: Kit) -> tuple[FileHash, ...]:
    """Fetch what is wanted of a bucket's files, each against its md5. AssetError names the file, and what is wrong."""
    listing = _explained(asset, source, kit)
    names = placed(chosen(tuple(listing.files), source.paths, label=source.uri), source.strip, label=source.uri)
    kit.say(f"'{asset.name}': {len(names):,} files from {shown(listing.base)}, checked against their published md5")
    wanted = partial(_fetch, listing)
    received = each(tuple(names), wanted, kit, what=asset.name, total_bytes=source.size_bytes)
    hashes: list[FileHash] = []
    for (path, place), (blob, known) in zip(names.items(), received, strict=True):
        # by its name: checkpoints and arrays are zip files, too, and stay what they are
        if source.unpack and path.endswith(_ARCHIVES) and is_archive(blob):
            hashes += _unpacked(asset, blob, place, made)
        else:
            kit.place(blob, made, place)
            hashes.append(FileHash(name=place, sha256=known.sha256, size_bytes=known.size_bytes))
    return tuple(hashes)


def list_bucket(source: Bucket, kit: Kit) -> Listing:
    """Read the metadata file and the list it stands beside; AssetError when they are not what they should be."""
    stem, ending = _split(source.uri)
    base = read_document(source.uri, line=kit.line, say=kit.say, most_bytes=_URI_BYTES)
    address = base.decode("utf-8", "replace").strip()
    parts = urlsplit(address) if address.isprintable() and " " not in address else urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise AssetError(
            f"{source.uri} holds no address",
            hint=f"a metadata file ({ending}) of the bucket holds one line, an address",
        )
    raw = read_document(f"{stem}.md5", line=kit.line, say=kit.say)
    return Listing(base=address.rstrip("/"), files=_parse(raw, f"{stem}.md5"), md5=_md5(raw))


def _explained(asset: Asset, source: Bucket, kit: Kit) -> Listing:
    try:
        listing = list_bucket(source, kit)
    except AssetError as error:
        if asset.gate is None or "login" not in f"{error.cause} {error.hint}":
            raise
        raise AssetError(
            f"'{asset.name}' is not open to everybody: {error.cause}",
            hint=f"{asset.gate.text} ({asset.gate.apply_at}); then `mlperf-docker login mlcommons`",
        ) from error
    if source.md5 is None:
        kit.learn("md5 of the list", listing.md5)
    elif source.md5 != listing.md5:
        raise AssetError(
            f"the list of {source.uri} is not the pinned one: expected md5 {source.md5}, found {listing.md5}",
            hint="MLCommons has changed the files, or somebody else has: nothing was fetched",
        )
    return listing


def _fetch(listing: Listing, path: str, kit: Kit) -> tuple[Path, FileHash]:
    return kit.blobs.receive(
        (listing.address(path),),
        name=PurePosixPath(path).name,
        expected=Expected(md5=listing.files[path]),
        line=kit.line,
        say=kit.say,
        meter=kit.meter,
    )


def _unpacked(asset: Asset, blob: Path, place: str, made: Path) -> list[FileHash]:
    """What an archive holds, beside where it would have lain."""
    path = PurePosixPath(place)
    folder = made / path.parent
    folder.mkdir(parents=True, exist_ok=True)
    found = unpack(blob, folder, single_name=path.stem, label=path.name, limits=limits_of(asset))
    return [
        FileHash(name=(path.parent / item.name).as_posix(), sha256=item.sha256, size_bytes=item.size_bytes)
        for item in found
    ]


def _split(uri: str) -> tuple[str, str]:
    for ending in _METADATA:
        if urlsplit(uri).path.endswith(ending) and not urlsplit(uri).query:
            return uri.removesuffix(ending), ending
    raise AssetError(f"{uri} is no metadata file of a bucket: it does not end with {_METADATA[0]}")


def _parse(raw: bytes, url: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), start=1):
        if not line.strip():
            continue
        match = _LIST_LINE.match(line)
        path = match["path"].removeprefix("./") if match else ""
        if match is None or path in found:
            why = "names a file twice" if match else "is not `md5  path`"
            raise AssetError(
                f"{url}: line {number} {why}", hint="the list in the bucket is damaged; nothing was fetched"
            )
        found[path] = match["md5"]
    if not found:
        raise AssetError(f"{url} lists no file")
    return found


def _md5(raw: bytes) -> str:
    return hashlib.md5(raw, usedforsecurity=False).hexdigest()
