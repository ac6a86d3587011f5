"""Room that a request takes, by file system, before the first byte comes. Reads sizes; writes and fetches nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator.domain.asset import Asset, PlannedAsset
from orchestrator.domain.finding import Finding, fault, note, ok
from orchestrator.domain.image import ImageEntry, PlannedImage
from orchestrator.domain.source import (
    Bucket,
    DebianPackage,
    Download,
    GitTree,
    NpmPackage,
    Prepared,
    PypiPackage,
    Scripted,
    is_fetched,
    size_of,
)
from orchestrator.host.disks import Disk, disk

RESULTS_WANT_BYTES = 64 << 20
_UNITS = ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


class Place(StrEnum):
    """Where room is taken."""

    CACHE = "cache"
    ENGINE = "engine"
    RESULTS = "results"


_REMEDIES = {
    Place.CACHE: "make room in the cache (mlperf-docker cache prune --keep SIZE), or have it elsewhere "
    "(MLPERF_DOCKER_CACHE)",
    Place.ENGINE: "make room among the engine's images (mlperf-docker images prune, docker system df), or move its "
    "data root",
    Place.RESULTS: "keep the results elsewhere (--results-dir)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One thing that takes room. `fetch_bytes` come over the network; `room_bytes` is the most it takes while it comes.

    `unknown`: at least that much, nobody knows how much more; `unknown_fetch`: bytes come, nobody knows how many.
    `estimated`: neither published nor measured. `path` is null where the place is on another machine.
    """

    what: str
    place: Place
    path: Path | None
    fetch_bytes: int = 0
    room_bytes: int = 0
    unknown: bool = False
    unknown_fetch: bool = False
    estimated: bool = False

    @property
    def room(self) -> str:
        """The room in words."""
        return _amount(self.room_bytes, unknown=self.unknown, estimated=self.estimated)

    @property
    def fetch(self) -> str:
        """The bytes to fetch in words; empty where nothing is."""
        if not self.fetch_bytes:
            return "unknown" if self.unknown_fetch else ""
        return _amount(self.fetch_bytes, unknown=False, estimated=self.estimated)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """One file system and all that takes room on it."""

    disk: Disk
    needs: tuple[Need, ...]

    @property
    def room_bytes(self) -> int:
        """What all of it takes, as far as that is known."""
        return sum(need.room_bytes for need in self.needs)

    @property
    def fetch(self) -> str:
        """The bytes to fetch in words; empty where nothing is."""
        known = sum(need.fetch_bytes for need in self.needs)
        unknown = any(need.unknown_fetch for need in self.needs)
        estimated = any(need.estimated for need in self.needs if need.fetch_bytes)
        return _amount(known, unknown=unknown, estimated=estimated) if known or unknown else ""

    @property
    def short(self) -> bool:
        """Whether it does not fit."""
        return self.room_bytes > self.disk.free_bytes

    @property
    def room(self) -> str:
        """The room in words."""
        unknown, estimated = (any(getattr(need, name) for need in self.needs) for name in ("unknown", "estimated"))
        return _amount(self.room_bytes, unknown=unknown, estimated=estimated)


def asset_needs(planned: Iterable[PlannedAsset], cache: Path) -> tuple[Need, ...]:
    """What the assets take that are not there: each once, a package that several are made from once, too.

    `planned` are those that have to be there (`Assets.needed`).
    """
    fetched: set[str] = set()
    found: dict[str, Need] = {}
    for one in planned:
        if one.key in found or one.present or not is_fetched(one.asset.source):
            continue
        content = _content_key(one)
        found[one.key] = _asset_need(one, cache, again=content in fetched)
        fetched.add(content)
    return tuple(need for need in found.values() if need.room_bytes or need.unknown)


def image_needs(
    images: Iterable[PlannedImage], entries: Callable[[str], ImageEntry | None], data_root: Path | None
) -> tuple[Need, ...]:
    """What images take that are not there; a size is known where the entry has one."""
    found = {}
    for image in images:
        entry = entries(image.entry)
        size = entry.size_bytes if entry is not None and image.choice.reference is None else None
        found[image.entry, str(image.choice.reference)] = Need(
            what=f"image {image.choice.reference or image.entry}",
            place=Place.ENGINE,
            path=data_root,
            room_bytes=size or 0,
            unknown=size is None,
            unknown_fetch=True,
        )
    return tuple(found.values())


