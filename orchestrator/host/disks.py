"""Free space by file system, such that two paths on one file system are not counted twice. Writes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePath

from orchestrator.host.kernel_files import REAL_ROOT, MountPoint, mount_points

_NETWORK_KINDS = frozenset({"nfs", "nfs4", "cifs", "smb3", "lustre", "gpfs", "beegfs", "ceph", "fuse.sshfs", "9p"})
_POOLED_KINDS = frozenset({"btrfs", "zfs"})  # one pool of space under several device numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """The file system that holds a path (or would: the nearest existing folder above it is asked).

    Equal `device` means the same free bytes. `free_bytes` is what an ordinary user may still write.
    """

    path: Path
    device: str
    kind: str | None
    mounted_at: Path | None
    total_bytes: int
    free_bytes: int

    @property
    def in_memory(self) -> bool:
        """Whether what is written there takes main memory."""
        return self.kind in {"tmpfs", "ramfs"}

    @property
    def on_network(self) -> bool:
        """Whether other machines' traffic decides how fast it is."""
        return self.kind in _NETWORK_KINDS


def nearest_existing(path: Path) -> Path:
    """The path itself, or the closest folder above it that exists and may be looked at."""
    absolute = path.absolute()
    for candidate in (absolute, *absolute.parents):
        try:
            candidate.stat()
        except OSError:
            continue
        return candidate
    return Path(absolute.anchor)


def disk(path: Path, root: Path = REAL_ROOT) -> Disk:
    """The file system of a path; the mount table is read below `root`, the free space from the running system."""
    place = nearest_existing(path).resolve()
    space, mount = os.statvfs(place), _mount_of(place, mount_points(root))
    return Disk(
        path=path,
        device=_device(place, mount),
        kind=mount.kind if mount else None,
        mounted_at=Path(mount.target) if mount else None,
        total_bytes=space.f_blocks * space.f_frsize,
        free_bytes=space.f_bavail * space.f_frsize,
    )


def _mount_of(place: PurePath, mounts: Iterable[MountPoint]) -> MountPoint | None:
    best: MountPoint | None = None
    for mount in mounts:
        if place.is_relative_to(mount.target) and (best is None or len(mount.target) >= len(best.target)):
            best = mount
    return best


def _device(place: Path, mount: MountPoint | None) -> str:
    if mount and mount.kind in _POOLED_KINDS:
        return f"{mount.kind}:{mount.source.partition('/')[0] or mount.source}"
    number = place.stat().st_dev
    return f"{os.major(number)}:{os.minor(number)}"
