"""Turn a filled folder into an asset: hashed, held to the catalogue and to first use, read-only, shared, in one step.

The view appears whole or not at all; until then nothing in the cache has changed but blobs that nobody links to.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.assets import manifest
from orchestrator.assets.blobs import READ_ONLY, RUNNABLE, BlobStore
from orchestrator.assets.cache_entries import summarise, write_summary
from orchestrator.assets.cache_layout import CacheLayout, make_root
from orchestrator.assets.cache_trust import hold_to_first_use
from orchestrator.assets.expected import check_expected
from orchestrator.assets.manifest import Manifest, Trust
from orchestrator.domain.asset import Asset, FileHash, PlannedAsset
from orchestrator.domain.ports import Say
from orchestrator.domain.source import Bucket, Download, GitTree, HuggingFace, Package, Prepared, Scripted, StandIn
from orchestrator.errors import AssetError
from orchestrator.host.files import lock, make_folder, publish_tree

_COMMIT = re.compile(r"^[0-9a-f]{40}$")


class Learned:
    """Collects what a fetch found out that the catalogue does not pin: `revision`, `md5 of the list`."""

    def __init__(self) -> None:
        self._facts: dict[str, str] = {}

    def note(self, what: str, value: str) -> None:
        """One fact."""
        self._facts[what] = value

    @property
    def facts(self) -> tuple[tuple[str, str], ...]:
        """All of them, sorted."""
        return tuple(sorted(self._facts.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Where it is published, and what is said meanwhile. `when`: UTC, ISO 8601."""

    layout: CacheLayout
    blobs: BlobStore
    when: str
    say: Say


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is known of a filled folder.

    `hashes` need not be computed again. `trust`: of files without pins, if it is not what the
    source implies. `share`: whether files become
    read-only and are linked to blobs; not where they are links to files of the user's. `hint`: the remedy where the
    folder is not what the catalogue says.
    """

    hashes: tuple[FileHash, ...] = ()
    learned: tuple[tuple[str, str], ...] = ()
    trust: Trust | None = None
    share: bool = True
    hint: str = "nothing was kept; another try will start afresh"


@contextmanager
def making(layout: CacheLayout, planned: PlannedAsset, *, say: Say) -> Iterator[None]:
    """Hold the locks under which an asset is made: its own, and one that keeps blobs from being removed."""
    name = planned.asset.name
    make_root(layout.root)
    for folder in (layout.tmp, layout.filling_lock.parent, planned.path.parent):
        make_folder(folder)
    own = lock(
        layout.asset_lock(name, planned.key),
        waiting=lambda: say(f"waiting for another process that makes asset '{name}'"),
    )
    all_of_us = lock(
        layout.filling_lock,
        shared=True,
        waiting=lambda: say("waiting for another process that works on the cache"),
    )
    with own, all_of_us:
        yield


def publish(planned: PlannedAsset, made: Path, shelf: Shelf, content: Content) -> Manifest:
    """Give the folder its place as the asset's view; returns its manifest. The caller holds the asset's lock.

    AssetError when a file is missing, is not what the catalogue pins, or is not what came the first time.
    """
    asset, layout = planned.asset, shelf.layout
    first = Trust.FIRST_USE
    found = manifest.describe(asset, key=planned.key, place=made, trust=first, when=shelf.when, known=content.hashes)
    if not found.files:
        raise AssetError(f"asset '{asset.name}' came without any file", hint=content.hint)
    check_expected(asset, found, hint=content.hint)
    found = replace(found, trust=trust_in(asset, found, otherwise=content.trust), learned=content.learned)
    hold_to_first_use(layout, found, say=shelf.say)
    if content.share:
        _seal(made, planned.path.parent)
        for item in found.files:
            if not (made / item.name).is_symlink() and item.size_bytes:
                shelf.blobs.adopt(made / item.name, item.sha256)
    found = manifest.relisted(found, made)
    manifest.write(found, made / manifest.FILE_NAME)
    make_folder(planned.path.parent)
    publish_tree(made, planned.path)
    write_summary(layout, summarise(asset, found))
    return found


def trust_in(asset: Asset, found: Manifest, *, otherwise: Trust | None = None) -> Trust:
    """Why the hashes of what was fetched or made can be believed; `otherwise` where files have no pins of their own.

    A pinned package or archive covers all that comes out of it, as a commit does; else each file needs a pin.
    """
    source = asset.source
    pins = {pin.name for pin in asset.files if pin.sha256 is not None}
    if all(item.name in pins for item in found.files):
        return Trust.PINNED
    if otherwise is not None:
        return otherwise
    if isinstance(source, Package | GitTree):
        return Trust.PINNED
    if (isinstance(source, Download) and source.sha256) or (isinstance(source, Bucket) and source.md5):
        return Trust.PINNED
    if isinstance(source, HuggingFace) and source.revision is not None and _COMMIT.match(source.revision):
        return Trust.PINNED
    if isinstance(source, Prepared | StandIn) or (isinstance(source, Scripted) and not source.network):
        return Trust.MADE
    return Trust.FIRST_USE


def _seal(made: Path, above: Path) -> None:
    """Read-only files, folders that all may enter; whatever umask or container wrote them."""
    mode = stat.S_IMODE(above.stat().st_mode) | 0o755
    for path in (made, *made.rglob("*")):
        if path.is_symlink():
            continue
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            path.chmod(mode)
        else:
            path.chmod(RUNNABLE if facts.st_mode & 0o111 else READ_ONLY)
