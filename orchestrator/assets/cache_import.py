"""Bring the user's own copy of a catalogue asset into the cache: a folder, a file, or the archive that it comes in.

Held to the catalogue like what is fetched. The user's files are left as they are until all is done, whatever dies when.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from enum import StrEnum
from pathlib import Path

from orchestrator.assets import manifest
from orchestrator.assets.blobs import BlobStore
from orchestrator.assets.cache_publish import Content
from orchestrator.assets.expected import described
from orchestrator.assets.local import check_place
from orchestrator.assets.manifest import Trust
from orchestrator.domain.asset import Asset, FileHash
from orchestrator.domain.ports import Meter, Say
from orchestrator.domain.source import Bucket, Download, Package
from orchestrator.errors import AssetError
from orchestrator.host.files import sha256_file


class How(StrEnum):
    """What becomes of the user's files."""

    COPY = "copy"
    LINK = "link"  # the cache shares them: later changes to them are damage
    MOVE = "move"


def take_archive(asset: Asset, given: Path, blobs: BlobStore, *, say: Say) -> bool:
    """Put the very file that the catalogue pins into the store, so that it need not be fetched; whether it is that.

    AssetError, with both hashes, for an archive that is not the one pinned.
    """
    source = asset.source
    if not given.is_file() or not isinstance(source, Package | Download) or source.sha256 is None:
        return False
    found = sha256_file(given)
    if found == source.sha256:
        blobs.ensure(found, what=given.name, fetch=lambda work: _copied(given, work / given.name), say=say)
        return True
    if isinstance(source, Package) or _is_packed(asset, given):
        raise _another(asset, given, "sha256", source.sha256, found)
    return False


def fill_from_user(asset: Asset, given: Path, made: Path, how: How, meter: Meter) -> Content:
    """Fill the empty folder `made` from what the user has; what is known of it then."""
    check_place(asset.name, given)
    wanted = described(asset)
    hint = f"nothing was kept; '{asset.name}' must hold {wanted}" if wanted else "nothing was kept"
    if _is_packed(asset, given):
        return Content(hashes=_unpacked(asset, given, made), trust=Trust.IMPORTED, hint=hint)
    single = given.is_file() and len(asset.files) == 1
    total = 0
    for name, stat in manifest.survey(given).items():
        source = given if given.is_file() else given / name
        target = made / (asset.files[0].name if single else name)
        target.parent.mkdir(parents=True, exist_ok=True)
        _place(source, target, how)
        total += stat.st_size
        meter(f"taking {given.name}", total, None)
    return Content(trust=Trust.IMPORTED, share=how is not How.LINK, hint=hint)


def remove_taken(given: Path) -> None:
    """The user's own copy goes, after all of it is in the cache."""
    if given.is_dir() and not given.is_symlink():
        shutil.rmtree(given)
    else:
        given.unlink()


def _is_packed(asset: Asset, given: Path) -> bool:
    """Whether it is an archive whose content is the asset (a model file may be a zip archive by its form)."""
    if not given.is_file():
        return False
    from orchestrator.assets.archive_entries import is_archive

    source = asset.source
    says = isinstance(source, Download | Bucket) and (source.unpack or bool(getattr(source, "members", ())))
    return (says or bool(asset.layout) or len(asset.files) > 1) and is_archive(given)


def _unpacked(asset: Asset, given: Path, made: Path) -> tuple[FileHash, ...]:
    from orchestrator.assets.archive import extract
    from orchestrator.assets.kit import limits_of
    from orchestrator.assets.unpack import unpack

    source, limits = asset.source, limits_of(asset)
    if isinstance(source, Download) and source.md5 is not None and (found := _md5(given)) != source.md5:
        raise _another(asset, given, "md5", source.md5, found)
    if isinstance(source, Download) and source.members:
        return extract(given, source.members, made, strip=source.strip, limits=limits)
    strip = source.strip if isinstance(source, Download) else 0
    single = asset.files[0].name if len(asset.files) == 1 else given.stem
    return unpack(given, made, single_name=single, strip=strip, limits=limits)


def _place(source: Path, target: Path, how: How) -> None:
    """A copy, or a link to the same bytes; what is to be moved is linked, too, and removed when all is done."""
    if how is not How.COPY:
        try:
            os.link(source, target, follow_symlinks=True)
        except OSError as error:
            if how is How.LINK:
                reason = "it is on another file system" if error.errno == errno.EXDEV else error.strerror
                raise AssetError(
                    f"{source} cannot be linked into the cache: {reason}", hint="use --copy or --move"
                ) from error
        else:
            return
    _copied(source, target)


def _copied(source: Path, target: Path) -> Path:
    return Path(shutil.copyfile(source, target))


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def _another(asset: Asset, given: Path, kind: str, expected: str, found: str) -> AssetError:
    return AssetError(
        f"{given} is not what '{asset.name}' comes in: expected {kind} {expected}, found {found}",
        hint="nothing was kept; get the file that the catalogue names (mlperf-docker models show, datasets show)",
    )