def results_need(results: Path) -> Need:
    """What the logs of runs take."""
    return Need(what="logs of the runs", place=Place.RESULTS, path=results, room_bytes=RESULTS_WANT_BYTES)


def file_systems(needs: Iterable[Need], look: Callable[[Path], Disk] = disk) -> tuple[FileSystem, ...]:
    """The needs by the file system they fall on; places on one share its free bytes."""
    disks: dict[str, Disk] = {}
    on: dict[str, list[Need]] = {}
    for need in needs:
        if need.path is not None:
            found = look(need.path)
            disks.setdefault(found.device, found)
            on.setdefault(found.device, []).append(need)
    return tuple(FileSystem(disk=disks[device], needs=tuple(group)) for device, group in on.items())


def space_findings(systems: Iterable[FileSystem]) -> tuple[Finding, ...]:
    """One finding for each file system, and one that names what has no known size."""
    systems = tuple(systems)
    return (*(_on_one(system) for system in systems), *_unknown(need for one in systems for need in one.needs))


def amount(bytes_: int) -> str:
    """Bytes for a person, as disks and published sizes are counted: powers of 1000, three digits."""
    return next((f"{bytes_ / unit:.3g} {name}" for unit, name in _UNITS if bytes_ >= unit), f"{bytes_} bytes")


def _on_one(system: FileSystem) -> Finding:
    places = dict.fromkeys(need.place for need in system.needs)
    where = system.disk.mounted_at or system.disk.path
    text = f"{system.room} needed ({_shares(system)}), {amount(system.disk.free_bytes)} free on {where}"
    if not system.short:
        return ok("disk", text)
    lacking = amount(system.room_bytes - system.disk.free_bytes)
    return fault("disk", f"{text}: {lacking} too little", "; or ".join(_REMEDIES[place] for place in places))


def _shares(system: FileSystem) -> str:
    sums: dict[Place, int] = {}
    for need in system.needs:
        sums[need.place] = sums.get(need.place, 0) + need.room_bytes
    return ", ".join(f"{place.value} {amount(bytes_)}" for place, bytes_ in sums.items())


def _unknown(needs: Iterable[Need]) -> Iterator[Finding]:
    names = [need.what for need in needs if need.unknown]
    if names:
        text = f"nobody knows how much room {_listed(names)} will take in the end; what is known of it was counted"
        yield note("disk-unknown", text, "leave room; a full disk ends the fetch, what came so far is kept")


def _listed(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 4 else f"{', '.join(names[:3])} and {len(names) - 3} more"


def _asset_need(planned: PlannedAsset, cache: Path, *, again: bool) -> Need:
    asset = planned.asset
    fetch = 0 if again else planned.fetch_bytes
    sized = asset.transfer_bytes is not None
    room, known = _room(asset, fetch)
    return Need(
        what=f"{asset.kind.value} {asset.name}",
        place=Place.CACHE,
        path=cache,
        fetch_bytes=fetch,
        room_bytes=room,
        unknown=not (sized and known),
        unknown_fetch=not sized,
        estimated=asset.size_estimated,
    )


def _room(asset: Asset, fetch: int) -> tuple[int, bool]:
    """The most bytes that lie on the disk while an asset is made, and whether that is all that can be said."""
    whole, source = contents_bytes(asset), asset.source
    match source:
        case PypiPackage() | DebianPackage() | NpmPackage():
            return fetch + (whole or 0), whole is not None
        case Download(unpack=True) | Bucket(unpack=True) | GitTree():
            return fetch + (whole if whole is not None else size_of(source) or 0), whole is not None
        case Prepared() | Scripted():
            return fetch + (whole or 0), whole is not None
        case _:
            return fetch, True


def contents_bytes(asset: Asset) -> int | None:
    """Bytes of an asset as it lies in the end: as the catalogue says, else the sum of its files; None where unknown."""
    if asset.size_bytes is not None:
        return asset.size_bytes
    parts = asset.files or getattr(asset.source, "members", ())
    sizes = [part.size_bytes for part in parts]
    return sum(size for size in sizes if size is not None) if sizes and None not in sizes else None


def _content_key(planned: PlannedAsset) -> str:
    """What is fetched, such that two assets of one package count it once."""
    return getattr(planned.asset.source, "sha256", None) or planned.key


def _amount(bytes_: int, *, unknown: bool, estimated: bool) -> str:
    if unknown and not bytes_:
        return "unknown"
    return f"{'at least ' if unknown else ''}{amount(bytes_)}{' (estimated)' if estimated else ''}"
