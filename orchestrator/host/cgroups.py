"""Which limits the control groups of this process set, version 1 and 2. Reads only; never makes or changes a group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchestrator.host.kernel_files import REAL_ROOT, MountPoint, mount_points, number, read

_UNLIMITED_BYTES = 1 << 62  # version 1 writes "no limit" as the largest number of whole pages


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimits:
    """The tightest limit of the group and all its ancestors; None is no limit.

    `quota_cpus` is processor time per wall time (2.5: two and a half), `cpuset` a list such as `0-3,8`, `version` is
    `1`, `2`, or None where no group is mounted.
    """

    version: str | None = None
    memory_bytes: int | None = None
    quota_cpus: float | None = None
    cpuset: str | None = None


def group_limits(root: Path = REAL_ROOT) -> GroupLimits:
    """The limits this process stands under. In a hybrid set-up each limit comes from whichever version has it."""
    groups, mounts = _own_groups(root), tuple(mount_points(root))
    memory, cpu, cpuset = (tuple(_folders(root, mounts, groups, name)) for name in ("memory", "cpu", "cpuset"))
    bytes_ = [limit for folder in memory if (limit := _memory_bytes(folder)) is not None]
    quotas = [quota for folder in cpu if (quota := _quota_cpus(folder)) is not None]
    sets = (read(folder, name) for folder in cpuset for name in ("cpuset.cpus.effective", "cpuset.effective_cpus"))
    return GroupLimits(
        version=_version(mounts),
        memory_bytes=min(bytes_, default=None),
        quota_cpus=min(quotas, default=None),
        cpuset=next((text for text in sets if text), None),
    )


def _version(mounts: Iterable[MountPoint]) -> str | None:
    kinds = {(mount.kind, "memory" in mount.options) for mount in mounts}
    if ("cgroup", True) in kinds:
        return "1"
    return "2" if ("cgroup2", False) in kinds else None


def _own_groups(root: Path) -> dict[str, PurePosixPath]:
    """Path of our group by controller; the key is empty for version 2."""
    groups: dict[str, PurePosixPath] = {}
    for line in (read(root, "proc/self/cgroup") or "").splitlines():
        fields = line.split(":", 2)
        if len(fields) == 3:
            groups.update(dict.fromkeys(fields[1].split(","), PurePosixPath(fields[2])))
    return groups


def _folders(
    root: Path, mounts: Iterable[MountPoint], groups: dict[str, PurePosixPath], controller: str
) -> Iterator[Path]:
    """Our group's folder for a controller and its ancestors, innermost first.

    Inside a container without a cgroup namespace the path names a place that is not mounted here: then the mount's own
    top is our group.
    """
    for mount in mounts:
        if mount.kind == "cgroup2":
            own = groups.get("")
        elif mount.kind == "cgroup" and controller in mount.options:
            own = groups.get(controller)
        else:
            continue
        top = root / mount.target.lstrip("/")
        inner = own.relative_to(mount.root) if own is not None and own.is_relative_to(mount.root) else PurePosixPath()
        for part in (inner, *inner.parents):
            if (top / part).is_dir():
                yield top / part


def _memory_bytes(folder: Path) -> int | None:
    version_2 = number(folder, "memory.max")
    limit = version_2 if version_2 is not None else number(folder, "memory.limit_in_bytes")
    return limit if limit is not None and limit < _UNLIMITED_BYTES else None


def _quota_cpus(folder: Path) -> float | None:
    text = read(folder, "cpu.max")
    if text:
        quota, _, period = text.partition(" ")
        return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None
    quota_us, period_us = number(folder, "cpu.cfs_quota_us"), number(folder, "cpu.cfs_period_us")
    return quota_us / period_us if quota_us is not None and quota_us > 0 and period_us else None
