"""What lies in a cache, quickly: one small summary for each asset, its uses, pins; folders of drivers; rubbish.

Summaries are written when an asset is published and made again from its manifest where they are lost or damaged.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.assets.cache_layout import MANIFEST, CacheLayout
from orchestrator.assets.cache_uses import in_use, moment, uses_of
from orchestrator.domain.canonical import canonical_json
from orchestrator.errors import AssetError
from orchestrator.host.files import make_folder, tree_stats, write_atomic
from orchestrator.host.locks import is_held

if TYPE_CHECKING:
    from orchestrator.assets.manifest import Manifest
    from orchestrator.domain.asset import Asset

SCHEMA_VERSION = 1
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class State(StrEnum):
    """In which condition an entry is, as far as can be seen without hashing."""

    WHOLE = "whole"
    DAMAGED = "damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a list says of an asset. `origin` in words, `when` it came (UTC, ISO 8601)."""

    schema_version: int = SCHEMA_VERSION
    name: str
    key: str
    kind: str
    origin: str
    trust: str
    when: str
    size_bytes: int
    files: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in a cache: an asset, or a folder that a driver keeps (`kind` work).

    `last_used`: ISO 8601, UTC; of an asset never used by a run, when it came. `used_by`: the last run. `in_use`: the
    run or the making that goes on now. `site`: it lies in a cache of the site and is never changed from here.
    """

    name: str
    key: str
    kind: str
    path: Path
    size_bytes: int
    files: int
    trust: str
    origin: str
    when: str
    last_used: str
    used_by: str | None
    pinned: bool
    in_use: str | None
    site: bool
    state: State
    note: str | None = None

    @property
    def age_from(self) -> datetime:
        """The moment of the last use."""
        return moment(self.last_used) or _NEVER


def summarise(asset: Asset, found: Manifest) -> Summary:
    """The summary of what has just been published."""
    from orchestrator.domain.source import origin_of

    return Summary(
        name=found.name,
        key=found.key,
        kind=asset.kind.value,
        origin=origin_of(asset.source),
        trust=found.trust.value,
        when=found.when,
        size_bytes=found.size_bytes,
        files=len(found.files),
        digest=found.digest,
    )


def write_summary(layout: CacheLayout, summary: Summary) -> None:
    """Keep it; where it cannot be written the list is made from the manifest each time."""
    path = layout.summary(summary.name, summary.key)
    with suppress(OSError):
        make_folder(path.parent)
        write_atomic(path, canonical_json(summary), durable=False)


def assets_in(layout: CacheLayout, now: datetime, *, site: bool = False, name: str | None = None) -> tuple[Entry, ...]:
    """Every asset of a cache (of one name), in order of names."""
    return tuple(
        _entry(layout, *view, now=now, site=site) for view in layout.views() if name is None or view[0] == name
    )


def works_in(layout: CacheLayout, now: datetime) -> tuple[Entry, ...]:
    """What drivers keep, with its size; named `work/IMPLEMENTATION/NAME`. In use while any run uses this cache."""
    from orchestrator.assets.cache_uses import any_in_use

    found, running = [], None
    for number, path in enumerate(layout.works()):
        running = any_in_use(layout, now) if number == 0 else running
        stats = [stat for _, stat in tree_stats(path, strict=False)]
        newest = max([path.stat().st_mtime, *(stat.st_mtime for stat in stats)])
        when = datetime.fromtimestamp(newest, UTC).isoformat(timespec="seconds")
        name = path.relative_to(layout.root).as_posix()
        found.append(
            Entry(
                name=name,
                key="",
                kind="work",
                path=path,
                size_bytes=sum(stat.st_size for stat in stats),
                files=len(stats),
                trust="made here",
                origin=f"kept by the driver of {path.parent.name}",
                when=when,
                last_used=when,
                used_by=None,
                pinned=layout.pin(name).is_file(),
                in_use=running,
                site=False,
                state=State.WHOLE,
            )
        )
    return tuple(found)


def _entry(layout: CacheLayout, name: str, key: str, path: Path, *, now: datetime, site: bool) -> Entry:
    summary, note = _read_summary(layout, name, key)
    if not os.path.isfile(path / MANIFEST):  # noqa: PTH113 - a list of thousands, and no error at a locked door
        summary, note = None, f"its {MANIFEST} is lost"
    if summary is None and note is None:
        summary, note = _resummarised(layout, name, key, site=site)
    uses = () if site else uses_of(layout.uses(name, key), whole=False)
    running = in_use(uses, now)
    if running is None and not site and is_held(layout.asset_lock(name, key)):
        running = "another process"
    when = summary.when if summary else ""
    return Entry(
        name=name,
        key=summary.key if summary else key,
        kind=summary.kind if summary else "unknown",
        path=path,
        size_bytes=summary.size_bytes if summary else _size(path),
        files=summary.files if summary else 0,
        trust=summary.trust if summary else "-",
        origin=summary.origin if summary else "-",
        when=when,
        last_used=max(when, uses[-1].when if uses else ""),
        used_by=uses[-1].run if uses else None,
        pinned=layout.pin(name).is_file(),
        in_use=running,
        site=site,
        state=State.WHOLE if summary else State.DAMAGED,
        note=note,
    )


def _read_summary(layout: CacheLayout, name: str, key: str) -> tuple[Summary | None, str | None]:
    try:
        document = json.loads(layout.summary(name, key).read_bytes())
        found = Summary(**document)
    except (OSError, ValueError, TypeError, RecursionError):
        return None, None
    texts = (found.name, found.key, found.kind, found.origin, found.trust, found.when, found.digest)
    sound = all(isinstance(text, str) for text in texts) and isinstance(found.size_bytes, int)
    if not sound or not isinstance(found.files, int) or not found.key.startswith(key):
        return None, None
    return (found, None) if (found.name, found.schema_version) == (name, SCHEMA_VERSION) else (None, None)


def _resummarised(layout: CacheLayout, name: str, key: str, *, site: bool) -> tuple[Summary | None, str | None]:
    """Made again from the manifest; None and why not where that is damaged."""
    from orchestrator.assets import manifest

    try:
        known = manifest.read(layout.manifest(name, key))
    except (AssetError, OSError) as error:
        return None, str(error)
    if known is None or known.name != name:
        return None, f"its {MANIFEST} is of something else"
    source = known.source if isinstance(known.source, dict) else {}
    made = Summary(
        name=name,
        key=known.key,
        kind="asset",
        origin=_origin(source),
        trust=known.trust.value,
        when=known.when,
        size_bytes=known.size_bytes,
        files=len(known.files),
        digest=known.digest,
    )
    if not site:
        write_summary(layout, made)
    return made, None


def _origin(source: object) -> str:
    match source:
        case {"kind": "download", "urls": [str(url), *_]}:
            return url
        case {"kind": "huggingface", "repository": str(repository)}:
            return f"Hugging Face, {repository}"
        case {"kind": "bucket", "uri": str(uri)}:
            return f"the MLCommons bucket, {uri}"
        case {"kind": "git", "repository": str(repository), "commit": str(commit)}:
            return f"{repository} at {commit[:12]}"
        case {"package": str(package), "version": str(version)}:
            return f"package {package} {version}"
        case {"inputs": [*inputs]}:
            return f"made from {', '.join(str(name) for name in inputs)}"
        case _:
            return "-"


def _size(path: Path) -> int:
    return sum(stat.st_size for _, stat in tree_stats(path, strict=False))
